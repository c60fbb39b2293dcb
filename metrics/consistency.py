"""Data consistency: does the answer explain what was measured, and no more than that?"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .arrays import Float64, paired


def residual_norm(projected: ArrayLike, measured: ArrayLike) -> Float64:
    """(N,) ‖Ax̂ − y‖₂ of (N, angles, detectors) sinograms."""
    first, second = paired(measured, projected)
    return np.asarray(np.sqrt(np.sum((first - second) ** 2, axis=(1, 2))))


def relative_residual(projected: ArrayLike, measured: ArrayLike) -> Float64:
    """(N,) ‖Ax̂ − y‖ / ‖y‖; on angles a method never saw, the held-out projection error."""
    _, second = paired(projected, measured)
    return np.asarray(residual_norm(projected, measured) / np.sqrt(np.sum(second**2, axis=(1, 2))))


def noise_ratio(projected: ArrayLike, measured: ArrayLike, noise_norm: ArrayLike) -> Float64:
    """(N,) ‖Ax̂ − y‖ over ``noise_norm`` (N,), the ‖Ax − y‖ that the truth itself leaves unexplained.

    About 1: explained as far as the truth explains it. Above: something measured is missing from the answer. Well
    below: the noise was fitted too. nan where the truth is unknown.
    """
    return np.asarray(residual_norm(projected, measured) / np.asarray(noise_norm, dtype=np.float64))
