"""MSE, RMSE, MAE, NRMSE, PSNR and SSIM against scikit-image 0.26's ``skimage.metrics`` and against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tomobench.errors import PredictionError
from tomobench.metrics import circle, mae, mse, nrmse, psnr, rmse, ssim

WINDOW = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}


def pair(rows, columns, dtype, count=3):
    """Structured truth (bars, a ramp, a bright square) and an estimate with noise, blur-free and partly clipped."""
    rng = np.random.default_rng(rows * 1000 + columns)
    y, x = np.mgrid[:rows, :columns]
    truth = np.stack([0.5 + 0.5 * np.sin(x / 3), (x + y) / (rows + columns), ((x > 5) & (y < rows // 2)).astype(float)])
    estimate = np.clip(truth[:count] * 0.9 + rng.normal(0, 0.1, truth.shape)[:count], 0, 1.1)
    if np.issubdtype(dtype, np.integer):
        return (truth[:count] * 200).astype(dtype), (estimate * 200).astype(dtype), 255.0
    return truth[:count].astype(dtype), estimate.astype(dtype), 1.0


CASES = pytest.mark.parametrize(
    ("rows", "columns", "dtype"),
    [
        (11, 11, np.float64),
        (16, 16, np.float32),
        (64, 64, np.float32),
        (64, 64, np.uint8),
        (33, 50, np.float64),
        (40, 24, ">f4"),
        (64, 64, np.int16),
    ],
)


@CASES
def test_errors_equal_scikit_image(rows, columns, dtype):
    """Every pixel error and PSNR equals scikit-image's on the same float64 values."""
    truth, estimate, data_range = pair(rows, columns, np.dtype(dtype))
    for index, (one, other) in enumerate(zip(truth.astype(float), estimate.astype(float), strict=True)):
        expected = skimage.metrics.mean_squared_error(one, other)
        assert mse(truth, estimate)[index] == pytest.approx(expected, rel=1e-6)
        assert rmse(truth, estimate)[index] == pytest.approx(np.sqrt(expected), rel=1e-6)
        assert mae(truth, estimate)[index] == pytest.approx(np.abs(one - other).mean(), rel=1e-6)
        assert nrmse(truth, estimate)[index] == pytest.approx(
            skimage.metrics.normalized_root_mse(one, other, normalization="euclidean"), rel=1e-6
        )
        assert psnr(truth, estimate, data_range=data_range)[index] == pytest.approx(
            skimage.metrics.peak_signal_noise_ratio(one, other, data_range=data_range), abs=1e-6
        )


@CASES
def test_ssim_equals_scikit_image(rows, columns, dtype):
    """SSIM equals ``structural_similarity`` with the Gaussian window and no sample correction."""
    truth, estimate, data_range = pair(rows, columns, np.dtype(dtype))
    expected = [
        skimage.metrics.structural_similarity(one, other, data_range=data_range, **WINDOW)
        for one, other in zip(truth.astype(float), estimate.astype(float), strict=True)
    ]
    np.testing.assert_allclose(ssim(truth, estimate, data_range=data_range), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [16, 33, 64])
def test_masked_ssim_averages_scikit_images_map(size):
    """In the circle: the mean of scikit-image's full map over circle ∩ the pixels whose window fits."""
    truth, estimate, _ = pair(size, size, np.dtype(np.float64))
    inside = circle(size)
    inside[:5] = inside[-5:] = inside[:, :5] = inside[:, -5:] = False
    expected = [
        skimage.metrics.structural_similarity(one, other, data_range=1.0, full=True, **WINDOW)[1][inside].mean()
        for one, other in zip(truth, estimate, strict=True)
    ]
    np.testing.assert_allclose(ssim(truth, estimate, data_range=1.0, mask=circle(size)), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("sigma", "radius"), [(0.8, 3), (1.0, 4), (2.0, 7)])
