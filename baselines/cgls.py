"""Conjugate gradients for least squares, stopped early.

Björck, Numerical Methods for Least Squares Problems (1996), algorithm 7.4.1, for min ‖Ax − y‖²; the number of
iterations is the regularisation.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..benchmarks.operators import Operator, operator
from ..benchmarks.tasks import TaskInputs
from .parameters import whole
from .protocol import AdapterInfo


def cgls(A: Operator, y: NDArray[np.float32], iterations: int) -> NDArray[np.float32]:
    """(N, size, size) after ``iterations`` steps from zero; each image of the batch has its own step lengths."""
    x = np.zeros((len(y), A.grid, A.grid), dtype=np.float32)
    r = y.astype(np.float32, copy=True)
    s = A.T(r)
    p, gamma = s, _squares(s)
    for _ in range(iterations):
        q = A(p)
        alpha = _ratio(gamma, _squares(q))
        x += alpha * p
        r -= alpha * q
        s = A.T(r)
        gamma, previous = _squares(s), gamma
        p = s + _ratio(gamma, previous) * p
    return x


def _squares(batch: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.sum(batch.astype(np.float64) ** 2, axis=(1, 2), keepdims=True)


def _ratio(top: NDArray[np.float64], bottom: NDArray[np.float64]) -> NDArray[np.float32]:
    """top / bottom, and 0 where an image has converged exactly and nothing is left to divide."""
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0).astype(np.float32)


class Cgls:
    """CGLS, stopped after a fixed number of iterations; negatives are clipped at the end."""

    name = "cgls"
    info = AdapterInfo(framework="numpy + ASTRA", reference="Björck (1996), doi:10.1137/1.9781611971484")
    candidates: ClassVar = tuple({"iterations": n} for n in (2, 3, 5, 8, 12, 18, 27, 40))

    def __init__(self, iterations: int = 15) -> None:
        self.iterations = whole("cgls", "iterations", iterations)

    def predict(self, inputs: TaskInputs) -> NDArray[np.float32]:
        """(N, rows, columns) float32."""
        images = cgls(operator(inputs.geometry), inputs.sinograms, self.iterations)
        return np.maximum(images, 0) if inputs.non_negative else images
