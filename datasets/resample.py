"""Area averaging between square pixel grids: the one way an image is brought to a benchmark's size."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def overlap_matrix(inputs: int, outputs: int) -> NDArray[np.float64]:
    """(outputs, inputs): the fraction of each output pixel covered by each input pixel; rows sum to one.

    >>> overlap_matrix(4, 2)
    array([[0.5, 0.5, 0. , 0. ],
           [0. , 0. , 0.5, 0.5]])
    """
    edges_out = np.linspace(0, inputs, outputs + 1)
    left, right = np.arange(inputs), np.arange(1, inputs + 1)
    shared = np.minimum(edges_out[1:, None], right) - np.maximum(edges_out[:-1, None], left)
    return np.clip(shared, 0, None) * outputs / inputs


def area_average(image: ArrayLike, rows: int, columns: int) -> NDArray[np.float32]:
    """Resample (rows, columns) images to another size by exact area overlap; the mean is kept.

    Finer grids are served too (pixels are replicated by area), so a small image can be projected on a finer grid.
    """
    image = np.asarray(image, dtype=np.float64)
    down = overlap_matrix(image.shape[-2], rows) @ image
    return (down @ overlap_matrix(image.shape[-1], columns).T).astype(np.float32)
