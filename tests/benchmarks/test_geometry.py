"""The geometry: what is refused and in which words, equality, and the arc each projection stands for."""

from __future__ import annotations

import numpy as np
import pytest

from tomobench.benchmarks.geometry import FIELD_OF_VIEW, Geometry, equal_angles
from tomobench.errors import GeometryError

DEGREES = np.pi / 180


@pytest.mark.parametrize(
    ("angles", "words"),
    [
        (np.arange(180), "looks like degrees: use np.deg2rad"),
        ([0.0, 1.0, 0.0], "each angle once, found 1 repeated"),
        ([0.0, np.nan, np.inf], "2 NaN or Inf, first at 1"),
        ([], "a non-empty list of real numbers"),
        ([[0.0, 1.0]], r"\(1, 2\)"),
        (0.5, "a non-empty list"),
        (["0", "1"], "real numbers"),
        ([1j, 2j], "complex128"),
        ([True, False], "bool"),
    ],
)
def test_wrong_angles(angles, words):
    """Each mistake of a user's angles is one line that says what was found."""
    with pytest.raises(GeometryError, match=words) as caught:
        Geometry(angles, 32)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("detectors", "size"), [(0, None), (-3, None), (16, 0), (16, -1), (0, 16)])
def test_wrong_sizes(detectors, size):
    """At least one detector and one pixel."""
    with pytest.raises(GeometryError, match="expected a whole number of at least 1"):
        Geometry([0.0], detectors, size)


@pytest.mark.parametrize(
    "wrong", [{"pixel_size": 0.0}, {"pixel_size": -1.0}, {"pixel_size": np.nan}, {"rotation_centre": np.nan}]
)
def test_numbers_that_cannot_be_scanned(wrong):
    """A pixel has a size, and the rotation axis is somewhere."""
    with pytest.raises(GeometryError):
        Geometry([0.0, 1.0], 16, **wrong)


def test_defaults():
    """The field of view is four attenuation lengths at every size and the axis falls on the detector's middle."""
    for size in (17, 64):
        scan = Geometry(equal_angles(5), size)
        assert scan.image_size == size
        assert scan.pixel_size * size == pytest.approx(FIELD_OF_VIEW)
        assert scan.rotation_centre == (size - 1) / 2
        assert scan.axis_offset == 0
        assert scan.sinogram_shape == (5, size)
    assert Geometry([0.0], 10, rotation_centre=6.0).axis_offset == 1.5


def test_is_a_value():
    """Angles cannot be written to, and the caller's own array is neither frozen nor shared."""
    angles = np.array([0.0, 0.5, 1.0])
    scan = Geometry(angles, 8)
    with pytest.raises(ValueError, match="read-only"):
        scan.angles[0] = 1.0
    angles[0] = 9.0
    assert scan.angles[0] == 0.0
    with pytest.raises(AttributeError):
        scan.detectors = 4


def test_equality_is_by_value():
    """Equal numbers of any type make equal geometries, digests and hashes; any other number another."""
    base = Geometry(np.array([0.0, 0.5], dtype=np.float64), 8)
    assert base == Geometry([0, np.float32(0.5)], 8, 8, 0.5, 3.5)
    assert len({base, Geometry([0.0, 0.5], 8)}) == 1
    others = [
        Geometry([0.0, 0.5000001], 8),
        Geometry([0.5, 0.0], 8),
        Geometry([0.0, 0.5], 9, 8, 0.5, 3.5),
        Geometry([0.0, 0.5], 8, 9, 0.5, 3.5),
        Geometry([0.0, 0.5], 8, 8, 0.25, 3.5),
        Geometry([0.0, 0.5], 8, 8, 0.5, 3.75),
    ]
    assert len({base, *others}) == 7
    assert len({scan.digest() for scan in (base, *others)}) == 7
    assert base != "geometry"


