"""Prepared data: what a benchmark's split hands to methods, and the truth, in two files that never meet.

``inputs.h5`` holds what a method may see, ``truth.h5`` what only the scorer may. Both lie in a cache folder named by
the hash of the recipe: everything that could change a number, library versions of the packages that draw and project
included. A file whose content no longer has the digest in its manifest is made again, never used.

Layout: one group per geometry, ``0000``, ``0001``, … (measured scans differ in size; simulated ones share one).

- inputs: ``sinograms`` (n, angles, detectors) float32; attributes ``angles``, ``detectors``, ``image_size``,
  ``pixel_size``, ``rotation_centre``, ``non_negative``.
- truth: ``images`` (n, rows, columns) float32; ``case_ids``, ``object_ids``; ``noise_norm`` (n,) ‖y − Ax‖ of the truth
  x itself with the solver's projector, which is the noise and what the coarser grid cannot say; for measured scans
  (where it is nan) ``held_out`` (n, angles, detectors) with attribute ``angles``.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..datasets.cache import cache_dir
from ..datasets.catalogue import load_library
from ..datasets.library import ImageLibrary, Library, Scan, ScanLibrary, disc_mask, seed_for
from ..datasets.resample import area_average, overlap_matrix
from ..errors import DataError, UsageError
from . import measurement as simulation
from . import reference
from .benchmark import DEFAULT_SIZE, Benchmark, Split
from .geometry import Geometry
from .operators import SIMULATOR, operator
from .splits import split_items
from .tasks import ReconstructionInputs

FORMAT = 2
STALE_SECONDS = 86_400.0
CHUNK = 64  # images drawn, projected and written at a time
PACKAGES = ("numpy", "scikit-image", "scipy", "astra-toolbox")  # what draws and projects


@dataclass(frozen=True)
class TruthGroup:
    """What the scorer knows of the cases of one geometry; arrays as in the module's layout."""

    images: NDArray[np.float32]
    case_ids: list[str]
    object_ids: list[str]
    noise_norm: NDArray[np.float64]
    held_out: NDArray[np.float32] | None
    held_out_geometry: Geometry | None


@dataclass(frozen=True)
class Prepared:
    """The prepared data of one split: two files and the digests of their content."""

    folder: Path
    inputs_digest: str
    truth_digest: str
    groups: int
    cases: int
    notes: tuple[str, ...]

    @property
    def inputs_path(self) -> Path:
        """What a method may see."""
        return self.folder / "inputs.h5"

    @property
    def truth_path(self) -> Path:
        """What only the scorer may see."""
        return self.folder / "truth.h5"

    @cached_property
    def case_ids(self) -> list[str]:
        """Every case in order."""
        return [case for group in self.truth() for case in group.case_ids]

    def inputs(self, batch: int = CHUNK) -> Iterator[ReconstructionInputs]:
        """The inputs group by group, in batches of at most ``batch`` cases."""
        for _, _, batches in input_groups(self.inputs_path, lambda _: batch):
            yield from batches

    def truth(self) -> Iterator[TruthGroup]:
        """The truth group by group, in the order of ``inputs()``."""
        with h5py.File(self.truth_path, "r") as file:
            for name in sorted(file):
                group = file[name]
                told = _read_geometry(group)
                held = group["held_out"][...] if "held_out" in group else None
                yield TruthGroup(
                    images=group["images"][...],
                    case_ids=list(group["case_ids"].asstr()[...]),
                    object_ids=list(group["object_ids"].asstr()[...]),
                    noise_norm=group["noise_norm"][...],
                    held_out=held,
                    held_out_geometry=told if held is not None else None,
                )


def input_groups(
    path: Path, batch_size: Callable[[int], int]
) -> Iterator[tuple[str, tuple[int, Geometry], Iterator[ReconstructionInputs]]]:
    """Walk an inputs file: (group name, (cases, geometry), its inputs in batches), nothing read before it is asked for.

    ``batch_size(image_size)`` says how many cases of that size a method is handed at once.
    """
    with h5py.File(path, "r") as file:
        for name in sorted(file):
            group = file[name]
            scan = _read_geometry(group)
            yield name, (len(group["sinograms"]), scan), _batches(group, scan, batch_size(scan.image_size))


def _batches(group: h5py.Group, scan: Geometry, step: int) -> Iterator[ReconstructionInputs]:
    sinograms, non_negative = group["sinograms"], bool(group.attrs["non_negative"])
    for start in range(0, len(sinograms), step):
        yield ReconstructionInputs(sinograms[start : start + step], scan, non_negative)


def recipe(benchmark: Benchmark, split: Split) -> dict[str, Any]:
    """Everything that could change a number of the split's data."""
    library = load_library(split.library)
    return {
        "format": FORMAT,
        "benchmark": benchmark.id,
        "split": asdict(split),
        "library": [library.info.name, library.info.version],
        "fine": simulation.FINE,
        "simulator": SIMULATOR,
        "reference": reference.METHOD if split.measurement is None else None,
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
    }


