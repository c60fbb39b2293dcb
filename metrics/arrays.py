"""The one check every metric begins with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import PredictionError, complaint

Float64 = NDArray[np.float64]
Mask = NDArray[np.bool_]


def paired(truth: ArrayLike, estimate: ArrayLike) -> tuple[Float64, Float64]:
    """Return both as (N, rows, columns) float64, or raise PredictionError.

    Shapes must be equal: nothing is broadcast, since an answer that broadcasts would score as something it is not.
    """
    first, second = _real(truth, "truth"), _real(estimate, "estimate")
    if first.ndim != 3:
        raise PredictionError(
            complaint("truth", "(N, rows, columns)", str(first.shape), "for one image add the batch axis: image[None]")
        )
    if first.shape != second.shape:
        raise PredictionError(
            complaint("estimate", f"(N, rows, columns) = {first.shape}", str(second.shape), "return one image a case")
        )
    return first, second


def _real(values: ArrayLike, name: str) -> Float64:
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise PredictionError(complaint(name, "real numbers", str(array.dtype), "convert to float32"))
    return array.astype(np.float64, copy=False)


def mean_over(values: Float64, mask: Mask | None) -> Float64:
    """(N,) mean of (N, rows, columns) over a (rows, columns) mask, or over every pixel for None."""
    flat: Any = values.reshape(len(values), -1) if mask is None else values[:, mask]
    return np.asarray(flat.mean(axis=1), dtype=np.float64)


def circle(size: int) -> Mask:
    """(size, size) bool: pixel centres inside the reconstruction circle, the disc inscribed in the image."""
    offsets = np.arange(size) - (size - 1) / 2
    return np.asarray(np.hypot(offsets[:, None], offsets[None, :]) <= size / 2)
