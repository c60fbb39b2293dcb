"""Bring your own data: register images or measured sinograms under a name, checked once and kept in the cache.

A file is one object (its pages are slices of it), a folder is one object per file. The content is copied into
``cache_dir("libraries", NAME)`` as ``data.h5`` and ``meta.json`` with its sha256, so a library cannot change unseen.

Images are scaled by one figure for the whole library: its largest value becomes 1. Zero stays zero, and small negative
values (noise of a reconstruction) are clipped; where the least value lies below −10% of the largest the scale has
another zero (Hounsfield units, say) and the least value becomes 0. Oblong images are cropped to the central square.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError, GeometryError, UnknownName, complaint
from . import preparation
from .cache import cache_dir
from .catalogue import SHIPPED
from .fetch import checksum_of, remembered_checksum, sweep, write_json
from .hdf5 import open_hdf5, read_dataset
from .library import Float32, ImageLibrary, Library, LibraryInfo, Scan, ScanLibrary, disc_mask
from .resample import area_average
from .user_files import Source, one_line, parse_angles, read_finite, read_sources

STAND_INS = ("micro-ct", "xrd-ct")  # shipped names whose file a user may supply
UNEVEN_SUMS = 0.3  # relative spread of the sums along the angles that no centred object gives
MAX_LIBRARY = 64 << 30  # bytes as stored
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
_FAR_BELOW_ZERO = 0.1


def add(
    name: str,
    path: Path | str,
    *,
    angles: str | Path | ArrayLike | None = None,
    licence: str = "unknown",
    citation: str = "unpublished",
    pixel_size: float | None = None,
    overwrite: bool = False,
) -> Library:
    """Register a file, or a folder of files, as the library ``name`` and return it.

    Parameters
    ----------
    path : TIFF, PNG, NPY or HDF5 (the layouts of ``hdf5.sniff``), or a folder of such.
    angles : how the projections of a measured sinogram were taken; see ``parse_angles``. Not needed where the file
        tells its angles; without any the content is taken for images.
    pixel_size : micrometres.
    overwrite : replace a library of this name.

    Raises
    ------
    DataError, GeometryError
        In one line, naming the file, what was expected, what was found and the mend. Nothing is stored then, and an
        existing library stays as it was.
    """
    _check_name(name)
    if pixel_size is not None and not (np.isfinite(pixel_size) and pixel_size > 0):
        raise DataError(complaint("pixel size", "a positive number of micrometres", f"{pixel_size}", "correct it"))
    if exists(name) and not overwrite:
        raise DataError(f"library {name!r}: exists already; replace it with --overwrite or choose another name")
    path = Path(path)
    root = cache_dir("libraries")
    sweep(root, ".adding-*")
    sources = read_sources(path)
    with tempfile.TemporaryDirectory(dir=root, prefix=".adding-") as scratch:
        fresh = Path(scratch) / "fresh"
        fresh.mkdir()
        _check_size(path, sources)
        wants_scans = angles is not None or all(source.kind in ("sinograms", "counts") for source in sources)
        if wants_scans and name in STAND_INS:
            raise DataError(complaint(path, f"images for {name}", "sinograms", "register them under another name"))
        try:
            with h5py.File(fresh / "data.h5", "w") as file:
                content = _store_scans(file, sources, angles) if wants_scans else _store_images(file, sources)
            meta = {
                "schema": 1,
                "name": name,
                "licence": licence,
                "citation": citation,
                "pixel_size": pixel_size,
                "source": path.name,
                "sha256": checksum_of(fresh / "data.h5"),
                **content,
            }
            write_json(fresh / "meta.json", meta)
            if (root / name).exists():
                (root / name).rename(Path(scratch) / "replaced")
            fresh.rename(root / name)
        except (OSError, RuntimeError) as error:  # a full disk reaches us through h5py as either
            raise DataError(f"{path}: {one_line(error)} while storing library {name!r}") from error
    return load(name)


def names() -> list[str]:
    """Names of the user's libraries, without those that stand in for a shipped one."""
    return [name for name in stored() if name not in SHIPPED]


def stored() -> list[str]:
    """Names of everything the user registered."""
    root = cache_dir("libraries")
    return sorted(folder.name for folder in root.iterdir() if _NAME.fullmatch(folder.name) and folder.is_dir())


def exists(name: str) -> bool:
    """True where the user registered a library of this name."""
    return name in stored()


def load(name: str) -> Library:
    """Return the user's library ``name``; its data are checked against their sha256 when first asked for.

    Raises UnknownName, or DataError where what is stored cannot be read.
    """
    if not exists(name):
        raise UnknownName("library of yours", name, stored())
    folder = cache_dir("libraries") / name
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        kind, info = meta["kind"], _info(meta)
        return {"images": UserImages, "scans": UserScans}[kind](folder, meta, info)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder}: not a library that TomoBench stored; tomobench data remove {name}") from error


