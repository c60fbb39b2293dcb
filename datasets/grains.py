"""Voronoi catalyst grains packed in a tube: synthetic micro-CT of a reactor bed."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from .library import Float32, ImageLibrary, LibraryInfo, disc_mask, seed_for

OUTER = 0.94  # tube's outer radius, in units of half the field of view


class Grains(ImageLibrary):
    """Cross sections of grain-filled tubes; every image is another tube.

    A tube of thin wall holds 25 to 90 grains: the Voronoi cells of random points, parted by gaps, each of one
    attenuation with a weak radial shell (egg-shell impregnation) in some objects; one grain in six is missing.
    """

    info = LibraryInfo(
        name="grains",
        version=1,
        summary="Voronoi catalyst grains in a tube (synthetic micro-CT)",
        licence="CC0-1.0 (generated)",
        citation="TomoBench, library grains",
        source="generated",
    )

    def __len__(self) -> int:
        return 10_000

    def object_id(self, index: int) -> str:
        """Every image is its own tube."""
        return self.item_id(index)

    def image(self, index: int, size: int) -> Float32:
        """Tube ``index`` sampled at (size, size) pixel centres; the same tube at every size."""
        rng = seed_for(self.info.name, self.info.version, index)
        wall = rng.uniform(0.04, 0.08)
        wall_value = rng.uniform(0.35, 0.6)
        inner = OUTER - wall
        count = int(rng.integers(25, 90))
        seeds = rng.uniform(-1, 1, size=(4 * count, 2))
        seeds = seeds[np.hypot(*seeds.T) < inner][:count]
        value = rng.uniform(0.45, 1.0, size=len(seeds))
        value[rng.random(len(seeds)) < 1 / 6] = 0.0
        gap = rng.uniform(0.008, 0.03)
        shell = rng.uniform(0.0, 0.15) * (rng.random() < 0.4)

        axis = (np.arange(size) + 0.5) * 2 / size - 1
        points = np.stack(np.meshgrid(axis, axis), axis=-1)
        distance, nearest = cKDTree(seeds).query(points, k=2)
        radius = np.hypot(points[..., 0], points[..., 1])
        # Half the difference of the two nearest distances bounds the way to the boundary between their cells.
        depth = np.minimum((distance[..., 1] - distance[..., 0]) / 2, inner - radius)
        grain = value[nearest[..., 0]] * (1 - shell * np.clip(depth / 0.1, 0, 1))
        image = np.where(depth > gap, grain, 0.02)
        image = np.where(radius > inner, wall_value, image)
        image = np.where(radius > OUTER, 0.0, image)
        return (image * disc_mask(size)).astype(np.float32)