def test_restriction_to_some_angles():
    """``with_angles`` keeps everything but the angles, by slice or by index."""
    scan = Geometry(equal_angles(8), 8, 10, 0.3, 4.0)
    assert scan.with_angles(slice(None, None, 4)) == Geometry(scan.angles[[0, 4]], 8, 10, 0.3, 4.0)
    assert scan.with_angles(np.array([0, 4])) == scan.with_angles(slice(None, None, 4))


def test_repr_is_readable():
    """One line with the numbers a person asks for."""
    assert repr(Geometry(equal_angles(4), 8)) == (
        "Geometry(4 angles 0°…135°, 8 detectors, image 8², pixel 0.5, rotation centre 3.5)"
    )


def test_equal_angles_leave_the_end_out():
    """Four angles of a half turn are 0°, 45°, 90°, 135°."""
    np.testing.assert_allclose(equal_angles(4), np.deg2rad([0, 45, 90, 135]))
    np.testing.assert_allclose(equal_angles(3, 2 * np.pi), np.deg2rad([0, 120, 240]))


@pytest.mark.parametrize("arc", [np.pi, 2 * np.pi])
@pytest.mark.parametrize("count", [1, 2, 5, 24, 91, 180])
def test_full_scans_share_the_half_turn(count, arc):
    """Equal angles of a half or a whole turn stand for equal arcs that add up to π."""
    weights = Geometry(equal_angles(count, arc), 8).angular_weights()
    np.testing.assert_allclose(weights.sum(), np.pi)
    if arc == np.pi or count % 2:
        np.testing.assert_allclose(weights, np.pi / count)


def test_end_point_measured_twice_shares_its_arc():
    """0 and π are the same projection: each stands for a quarter step where others stand for one."""
    weights = Geometry(np.linspace(0, np.pi, 33), 8).angular_weights()
    np.testing.assert_allclose(weights[1:-1], np.pi / 32)
    np.testing.assert_allclose(weights[[0, -1]], np.pi / 64)
    np.testing.assert_allclose(weights.sum(), np.pi)


@pytest.mark.parametrize(
    "angles", [np.linspace(0, 2 * np.pi, 181), equal_angles(720, 4 * np.pi), equal_angles(540, 3 * np.pi)]
)
def test_turns_measured_again_share_the_half_turn(angles):
    """Both ends of a whole turn, or two turns: many projections coincide modulo π, and the sum is π still."""
    np.testing.assert_allclose(Geometry(angles, 8).angular_weights().sum(), np.pi)


def test_uneven_scan():
    """Arcs are half the way to both neighbours, in whatever order the angles come."""
    degrees = np.array([0.0, 10.0, 40.0, 60.0, 90.0, 120.0, 150.0])
    expected = np.array([20.0, 20.0, 25.0, 25.0, 30.0, 30.0, 30.0])
    weights = Geometry(degrees * DEGREES, 8).angular_weights()
    np.testing.assert_allclose(weights, expected * DEGREES)
    order = np.array([3, 0, 6, 2, 5, 1, 4])
    np.testing.assert_allclose(Geometry(degrees[order] * DEGREES, 8).angular_weights(), expected[order] * DEGREES)
    np.testing.assert_allclose(weights.sum(), np.pi)


def test_golden_angle_scan():
    """Angles by the golden ratio, as beamlines interleave them, cover the half turn."""
    angles = np.arange(89) * (np.sqrt(5) - 1) / 2 * np.pi % np.pi
    np.testing.assert_allclose(Geometry(angles, 8).angular_weights().sum(), np.pi)


@pytest.mark.parametrize("start", [0.0, 30.0, 100.0])
def test_limited_scan_leaves_its_gap(start):
    """120° in steps of 2° stand for 120°: no projection stands for the missing 60°."""
    angles = (start + np.arange(60) * 2.0) * DEGREES
    weights = Geometry(angles, 8).angular_weights()
    np.testing.assert_allclose(weights, 2 * DEGREES)
    assert weights.sum() == pytest.approx(120 * DEGREES)
