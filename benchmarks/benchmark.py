"""Benchmarks: library × measurement × task × splits × score protocol, each with an id and a version.

An id reads ``FAMILY/LIBRARY-SIZE@VERSION``, for example ``sparse-view/shapes-64@1``; measured libraries at their own
size drop the size (``sparse-view/reactors@1``). The version is the family's and rises with anything that can change
a score.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..datasets.catalogue import list_libraries, load_library
from ..datasets.library import ImageLibrary, Library, ScanLibrary
from ..errors import DataError, UnknownName, UsageError
from ..metrics.protocol import ScoreProtocol
from .measurement import Measurement

TEST_IMAGES = 24
VALIDATION_IMAGES = 12
TRAIN_IMAGES = 2_000
SIZES = range(16, 1025)
DEFAULT_SIZE = 64
SYNTHETIC = (
    "shapes",
    "natural",
    "grains",
    "foam",
)  # the families of images that stand out of each other's distribution
TUNING_LIBRARY = "shapes"  # where a library that is all test borrows its tuned values


@dataclass(frozen=True)
class Family:
    """One way of measuring, at any image size; ``scans`` chooses among the angles of a measured scan, if it can."""

    name: str
    version: int
    summary: str
    measure: Callable[[int], Measurement]
    scans: Callable[[int], slice] | None = None
    scans_summary: str = ""


FAMILIES = {
    family.name: family
    for family in (
        Family(
            "reconstruction",
            1,
            "well-sampled half turn, 10⁵ photons",
            lambda size: Measurement(angles=round(size * np.pi / 2), photons=1e5),
        ),
        Family(
            "sparse-view",
            1,
            "3 angles for every 8 pixels, 10⁵ photons",
            lambda size: Measurement(angles=round(size * 3 / 8), photons=1e5),
            lambda angles: slice(None, None, 4),
            "every k-th measured angle (k = 4 where its source fixed none)",
        ),
        Family(
            "limited-angle",
            1,
            "120 of 180 degrees, 2 angles for every 3 pixels, 10⁵ photons",
            lambda size: Measurement(angles=round(size * 2 / 3), arc=np.pi * 2 / 3, photons=1e5),
            lambda angles: slice(0, round(angles * 2 / 3)),
            "the first two thirds of the measured angles",
        ),
        Family(
            "low-dose",
            1,
            "half turn, one angle a pixel, 10³ photons",
            lambda size: Measurement(angles=size, photons=1e3),
        ),
    )
}

# What a real scan does to a method that was tuned on a good one.
SHIFTS: dict[str, Callable[[Measurement], Measurement]] = {
    "fewer-angles": lambda m: replace(m, angles=max(1, m.angles // 2)),
    "lower-dose": lambda m: replace(m, photons=m.photons and m.photons / 10),
    "centre-offset": lambda m: replace(m, centre_offset=1.0),
    "rings": lambda m: replace(m, ring_gain=0.02),
}


@dataclass(frozen=True)
class Split:
    """One cell column of a benchmark: which items, of which library, measured how.

    ``measurement`` is None for measured scans; ``angles_step`` then thins the handed-over angles further.
    """

    name: str
    library: str
    part: str
    count: int | None
    measurement: Measurement | None = None
    angles_step: int = 1


@dataclass(frozen=True)
class Benchmark:
    """What is asked. ``size`` is the image side in pixels, None for measured scans at their own size."""

    family: Family
    library: str
    size: int | None

    @property
    def name(self) -> str:
        """``FAMILY/LIBRARY-SIZE``, without the version."""
        return f"{self.family.name}/{self.library}" + (f"-{self.size}" if self.size else "")

    @property
    def id(self) -> str:
        """``FAMILY/LIBRARY-SIZE@VERSION``."""
        return f"{self.name}@{self.family.version}"

    @property
    def task(self) -> str:
        """The task's name."""
        return "reconstruction"

    @property
    def measured(self) -> bool:
        """Whether the sinograms are real, so that no ground truth exists."""
        return isinstance(load_library(self.library), ScanLibrary)

    @property
    def protocol(self) -> ScoreProtocol:
        """How answers are scored."""
        return ScoreProtocol(rank_by="held_out" if self.measured else "psnr")

    @property
    def summary(self) -> str:
        """One line for ``tomobench list``."""
        scan = self.family.scans_summary if self.measured else self.family.summary
        return f"{scan} · {load_library(self.library).info.summary}"

    @property
    def tuning(self) -> Benchmark:
        """The benchmark whose validation split tunes the methods: this one, or the family's default library's.

        The default's is taken where this library has too few objects to hold any back.
        """
        if self.measured or not _divided(load_library(self.library)):
            return Benchmark(self.family, TUNING_LIBRARY, DEFAULT_SIZE)
        return self

    @property
    def splits(self) -> dict[str, Split]:
        """Every split by name, ``test`` first."""
        library = load_library(self.library)
        if isinstance(library, ScanLibrary):
            splits = [
                Split("test", self.library, "test", None),
                Split("ood:fewer-angles", self.library, "test", None, angles_step=2),
            ]
            return {split.name: split for split in splits}
        size = self.size or DEFAULT_SIZE
        scan = self.family.measure(size)
        if self.library == "shapes-legacy":  # as published: as many angles as pixels, both ends, no noise on the scan
            scan = Measurement(angles=size, both_ends=True)
        splits = [Split("test", self.library, "test", TEST_IMAGES, scan)]
        if _divided(library):
            splits += [
                Split("validation", self.library, "validation", VALIDATION_IMAGES, scan),
                Split("train", self.library, "train", TRAIN_IMAGES, scan),
            ]
        if self.library in SYNTHETIC:
            splits += [
                Split(f"ood:{other}", other, "test", TEST_IMAGES, scan) for other in SYNTHETIC if other != self.library
            ]
        for name, shift in SHIFTS.items():
            if shift(scan) != scan:
                splits.append(Split(f"ood:{name}", self.library, "test", TEST_IMAGES, shift(scan)))
        return {split.name: split for split in splits}

    @property
    def scored_splits(self) -> list[str]:
        """The splits a leaderboard shows: ``test`` and every ``ood:*``."""
        return [name for name in self.splits if name == "test" or name.startswith("ood:")]

    def split(self, name: str) -> Split:
        """The split called ``name``; raises UnknownName."""
        splits = self.splits
        if name not in splits:
            raise UnknownName(f"split of {self.id}", name, splits)
        return splits[name]


