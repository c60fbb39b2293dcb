"""The projector: closed forms of a disc, the adjoint identity, and the conventions of ``geometry``'s docstring."""

from __future__ import annotations

import numpy as np
import pytest

from tomobench.benchmarks.geometry import Geometry, equal_angles
from tomobench.benchmarks.operators import Operator, operator

SIZE = 48
ANGLES = equal_angles(36)
PROJECTORS = pytest.mark.parametrize("projector", ["linear", "strip"])


def relative(found, expected):
    """RMS difference over the expected RMS."""
    return np.sqrt(np.mean((found - expected) ** 2) / np.mean(np.square(expected)))


@PROJECTORS
def test_disc_has_its_closed_form(disc, projector):
    """The projection of a disc is 2·mu·√(r² − s²) within the discretisation: 3 % of its RMS."""
    scan = Geometry(ANGLES, SIZE)
    found = Operator(scan, projector)(disc.image(SIZE))
    assert relative(found, disc.sinogram(ANGLES, SIZE, scan.pixel_size)) < 0.03


@pytest.mark.parametrize(("projector", "samples"), [("strip", 16), ("linear", 1)])
def test_disc_on_a_finer_grid_comes_closer(disc, projector, samples):
    """Four times as many pixels: within 1.5 %, ``strip`` of detector averages, ``linear`` of rays at their middle."""
    scan = Geometry(ANGLES, SIZE)
    found = Operator(scan, projector, grid=4 * SIZE)(disc.times(4).image(4 * SIZE))
    assert relative(found, disc.sinogram(ANGLES, SIZE, scan.pixel_size, samples=samples)) < 0.015


@PROJECTORS
def test_pixel_size_and_detector_number(disc, projector):
    """Line integrals are in units of length, and detectors beyond the image see the same disc."""
    scan = Geometry(ANGLES, SIZE + 21, image_size=SIZE, pixel_size=0.37)
    found = Operator(scan, projector)(disc.image(SIZE))
    assert relative(found, disc.sinogram(ANGLES, SIZE + 21, 0.37)) < 0.03


@PROJECTORS
@pytest.mark.parametrize("grid", [SIZE, 2 * SIZE])
@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize("centre", [None, 21.3])
def test_transpose_is_the_adjoint(projector, grid, direct, centre):
    """⟨Ax, y⟩ = ⟨x, Aᵀy⟩ to 1e-5, by the matrix and image by image."""
    rng = np.random.default_rng(0)
    A = Operator(Geometry(ANGLES, SIZE + 5, SIZE, rotation_centre=centre), projector, grid, direct=direct)
    x, y = rng.random((2, grid, grid)), rng.random((2, *A.geometry.sinogram_shape))
    left = np.sum(A(x).astype(np.float64) * y, axis=(1, 2))
    right = np.sum(x * A.T(y).astype(np.float64), axis=(1, 2))
    np.testing.assert_allclose(left, right, rtol=1e-5)


@pytest.mark.parametrize("projector", ["linear", "strip", "line"])
@pytest.mark.parametrize("count", [1, 3, 70])
def test_matrix_and_direct_agree(projector, count):
    """The sparse product and ASTRA's own projection give the same numbers for every batch size."""
    rng = np.random.default_rng(count)
    scan = Geometry(equal_angles(7), 20, 16)
    x, y = rng.random((count, 16, 16)), rng.random((count, 7, 20))
    matrix, direct = Operator(scan, projector), Operator(scan, projector, direct=True)
    np.testing.assert_allclose(matrix(x), direct(x), rtol=2e-5, atol=1e-5)
    np.testing.assert_allclose(matrix.T(y), direct.T(y), rtol=2e-5, atol=1e-5)


def test_batch_items_do_not_mix():
    """Every item of a batch is projected as if it were alone, in order; the inputs are left alone."""
    rng = np.random.default_rng(3)
    A = Operator(Geometry(equal_angles(6), 16))
    x = rng.random((67, 16, 16)).astype(np.float32)
    kept = x.copy()
    together = A(x)
    for k in (0, 1, 63, 64, 66):
        np.testing.assert_allclose(together[k], A(x[k : k + 1])[0], rtol=1e-5, atol=1e-6)
    assert np.array_equal(x, kept)
    assert A(x[:0]).shape == (0, 6, 16)


@PROJECTORS
@pytest.mark.parametrize("shift", [1, 4, -3])
def test_rotation_centre_moves_the_projection(projector, shift):
    """An axis that falls ``shift`` detectors further right moves every projection right by that many detectors."""
    rng = np.random.default_rng(4)
    x = rng.random((1, 16, 16))
    middle = (40 - 1) / 2
    plain = Operator(Geometry(equal_angles(9), 40, 16), projector)(x)
    moved = Operator(Geometry(equal_angles(9), 40, 16, rotation_centre=middle + shift), projector)(x)
    np.testing.assert_allclose(moved, np.roll(plain, shift, axis=2), rtol=1e-4, atol=1e-5)


