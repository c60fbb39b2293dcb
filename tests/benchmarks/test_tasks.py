"""What a method is handed: sinograms that fit their geometry, or one line saying why they do not."""

from __future__ import annotations

import numpy as np
import pytest

from tomobench.benchmarks import Geometry, ReconstructionInputs, equal_angles
from tomobench.errors import GeometryError

SCAN = Geometry(equal_angles(5), detectors=8, image_size=6)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((2, 8, 5), r"looks transposed: use sinograms.transpose\(0, 2, 1\)"),
        ((5, 8), r"add the batch axis: sinogram\[None\]"),
        ((2, 5, 7), r"expected \(N, 5, 8\), found \(2, 5, 7\)"),
        ((8, 5), r"pass \(N, angles, detectors\)"),
        ((1, 2, 5, 8), r"pass \(N, angles, detectors\)"),
    ],
)
def test_wrong_shapes(shape, words):
    """A sinogram of another shape is refused with what would mend it."""
    with pytest.raises(GeometryError, match=words):
        ReconstructionInputs(np.zeros(shape), SCAN)


@pytest.mark.parametrize("dtype", [complex, object, "U1", bool])
def test_wrong_types(dtype):
    """Only real numbers are line integrals."""
    with pytest.raises(GeometryError, match="sinograms: expected real numbers"):
        ReconstructionInputs(np.zeros((1, 5, 8)).astype(dtype), SCAN)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite(value):
    """The first bad value is named by its place."""
    sinograms = np.zeros((2, 5, 8))
    sinograms[1, 2, 3] = sinograms[1, 4, 0] = value
    with pytest.raises(GeometryError, match=r"2 NaN or Inf, first at \(1, 2, 3\)"):
        ReconstructionInputs(sinograms, SCAN)


@pytest.mark.parametrize("dtype", [">f8", "<f4", ">f4", "i2", "u1", "f2"])
def test_conversion(dtype):
    """Every real type and byte order arrives as native, contiguous float32 with the same values."""
    values = np.arange(80).reshape(2, 5, 8).astype(dtype)
    inputs = ReconstructionInputs(values[::-1], SCAN)
    assert inputs.sinograms.dtype == np.float32
    assert inputs.sinograms.dtype.isnative
    assert inputs.sinograms.flags.c_contiguous
    np.testing.assert_array_equal(inputs.sinograms, np.arange(80).reshape(2, 5, 8)[::-1])


def test_answer_shape():
    """One image a case, of the geometry's size, not the detector's."""
    assert ReconstructionInputs(np.zeros((3, 5, 8)), SCAN).answer_shape == (3, 6, 6)
