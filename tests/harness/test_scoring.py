"""What a score counts and what it leaves out."""

from __future__ import annotations

import numpy as np
import pytest

from tomobench.harness.scoring import score_images
from tomobench.metrics import circle
from tomobench.metrics.protocol import ScoreProtocol

SCORED = ("mse", "psnr", "ssim", "rmse", "mae", "nrmse", "affine_psnr")


@pytest.fixture
def images():
    """Two truths and two answers, 32 × 32, nowhere zero."""
    rng = np.random.default_rng(3)
    truth = rng.random((2, 32, 32)).astype(np.float32)
    return truth, truth + 0.1 * rng.standard_normal(truth.shape).astype(np.float32)


def test_outside_the_circle_nothing_counts(images):
    """Any values outside the reconstruction circle, in either image, change no score, SSIM's windows included."""
    truth, estimate = images
    outside = ~circle(32)
    expected = score_images(truth, estimate, ScoreProtocol())
    spoiled = score_images(np.where(outside, 7.0, truth), np.where(outside, -3.0, estimate), ScoreProtocol())
    for name in SCORED:
        np.testing.assert_allclose(spoiled[name], expected[name], rtol=1e-12, err_msg=name)


def test_without_a_mask_everything_counts(images):
    """The protocol without a mask sees the corners."""
    truth, estimate = images
    spoiled = np.where(circle(32), estimate, -3.0)
    protocol = ScoreProtocol(mask="none")
    assert np.all(score_images(truth, spoiled, protocol)["mse"] > score_images(truth, estimate, protocol)["mse"] + 0.5)
