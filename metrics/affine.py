"""The scale diagnosis: how good would the answer be after the best affine change of grey values?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .arrays import Float64, Mask, paired
from .psnr import psnr

TELLING_GAIN = 3.0  # decibels that a mere change of scale must win before it is worth a remark


@dataclass(frozen=True)
class AffineFit:
    """Per image: truth ≈ ``scale`` · estimate + ``offset`` in least squares, and the PSNR after that change."""

    scale: Float64
    offset: Float64
    psnr: Float64


def affine_fit(truth: ArrayLike, estimate: ArrayLike, *, data_range: float, mask: Mask | None = None) -> AffineFit:
    """Fit truth ≈ a · estimate + b for each of (N, rows, columns) images; a constant estimate has scale 0."""
    first, second = paired(truth, estimate)
    inside = np.ones(first.shape[1:], dtype=bool) if mask is None else mask
    x, y = second[:, inside], first[:, inside]
    x_mean, y_mean = x.mean(axis=1, keepdims=True), y.mean(axis=1, keepdims=True)
    spread = ((x - x_mean) ** 2).sum(axis=1)
    shared = ((x - x_mean) * (y - y_mean)).sum(axis=1)
    varies = np.ptp(x, axis=1) > 0  # the spread of a constant image is rounding errors, not zero
    scale = np.divide(shared, spread, out=np.zeros_like(spread), where=varies)
    offset = y_mean[:, 0] - scale * x_mean[:, 0]
    fitted = scale[:, None, None] * second + offset[:, None, None]
    return AffineFit(scale, offset, psnr(first, fitted, data_range=data_range, mask=mask))


def diagnosis(fit: AffineFit, score: ArrayLike) -> str:
    """One phrase where a change of scale would gain at least 3 dB in the mean, else the empty string."""
    with np.errstate(invalid="ignore"):
        gain = float(np.mean(fit.psnr) - np.mean(np.asarray(score)))
    scale, offset = float(np.median(fit.scale)), float(np.median(fit.offset))
    if not gain >= TELLING_GAIN or scale == 0:  # a constant image has no scale to be wrong in
        return ""
    if scale < 0:
        return f"inverted: best affine fit has scale {scale:.2g} (+{gain:.1f} dB)"
    factor = scale if scale >= 1 else 1 / scale
    way = "too small" if scale >= 1 else "too large"
    size = f"{factor:.1f}" if factor < 1e4 else f"{factor:.0e}"
    said = f"off by {size}× ({way})" if factor >= 1.05 else "right scale"
    shift = f", offset {-offset / scale:+.2g}" if abs(offset) >= 0.02 else ""
    return f"{said}{shift}, otherwise +{gain:.1f} dB"