@PROJECTORS
def test_fractional_rotation_centre(disc, projector):
    """An axis at 25.2 of 48 detectors moves the disc's closed form by 1.7 detectors."""
    scan = Geometry(ANGLES, SIZE, rotation_centre=25.2)
    found = Operator(scan, projector)(disc.image(SIZE))
    assert relative(found, disc.sinogram(ANGLES, SIZE, scan.pixel_size, axis=25.2)) < 0.03


@PROJECTORS
def test_orientation(projector):
    """At angle 0 detector d sees column d; at π/2 it sees row size − 1 − d; at π column size − 1 − d."""
    size = 9
    scan = Geometry([0.0, np.pi / 2, np.pi], size, pixel_size=1.0)
    rng = np.random.default_rng(5)
    image = rng.random((size, size))
    zero, quarter, half = Operator(scan, projector)(image[None])[0]
    np.testing.assert_allclose(zero, image.sum(axis=0), rtol=1e-5)
    np.testing.assert_allclose(quarter, image.sum(axis=1)[::-1], rtol=1e-5)
    np.testing.assert_allclose(half, image.sum(axis=0)[::-1], rtol=1e-5)


def test_angles_run_counter_clockwise():
    """A point at the right moves up as the object turns: at 45° a point up right is furthest right."""
    image = np.zeros((1, 33, 33))
    image[0, 8, 24] = 1.0  # 8 right of and 8 above the middle
    up, down = Operator(Geometry([np.pi / 4, 3 * np.pi / 4], 33))(image)[0]
    assert abs(np.argmax(up) - (16 + 8 * np.sqrt(2))) <= 0.5
    assert np.argmax(down) == 16


def test_strip_keeps_the_mass():
    """Every projection times the pixel size adds up to the image's mass where the detector is wide enough."""
    rng = np.random.default_rng(6)
    scan = Geometry(ANGLES, 72, image_size=SIZE, pixel_size=0.2)
    x = rng.random((2, SIZE, SIZE))
    mass = x.sum(axis=(1, 2)) * 0.2**2
    found = Operator(scan, "strip")(x).sum(axis=2) * 0.2
    np.testing.assert_allclose(found, np.repeat(mass[:, None], len(ANGLES), axis=1), rtol=1e-4)


def test_linear_keeps_the_mass_of_a_disc(disc):
    """Joseph's interpolation keeps the mass π·r²·mu of a disc within 1 % at every angle."""
    scan = Geometry(ANGLES, SIZE, pixel_size=1.0)
    found = Operator(scan, "linear")(disc.image(SIZE)).sum(axis=2)
    np.testing.assert_allclose(found, np.pi * disc.radius**2 * disc.mu, rtol=0.01)


def test_strip_does_not_see_the_grid():
    """An image repeated on a grid twice as fine is the same function, and has the same area-weighted projection."""
    x = np.random.default_rng(7).random((1, 16, 16))
    scan = Geometry(equal_angles(11), 20, 16)
    fine = Operator(scan, "strip", grid=32)(np.kron(x, np.ones((1, 2, 2))))
    np.testing.assert_allclose(fine, Operator(scan, "strip")(x), rtol=1e-4, atol=1e-5)


@PROJECTORS
def test_norm_is_the_largest_singular_value(projector):
    """Power iteration against numpy.linalg.svd of the dense matrix."""
    A = Operator(Geometry(equal_angles(10), 11, 8), projector)
    dense = A(np.eye(64).reshape(64, 8, 8)).reshape(64, -1).T
    assert A.norm == pytest.approx(np.linalg.svd(dense.astype(np.float64), compute_uv=False)[0], rel=1e-4)


def test_matrix_budget(monkeypatch):
    """Where the matrix would not fit it is not built, and the numbers stay."""
    scan = Geometry(equal_angles(6), 16)
    x = np.random.default_rng(8).random((2, 16, 16))
    expected = Operator(scan)(x)
    monkeypatch.setattr("tomobench.benchmarks.operators.MATRIX_BUDGET", 100)
    small = Operator(scan)
    assert small.estimated_bytes > 100
    assert small._matrix is None
    np.testing.assert_allclose(small(x), expected, rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize(("projector", "grid"), [("linear", 48), ("strip", 48), ("strip", 96), ("line", 48)])
def test_estimated_bytes_are_about_right(projector, grid):
    """The estimate is within half and twice of what the matrix takes."""
    A = Operator(Geometry(ANGLES, 48), projector, grid)
    taken = A._matrix.data.nbytes + A._matrix.indices.nbytes + A._matrix.indptr.nbytes
    assert 0.5 < A.estimated_bytes / taken < 2


def test_operators_of_equal_geometries_are_shared():
    """A method's batches share one matrix."""
    assert operator(Geometry(equal_angles(5), 16)) is operator(Geometry(equal_angles(5), 16))
    assert operator(Geometry(equal_angles(5), 16)) is not operator(Geometry(equal_angles(6), 16))