def test_ssim_window_arguments(sigma, radius):
    """Another window is scikit-image's with that sigma, whose half width is always int(3.5 · sigma + ½)."""
    truth, estimate, _ = pair(40, 40, np.dtype(np.float64))
    expected = skimage.metrics.structural_similarity(
        truth[0],
        estimate[0],
        data_range=1.0,
        gaussian_weights=True,
        sigma=sigma,
        use_sample_covariance=False,
    )
    found = ssim(truth, estimate, data_range=1.0, sigma=sigma, radius=radius)[0]
    assert found == pytest.approx(expected, abs=1e-6)


def test_constant_offset():
    """An offset of 0.1 has MSE 0.01, RMSE and MAE 0.1, and PSNR 20 dB at range 1 or 26.02 dB at range 2."""
    truth = np.zeros((2, 12, 12))
    estimate = truth + np.array([0.1, -0.1])[:, None, None]
    np.testing.assert_allclose(mse(truth, estimate), 0.01)
    np.testing.assert_allclose(rmse(truth, estimate), 0.1)
    np.testing.assert_allclose(mae(truth, estimate), 0.1)
    np.testing.assert_allclose(psnr(truth, estimate, data_range=1.0), 20.0)
    np.testing.assert_allclose(psnr(truth, estimate, data_range=2.0), 20.0 + 20 * np.log10(2))


def test_ssim_of_constants():
    """Two constants a and b have SSIM (2ab + c₁) / (a² + b² + c₁), the luminance term alone."""
    a, b, c1 = 0.2, 0.6, 0.01**2
    found = ssim(np.full((1, 16, 16), a), np.full((1, 16, 16), b), data_range=1.0)
    assert found[0] == pytest.approx((2 * a * b + c1) / (a**2 + b**2 + c1), abs=1e-12)


def test_nrmse_is_scale_free_and_has_no_answer_for_an_empty_truth():
    """Half the truth has NRMSE ½; a zero truth gives infinity, or nan for a zero estimate."""
    truth = np.random.default_rng(1).random((1, 9, 9))
    assert nrmse(7 * truth, 3.5 * truth)[0] == pytest.approx(0.5)
    nothing = np.zeros((1, 9, 9))
    assert nrmse(nothing, nothing + 1)[0] == np.inf
    assert np.isnan(nrmse(nothing, nothing)[0])


def test_perfect_answer():
    """An estimate equal to the truth has infinite PSNR, without a warning, and SSIM 1."""
    truth, _, _ = pair(20, 20, np.dtype(np.float32))
    assert np.all(psnr(truth, truth, data_range=1.0) == np.inf)
    np.testing.assert_allclose(ssim(truth, truth, data_range=1.0), 1.0, atol=1e-12)


def test_mask_leaves_out_what_lies_outside():
    """A mistake outside the mask costs nothing; one inside is averaged over the mask's pixels alone."""
    mask = np.zeros((12, 12), dtype=bool)
    mask[3:5, 3:5] = True
    truth = np.zeros((1, 12, 12))
    outside, inside = truth.copy(), truth.copy()
    outside[0, 0, 0] = 5.0
    inside[0, 3, 3] = 2.0
    assert mse(truth, outside, mask)[0] == 0.0
    assert mse(truth, inside, mask)[0] == pytest.approx(4.0 / 4)
    assert mae(truth, inside, mask)[0] == pytest.approx(2.0 / 4)
    assert psnr(truth, inside, data_range=1.0, mask=mask)[0] == pytest.approx(0.0)


def test_inputs_are_left_alone():
    """No metric writes into the arrays it is given."""
    truth, estimate, _ = pair(16, 16, np.dtype(np.float64))
    before = truth.copy(), estimate.copy()
    ssim(truth, estimate, data_range=1.0, mask=circle(16))
    psnr(truth, estimate, data_range=1.0)
    nrmse(truth, estimate)
    assert np.array_equal(truth, before[0])
    assert np.array_equal(estimate, before[1])


