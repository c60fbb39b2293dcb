"""``reactors``: measured sinograms of three working catalysts, two by X-ray diffraction CT and one by micro-CT."""

from __future__ import annotations

import functools

import numpy as np

from . import preparation
from .fetch import fetch
from .hdf5 import open_hdf5, read_dataset
from .library import LibraryInfo, Scan, ScanLibrary

FILE = "sd2i_sinograms.h5"
# key of the file → every how many angles its authors' sparse scan keeps
SPARSE = {"MnNaWSiO2": 2, "POX": 3, "photocatalyst": 5}


class Reactors(ScanLibrary):
    """One scan per object; each ``sparse`` slice is the one of the paper's sparse-angle experiments."""

    info = LibraryInfo(
        name="reactors",
        version=1,
        summary="3 measured XRD-CT and micro-CT sinograms of catalysts, 120 to 300 angles",
        licence="GPL-3.0 (repository); CC BY 3.0 (paper)",
        citation="Dong et al., Digital Discovery (2023), doi:10.1039/D2DD00105E",
        source=f"{FILE}, downloaded on first use",
        offline=False,
    )
    files = (FILE,)

    def __len__(self) -> int:
        return len(SPARSE)

    def object_id(self, index: int) -> str:
        """The catalyst's name, which is its key in the file."""
        return list(SPARSE)[index]

    def scan(self, index: int) -> Scan:
        """Scan ``index``, with equal intensity per angle and the axis in the middle.

        Raises DownloadError or DataError where the file cannot be had or is not as it should be.
        """
        return _scan(self.object_id(index))


@functools.cache
def _scan(key: str) -> Scan:
    with open_hdf5(fetch(FILE)) as file:
        measured = read_dataset(file, key).astype(np.float64)
    angles = np.arange(len(measured)) * np.pi / len(measured)
    # Diffracted intensity is proportional to the material in the beam, all of which is always in view.
    prepared = preparation.equal_intensity_per_angle(preparation.Prepared(measured))
    axis = preparation.find_rotation_centre(prepared.sinogram, angles)
    if abs(axis - (measured.shape[1] - 1) / 2) > preparation.CENTRED_WITHIN:
        prepared = preparation.centre(prepared, axis)
    sinogram = prepared.sinogram.astype(np.float32)
    sinogram.flags.writeable = angles.flags.writeable = False  # shared by every caller
    return Scan(sinogram, angles, sparse=slice(None, None, SPARSE[key]), steps=prepared.steps)