def prepare(benchmark: Benchmark, split_name: str, progress: Callable[[int, int], None] | None = None) -> Prepared:
    """Return a split's prepared data, from the cache or made now.

    ``progress(done, total)`` is called as cases are made. Raises DataError where the library's data is missing, the
    split is empty, or the cache cannot be written.
    """
    split = benchmark.split(split_name)
    text = json.dumps(recipe(benchmark, split), sort_keys=True)
    folder = cache_dir("prepared") / hashlib.sha256(text.encode()).hexdigest()[:24]
    ready = _load(folder)
    if ready is not None:
        return ready
    _sweep(folder.parent)
    work = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
    work.chmod(0o755)  # mkdtemp's 0700 would hide a shared cache from its other users
    try:
        notes = _write(work, benchmark, split, progress)
        manifest = {
            "recipe": json.loads(text),
            "inputs": content_digest(work / "inputs.h5"),
            "truth": content_digest(work / "truth.h5"),
            "notes": notes,
        }
        (work / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True))
        if _load(folder) is None:  # else another process finished the same recipe first: its content is the same
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(work, folder)
    except OSError as error:
        raise DataError(
            f"cache folder {folder.parent}: {error.strerror or error}; free some space or set TOMOBENCH_CACHE"
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    made = _load(folder)
    if made is None:
        raise DataError(f"prepared data {folder}: damaged while being written; check the disk and run again")
    return made


def _sweep(folder: Path) -> None:
    """Remove what a killed process left half made more than a day ago."""
    for left in folder.glob(".making-*"):
        if time.time() - left.stat().st_mtime > STALE_SECONDS:
            shutil.rmtree(left, ignore_errors=True)


def content_digest(path: Path) -> str:
    """Hex digest of every dataset and attribute of an HDF5 file, independent of how the file lays them out."""
    digest = hashlib.sha256()

    def visit(name: str, item: h5py.Dataset | h5py.Group) -> None:
        digest.update(name.encode())
        if isinstance(item, h5py.Dataset):
            digest.update(f"{item.shape} {item.dtype.str}".encode())
        for key in sorted(item.attrs):
            digest.update(key.encode() + np.asarray(item.attrs[key]).tobytes())
        if isinstance(item, h5py.Dataset):
            text = h5py.check_string_dtype(item.dtype) is not None
            for start in range(0, len(item), CHUNK):
                part = item.asstr()[start : start + CHUNK] if text else item[start : start + CHUNK]
                digest.update("\x1f".join(part).encode() if text else np.ascontiguousarray(part).tobytes())

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return digest.hexdigest()


def _load(folder: Path) -> Prepared | None:
    """The prepared data of a cache folder, or None where it is absent or damaged."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
        whole = all(content_digest(folder / f"{name}.h5") == manifest[name] for name in ("inputs", "truth"))
        if not whole:
            return None
        with h5py.File(folder / "inputs.h5", "r") as file:
            sizes = [len(file[name]["sinograms"]) for name in file]
        return Prepared(folder, manifest["inputs"], manifest["truth"], len(sizes), sum(sizes), tuple(manifest["notes"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError):  # all of which h5py raises
        return None


def _write(work: Path, benchmark: Benchmark, split: Split, progress: Callable[[int, int], None] | None) -> list[str]:
    library = load_library(split.library)
    items = split_items(library, split.part, split.count)
    if not items:
        raise DataError(f"{benchmark.id} {split.name}: library {library.info.name} has no {split.part} items")
    with h5py.File(work / "inputs.h5", "w") as inputs, h5py.File(work / "truth.h5", "w") as truth:
        if isinstance(library, ScanLibrary):
            return _write_scans(inputs, truth, benchmark, split, library, items)
        assert isinstance(library, ImageLibrary)
        return _write_simulated(inputs, truth, benchmark, split, library, items, progress)


def _write_simulated(
    inputs: h5py.File,
    truth: h5py.File,
    benchmark: Benchmark,
    split: Split,
    library: ImageLibrary,
    items: list[int],
    progress: Callable[[int, int], None] | None,
) -> list[str]:
    assert split.measurement is not None
    size = benchmark.size or DEFAULT_SIZE
    told = split.measurement.told(size)
    group, answers = inputs.create_group("0000"), truth.create_group("0000")
    _write_geometry(group, told)
    _write_geometry(answers, told)
    sinograms = group.create_dataset("sinograms", (len(items), *told.sinogram_shape), "<f4")
    images = answers.create_dataset("images", (len(items), size, size), "<f4")
    noise_norm = np.empty(len(items))
    for start in range(0, len(items), CHUNK):
        part = items[start : start + CHUNK]
        stop = start + len(part)
        fine = np.stack([library.image(index, simulation.FINE * size) for index in part])
        clean = simulation.project(fine, split.measurement)
        # Noise is seeded by object and split, so a case never depends on its neighbours or on how many there are.
        noisy = np.stack(
            [
                simulation.add_faults(
                    line_integrals, split.measurement, seed_for("scan", library.item_id(index), split.name)
                )
                for line_integrals, index in zip(clean, part, strict=True)
            ]
        )
        sinograms[start:stop] = noisy
        true = area_average(fine, size, size) * disc_mask(size)
        images[start:stop] = true
        noise_norm[start:stop] = np.sqrt(np.sum((noisy - operator(told)(true).astype(np.float64)) ** 2, axis=(1, 2)))
        if progress:
            progress(stop, len(items))
    _write_names(answers, library, items)
    answers["noise_norm"] = noise_norm
    return []


def _write_scans(
    inputs: h5py.File,
    truth: h5py.File,
    benchmark: Benchmark,
    split: Split,
    library: ScanLibrary,
    items: list[int],
) -> list[str]:
    assert benchmark.family.scans is not None
    notes = [f"reference: {reference.METHOD}"]
    for number, index in enumerate(items):
        scan, sinogram, full, image, clipped = _measured(library.info.name, library.info.version, index, benchmark.size)
        # One factor brings the object to the range that the protocol fixes; methods see sinograms of that scale.
        scale = float(np.percentile(image[disc_mask(len(image))], 99.9))
        if scale <= 0:
            raise DataError(
                f"{library.item_id(index)}: the reference reconstruction is empty; check the sinogram's sign"
            )
        chosen = benchmark.family.scans(len(scan.angles))
        if benchmark.family.name == "sparse-view" and scan.sparse is not None:
            chosen = scan.sparse
        seen = np.arange(len(scan.angles))[chosen]
        unseen = np.setdiff1d(np.arange(len(scan.angles)), seen)
        seen = seen[:: split.angles_step]
        told = full.with_angles(seen)
        group, answers = inputs.create_group(f"{number:04d}"), truth.create_group(f"{number:04d}")
        _write_geometry(group, told)
        _write_geometry(answers, full.with_angles(unseen))
        group["sinograms"] = (sinogram[seen] / scale).astype("<f4")[None]
        answers["images"] = (image / scale).astype("<f4")[None]
        answers["held_out"] = (sinogram[unseen] / scale).astype("<f4")[None]
        answers["noise_norm"] = np.full(1, np.nan)
        _write_names(answers, library, [index])
        notes += [f"{library.item_id(index)}: {step}" for step in (*scan.steps, clipped)]
        notes.append(f"{library.item_id(index)}: divided by {scale:.6g}")
    return notes


@lru_cache(maxsize=16)
def _measured(
    name: str, version: int, index: int, size: int | None
) -> tuple[Scan, NDArray[np.float32], Geometry, NDArray[np.float32], str]:
    """A scan, its sinogram at the asked size, the full geometry, the reference image and its last preparation step.

    All splits share them.

    ``version`` is only part of the key: a library that the user replaced is another one.
    """
    library = load_library(name)
    assert isinstance(library, ScanLibrary)
    scan = library.scan(index)
    sinogram = scan.sinogram
    if size is not None:
        if size > sinogram.shape[1]:
            raise UsageError(
                f"size {size}: {library.item_id(index)} has {sinogram.shape[1]} detectors; ask for that or less"
            )
        sinogram = (sinogram @ overlap_matrix(sinogram.shape[1], size).T).astype(np.float32)
    full = Geometry(scan.angles, detectors=sinogram.shape[1])
    return scan, sinogram, full, *reference.reference_image(sinogram, full)


def _write_names(answers: h5py.Group, library: Library, items: list[int]) -> None:
    text = h5py.string_dtype()
    answers.create_dataset("case_ids", data=[library.item_id(index) for index in items], dtype=text)
    answers.create_dataset("object_ids", data=[library.object_id(index) for index in items], dtype=text)


def _write_geometry(group: h5py.Group, scan: Geometry) -> None:
    group.attrs["angles"] = scan.angles
    group.attrs["detectors"] = scan.detectors
    group.attrs["image_size"] = scan.image_size
    group.attrs["pixel_size"] = scan.pixel_size
    group.attrs["rotation_centre"] = scan.rotation_centre
    group.attrs["non_negative"] = True


def _read_geometry(group: h5py.Group) -> Geometry:
    attrs = group.attrs
    return Geometry(
        attrs["angles"],
        int(attrs["detectors"]),
        int(attrs["image_size"]),
        float(attrs["pixel_size"]),
        float(attrs["rotation_centre"]),
    )