def _divided(library: Library) -> bool:
    from .splits import SMALLEST_DIVIDED

    return len({library.object_id(index) for index in range(min(len(library), 4_000))}) >= SMALLEST_DIVIDED


def list_benchmarks() -> list[str]:
    """Ids of every family on every library, at the default size; any other size may be asked for in an id."""
    found = []
    for family in FAMILIES.values():
        for name in list_libraries():
            try:
                library = load_library(name)
            except (
                DataError
            ):  # one damaged library of the user's must not hide the others; naming it says what is wrong
                continue
            if isinstance(library, ImageLibrary):
                if name != "shapes-legacy" or family.name == "reconstruction":
                    found.append(Benchmark(family, name, DEFAULT_SIZE).id)
            elif family.scans is not None:
                found.append(Benchmark(family, name, None).id)
    return found


def load_benchmark(identifier: str) -> Benchmark:
    """Return the benchmark ``FAMILY/LIBRARY[-SIZE][@VERSION]``.

    Raises UnknownName with the nearest ids, UsageError where the version is not the one this TomoBench computes, the
    size is out of bounds, or the family cannot be asked of the library.
    """
    match = re.fullmatch(r"([a-z-]+)/([a-z0-9-]+?)(?:-(\d+))?(?:@(\d+))?", identifier)
    known = list_benchmarks()
    if match is None or match[1] not in FAMILIES or match[2] not in list_libraries():
        raise UnknownName("benchmark", identifier, [*known, *(name.partition("@")[0] for name in known)])
    family, library = FAMILIES[match[1]], load_library(match[2])
    if match[4] and int(match[4]) != family.version:
        raise UsageError(
            f"benchmark {identifier}: this TomoBench computes version {family.version}; "
            f"install the release that had @{match[4]}, or drop the version"
        )
    size = int(match[3]) if match[3] else None
    if size is not None and size not in SIZES:
        raise UsageError(f"benchmark {identifier}: expected a size from {SIZES[0]} to {SIZES[-1]}, found {size}")
    if isinstance(library, ScanLibrary):
        if family.scans is None:
            can = ", ".join(name for name, other in FAMILIES.items() if other.scans)
            raise UsageError(f"benchmark {identifier}: {match[2]} is measured, its counts are fixed; use {can}")
        return Benchmark(family, match[2], size)
    if match[2] == "shapes-legacy" and family.name != "reconstruction":
        raise UsageError(
            f"benchmark {identifier}: shapes-legacy is scanned as published; use reconstruction/{match[2]}"
        )
    return Benchmark(family, match[2], size or DEFAULT_SIZE)
