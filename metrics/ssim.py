"""Structural similarity, one value per image.

Wang, Bovik, Sheikh, Simoncelli, IEEE Trans. Image Process. 13, 600 (2004), with their Gaussian window: 11 × 11,
standard deviation 1.5, weights not sample-corrected, K₁ = 0.01, K₂ = 0.03. Equal to scikit-image's
``structural_similarity`` with ``gaussian_weights=True, sigma=1.5, use_sample_covariance=False``; the mean is over the
pixels whose whole window lies in the image, and in the mask's circle where one is given.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import correlate1d

from .arrays import Float64, Mask, mean_over, paired

K1, K2 = 0.01, 0.03


def ssim(
    truth: ArrayLike,
    estimate: ArrayLike,
    *,
    data_range: float,
    mask: Mask | None = None,
    sigma: float = 1.5,
    radius: int = 5,
) -> Float64:
    """(N,) mean structural similarity of (N, rows, columns) images.

    Parameters
    ----------
    data_range : the benchmark's fixed range; no default, as for ``psnr``.
    mask : (rows, columns) bool of window centres to average over; None for all.
    sigma, radius : the Gaussian window's standard deviation and half width in pixels.

    Raises ValueError for images smaller than the window.
    """
    if not data_range > 0:
        raise ValueError(f"data_range: expected a positive number, found {data_range}")
    first, second = paired(truth, estimate)
    if min(first.shape[1:]) < 2 * radius + 1:
        raise ValueError(f"images: expected at least {2 * radius + 1} pixels a side, found {first.shape[1:]}")
    window = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    window /= window.sum()

    def blur(field: Float64) -> Float64:
        across = correlate1d(field, window, axis=1)
        return np.asarray(correlate1d(across, window, axis=2)[:, radius:-radius, radius:-radius])

    mean_x, mean_y = blur(first), blur(second)
    # x and y are never needed apart: their squares enter the formula as a sum.
    energy, product = blur(first**2 + second**2), blur(first * second)
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    cross, squares = mean_x * mean_y, mean_x**2 + mean_y**2
    similarity = (2 * cross + c1) * (2 * (product - cross) + c2) / ((squares + c1) * (energy - squares + c2))
    return mean_over(similarity, None if mask is None else mask[radius:-radius, radius:-radius])
