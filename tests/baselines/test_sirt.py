"""SIRT against ASTRA's CPU implementation, with and without non-negativity."""

from __future__ import annotations

import numpy as np
import pytest

from tomobench.baselines.sirt import Sirt, sirt
from tomobench.benchmarks import Geometry, ReconstructionInputs, equal_angles
from tomobench.benchmarks.operators import operator
from tomobench.errors import UsageError


@pytest.mark.parametrize("non_negative", [False, True])
@pytest.mark.parametrize(
    "scan",
    [
        Geometry(equal_angles(18), 48),
        Geometry(equal_angles(18), 61, image_size=48, pixel_size=1.0),
        Geometry(equal_angles(18), 48, rotation_centre=25.1),
        Geometry(equal_angles(18, np.pi / 2), 40, image_size=48),
    ],
    ids=["default", "wide detector", "axis off", "truncated arc"],
)
def test_equals_astras_sirt(astra_answer, shapes, scan, non_negative):
    """ASTRA's ``SIRT`` after 30 iterations (``MinConstraint`` 0 for non-negativity) within 1e-5 of its RMS."""
    sinograms = operator(scan)(shapes)
    found = sirt(operator(scan), sinograms, 30, non_negative)
    for k in range(len(shapes)):
        expected = astra_answer("SIRT", scan, sinograms[k], 30, {"MinConstraint": 0.0} if non_negative else {})
        assert np.sqrt(np.mean((found[k] - expected) ** 2) / np.mean(expected**2)) < 1e-5


def test_residual_falls(shapes):
    """The weighted residual falls from step to step."""
    A = operator(Geometry(equal_angles(18), 48))
    y = A(shapes)
    residuals = [np.linalg.norm(A(sirt(A, y, k, False)) - y) for k in (1, 5, 20, 80)]
    assert residuals == sorted(residuals, reverse=True)
    assert residuals[-1] < 0.1 * np.linalg.norm(y)


def test_no_sinogram_no_image():
    """A zero sinogram gives a zero image, without a warning, also where rays miss the image."""
    scan = Geometry(equal_angles(7), 60, image_size=16)
    assert np.all(sirt(operator(scan), np.zeros((2, 7, 60), np.float32), 3, True) == 0)


def test_predict(shapes):
    """As many iterations as asked, non-negative where declared, float32, the sinograms left alone."""
    scan = Geometry(equal_angles(18), 48)
    sinograms = operator(scan)(shapes)
    kept = sinograms.copy()
    found = Sirt(iterations=7).predict(ReconstructionInputs(sinograms, scan))
    np.testing.assert_array_equal(found, sirt(operator(scan), sinograms, 7, True))
    assert found.dtype == np.float32
    assert found.min() >= 0
    np.testing.assert_array_equal(sinograms, kept)


@pytest.mark.parametrize("iterations", [0, -1, 1.5, "10", True, None])
def test_wrong_iterations(iterations):
    """A whole number of at least one, nothing else."""
    with pytest.raises(UsageError, match="sirt: iterations: expected a whole number of at least 1"):
        Sirt(iterations=iterations)