def verify(name: str) -> str:
    """Hash the stored data of library ``name`` anew and return the checksum; raises DataError where they changed."""
    library = load(name)
    assert isinstance(library, (UserImages, UserScans))
    found = checksum_of(library.data_file)
    if found != library.meta["sha256"]:
        raise DataError(_damage(library.data_file, library.meta["sha256"], found, name))
    return found


def remove(name: str) -> None:
    """Delete the user's library ``name``. Raises UnknownName where there is none."""
    if not exists(name):
        raise UnknownName("library of yours", name, stored())
    root = cache_dir("libraries")
    with tempfile.TemporaryDirectory(dir=root, prefix=".removing-") as scratch:  # gone in one step
        (root / name).rename(Path(scratch) / "removed")


class UserImages(ImageLibrary):
    """Images the user registered."""

    def __init__(self, folder: Path, meta: dict[str, Any], info: LibraryInfo) -> None:
        self.data_file, self.meta, self.info = folder / "data.h5", meta, info
        self._items = [
            (run["key"], k, f"{run['object']}-{k:06d}" if run["separate"] else run["object"])
            for run in meta["runs"]
            for k in range(run["count"])
        ]
        self._checked = False

    def __len__(self) -> int:
        return len(self._items)

    def object_id(self, index: int) -> str:
        """The file the image came from, or file and number where the file is a collection of unrelated images."""
        return self._items[index][2]

    def image(self, index: int, size: int) -> Float32:
        """Image ``index``: central square, scaled by the library's largest value, zero outside the disc."""
        if not self._checked:
            _check_data(self.data_file, self.meta)
            self._checked = True
        key, k, _ = self._items[index]
        with open_hdf5(self.data_file) as file:
            stored = read_dataset(file, key, (k, slice(None), slice(None)))
        side = min(stored.shape)
        top, left = (stored.shape[0] - side) // 2, (stored.shape[1] - side) // 2
        zero, one = self.meta["zero"], self.meta["maximum"]
        square = (stored[top : top + side, left : left + side].astype(np.float64) - zero) / (one - zero)
        return np.clip(area_average(np.clip(square, 0, 1), size, size), 0, 1) * disc_mask(size)


class UserScans(ScanLibrary):
    """Measured sinograms the user registered."""

    def __init__(self, folder: Path, meta: dict[str, Any], info: LibraryInfo) -> None:
        self.data_file, self.meta, self.info = folder / "data.h5", meta, info
        self._checked = False

    def __len__(self) -> int:
        return len(self.meta["scans"])

    def object_id(self, index: int) -> str:
        """The file (or the key of the file) the scan came from."""
        return str(self.meta["scans"][index]["object"])

    def scan(self, index: int) -> Scan:
        """Scan ``index`` as it was prepared when it was added."""
        if not self._checked:
            _check_data(self.data_file, self.meta)
            self._checked = True
        entry = self.meta["scans"][index]
        with open_hdf5(self.data_file) as file:
            sinogram = read_dataset(file, f"{entry['key']}/sinogram").astype(np.float32)
            angles = read_dataset(file, f"{entry['key']}/angles").astype(np.float64)
        return Scan(sinogram, angles, steps=tuple(entry["steps"]))


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or re.search(r"-\d+$", name):
        found = f"{name!r}"
        raise DataError(
            complaint("library name", "a-z, 0-9 and '-', at most 41, not ending in -<digits>", found, "choose another")
        )
    if name in SHIPPED and name not in STAND_INS:
        raise DataError(complaint("library name", "one that TomoBench does not ship", f"{name!r}", "choose another"))


def _info(meta: dict[str, Any]) -> LibraryInfo:
    items = sum(run["count"] for run in meta["runs"]) if meta["kind"] == "images" else len(meta["scans"])
    return LibraryInfo(
        name=meta["name"],
        version=int(meta["sha256"].partition(":")[2][:7], 16),  # other content is another version
        summary=f"{items} {meta['kind'] if items != 1 else meta['kind'][:-1]} of the user's",
        licence=meta["licence"],
        citation=meta["citation"],
        source=meta["source"],
        pixel_size=meta["pixel_size"],
        unverified=True,
    )


def _check_data(path: Path, meta: dict[str, Any]) -> None:
    found = remembered_checksum(path, meta["sha256"]) if path.is_file() else "no file"
    if found != meta["sha256"]:
        raise DataError(_damage(path, meta["sha256"], found, meta["name"]))


def _damage(path: Path, expected: str, found: str, name: str) -> str:
    return complaint(path, expected, found, f"add it again: tomobench data add {name} FILE --overwrite")


def _store_images(file: h5py.File, sources: list[Source]) -> dict[str, Any]:
    """Copy the images item by item as float32; return their part of the meta data."""
    runs = []
    least, most = np.inf, -np.inf
    for number, source in enumerate(source for source in sources if source.kind == "images"):
        key = f"{number:06d}"
        dataset = file.create_dataset(key, (source.count, *source.shape), np.float32)
        for k in range(source.count):
            image = read_finite(source, k)
            least, most = min(least, float(image.min())), max(most, float(image.max()))
            dataset[k] = image
        runs.append({"key": key, "count": source.count, "object": source.object_id, "separate": source.separate})
    if not most > max(least, 0):
        raise DataError(
            complaint(sources[0].where, "an image with contrast", f"values {least:g} … {most:g}", "check it")
        )
    zero = least if least < -_FAR_BELOW_ZERO * most else 0.0
    # float32 is what is stored, so the largest value is taken as stored
    return {"kind": "images", "runs": runs, "zero": float(np.float32(zero)), "maximum": float(np.float32(most))}