@pytest.mark.parametrize("metric", [mse, rmse, mae, nrmse])
@pytest.mark.parametrize(
    "shape", [(1, 6, 6), (3, 1, 6), (3, 6, 1), (1, 1, 1), (6, 6), (3, 36), (1, 108), (3, 6, 6, 1), ()]
)
def test_nothing_is_broadcast(metric, shape):
    """An answer that NumPy would broadcast to the truth's shape is refused, saying both shapes."""
    with pytest.raises(PredictionError, match=r"expected \(N, rows, columns\) = \(3, 6, 6\), found") as caught:
        metric(np.ones((3, 6, 6)), np.ones(shape))
    assert str(shape) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_psnr_and_ssim_refuse_other_shapes():
    """PSNR and SSIM refuse (1, N) as every other metric does."""
    for metric in (psnr, ssim):
        with pytest.raises(PredictionError):
            metric(np.ones((2, 16, 16)), np.ones((1, 16)), data_range=1.0)


@pytest.mark.parametrize("dtype", [complex, object, "U3"])
def test_unreal_answers_are_refused(dtype):
    """Complex numbers, objects and text are no image; the message names the type."""
    with pytest.raises(PredictionError, match=r"estimate: expected real numbers"):
        mse(np.ones((1, 4, 4)), np.ones((1, 4, 4)).astype(dtype))


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_data_range_has_no_default(metric):
    """The data range must be said."""
    with pytest.raises(TypeError, match="data_range"):
        metric(np.ones((1, 16, 16)), np.ones((1, 16, 16)))


@pytest.mark.parametrize("metric", [psnr, ssim])
@pytest.mark.parametrize("data_range", [0, -1.0, np.nan])
def test_data_range_must_be_positive(metric, data_range):
    """Zero, negative and nan ranges are refused."""
    with pytest.raises(ValueError, match="positive"):
        metric(np.ones((1, 16, 16)), np.ones((1, 16, 16)), data_range=data_range)


def test_ssim_refuses_images_smaller_than_its_window():
    """10 × 64 pixels hold no 11 × 11 window."""
    with pytest.raises(ValueError, match="at least 11 pixels"):
        ssim(np.ones((1, 10, 64)), np.ones((1, 10, 64)), data_range=1.0)


@pytest.mark.parametrize("size", [64, 257, 500])
def test_circle_has_the_area_of_a_disc(size):
    """π/4 · n² pixels within 1 %, symmetric under every turn and mirror."""
    inside = circle(size)
    assert inside.sum() == pytest.approx(np.pi / 4 * size**2, rel=0.01)
    assert np.array_equal(inside, np.rot90(inside))
    assert np.array_equal(inside, inside[::-1])


IMAGES = arrays(np.float64, (4, 12, 12), elements=st.floats(0, 1, allow_subnormal=False))


@settings(max_examples=25, deadline=None)
@given(IMAGES, IMAGES, st.permutations(range(4)))
def test_order_of_images_is_order_of_scores(truth, estimate, order):
    """Permuting truth and estimate together permutes the scores and changes none."""
    order = list(order)
    for metric in (psnr, ssim):
        plain = metric(truth, estimate, data_range=1.0)
        assert np.array_equal(metric(truth[order], estimate[order], data_range=1.0), plain[order])


@settings(max_examples=25, deadline=None)
@given(IMAGES, IMAGES)
def test_ssim_is_symmetric_and_at_most_one(truth, estimate):
    """SSIM(x, y) = SSIM(y, x) ≤ 1 = SSIM(x, x)."""
    forth, back = ssim(truth, estimate, data_range=1.0), ssim(estimate, truth, data_range=1.0)
    np.testing.assert_allclose(forth, back, atol=1e-12)
    assert np.all(forth <= 1 + 1e-12)
    np.testing.assert_allclose(ssim(truth, truth, data_range=1.0), 1.0, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(IMAGES, IMAGES, st.floats(0.01, 100))
def test_mse_scales_with_the_square(truth, estimate, factor):
    """MSE(c·x, c·y) = c²·MSE(x, y), MAE scales with c, and PSNR is unchanged where the data range scales too."""
    np.testing.assert_allclose(mse(factor * truth, factor * estimate), factor**2 * mse(truth, estimate), atol=1e-12)
    np.testing.assert_allclose(mae(factor * truth, factor * estimate), factor * mae(truth, estimate), atol=1e-12)
    scaled = psnr(factor * truth, factor * estimate, data_range=factor)
    np.testing.assert_allclose(scaled, psnr(truth, estimate, data_range=1.0), atol=1e-6)
