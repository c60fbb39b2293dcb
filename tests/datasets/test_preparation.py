"""Preparation steps against closed forms: a disc off the axis, whose projections are half-ellipses on a sinusoid."""

from __future__ import annotations

import numpy as np
import pytest

from tomobench.datasets import preparation as prep
from tomobench.errors import DataError, GeometryError

DETECTORS, RADIUS = 101, 20.0


def disc_scan(angles, axis, distance=12.0, direction=0.7):
    """Exact projections of a unit disc whose centre lies ``distance`` pixels from the rotation axis."""
    middle = axis + distance * np.cos(angles - direction)
    offsets = np.arange(DETECTORS) - middle[:, None]
    return 2 * np.sqrt(np.clip(RADIUS**2 - offsets**2, 0, None))


def half_turn(count):
    """Angles over [0, π), end point excluded."""
    return np.arange(count) * np.pi / count


@pytest.mark.parametrize("axis", [50.0, 50.5, 46.3, 56.71])
@pytest.mark.parametrize("count", [60, 181])
def test_axis_of_a_disc_from_opposite_projections(axis, count):
    """The axis of a half-turn scan is found to a tenth of a detector, end point or none."""
    angles = half_turn(count)
    assert prep.find_rotation_centre(disc_scan(angles, axis), angles) == pytest.approx(axis, abs=0.1)


@pytest.mark.parametrize("span", [2 * np.pi, np.deg2rad(120)])
def test_axis_of_a_disc_from_its_centre_of_mass(span):
    """A full turn and a 120° wedge have no opposite end; the sinusoid of the centre of mass gives the axis."""
    angles = np.arange(90) * span / 90
    assert prep.find_rotation_centre(disc_scan(angles, 47.25), angles) == pytest.approx(47.25, abs=0.02)


def test_axis_survives_photon_noise():
    """With 1000 photons per detector the axis stays within a quarter of a detector."""
    angles = half_turn(180)
    transmission = np.random.default_rng(3).poisson(1000 * np.exp(-disc_scan(angles, 53.4) / 40)) / 1000
    assert prep.find_rotation_centre(-np.log(transmission), angles) == pytest.approx(53.4, abs=0.25)


@pytest.mark.parametrize("axis", [44.0, 53.3])
def test_centre_puts_the_axis_in_the_middle(axis):
    """After centring, the disc's projections are those of a scan whose axis is the middle of the kept window."""
    angles = half_turn(90)
    centred = prep.centre(prep.Prepared(disc_scan(angles, axis)), axis)
    kept = centred.sinogram.shape[1]
    assert kept == 2 * int(min(axis, 100 - axis)) + 1
    columns = np.arange(kept) - (kept - 1) / 2 - 12 * np.cos(angles[:, None] - 0.7)
    expected = 2 * np.sqrt(np.clip(RADIUS**2 - columns**2, 0, None))
    smooth = np.abs(np.abs(columns) - RADIUS) > 3  # the half-ellipse has a vertical tangent at its rim
    np.testing.assert_allclose(centred.sinogram[smooth], expected[smooth], atol=0.15)
    assert centred.steps == (f"centre(offset={axis - 50:+.2f}, detectors={kept})",)


def test_flat_and_dark_field_undo_the_detector():
    """Counts made from a known transmission, gains and dark current give it back; zero counts are clipped and told."""
    gain, dark = np.linspace(900, 1100, DETECTORS), np.full(DETECTORS, 100.0)
    transmission = np.exp(-disc_scan(half_turn(10), 50.0) / 40)
    counts = transmission * gain + dark
    counts[3, 7] = 100
    prepared = prep.flat_and_dark_field(counts, np.stack([gain + dark] * 4), np.stack([dark] * 2))
    assert prepared.steps == ("flat_and_dark_field(flats=4, darks=2, clipped=1)",)
    assert prepared.sinogram[3, 7] == pytest.approx(1 / gain[7])
    line = prep.minus_log(prepared)
    expected = disc_scan(half_turn(10), 50.0) / 40
    expected[3, 7] = np.log(gain[7])
    np.testing.assert_allclose(line.sinogram, expected, atol=1e-12)
    assert line.steps[1] == "minus_log()"


