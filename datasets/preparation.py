"""Preparing a measured sinogram: the named steps between raw counts and what a reconstruction method is handed.

A sinogram is (angles, detectors) float64; the rotation axis is a 0-based detector coordinate and lies "in the middle"
at ``(detectors − 1) / 2``. Every step returns a new ``Prepared`` that remembers the step and its figures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import map_coordinates

from ..errors import DataError, GeometryError, complaint

Float64 = NDArray[np.float64]

CENTRED_WITHIN = 0.25  # detectors: below this the interpolation of a shift harms more than the shift mends


@dataclass(frozen=True)
class Prepared:
    """A sinogram and what was done to it, in order."""

    sinogram: Float64
    steps: tuple[str, ...] = ()

    def then(self, sinogram: Float64, step: str) -> Prepared:
        """The outcome of one more step."""
        return Prepared(sinogram, (*self.steps, step))


def flat_and_dark_field(counts: ArrayLike, flat: ArrayLike, dark: ArrayLike | None = None) -> Prepared:
    """Counts → transmission, ``(counts − dark) / (flat − dark)`` with flats and darks averaged.

    Parameters
    ----------
    counts : (angles, detectors), raw counts.
    flat, dark : (exposures, detectors), without object, and without beam; no dark means zero.

    Detectors that counted no more than the dark current are set to one count, so that a logarithm exists; how many is
    reported in the step. Raises DataError where the flat field does not exceed the dark field.
    """
    raw = np.asarray(counts, dtype=np.float64)
    bright = np.atleast_2d(np.asarray(flat, dtype=np.float64))
    black = np.zeros((0, raw.shape[1])) if dark is None else np.atleast_2d(np.asarray(dark, dtype=np.float64))
    offset = black.mean(axis=0) if len(black) else np.zeros(raw.shape[1])
    beam = bright.mean(axis=0) - offset
    dead = int(np.count_nonzero(beam <= 0))
    if dead:
        raise DataError(
            complaint("flat field", "more counts than the dark field", f"{dead} dead detectors", "mask them")
        )
    signal = raw - offset
    clipped = int(np.count_nonzero(signal <= 0))
    transmission = np.where(signal <= 0, 1.0, signal) / beam
    step = f"flat_and_dark_field(flats={len(bright)}, darks={len(black)}, clipped={clipped})"
    return Prepared(transmission, (step,))


def minus_log(prepared: Prepared) -> Prepared:
    """Transmission → line integrals of attenuation, ``−log``.

    Raises DataError, with their number and the first index, where a transmission is not positive.
    """
    bad = np.argwhere(~(prepared.sinogram > 0))
    if len(bad):
        where = tuple(map(int, bad[0]))
        raise DataError(
            complaint("transmission", "positive values", f"{len(bad)} others, first at {where}", "clip them")
        )
    return prepared.then(-np.log(prepared.sinogram), "minus_log()")


def find_rotation_centre(sinogram: ArrayLike, angles: ArrayLike) -> float:
    """Return the detector coordinate of the rotation axis.

    Where the scan comes within three steps of 180°, projections of opposite directions are registered by
    cross-correlation: the mirrored projection at θ + π is the projection at θ shifted by twice the axis. A scan
    without end point lacks the exact opposite, so the shift is measured for the nearest pairs and carried on to 180°.
    Otherwise the centre of mass, which runs on a sinusoid around the axis when the object stays in the field of view,
    is fitted by least squares.

    Parameters
    ----------
    sinogram : (angles, detectors), line integrals.
    angles : (angles,), radians, increasing.
    """
    values = np.asarray(sinogram, dtype=np.float64)
    theta = np.asarray(angles, dtype=np.float64)
    if values.ndim != 2 or theta.shape != values.shape[:1]:
        raise GeometryError(complaint("rotation centre", f"{len(values)} angles", f"{theta.size}", "give one per row"))
    if len(theta) >= 3:
        step = (theta[-1] - theta[0]) / (len(theta) - 1)
        gap = np.pi - (theta[-1] - theta[0])
        if step > 0 and abs(gap) < 3 * step and step < np.deg2rad(5):
            return _centre_from_opposites(values, step, gap)
    return _centre_of_mass_axis(values, theta)


def _centre_from_opposites(sinogram: Float64, step: float, gap: float) -> float:
    near = _mirror_axis(sinogram[0], sinogram[-1])
    far = (_mirror_axis(sinogram[1], sinogram[-1]) + _mirror_axis(sinogram[0], sinogram[-2])) / 2
    return near - gap * (far - near) / step


def _mirror_axis(projection: Float64, opposite: Float64) -> float:
    """The axis about which mirroring ``opposite`` gives ``projection``, by cross-correlation to 0.01 pixel."""
    from skimage.registration import phase_cross_correlation

    # Unnormalised: whitening the spectrum would let photon noise decide.
    shift = phase_cross_correlation(  # type: ignore[no-untyped-call]
        projection, opposite[::-1], upsample_factor=200, normalization=None
    )[0]
    return float((len(projection) - 1 + shift[0]) / 2)


def _centre_of_mass_axis(sinogram: Float64, angles: Float64) -> float:
    mass = sinogram.sum(axis=1)
    if len(angles) < 3 or np.any(mass <= 0):
        raise DataError(
            complaint("rotation centre", "3 or more projections of positive sum", f"{len(angles)}", "give the centre")
        )
    middle = (sinogram @ np.arange(sinogram.shape[1])) / mass
    model = np.stack([np.ones_like(angles), np.cos(angles), np.sin(angles)], axis=1)
    return float(np.linalg.lstsq(model, middle, rcond=None)[0][0])


def drop_end_point(prepared: Prepared, angles: NDArray[np.float64]) -> tuple[Prepared, NDArray[np.float64]]:
    """Drop the last projection where it lies half a turn from the first, whose mirror image it is."""
    if len(angles) > 1 and abs(angles[-1] - angles[0] - np.pi) < 1e-6:
        return prepared.then(prepared.sinogram[:-1], "drop_end_point()"), angles[:-1]
    return prepared, angles


def centre(prepared: Prepared, axis: float) -> Prepared:
    """Bring the rotation axis to the middle: crop to the widest symmetric window, interpolating with cubic splines.

    Raises GeometryError where the axis lies outside the detector.
    """
    detectors = prepared.sinogram.shape[1]
    if not 0 < axis < detectors - 1:
        raise GeometryError(complaint("rotation axis", f"0 … {detectors - 1}", f"{axis:.2f}", "check the scan"))
    reach = int(np.floor(min(axis, detectors - 1 - axis) + 1e-9))
    columns = axis + np.arange(-reach, reach + 1)
    rows = np.arange(len(prepared.sinogram))
    grid = np.meshgrid(rows, columns, indexing="ij")
    cropped = map_coordinates(prepared.sinogram, grid, order=3, mode="nearest")
    offset = axis - (detectors - 1) / 2
    return prepared.then(cropped, f"centre(offset={offset:+.2f}, detectors={2 * reach + 1})")


def equal_intensity_per_angle(prepared: Prepared) -> Prepared:
    """Scale each projection to the mean of all sums: the object's mass is the same from every side.

    Only for an object that stays in the field of view. Raises DataError naming the first projection whose sum is not
    positive.
    """
    sums = prepared.sinogram.sum(axis=1)
    empty = np.flatnonzero(~(sums > 0))
    if len(empty):
        raise DataError(
            complaint("projection sums", "all positive", f"{sums[empty[0]]:g} at angle {empty[0]}", "drop it")
        )
    spread = float(sums.std() / sums.mean())
    scaled = prepared.sinogram * (sums.mean() / sums)[:, None]
    return prepared.then(scaled, f"equal_intensity_per_angle(spread={spread:.4f})")


def subtract_air(prepared: Prepared, width: int) -> Prepared:
    """Subtract from each projection the straight line through its two edges, which must see air and so be zero.

    ``width`` is the number of detectors averaged at each edge.
    """
    sinogram = prepared.sinogram
    detectors = sinogram.shape[1]
    if not 1 <= width <= detectors // 2:
        raise GeometryError(complaint("air width", f"1 … {detectors // 2} detectors", f"{width}", "choose fewer"))
    left, right = sinogram[:, :width].mean(axis=1), sinogram[:, -width:].mean(axis=1)
    # The mean of an edge belongs to that edge's middle detector, hence the stretched coordinate.
    along = (np.arange(detectors) - (width - 1) / 2) / (detectors - width)
    air = left[:, None] * (1 - along) + right[:, None] * along
    return prepared.then(sinogram - air, f"subtract_air(width={width}, mean={air.mean():.4g})")


def subtract_background(prepared: Prepared, background: ArrayLike) -> Prepared:
    """Subtract a measured background: a number, one value per detector, or a whole (angles, detectors) blank scan."""
    values = np.asarray(background, dtype=np.float64)
    shape = prepared.sinogram.shape
    if values.shape not in ((), shape[1:], shape):
        raise GeometryError(
            complaint("background", f"shape (), {shape[1:]} or {shape}", f"{values.shape}", "reshape it")
        )
    return prepared.then(prepared.sinogram - values, f"subtract_background(mean={values.mean():.4g})")


def bin_detectors(prepared: Prepared, factor: int) -> Prepared:
    """Average ``factor`` neighbouring detectors about the middle; what is left over is cut equally from both edges."""
    detectors = prepared.sinogram.shape[1]
    if not 1 <= factor <= detectors:
        raise GeometryError(complaint("binning", f"a factor of 1 … {detectors}", f"{factor}", "choose another"))
    bins = detectors // factor
    edges = (detectors - bins * factor) / 2 + factor * np.arange(bins + 1)
    pixels = np.arange(detectors)
    shared = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    weights = np.clip(shared, 0, None) / factor
    return prepared.then(prepared.sinogram @ weights.T, f"bin_detectors(factor={factor})")


def clip_negatives(image: ArrayLike) -> tuple[Float64, str]:
    """Set the negative values of a *reconstruction* to zero (attenuation cannot be); returns the image and the step."""
    values = np.asarray(image, dtype=np.float64)
    return np.clip(values, 0, None), f"clip_negatives(clipped={np.count_nonzero(values < 0)})"
