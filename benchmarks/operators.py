"""The projector: ``A(x)`` and ``A.T(y)`` for whole batches, from ASTRA's own weights.

ASTRA builds the sparse matrix of the geometry once; SciPy multiplies it with the batch. Where the matrix would not
fit ``MATRIX_BUDGET``, ASTRA projects image by image with the same weights.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Any, Literal

import astra
import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from .geometry import Geometry

Projector = Literal["linear", "strip", "line"]
SOLVER: Projector = "linear"  # what every shipped method and every residual uses
SIMULATOR: Projector = "strip"  # what measurements are simulated with: never the solver's
MATRIX_BUDGET = 2**30  # bytes of float32 weights and int32 indices
BATCH = 64  # images multiplied at a time: wide enough for the cache, small enough for memory
# Non-zero weights per pixel and angle, measured at 64² over 24 angles; only used to judge the budget.
WEIGHTS_PER_PIXEL = {"line": 1.2, "linear": 1.8, "strip": 3.1}


class Operator:
    """The linear map from (N, size, size) images to (N, angles, detectors) sinograms of one geometry.

    Parameters
    ----------
    geometry : the scan.
    projector : ASTRA's CPU kernel, ``linear`` (Joseph), ``strip`` (pixel area under the detector) or ``line``.
    grid : pixels along the side of the image grid; by default the geometry's ``image_size``. A finer grid covers the
        same field of view.
    direct : never build the matrix; cheaper where only a few images are projected once.

    ``A(x)`` projects, ``A.T(y)`` is its exact adjoint (unfiltered back-projection).
    """

    def __init__(
        self, geometry: Geometry, projector: Projector = SOLVER, grid: int | None = None, *, direct: bool = False
    ) -> None:
        self.geometry = geometry
        self.projector = projector
        self.grid = grid or geometry.image_size
        self.direct = direct

    def __call__(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Project (N, grid, grid) images to (N, angles, detectors) float32."""
        images = np.ascontiguousarray(images, dtype=np.float32)
        if self._matrix is None:
            return self._one_by_one(images, astra.create_sino, self.geometry.sinogram_shape)
        return _times(self._matrix, images, self.geometry.sinogram_shape)

    def T(self, sinograms: NDArray[Any]) -> NDArray[np.float32]:
        """Back-project (N, angles, detectors) sinograms to (N, grid, grid) float32, unfiltered."""
        sinograms = np.ascontiguousarray(sinograms, dtype=np.float32)
        if self._matrix is None:
            return self._one_by_one(sinograms, astra.create_backprojection, (self.grid, self.grid))
        return _times(self._matrix.T, sinograms, (self.grid, self.grid))

    @cached_property
    def norm(self) -> float:
        """The largest singular value ‖A‖, by power iteration on AᵀA."""
        image = np.ones((1, self.grid, self.grid), dtype=np.float32)
        value = 0.0
        for _ in range(30):
            image = self.T(self(image))
            value = float(np.linalg.norm(image))
            image = image / np.float32(value)
        return float(np.sqrt(value))

    @property
    def estimated_bytes(self) -> int:
        """What the sparse matrix would take in memory."""
        return int(8 * WEIGHTS_PER_PIXEL[self.projector] * len(self.geometry.angles) * self.grid**2)

    @cached_property
    def _matrix(self) -> scipy.sparse.csr_matrix | None:
        if self.direct or self.estimated_bytes > MATRIX_BUDGET:
            return None
        projector = self.astra_projector()
        handle = astra.projector.matrix(projector)
        try:
            return astra.matrix.get(handle).astype(np.float32)
        finally:
            astra.matrix.delete(handle)
            astra.projector.delete(projector)

    def astra_projector(self) -> int:
        """A new ASTRA projector handle of this operator; the caller deletes it."""
        scan = self.geometry
        half = scan.pixel_size * scan.image_size / 2
        volume = astra.create_vol_geom(self.grid, self.grid, -half, half, -half, half)
        rays = astra.create_proj_geom("parallel", scan.pixel_size, scan.detectors, scan.angles)
        if scan.axis_offset:
            vectors = astra.geom_2vec(rays)["Vectors"].copy()
            # The detector's middle lies opposite to where the axis falls on it.
            vectors[:, 2:4] -= scan.axis_offset * vectors[:, 4:6]
            rays = astra.create_proj_geom("parallel_vec", scan.detectors, vectors)
        return int(astra.create_projector(self.projector, rays, volume))

    def _one_by_one(
        self, batch: NDArray[np.float32], call: Callable[..., tuple[int, NDArray[np.float32]]], shape: tuple[int, int]
    ) -> NDArray[np.float32]:
        projector = self.astra_projector()
        out = np.empty((len(batch), *shape), dtype=np.float32)
        try:
            for item, result in zip(batch, out, strict=True):
                handle, result[...] = call(item, projector)
                astra.data2d.delete(handle)
        finally:
            astra.projector.delete(projector)
        return out


def _times(matrix: Any, batch: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Multiply a sparse matrix with every item of a batch; the batch runs along the fast axis inside."""
    out = np.empty((len(batch), *shape), dtype=np.float32)
    for start in range(0, len(batch), BATCH):
        part = batch[start : start + BATCH]
        if len(part) == 1:  # SciPy's product with one vector is several times faster than with one column
            out[start] = (matrix @ part.ravel()).reshape(shape)
            continue
        columns = np.ascontiguousarray(part.reshape(len(part), -1).T)
        out[start : start + BATCH] = (matrix @ columns).T.reshape(len(part), *shape)
    return out


@lru_cache(maxsize=4)
def operator(geometry: Geometry, projector: Projector = SOLVER, grid: int | None = None) -> Operator:
    """The operator of a geometry; the last few are kept, so that a method's batches share one matrix."""
    return Operator(geometry, projector, grid)
