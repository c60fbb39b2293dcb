"""The scale diagnosis: known affine changes are recovered, and said in words."""

from __future__ import annotations

import numpy as np
import pytest

from tomobench.metrics import affine_fit, circle, diagnosis, psnr


@pytest.fixture
def truth():
    """Three random images in [0, 1]."""
    return np.random.default_rng(5).random((3, 32, 32))


def fit_and_say(truth, estimate):
    """The fit and its phrase, as a leaderboard row would show them."""
    fit = affine_fit(truth, estimate, data_range=1.0)
    return fit, diagnosis(fit, psnr(truth, estimate, data_range=1.0))


def test_scale_and_offset_are_recovered(truth):
    """For estimate = (truth − b) / a the fit gives a and b, image by image, and an all but perfect PSNR."""
    a, b = np.array([2.0, 0.5, -3.0]), np.array([0.1, 0.0, 1.0])
    fit = affine_fit(truth, (truth - b[:, None, None]) / a[:, None, None], data_range=1.0)
    np.testing.assert_allclose(fit.scale, a, rtol=1e-12)
    np.testing.assert_allclose(fit.offset, b, atol=1e-12)
    assert np.all(fit.psnr > 250)


def test_fit_is_numpys_least_squares(truth):
    """With noise the fit is ``numpy.polyfit``'s of degree one over the pixels inside the mask."""
    rng = np.random.default_rng(6)
    estimate = 0.4 * truth + rng.normal(0, 0.2, truth.shape)
    mask = circle(32)
    fit = affine_fit(truth, estimate, data_range=1.0, mask=mask)
    for k in range(3):
        scale, offset = np.polyfit(estimate[k][mask], truth[k][mask], 1)
        assert fit.scale[k] == pytest.approx(scale, rel=1e-9)
        assert fit.offset[k] == pytest.approx(offset, rel=1e-9)
        fitted = scale * estimate[k] + offset
        assert fit.psnr[k] == pytest.approx(-10 * np.log10(np.mean((truth[k] - fitted)[mask] ** 2)), abs=1e-9)


def test_fit_never_scores_worse(truth):
    """The best affine change includes none at all."""
    estimate = np.clip(truth + np.random.default_rng(7).normal(0, 0.3, truth.shape), 0, 1)
    assert np.all(affine_fit(truth, estimate, data_range=1.0).psnr >= psnr(truth, estimate, data_range=1.0))


@pytest.mark.parametrize("value", [0.0, 0.25, 1.0])
def test_constant_estimate_has_scale_zero(truth, value):
    """A constant carries no likeness: scale 0, offset the truth's mean, and no remark."""
    fit, said = fit_and_say(truth, np.full_like(truth, value))
    np.testing.assert_array_equal(fit.scale, 0)
    np.testing.assert_allclose(fit.offset, truth.mean(axis=(1, 2)))
    assert said == ""


@pytest.mark.parametrize(("value", "size"), [(0.1, 20), (1 / 3, 20), (0.3, 64)])
def test_constant_that_no_float_holds_has_scale_zero(value, size):
    """A constant whose mean is off by a rounding step is a constant still, not an inverted image."""
    truth = np.random.default_rng(0).random((1, size, size))
    fit = affine_fit(truth, np.full_like(truth, value), data_range=1.0, mask=circle(size))
    assert fit.scale[0] == 0


@pytest.mark.parametrize(
    ("factor", "phrase"), [(0.5, "off by 2.0× (too small)"), (2.0, "off by 2.0× (too large)"), (4.0, "off by 4.0×")]
)
def test_a_wrong_scale_is_named(truth, factor, phrase):
    """Half and twice the truth are told apart."""
    assert phrase in fit_and_say(truth, factor * truth)[1]


def test_a_shift_is_named(truth):
    """Right scale, wrong zero."""
    said = fit_and_say(truth, truth + 0.3)[1]
    assert "right scale" in said
    assert "+0.3" in said


def test_an_inverted_image_is_named(truth):
    """1 − truth fits with scale −1."""
    assert "inverted" in fit_and_say(truth, 1 - truth)[1]


def test_honest_noise_earns_no_remark(truth):
    """Where a change of scale gains less than 3 dB nothing is said."""
    noisy = truth + np.random.default_rng(8).normal(0, 0.05, truth.shape)
    assert fit_and_say(truth, noisy)[1] == ""
    assert fit_and_say(truth, truth)[1] == ""
