"""Simultaneous iterative reconstruction technique.

Gregor & Benson, IEEE Trans. Med. Imaging 27, 918 (2008): x ← P(x + C Aᵀ R (y − A x)), R and C the inverse row and
column sums of A, P the projection onto non-negative images where the benchmark declares them.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..benchmarks.operators import Operator, operator
from ..benchmarks.tasks import TaskInputs
from .parameters import whole
from .protocol import AdapterInfo


def sirt(A: Operator, y: NDArray[np.float32], iterations: int, non_negative: bool) -> NDArray[np.float32]:
    """(N, size, size) after ``iterations`` steps from zero, for (N, angles, detectors) sinograms ``y``."""
    R = _inverse(A(np.ones((1, A.grid, A.grid), dtype=np.float32)))
    C = _inverse(A.T(np.ones((1, *A.geometry.sinogram_shape), dtype=np.float32)))
    x = np.zeros((len(y), A.grid, A.grid), dtype=np.float32)
    for _ in range(iterations):
        x += C * A.T(R * (y - A(x)))
        if non_negative:
            np.maximum(x, 0, out=x)
    return x


def _inverse(sums: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 / sums, and 0 for rays that miss the image and pixels no ray meets."""
    return np.divide(1, sums, out=np.zeros_like(sums), where=sums > 1e-6 * sums.max())


class Sirt:
    """SIRT, stopped after a fixed number of iterations."""

    name = "sirt"
    info = AdapterInfo(framework="numpy + ASTRA", reference="Gregor & Benson (2008), doi:10.1109/TMI.2008.923696")
    candidates: ClassVar = tuple({"iterations": n} for n in (10, 20, 40, 70, 100, 150, 250, 400))

    def __init__(self, iterations: int = 100) -> None:
        self.iterations = whole("sirt", "iterations", iterations)

    def predict(self, inputs: TaskInputs) -> NDArray[np.float32]:
        """(N, rows, columns) float32."""
        return sirt(operator(inputs.geometry), inputs.sinograms, self.iterations, inputs.non_negative)