def _store_scans(file: h5py.File, sources: list[Source], spec: str | Path | ArrayLike | None) -> dict[str, Any]:
    """Prepare and copy the sinograms; return their part of the meta data."""
    scans: list[dict[str, Any]] = []
    for source in sources:
        if source.kind == "images" and source.certain and any(other.kind != "images" for other in sources):
            continue  # a file of pairs: its sinograms were asked for
        if source.kind == "images" and source.certain:
            raise DataError(complaint(source.where, "sinograms", "images, by its layout", "leave the angles out"))
        angles = _angles(source, spec)
        for k in range(source.count):
            scan = source.scan(k, angles) if source.scan is not None else _prepare(source, k, angles)
            key = f"{len(scans):06d}"
            file[f"{key}/sinogram"] = scan.sinogram
            file[f"{key}/angles"] = scan.angles
            label = f"{source.object_id}-{k:06d}" if source.separate else source.object_id
            scans.append({"key": key, "object": label, "steps": list(scan.steps)})
    return {"kind": "scans", "scans": scans}


def _angles(source: Source, spec: str | Path | ArrayLike | None) -> NDArray[np.float64]:
    """The angles the user gave, else the file's own, checked against the number of rows."""
    if spec is None:
        if source.angles is None:
            raise GeometryError(
                f"{source.where}: holds sinograms but no angles; give them, for instance --angles 0:180"
            )
        return parse_angles(source.angles, source.shape[0])
    try:
        return parse_angles(spec, source.shape[0])
    except GeometryError:
        _suggest_transposing(source, spec)
        raise


def _prepare(source: Source, index: int, angles: NDArray[np.float64]) -> Scan:
    """Sinogram ``index`` with the rotation axis in the middle; the values are taken for line integrals as they are."""
    columns = source.shape[1]
    measured = read_finite(source, index)
    _check_sums(source, measured)
    prepared, angles = preparation.drop_end_point(preparation.Prepared(measured), angles)
    axis = preparation.find_rotation_centre(prepared.sinogram, angles)
    if abs(axis - (columns - 1) / 2) > columns / 4:
        found = f"{axis:.1f} of {columns} detectors"
        raise GeometryError(
            complaint(source.where, "a rotation axis near the middle", found, "centre or crop it first")
        )
    if abs(axis - (columns - 1) / 2) > preparation.CENTRED_WITHIN:
        prepared = preparation.centre(prepared, axis)
    return Scan(prepared.sinogram.astype(np.float32), angles, steps=prepared.steps)


def _check_sums(source: Source, measured: NDArray[np.float64]) -> None:
    """Refuse what no parallel scan gives: nothing at all, or sums that vary along the angles but not across them.

    Every parallel projection of an object in view has the same sum, its mass; in a transposed sinogram the columns do.
    """
    rows, columns = measured.sum(axis=1), measured.sum(axis=0)
    if np.ptp(measured) == 0:
        raise DataError(complaint(source.where, "a sinogram of something", "one value everywhere", "check the file"))
    spreads = [float(np.std(sums) / abs(np.mean(sums))) if np.mean(sums) else np.inf for sums in (rows, columns)]
    if spreads[0] > UNEVEN_SUMS and spreads[1] < spreads[0] / 4:
        found = f"row sums that vary by {spreads[0]:.0%}, column sums by {spreads[1]:.0%}"
        raise GeometryError(
            complaint(source.where, "equal sums along the angles (rows)", found, "transpose it to (angles, detectors)")
        )


def _suggest_transposing(source: Source, spec: str | Path | ArrayLike) -> None:
    """Say so where the angles would fit the other axis."""
    rows, columns = source.shape
    try:
        parse_angles(spec, columns)
    except GeometryError:
        return
    found = f"{columns}, the number of columns"
    raise GeometryError(
        complaint(source.where, f"{rows} angles, one per row", found, "transpose it to (angles, detectors)")
    )


def _check_size(path: Path, sources: list[Source]) -> None:
    size = sum(4 * source.count * source.shape[0] * source.shape[1] for source in sources)
    if size > MAX_LIBRARY:
        raise DataError(
            complaint(path, f"at most {MAX_LIBRARY:,} bytes as float32", f"{size:,}", "register a part of it")
        )
    root, needed = cache_dir("libraries"), size + (1 << 20)
    free = shutil.disk_usage(root).free
    if needed > free:  # asked beforehand, for HDF5 may crash when a write fails
        raise DataError(complaint(root, f"{needed:,} bytes free", f"{free:,}", "free some, or set TOMOBENCH_CACHE"))
