"""Data consistency: norms with closed forms, and the noise ratio of a right answer."""

from __future__ import annotations

import numpy as np
import pytest

from tomobench.errors import PredictionError
from tomobench.metrics import noise_ratio, relative_residual, residual_norm


def test_residual_of_a_constant_difference():
    """A difference of 0.5 on 4 × 9 detectors has norm 0.5·√36 = 3."""
    measured = np.ones((2, 4, 9))
    np.testing.assert_allclose(residual_norm(measured + 0.5, measured), 3.0)
    np.testing.assert_allclose(relative_residual(measured + 0.5, measured), 0.5)


def test_relative_residual_is_relative_to_the_measurement():
    """Twice the measurement is off by 1, half of it by ½: the second argument is the measure."""
    measured = np.random.default_rng(2).random((3, 5, 7))
    np.testing.assert_allclose(relative_residual(2 * measured, measured), 1.0)
    np.testing.assert_allclose(relative_residual(0.5 * measured, measured), 0.5)
    np.testing.assert_allclose(relative_residual(np.zeros_like(measured), measured), 1.0)


def test_noise_ratio_of_the_truth_is_one():
    """The clean projection differs from the measured one by the noise and nothing else."""
    rng = np.random.default_rng(3)
    clean = rng.random((4, 10, 12))
    noise = rng.normal(0, 0.1, clean.shape)
    norms = np.linalg.norm(noise.reshape(4, -1), axis=1)
    np.testing.assert_allclose(noise_ratio(clean, clean + noise, norms), 1.0)
    np.testing.assert_allclose(noise_ratio(clean + noise, clean + noise, norms), 0.0)
    np.testing.assert_allclose(noise_ratio(clean - noise, clean + noise, norms), 2.0)


def test_unknown_noise_has_no_ratio():
    """A measured scan's noise is unknown: nan, not zero."""
    assert np.isnan(noise_ratio(np.zeros((1, 2, 2)), np.ones((1, 2, 2)), np.full(1, np.nan))).all()


def test_shapes_must_agree():
    """A sinogram of other angles is refused, not broadcast."""
    with pytest.raises(PredictionError):
        residual_norm(np.ones((1, 1, 9)), np.ones((1, 4, 9)))
