"""``div2k``: square grey patches of the DIV2K validation photographs (downloaded; pixels are never redistributed)."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, complaint
from .archives import extract_zip
from .cache import cache_dir
from .fetch import fetch
from .library import Float32, ImageLibrary, LibraryInfo, disc_mask
from .resample import area_average

FILE = "DIV2K_valid_LR_bicubic_X4.zip"
PHOTOGRAPHS = 100
# The photographs are 2K along their longer side, so about 510 pixels here: three squares fit side by side.
PATCHES = 3
SMALLEST = 64
_LUMA = np.array([0.2125, 0.7154, 0.0721])  # ITU-R BT.709, as scikit-image's rgb2gray


class Div2k(ImageLibrary):
    """Three patches from each of the 100 validation photographs, reduced four times by their authors."""

    info = LibraryInfo(
        name="div2k",
        version=1,
        summary=f"{PATCHES * PHOTOGRAPHS} grey patches of 100 DIV2K validation photographs",
        licence="academic research use only; pixels may not be redistributed",
        citation="Agustsson and Timofte, CVPR Workshops 2017, doi:10.1109/CVPRW.2017.150",
        source=f"{FILE}, downloaded on first use",
        offline=False,
    )
    files = (FILE,)

    def __len__(self) -> int:
        return PATCHES * PHOTOGRAPHS

    def object_id(self, index: int) -> str:
        """The photograph, by its number in DIV2K: 0801 … 0900."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        return f"photo-{801 + index // PATCHES:04d}"

    def image(self, index: int, size: int) -> Float32:
        """Patch ``index % 3`` of its photograph, (size, size) float32 in [0, 1], zero outside the disc.

        Raises DownloadError or DataError where the photographs cannot be had.
        """
        self.object_id(index)
        patch = patches(_photographs()[index // PATCHES])[index % PATCHES]
        return np.clip(area_average(patch, size, size), 0, 1) * disc_mask(size)


@functools.lru_cache(maxsize=4)
def patches(path: Path) -> tuple[NDArray[np.float64], ...]:
    """Return three non-overlapping squares along the longer side of a photograph, grey in [0, 1]."""
    from skimage.io import imread

    photograph = np.asarray(imread(path), dtype=np.float64) / 255
    grey = photograph[..., :3] @ _LUMA if photograph.ndim == 3 else photograph
    if grey.shape[0] > grey.shape[1]:
        grey = grey.T  # a photograph on its side is as good a phantom
    side = min(grey.shape[0], grey.shape[1] // PATCHES)
    if side < SMALLEST:
        raise DataError(
            complaint(path, f"{PATCHES} squares of {SMALLEST} pixels", f"{grey.shape}", "use larger photographs")
        )
    top = (grey.shape[0] - side) // 2
    return tuple(grey[top : top + side, k * side : (k + 1) * side] for k in range(PATCHES))


@functools.cache
def _photographs() -> tuple[Path, ...]:
    archive = fetch(FILE)
    folder = cache_dir("extracted") / archive.stem
    files = extract_zip(archive, folder, max_bytes=1 << 30, max_files=1000)
    photographs = sorted(path for path in files if path.suffix.lower() == ".png")
    if len(photographs) != PHOTOGRAPHS:
        raise DataError(complaint(archive, f"{PHOTOGRAPHS} photographs", f"{len(photographs)}", "download it again"))
    return tuple(photographs)
