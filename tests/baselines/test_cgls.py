"""CGLS against scipy.sparse.linalg.lsqr in double precision and against ASTRA's CPU implementation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse.linalg import lsqr

from tomobench.baselines.cgls import Cgls, cgls
from tomobench.benchmarks import Geometry, ReconstructionInputs, equal_angles
from tomobench.benchmarks.operators import operator
from tomobench.errors import UsageError

SCANS = pytest.mark.parametrize(
    "scan",
    [
        Geometry(equal_angles(24), 48),
        Geometry(equal_angles(70), 61, image_size=48),
        Geometry(equal_angles(30), 48, rotation_centre=24.6),
    ],
    ids=["sparse", "wide detector", "axis off"],
)


def relative(found, expected):
    """RMS difference over the expected RMS."""
    return np.sqrt(np.mean((found - expected) ** 2) / np.mean(np.square(expected)))


@SCANS
@pytest.mark.parametrize("iterations", [1, 3, 6])
def test_equals_lsqr(shapes, scan, iterations):
    """The same iterate as lsqr's, which is the same method in exact arithmetic, within 1e-4 up to six steps.

    Later steps differ by up to 3 % between single and double precision (conjugacy is lost at about the eighth).
    """
    A = operator(scan)
    y = A(shapes) + np.random.default_rng(0).normal(0, 0.01, (3, *scan.sinogram_shape)).astype(np.float32)
    found = cgls(A, y, iterations)
    matrix = A._matrix.astype(np.float64)
    for k in range(len(shapes)):
        expected = lsqr(matrix, y[k].ravel().astype(np.float64), atol=0, btol=0, conlim=0, iter_lim=iterations)
        assert expected[2] == iterations
        assert relative(found[k].ravel(), expected[0]) < 1e-4


@SCANS
def test_equals_astras_cgls(astra_answer, shapes, scan):
    """ASTRA's ``CGLS`` after five iterations within 1e-3 of its RMS, both in single precision."""
    y = operator(scan)(shapes)
    found = cgls(operator(scan), y, 5)
    for k in range(len(shapes)):
        assert relative(found[k], astra_answer("CGLS", scan, y[k], 5)) < 1e-3


def test_late_steps_still_solve_the_problem(shapes):
    """Lost conjugacy costs little: after 40 steps the residual is within 20 % of lsqr's, and far below the first."""
    A = operator(Geometry(equal_angles(24), 48))
    y = A(shapes) + np.random.default_rng(1).normal(0, 0.02, (3, 24, 48)).astype(np.float32)
    found = np.linalg.norm(A(cgls(A, y, 40)) - y, axis=(1, 2))
    matrix = A._matrix.astype(np.float64)
    for k in range(3):
        assert found[k] < 1.2 * lsqr(matrix, y[k].ravel().astype(np.float64), atol=0, btol=0, conlim=0, iter_lim=40)[3]


def test_images_of_a_batch_do_not_mix(shapes):
    """Each image has its own step lengths: alone or in a batch of very different scales it is the same."""
    A = operator(Geometry(equal_angles(24), 48))
    y = A(shapes * np.array([1, 100, 0.01], dtype=np.float32)[:, None, None])
    together = cgls(A, y, 4)
    for k in range(3):
        assert relative(together[k], cgls(A, y[k : k + 1], 4)[0]) < 1e-4


def test_nothing_to_solve():
    """A zero sinogram beside another one gives zero, not nan, however many steps."""
    A = operator(Geometry(equal_angles(6), 16))
    y = A(np.ones((2, 16, 16)))
    y[0] = 0
    found = cgls(A, y, 60)
    assert np.all(found[0] == 0)
    assert np.isfinite(found).all()


def test_predict_clips_at_the_end(shapes):
    """Negatives are clipped after the last step where declared, and the sinograms left alone."""
    scan = Geometry(equal_angles(24), 48)
    y = operator(scan)(shapes)
    kept = y.copy()
    free = Cgls(iterations=5).predict(ReconstructionInputs(y, scan, non_negative=False))
    np.testing.assert_array_equal(Cgls(iterations=5).predict(ReconstructionInputs(y, scan)), np.maximum(free, 0))
    assert free.min() < 0
    assert free.dtype == np.float32
    np.testing.assert_array_equal(y, kept)


@pytest.mark.parametrize("iterations", [0, 2.0, "many"])
def test_wrong_iterations(iterations):
    """A whole number of at least one."""
    with pytest.raises(UsageError, match="cgls: iterations"):
        Cgls(iterations=iterations)
