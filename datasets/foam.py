"""Foam: non-overlapping spherical voids in a cylinder, the field's standard phantom for low-dose work.

After the idea of the foam phantom of Pelt, Hendriksen, Batenburg, J. Synchrotron Rad. 29 (2022), written anew here:
spheres placed at random, large ones first, none touching another or the cylinder's wall.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .library import Float32, ImageLibrary, LibraryInfo, disc_mask, seed_for

RADIUS = 0.92  # the cylinder's, in units of half the field of view
HALF_HEIGHT = 0.25
SLICES = 8
CANDIDATES = 6_000


@lru_cache(maxsize=64)
def _spheres(name: str, version: int, foam: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """((n, 4) x, y, z, radius; (n,) attenuation) of one foam, by random sequential addition."""
    rng = seed_for(name, version, foam)
    largest = rng.uniform(0.12, 0.22)
    radii = np.sort(largest * rng.power(1.5, CANDIDATES) + 0.015)[::-1]
    centres = rng.uniform(-1, 1, size=(CANDIDATES, 3)) * (RADIUS, RADIUS, HALF_HEIGHT + largest)
    placed = np.empty((CANDIDATES, 4))
    count = 0
    for centre, radius in zip(centres, radii, strict=True):
        if np.hypot(centre[0], centre[1]) + radius > RADIUS - 0.01:
            continue
        others = placed[:count]
        apart = np.sum((others[:, :3] - centre) ** 2, axis=1) > (others[:, 3] + radius + 0.004) ** 2
        if apart.all():
            placed[count] = (*centre, radius)
            count += 1
    # Most bubbles are empty; a few are filled with something denser than the matrix.
    attenuation = np.where(rng.random(count) < 0.08, 1.0, 0.0)
    return placed[:count], attenuation


class Foam(ImageLibrary):
    """Slices of foams: each object is one foam, cut at eight heights."""

    info = LibraryInfo(
        name="foam",
        version=1,
        summary="non-overlapping spherical voids in a cylinder (synthetic micro-CT)",
        licence="CC0-1.0 (generated)",
        citation="after Pelt, Hendriksen, Batenburg, J. Synchrotron Rad. 29, 254 (2022)",
        source="generated",
    )

    def __len__(self) -> int:
        return 2_000 * SLICES

    def object_id(self, index: int) -> str:
        """The foam that slice ``index`` is cut from."""
        return f"foam/{index // SLICES:06d}"

    def image(self, index: int, size: int) -> Float32:
        """Slice ``index`` sampled at (size, size) pixel centres; the same foam at every size."""
        foam, cut = divmod(index, SLICES)
        height = (2 * (cut + 0.5) / SLICES - 1) * HALF_HEIGHT
        spheres, attenuation = _spheres(self.info.name, self.info.version, foam)
        axis = (np.arange(size) + 0.5) * 2 / size - 1
        image = np.where(np.hypot(axis[:, None], axis[None, :]) <= RADIUS, 0.6, 0.0)
        for (x, y, z, radius), value in zip(spheres, attenuation, strict=True):
            reach = radius**2 - (z - height) ** 2
            if reach <= 0:
                continue
            reach = np.sqrt(reach)
            rows = slice(*np.searchsorted(axis, (y - reach, y + reach)))
            columns = slice(*np.searchsorted(axis, (x - reach, x + reach)))
            inside = (axis[rows, None] - y) ** 2 + (axis[None, columns] - x) ** 2 <= reach**2
            image[rows, columns][inside] = value
        return (image * disc_mask(size)).astype(np.float32)
