"""Peak signal-to-noise ratio in decibels, one value per image."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .arrays import Float64, Mask
from .error import mse


def psnr(truth: ArrayLike, estimate: ArrayLike, *, data_range: float, mask: Mask | None = None) -> Float64:
    """(N,) 10·log₁₀(data_range² / MSE); infinite for an estimate equal to the truth.

    ``data_range`` is the benchmark's fixed range and has no default: taken from an image it would change the score.
    """
    if not data_range > 0:
        raise ValueError(f"data_range: expected a positive number, found {data_range}")
    with np.errstate(divide="ignore"):
        return np.asarray(10 * np.log10(data_range**2 / mse(truth, estimate, mask)))
