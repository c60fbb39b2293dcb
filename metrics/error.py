"""Pixel errors: MSE, RMSE, MAE and NRMSE, one value per image."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .arrays import Float64, Mask, mean_over, paired


def mse(truth: ArrayLike, estimate: ArrayLike, mask: Mask | None = None) -> Float64:
    """(N,) mean squared error of (N, rows, columns) images, over the (rows, columns) mask where one is given."""
    first, second = paired(truth, estimate)
    return mean_over((first - second) ** 2, mask)


def rmse(truth: ArrayLike, estimate: ArrayLike, mask: Mask | None = None) -> Float64:
    """(N,) square root of the mean squared error."""
    return np.sqrt(mse(truth, estimate, mask))


def mae(truth: ArrayLike, estimate: ArrayLike, mask: Mask | None = None) -> Float64:
    """(N,) mean absolute error."""
    first, second = paired(truth, estimate)
    return mean_over(np.abs(first - second), mask)


def nrmse(truth: ArrayLike, estimate: ArrayLike, mask: Mask | None = None) -> Float64:
    """(N,) RMSE over the root mean square of the truth (scikit-image's ``euclidean`` normalisation).

    An all-zero truth has no scale: its value is infinite, or nan where the estimate is zero too.
    """
    first, second = paired(truth, estimate)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt(mean_over((first - second) ** 2, mask) / mean_over(first**2, mask))
