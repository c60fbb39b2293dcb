"""``lodopab``: ground-truth slices of human chest CT, the test part of LoDoPaB-CT (downloaded, about 1.5 GB)."""

from __future__ import annotations

import functools

import numpy as np

from ..errors import DataError, complaint
from .archives import extract_zip
from .cache import cache_dir
from .fetch import fetch
from .hdf5 import Stack, sniff
from .library import Float32, ImageLibrary, LibraryInfo, disc_mask
from .resample import area_average

ARCHIVE = "ground_truth_test.zip"
PATIENTS = "patient_ids_rand_test.csv"
IMAGES = 3553
PER_FILE = 128


class Lodopab(ImageLibrary):
    """3553 slices of 362 × 362 pixels, normalised to [0, 1] by their authors; an object is a patient."""

    info = LibraryInfo(
        name="lodopab",
        version=1,
        summary=f"{IMAGES} chest CT slices, the ground truth of LoDoPaB-CT's test part",
        licence="ODC-By-1.0",
        citation="Leuschner et al., Sci. Data 8 (2021) 109, doi:10.1038/s41597-021-00893-z",
        source=f"{ARCHIVE} and {PATIENTS}, downloaded on first use",
        pixel_size=260 / 362 * 1000,
        offline=False,
    )
    files = (PATIENTS, ARCHIVE)

    def __len__(self) -> int:
        return IMAGES

    def object_id(self, index: int) -> str:
        """The patient, from the list that comes with the data (downloaded on first use)."""
        return f"patient-{_patients()[index]}"

    def image(self, index: int, size: int) -> Float32:
        """Slice ``index`` as (size, size) float32 in [0, 1], zero outside the disc.

        Raises DownloadError or DataError where the archive cannot be had or is not as it should be.
        """
        if not 0 <= index < IMAGES:
            raise IndexError(index)
        slice_ = _stacks()[index // PER_FILE].read(index % PER_FILE)
        return np.clip(area_average(slice_, size, size), 0, 1) * disc_mask(size)


@functools.cache
def _patients() -> tuple[int, ...]:
    path = fetch(PATIENTS)
    try:
        numbers = tuple(int(line) for line in path.read_text(encoding="ascii").split())
    except ValueError as error:
        raise DataError(
            complaint(path, "one patient number per line", "something else", "download it again")
        ) from error
    if len(numbers) != IMAGES:
        raise DataError(complaint(path, f"{IMAGES} patient numbers", f"{len(numbers)}", "download it again"))
    return numbers


@functools.cache
def _stacks() -> tuple[Stack, ...]:
    archive = fetch(ARCHIVE)
    files = extract_zip(archive, cache_dir("extracted") / archive.stem, max_bytes=8 << 30, max_files=100)
    parts = sorted(path for path in files if path.suffix == ".hdf5")
    # The last file is padded by its authors, so it may hold more than the 3553 images.
    stacks = tuple(sniff(path).of("images")[0] for path in parts)
    if len(stacks) != -(-IMAGES // PER_FILE) or sum(stack.count for stack in stacks) < IMAGES:
        found = f"{len(stacks)} files with {sum(stack.count for stack in stacks)} images"
        raise DataError(complaint(archive, f"{IMAGES} images, {PER_FILE} per file", found, "download it again"))
    return stacks
