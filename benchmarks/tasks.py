"""What a method is handed: one frozen dataclass of plain NumPy arrays per task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import GeometryError, complaint
from .geometry import Geometry


def check_sinograms(sinograms: Any, geometry: Geometry) -> NDArray[np.float32]:
    """Return sinograms as (N, angles, detectors) float32, or raise GeometryError saying what contradicts.

    Integers, big-endian and float64 are converted; complex, object, NaN and Inf are refused.
    """
    array = np.asarray(sinograms)
    if array.dtype.kind not in "fiu":
        raise GeometryError(complaint("sinograms", "real numbers", str(array.dtype), "convert to float32"))
    expected = geometry.sinogram_shape
    if array.ndim != 3 or array.shape[1:] != expected:
        mend = "pass (N, angles, detectors)"
        if array.ndim == 3 and array.shape[1:] == expected[::-1]:
            mend = "looks transposed: use sinograms.transpose(0, 2, 1)"
        elif array.ndim == 2 and array.shape == expected:
            mend = "add the batch axis: sinogram[None]"
        raise GeometryError(complaint("sinograms", f"(N, {expected[0]}, {expected[1]})", str(array.shape), mend))
    array = np.ascontiguousarray(array, dtype=np.float32)
    bad = np.flatnonzero(~np.isfinite(array))
    if bad.size:
        first = tuple(int(i) for i in np.unravel_index(bad[0], array.shape))
        raise GeometryError(
            complaint(
                "sinograms", "finite values", f"{bad.size} NaN or Inf, first at {first}", "repair the measurement"
            )
        )
    return array


@dataclass(frozen=True, eq=False)
class ReconstructionInputs:
    """Task ``reconstruction``: sinograms and their geometry → images.

    Attributes
    ----------
    sinograms : (N, angles, detectors) float32, line integrals (already −log).
    geometry : the scan as the method is told it; a miscalibrated benchmark tells it wrong, as at a beamline.
    non_negative : the benchmark declares that attenuation cannot be negative; methods may clip.

    The answer is (N, image_size, image_size) float32, in attenuation per unit length, order kept.
    """

    sinograms: NDArray[np.float32]
    geometry: Geometry
    non_negative: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "sinograms", check_sinograms(self.sinograms, self.geometry))

    @property
    def answer_shape(self) -> tuple[int, int, int]:
        """(N, rows, columns) that ``predict`` must return."""
        return len(self.sinograms), self.geometry.image_size, self.geometry.image_size


TaskInputs = ReconstructionInputs