def test_dead_detectors_are_named():
    """A flat field no brighter than the dark field is refused with the number of detectors."""
    with pytest.raises(DataError, match="found 2 dead detectors"):
        prep.flat_and_dark_field(np.ones((2, 3)), [[1, 5, 1]], [[1, 1, 1]])


def test_log_of_nothing_is_refused():
    """Zero and NaN transmissions are counted and the first is located."""
    with pytest.raises(DataError, match=r"2 others, first at \(0, 1\)"):
        prep.minus_log(prep.Prepared(np.array([[1.0, 0.0], [np.nan, 1.0]])))


def test_equal_intensity_undoes_a_drifting_beam():
    """Projections scaled by a drift come back with equal sums; an empty projection is refused by its number."""
    scan = disc_scan(half_turn(30), 50.0)
    drift = 1 + 0.1 * np.sin(np.arange(30))
    prepared = prep.equal_intensity_per_angle(prep.Prepared(scan * drift[:, None]))
    sums = prepared.sinogram.sum(axis=1)
    assert np.ptp(sums) / sums.mean() < 1e-12
    # the disc's own sums vary a little, as it is sampled at points
    assert float(prepared.steps[0].split("=")[1][:-1]) == pytest.approx(drift.std() / drift.mean(), abs=3e-4)
    scan[4] = 0
    with pytest.raises(DataError, match="0 at angle 4"):
        prep.equal_intensity_per_angle(prep.Prepared(scan))


def test_subtract_air_removes_a_slope():
    """A straight line under each projection, different for each angle, is removed exactly."""
    scan = disc_scan(half_turn(20), 50.0)
    slopes = np.linspace(-1, 1, 20)[:, None]
    prepared = prep.subtract_air(prep.Prepared(scan + slopes * np.arange(DETECTORS) / 100 + 3 * slopes), width=5)
    np.testing.assert_allclose(prepared.sinogram, scan, atol=1e-12)


@pytest.mark.parametrize("background", [2.5, np.arange(DETECTORS) / 50, np.ones((4, DETECTORS))])
def test_subtract_background(background):
    """A number, a value per detector or a blank scan is taken off; another shape is refused."""
    scan = disc_scan(half_turn(4), 50.0)
    prepared = prep.subtract_background(prep.Prepared(scan + background), background)
    np.testing.assert_allclose(prepared.sinogram, scan, atol=1e-12)
    with pytest.raises(GeometryError, match=r"found \(4,\)"):
        prep.subtract_background(prepared, np.ones(4))


@pytest.mark.parametrize("factor", [1, 2, 3, 5])
def test_binning_keeps_the_middle(factor):
    """A ramp binned about the middle stays a ramp of ``factor`` per bin with the same middle value."""
    binned = prep.bin_detectors(prep.Prepared(np.arange(101.0)[None]), factor).sinogram[0]
    assert len(binned) == 101 // factor
    np.testing.assert_allclose(np.diff(binned), factor)
    assert (binned[0] + binned[-1]) / 2 == pytest.approx(50)


def test_clip_negatives_counts_them():
    """Negative values become zero and their number is told."""
    image, step = prep.clip_negatives([[1.0, -0.5], [-2.0, 0.0]])
    assert image.tolist() == [[1, 0], [0, 0]]
    assert step == "clip_negatives(clipped=2)"


@pytest.mark.parametrize(
    ("call", "found"),
    [
        (lambda p: prep.centre(p, -3), r"expected 0 … 100, found -3\.00"),
        (lambda p: prep.bin_detectors(p, 0), "found 0"),
        (lambda p: prep.subtract_air(p, 60), "found 60"),
        (lambda p: prep.find_rotation_centre(p.sinogram, np.zeros(3)), "expected 4 angles, found 3"),
    ],
)
def test_bad_figures(call, found):
    """A figure outside its range is refused with the range."""
    with pytest.raises(GeometryError, match=found):
        call(prep.Prepared(disc_scan(half_turn(4), 50.0)))
