"""Fixtures of the benchmark tests: an own cache, and discs whose projections have a closed form."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the test's own; nothing listens where a download would go."""
    monkeypatch.setenv("TOMOBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TOMOBENCH_MIRROR", "http://127.0.0.1:9")
    return tmp_path / "cache"


@dataclass(frozen=True)
class Disc:
    """A disc of attenuation ``mu``, centred ``x`` pixels right of and ``y`` above the image's middle."""

    radius: float
    x: float = 0.0
    y: float = 0.0
    mu: float = 1.0

    def image(self, size: int, refine: int = 8) -> np.ndarray:
        """(1, size, size): the fraction of each pixel that the disc covers, by ``refine``² points, times mu."""
        axis = (np.arange(size * refine) + 0.5) / refine - size / 2
        inside = np.hypot(axis[None, :] - self.x, -axis[:, None] - self.y) <= self.radius
        return self.mu * inside.reshape(size, refine, size, refine).mean(axis=(1, 3))[None]

    def times(self, factor: float) -> Disc:
        """The same disc on a grid of ``factor`` times as many pixels."""
        return Disc(factor * self.radius, factor * self.x, factor * self.y, self.mu)

    def sinogram(
        self, angles: np.ndarray, detectors: int, pixel_size: float, axis: float | None = None, samples: int = 16
    ) -> np.ndarray:
        """(1, angles, detectors): 2·mu·√(r² − s²), averaged over each detector pixel by ``samples`` points."""
        middle = (detectors - 1) / 2 if axis is None else axis
        at = (np.arange(detectors * samples) + 0.5) / samples - 0.5 - middle
        s = at[None, :] - (self.x * np.cos(angles) + self.y * np.sin(angles))[:, None]
        chords = 2 * self.mu * pixel_size * np.sqrt(np.clip(self.radius**2 - s**2, 0, None))
        return chords.reshape(len(angles), detectors, samples).mean(axis=2)[None]


@pytest.fixture(
    params=[Disc(11.0, mu=0.8), Disc(6.5, x=9.0, y=0.0), Disc(5.25, x=-7.5, y=11.25)], ids=["centred", "right", "up"]
)
def disc(request: pytest.FixtureRequest) -> Disc:
    """A centred disc and two off the centre, for images of 48 pixels."""
    found: Disc = request.param
    return found
