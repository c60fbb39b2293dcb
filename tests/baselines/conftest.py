"""Fixtures of the baseline tests: ASTRA's own algorithms on the same projector, and a disc with a known scan."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import astra
import numpy as np
import pytest

from tomobench.benchmarks.geometry import Geometry
from tomobench.benchmarks.operators import Operator
from tomobench.datasets import load_library


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache of the test's own."""
    monkeypatch.setenv("TOMOBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def astra_answer() -> Callable[..., np.ndarray]:
    """``astra_answer(algorithm, geometry, sinogram, iterations, option)``: ASTRA's CPU answer, ``linear`` projector."""

    def answer(
        algorithm: str, scan: Geometry, sinogram: np.ndarray, iterations: int = 1, option: dict[str, Any] | None = None
    ) -> np.ndarray:
        projector = Operator(scan).astra_projector()
        data = astra.data2d.create("-sino", astra.projector.projection_geometry(projector), sinogram)
        volume = astra.data2d.create("-vol", astra.projector.volume_geometry(projector))
        settings = astra.astra_dict(algorithm)
        settings |= {"ProjectorId": projector, "ProjectionDataId": data, "ReconstructionDataId": volume}
        settings["option"] = option or {}
        identifier = astra.algorithm.create(settings)
        try:
            astra.algorithm.run(identifier, iterations)
            return astra.data2d.get(volume).copy()
        finally:
            astra.algorithm.delete(identifier)
            astra.data2d.delete([data, volume])
            astra.projector.delete(projector)

    return answer


@pytest.fixture
def disc_image() -> Callable[[int], np.ndarray]:
    """``disc_image(size)``: (1, size, size) of a centred disc of value 0.7 and radius 0.35·size, edges by area."""

    def image(size: int) -> np.ndarray:
        axis = (np.arange(size * 8) + 0.5) / 8 - size / 2
        inside = np.hypot(axis[:, None], axis[None, :]) <= 0.35 * size
        return 0.7 * inside.reshape(size, 8, size, 8).mean(axis=(1, 3))[None]

    return image


@pytest.fixture
def disc_sinogram() -> Callable[[Geometry], np.ndarray]:
    """``disc_sinogram(scan)``: (1, angles, detectors), the closed form of that disc, averaged over detector pixels."""

    def sinogram(scan: Geometry) -> np.ndarray:
        at = (np.arange(scan.detectors * 16) + 0.5) / 16 - 0.5 - scan.rotation_centre
        chords = 1.4 * scan.pixel_size * np.sqrt(np.clip((0.35 * scan.image_size) ** 2 - at**2, 0, None))
        row = chords.reshape(scan.detectors, 16).mean(axis=1)
        return np.broadcast_to(row, (1, *scan.sinogram_shape)).astype(np.float32)

    return sinogram


@pytest.fixture(scope="session")
def shapes() -> np.ndarray:
    """(3, 48, 48) random shapes."""
    return np.stack([load_library("shapes").image(k, 48) for k in range(3)])
