"""Photographs with free licences that ship inside the scikit-image wheel: the offline stand-in for DIV2K.

Only images whose licence text is known are used (CC0: camera, brick, grass, gravel, cell, chelsea, coffee, retina,
microaneurysms, horse; public domain: astronaut, hubble_deep_field, rocket, coins, ihc, text, clock_motion).
Splits go by photograph, never by patch.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import skimage
from numpy.typing import NDArray
from skimage.color import rgb2gray
from skimage.io import imread

from .library import Float32, ImageLibrary, LibraryInfo, disc_mask
from .resample import area_average

PHOTOGRAPHS = (
    *("astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "clock_motion.png", "coffee.png"),
    *("coins.png", "grass.png", "gravel.png", "horse.png", "hubble_deep_field.jpg", "ihc.png", "microaneurysms.png"),
    *("retina.jpg", "rocket.jpg", "text.png"),
)
GRID = 3  # patches per photograph: the whole central square, then a GRID × GRID tiling of it
PATCHES = 1 + GRID * GRID


@lru_cache(maxsize=len(PHOTOGRAPHS))
def photograph(name: str) -> NDArray[np.float32]:
    """The central square of a shipped photograph as grey float32 in [0, 1]."""
    pixels = imread(Path(skimage.__file__).parent / "data" / name)
    grey = rgb2gray(pixels[..., :3]) if pixels.ndim == 3 else pixels / np.iinfo(pixels.dtype).max
    side = min(grey.shape)
    top, left = (grey.shape[0] - side) // 2, (grey.shape[1] - side) // 2
    return np.asarray(grey[top : top + side, left : left + side], dtype=np.float32)


class Natural(ImageLibrary):
    """Grey patches of seventeen photographs, ten of each."""

    info = LibraryInfo(
        name="natural",
        version=1,
        summary="photographs inside the scikit-image wheel, whole and in patches",
        licence="CC0-1.0 and public domain",
        citation="van der Walt et al., PeerJ 2:e453 (2014), scikit-image data",
        source="scikit-image wheel",
    )

    def __len__(self) -> int:
        return PATCHES * len(PHOTOGRAPHS)

    def object_id(self, index: int) -> str:
        """The photograph that patch ``index`` comes from."""
        return f"natural/{PHOTOGRAPHS[index // PATCHES].split('.')[0]}"

    def image(self, index: int, size: int) -> Float32:
        """Patch ``index`` area-averaged to (size, size), zero outside the inscribed disc."""
        whole = photograph(PHOTOGRAPHS[index // PATCHES])
        patch = index % PATCHES
        if patch:
            step = len(whole) // GRID
            row, column = divmod(patch - 1, GRID)
            whole = whole[row * step : (row + 1) * step, column * step : (column + 1) * step]
        return np.clip(area_average(whole, size, size), 0, 1) * disc_mask(size)
