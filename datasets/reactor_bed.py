"""``micro-ct`` and ``xrd-ct``: the seeds' volumes of a catalytic reactor bed, whose checksums nobody published.

The files lie behind short links that may be dead. Either the user takes what arrives
(``tomobench data fetch micro-ct --accept-unverified``), or registers a copy (``tomobench data add micro-ct FILE``).
Both end in the user's own store, where the volume is kept slice first and normalised by its one largest value.
"""

from __future__ import annotations

import functools

from . import user
from .fetch import fetch
from .library import Float32, ImageLibrary, LibraryInfo

_CITATION = "superres-tomo documentation, December 2020"


class _ReactorBed(ImageLibrary):
    """Slices of one volume, so one object."""

    file: str

    @functools.cached_property
    def _slices(self) -> user.UserImages:
        if not user.exists(self.info.name):
            user.add(self.info.name, fetch(self.file), citation=_CITATION)
        library = user.load(self.info.name)
        assert isinstance(library, user.UserImages)  # user.add admits nothing else under these names
        return library

    def ensure(self, *, quick: bool = False) -> None:
        """Raise DownloadError where there is neither a registered copy nor an accepted download."""
        if not user.exists(self.info.name):
            fetch(self.file, quick=quick)

    def __len__(self) -> int:
        return len(self._slices)

    def object_id(self, index: int) -> str:
        """The one reactor bed."""
        return self._slices.object_id(index)

    def image(self, index: int, size: int) -> Float32:
        """Slice ``index``, (size, size) float32 in [0, 1], zero outside the disc.

        Raises DownloadError, saying what to do, where there is neither a registered copy nor an accepted download.
        """
        return self._slices.image(index, size)


class MicroCT(_ReactorBed):
    """Absorption slices, 185 × 185."""

    file = "micro-ct.h5"
    info = LibraryInfo(
        name="micro-ct",
        version=1,
        summary="slices of a reactor bed by micro-CT, 185 × 185; unverified",
        licence="unknown",
        citation=_CITATION,
        source=f"{file}, by --accept-unverified, or a copy of the user's",
        offline=False,
        unverified=True,
    )


class XrdCT(_ReactorBed):
    """One image per channel of the diffraction pattern, 75 × 75."""

    file = "xrd-ct.h5"
    info = LibraryInfo(
        name="xrd-ct",
        version=1,
        summary="2038 diffraction channels of a reactor bed by XRD-CT, 75 × 75; unverified",
        licence="unknown",
        citation=_CITATION,
        source=f"{file}, by --accept-unverified, or a copy of the user's",
        offline=False,
        unverified=True,
    )
