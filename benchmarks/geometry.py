"""The parallel-beam scan geometry: a small immutable value.

Conventions, stated once. Images are (rows, columns), row 0 at the top. At angle 0 the rays run along the columns, so
detector ``d`` sees column ``d``; angles are radians, counter-clockwise, and at π/2 detector ``d`` sees row
``size − 1 − d`` (ASTRA's convention). Detectors are as wide as image pixels. Lengths are in the library's attenuation
unit: an image value times ``pixel_size`` is the attenuation of crossing one pixel.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import GeometryError, complaint

SAME_DIRECTION = 1e-9  # radians
MISSING_GAP = 4.0
FIELD_OF_VIEW = 4.0  # attenuation lengths across any image, so that sinograms keep their scale at every size


def check_angles(angles: ArrayLike) -> NDArray[np.float64]:
    """Return angles as (n,) float64 radians, or raise GeometryError saying what is wrong with them."""
    values = np.asarray(angles)
    if values.ndim != 1 or values.size == 0 or values.dtype.kind not in "fiu":
        raise GeometryError(
            complaint("angles", "a non-empty list of real numbers", f"{values.dtype} {values.shape}", "pass radians")
        )
    values = values.astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise GeometryError(
            complaint("angles", "finite radians", f"{bad.size} NaN or Inf, first at {bad[0]}", "drop them")
        )
    if np.ptp(values) > 4 * np.pi:
        raise GeometryError(
            complaint("angles", "radians", f"a range of {np.ptp(values):.6g}", "looks like degrees: use np.deg2rad")
        )
    if np.unique(values).size != values.size:
        raise GeometryError(
            complaint("angles", "each angle once", f"{values.size - np.unique(values).size} repeated", "drop repeats")
        )
    return values


@dataclass(frozen=True, eq=False, repr=False)
class Geometry:
    """A parallel-beam scan of a square image.

    Parameters
    ----------
    angles : (n,) radians, finite, each once; a full scan covers [0, π) with the end point excluded.
    detectors : number of detector pixels, each ``pixel_size`` wide.
    image_size : side of the square image, pixels.
    pixel_size : side of a pixel, in attenuation lengths; by default the field of view is 4 of them.
    rotation_centre : where the rotation axis falls on the detector, 0-based detector index; by default the middle.

    Raises GeometryError for angles or sizes that cannot be scanned.
    """

    angles: NDArray[np.float64]
    detectors: int
    image_size: int
    pixel_size: float
    rotation_centre: float

    def __init__(
        self,
        angles: ArrayLike,
        detectors: int,
        image_size: int | None = None,
        pixel_size: float | None = None,
        rotation_centre: float | None = None,
    ) -> None:
        size = detectors if image_size is None else image_size
        for name, count in (("detectors", detectors), ("image_size", size)):
            if not isinstance(count, int | np.integer) or count < 1:
                raise GeometryError(
                    complaint(name, "a whole number of at least 1", repr(count), "pass the pixel count")
                )
        if pixel_size is not None and not 0 < pixel_size < np.inf:
            raise GeometryError(complaint("pixel_size", "a length above zero", repr(pixel_size), "see FIELD_OF_VIEW"))
        if rotation_centre is not None and not abs(rotation_centre - (detectors - 1) / 2) < detectors:
            raise GeometryError(
                complaint("rotation_centre", "an index near the detector", repr(rotation_centre), "centre the scan")
            )
        values = check_angles(angles) + 0.0  # a copy, and no negative zero
        values.setflags(write=False)
        object.__setattr__(self, "angles", values)
        object.__setattr__(self, "detectors", int(detectors))
        object.__setattr__(self, "image_size", int(size))
        object.__setattr__(self, "pixel_size", FIELD_OF_VIEW / size if pixel_size is None else float(pixel_size))
        middle = (detectors - 1) / 2
        object.__setattr__(self, "rotation_centre", middle if rotation_centre is None else float(rotation_centre))

    @property
    def sinogram_shape(self) -> tuple[int, int]:
        """(angles, detectors)."""
        return len(self.angles), self.detectors

    @property
    def axis_offset(self) -> float:
        """Rotation axis minus detector middle, in detector pixels."""
        return self.rotation_centre - (self.detectors - 1) / 2

    def angular_weights(self) -> NDArray[np.float64]:
        """(angles,) the arc each projection stands for in radians: half the way to its neighbours, modulo π.

        Directions measured more than once share their arc. Where the largest gap is more than four times the mean of
        the others the scan is of limited angle: that gap is missing data, which no projection stands for.
        """
        turns = self.angles % np.pi
        turns[np.pi - turns < SAME_DIRECTION] = 0.0
        order = np.argsort(turns, kind="stable")
        new = np.diff(turns[order], prepend=-1.0) > SAME_DIRECTION
        directions = turns[order][new]
        if len(directions) == 1:
            return np.full(len(turns), np.pi / len(turns))
        gaps = np.diff(directions, append=directions[0] + np.pi)
        largest = int(np.argmax(gaps))
        others = (np.pi - gaps[largest]) / (len(gaps) - 1)
        if gaps[largest] > MISSING_GAP * others:
            gaps[largest] = others
        arcs = (gaps + np.roll(gaps, 1)) / 2
        which = np.cumsum(new) - 1  # the direction of each angle, in sorted order
        weights = np.empty(len(turns), dtype=np.float64)
        weights[order] = (arcs / np.bincount(which))[which]
        return weights

    def with_angles(self, chosen: slice | NDArray[np.intp]) -> Geometry:
        """The same scan restricted to some of its angles."""
        return Geometry(self.angles[chosen], self.detectors, self.image_size, self.pixel_size, self.rotation_centre)

    def digest(self) -> str:
        """Hex digest of every number of the geometry; equal geometries, equal digests."""
        numbers = np.array([self.detectors, self.image_size, self.pixel_size, self.rotation_centre], dtype="<f8")
        return hashlib.sha256(self.angles.astype("<f8").tobytes() + numbers.tobytes()).hexdigest()[:16]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Geometry) and self.digest() == other.digest()

    def __hash__(self) -> int:
        return hash(self.digest())

    def __repr__(self) -> str:
        first, last = np.rad2deg(self.angles[[0, -1]])
        return (
            f"Geometry({len(self.angles)} angles {first:.4g}°…{last:.4g}°, {self.detectors} detectors, "
            f"image {self.image_size}², pixel {self.pixel_size:.6g}, rotation centre {self.rotation_centre:.6g})"
        )


def equal_angles(count: int, arc: float = np.pi) -> NDArray[np.float64]:
    """(count,) radians from 0 in equal steps over ``arc``, end point excluded."""
    return np.arange(count, dtype=np.float64) * (arc / count)
