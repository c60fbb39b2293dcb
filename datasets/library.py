"""What a library is: named, versioned ground-truth images (or measured sinograms) with an object id per image."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class LibraryInfo:
    """What a reader of the leaderboard must know about a library.

    ``pixel_size`` is in micrometres, None where it is unknown or meaningless. ``version`` changes whenever an image
    may change. ``unverified`` marks a file whose checksum nobody published (pinned by the user on arrival).
    """

    name: str
    version: int
    summary: str
    licence: str
    citation: str
    source: str
    pixel_size: float | None = None
    offline: bool = True
    unverified: bool = False


@dataclass(frozen=True)
class Scan:
    """One measured parallel-beam sinogram, prepared for reconstruction.

    Attributes
    ----------
    sinogram : (angles, detectors) float32, line integrals (already −log for absorption), rotation axis in the middle.
    angles : (angles,) float64, radians, end point excluded.
    sparse : slice
        Which of the angles a sparse-view benchmark hands to the methods, where the source fixed it.
    steps : tuple of str
        The preparation that was applied, in order, with its figures (see ``preparation``).
    """

    sinogram: Float32
    angles: NDArray[np.float64]
    sparse: slice | None = None
    steps: tuple[str, ...] = ()


class Library(ABC):
    """A named sequence of items, each with an object id; nothing is loaded or computed before it is asked for."""

    info: LibraryInfo
    files: ClassVar[tuple[str, ...]] = ()  # registry names of the downloads it needs

    def __repr__(self) -> str:
        return f"<library {self.info.name}@{self.info.version}: {self.info.summary}>"

    def ensure(self, *, quick: bool = False) -> None:
        """Fetch what the library needs now, so that its absence is known before anything is computed.

        ``quick`` gives up after seconds. Raises DownloadError or DataError with the mend.
        """
        from .fetch import fetch

        for name in self.files:
            fetch(name, quick=quick)

    @abstractmethod
    def __len__(self) -> int:
        """Number of images or scans."""

    @abstractmethod
    def object_id(self, index: int) -> str:
        """The physical (or generated) object that item ``index`` shows; splits never divide an object."""

    def item_id(self, index: int) -> str:
        """A name for item ``index`` that is unique in the library."""
        return f"{self.info.name}/{index:06d}"

    def indices_by_object(self) -> dict[str, list[int]]:
        """Object id → the items that show it, in library order."""
        groups: dict[str, list[int]] = {}
        for index in range(len(self)):
            groups.setdefault(self.object_id(index), []).append(index)
        return groups


class ImageLibrary(Library):
    """Ground-truth images."""

    @abstractmethod
    def image(self, index: int, size: int) -> Float32:
        """Image ``index`` as (size, size) float32 in [0, 1], zero outside the inscribed disc."""


class ScanLibrary(Library):
    """Measured sinograms without ground truth."""

    @abstractmethod
    def scan(self, index: int) -> Scan:
        """The prepared measurement of item ``index``."""


def seed_for(*parts: object) -> np.random.Generator:
    """A generator that depends on the named parts alone, so item k never depends on how many were asked for."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, dtype=np.uint32))


def disc_mask(size: int, margin: float = 0.0) -> NDArray[np.bool_]:
    """(size, size) bool: pixel centres within ``size / 2 − margin`` pixels of the middle, the reconstruction circle."""
    offsets = np.arange(size) - (size - 1) / 2
    return np.hypot(offsets[:, None], offsets[None, :]) <= size / 2 - margin
