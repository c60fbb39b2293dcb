"""``tooth``: two neighbouring slices of a measured absorption micro-CT of a tooth, from raw detector counts."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, complaint
from . import preparation
from .fetch import fetch
from .hdf5 import Contents, sniff
from .library import LibraryInfo, Scan, ScanLibrary

FILE = "tooth.h5"
ROWS = 2


class Tooth(ScanLibrary):
    """Two detector rows of one tooth, so one object; 181 angles."""

    info = LibraryInfo(
        name="tooth",
        version=1,
        summary="2 measured micro-CT sinograms of a tooth, 181 angles, from counts with flat and dark field",
        licence="BSD-3-Clause (TomoPy repository)",
        citation="Gürsoy et al., J. Synchrotron Rad. 21 (2014) 1188, doi:10.1107/S1600577514013939",
        source=f"{FILE}, downloaded on first use",
        offline=False,
    )
    files = (FILE,)

    def __len__(self) -> int:
        return ROWS

    def object_id(self, index: int) -> str:
        """Always ``"tooth"``: both rows see the same object."""
        if not 0 <= index < ROWS:
            raise IndexError(index)
        return "tooth"

    def scan(self, index: int) -> Scan:
        """Detector row ``index``: flat and dark field, −log, rotation axis found and centred by cropping."""
        self.object_id(index)
        return _scan(index)


@functools.cache
def _scan(row: int) -> Scan:
    return prepare_exchange(sniff(fetch(FILE)), row)


def prepare_exchange(contents: Contents, row: int, angles: NDArray[np.float64] | None = None) -> Scan:
    """Return detector row ``row`` of a Data Exchange file as line integrals with the axis in the middle.

    ``angles`` (radians) replace the file's own. Raises DataError where the file holds no flat field or no angles.
    """
    stacks = {stack.key: stack for stack in contents.stacks}
    counts = stacks["exchange/data"]
    flat, dark = stacks.get("exchange/data_white"), stacks.get("exchange/data_dark")
    angles = contents.angles if angles is None else angles
    if flat is None or angles is None:
        found = "neither" if flat is None and angles is None else "only one of them"
        raise DataError(complaint(counts.path, "exchange/data_white and exchange/theta", found, "add them"))
    transmission = preparation.flat_and_dark_field(
        counts.read(row), flat.read(row), None if dark is None else dark.read(row)
    )
    prepared, angles = preparation.drop_end_point(preparation.minus_log(transmission), angles)
    prepared = preparation.centre(prepared, preparation.find_rotation_centre(prepared.sinogram, angles))
    sinogram = prepared.sinogram.astype(np.float32)
    sinogram.flags.writeable = False  # shared by every caller
    return Scan(sinogram, angles, steps=prepared.steps)
