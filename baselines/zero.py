"""The all-zero answer: the floor that any method, and any cheat, is measured against."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..benchmarks.tasks import TaskInputs
from .protocol import AdapterInfo


class Zero:
    """Answers zero everywhere."""

    name = "zero"
    info = AdapterInfo(reference="the all-zero image")

    def predict(self, inputs: TaskInputs) -> NDArray[np.float32]:
        """(N, rows, columns) zeros."""
        return np.zeros(inputs.answer_shape, dtype=np.float32)
