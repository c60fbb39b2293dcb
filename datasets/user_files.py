"""Files a user brings: TIFF, PNG, NPY and HDF5 as items to copy, and angles as people write them."""

from __future__ import annotations

import functools
import logging
import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError, GeometryError, complaint
from . import hdf5
from .library import Scan
from .tooth import prepare_exchange

MAX_FILE = 4 << 30  # bytes of pixels in one image file
_SMALL = 64 << 20  # bytes below which the size on disk is not looked at
_DENSEST = 2000  # deflate gives at most about 1030 : 1
_LUMA = np.array([0.2125, 0.7154, 0.0721])  # ITU-R BT.709
_HDF5 = (".h5", ".hdf5", ".hdf", ".nxs", ".he5")
_PAIRED = ("superres-tomo", "samplegen")  # layouts whose items are unrelated to each other


@dataclass(frozen=True)
class Source:
    """Items of one shape from one file.

    Attributes
    ----------
    where : the file (and key), for messages.
    kind : "images", "sinograms" or "counts"; ``certain`` where the layout says so, else it is a guess.
    shape : (rows, columns) or (angles, detectors).
    read : item number → (rows, columns) array of real numbers.
    angles : radians, where the file tells them.
    scan : (item number, angles) → prepared scan, where the layout has a preparation of its own.
    separate : each item is an object of its own.
    """

    where: str
    object_id: str
    kind: str
    count: int
    shape: tuple[int, int]
    read: Callable[[int], NDArray[Any]]
    certain: bool = False
    angles: NDArray[np.float64] | None = None
    scan: Callable[[int, NDArray[np.float64]], Scan] | None = None
    separate: bool = False


def read_sources(path: Path) -> list[Source]:
    """Look into a file, or into every known file of a folder in order of name; pixels are read later.

    Raises DataError in one line: missing, unreadable, a link, a special file, empty, of no known kind, not what its
    name says, or claiming an absurd size.
    """
    mode = _mode(path)
    if stat.S_ISDIR(mode):
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in _READERS and file.name[0] != ".")
        if not files:
            raise DataError(complaint(path, f"files ending in {', '.join(_READERS)}", "none", "name another folder"))
        return [source for file in files for source in _read_file(file)]
    return _read_file(path)


def read_finite(source: Source, index: int) -> NDArray[np.float64]:
    """Item ``index`` as float64. Raises DataError with the number of NaN and Inf and the index of the first."""
    try:
        values = np.asarray(source.read(index)).astype(np.float64)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{source.where}: item {index} cannot be read: {one_line(error)}; copy the file again"
        ) from error
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        first = (index, *map(int, bad[0]))
        found = f"{len(bad)} NaN or Inf, first at {first}"
        raise DataError(
            complaint(source.where, "finite values", found, "replace them, for instance by numpy.nan_to_num")
        )
    return values


def _mode(path: Path) -> int:
    try:
        mode = os.lstat(path).st_mode
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; check the path") from error
    if stat.S_ISLNK(mode):
        raise DataError(
            complaint(path, "a file or folder", "a symbolic link", f"name its target {os.path.realpath(path)}")
        )
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise DataError(complaint(path, "a file or folder", "a special file", "name a regular file"))
    if not os.access(path, os.R_OK):
        raise DataError(complaint(path, "a readable file", "no permission", "change its mode"))
    return mode


def _read_file(path: Path) -> list[Source]:
    if not stat.S_ISREG(_mode(path)):
        raise DataError(complaint(path, "a file", "a folder", "put the files into one folder"))
    if not path.stat().st_size:
        raise DataError(complaint(path, "an image", "an empty file", "copy it again"))
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            complaint(path, f"a name ending in {', '.join(_READERS)}", path.suffix or "no ending", "convert it")
        )
    try:
        return reader(path)
    except (DataError, GeometryError):
        raise
    except Exception as error:  # a reader of images raises whatever a broken file leads it to
        mend = "it may be damaged or misnamed"
        raise DataError(complaint(path, f"a {path.suffix} file", f"none ({one_line(error)})", mend)) from error


def one_line(error: Exception) -> str:
    """The text of another library's error, which may have many lines, as a short one."""
    return " ".join(str(error).split())[:120] or type(error).__name__


def _source(path: Path, values: NDArray[Any], label: str = "") -> Source:
    """An array (rows, columns) or (items, rows, columns) as a source."""
    _check_type(path, values.dtype)
    if values.ndim not in (2, 3) or 0 in values.shape:
        found = f"shape {values.shape}"
        raise DataError(complaint(path, "(rows, columns) or (items, rows, columns)", found, "reshape it"))
    stack = values if values.ndim == 3 else values[None]
    shape = (stack.shape[1], stack.shape[2])
    return Source(str(path), label or path.name, "images", len(stack), shape, stack.__getitem__)


def _check_type(path: Path, dtype: np.dtype[Any]) -> None:
    if dtype.kind == "c":
        raise DataError(complaint(path, "real numbers", f"{dtype}", "take the absolute value or the real part first"))
    if dtype.kind not in "iufb":
        raise DataError(complaint(path, "real numbers", f"values of type {dtype}", "convert it first"))


def _check_claim(path: Path, claimed: int) -> None:
    limit = min(MAX_FILE, max(_SMALL, path.stat().st_size * _DENSEST))
    if claimed > limit:
        found = f"{claimed:,} bytes claimed by {path.stat().st_size:,}"
        raise DataError(complaint(path, f"at most {limit:,} bytes of pixels", found, "split it, if it is genuine"))


def _grey(pixels: NDArray[Any]) -> NDArray[Any]:
    """(…, rows, columns, samples) to (…, rows, columns)."""
    return np.asarray(pixels[..., :3] @ _LUMA) if pixels.shape[-1] >= 3 else pixels[..., 0]


def _read_npy(path: Path) -> list[Source]:
    return [_source(path, np.lib.format.open_memmap(path, mode="r"))]


def _read_tiff(path: Path) -> list[Source]:
    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # our one line says it

    with tifffile.TiffFile(path) as tiff:
        if len(tiff.series) != 1:
            raise DataError(complaint(path, "pages of one size", f"{len(tiff.series)} kinds of page", "split the file"))
        series = tiff.series[0]
        _check_claim(path, series.nbytes)
        _check_type(path, np.dtype(series.dtype))
        shape = series.shape[:-1] if series.axes.endswith("S") else series.shape
    if len(shape) not in (2, 3) or 0 in shape:
        raise DataError(complaint(path, "pages of (rows, columns)", f"shape {shape}", "split the file"))
    count = shape[0] if len(shape) == 3 else 1
    return [
        Source(str(path), path.name, "images", count, (shape[-2], shape[-1]), lambda k: _pages(path, len(shape))[k])
    ]


@functools.lru_cache(maxsize=1)
def _pages(path: Path, axes: int) -> NDArray[Any]:
    import tifffile

    values = np.asarray(tifffile.imread(path, series=0))
    values = _grey(values) if values.ndim > axes else values
    return values if axes == 3 else values[None]


def _read_png(path: Path) -> list[Source]:
    from PIL import Image

    with Image.open(path, formats=["PNG"]) as image:
        _check_claim(path, image.width * image.height * 4)
        plain = image.convert("L") if image.mode in ("P", "RGB", "RGBA", "LA", "PA") else image
        return [_source(path, np.asarray(plain))]


def _read_hdf5(path: Path) -> list[Source]:
    contents = hdf5.sniff(path)
    if contents.layout == "data-exchange":
        counts = contents.stacks[0]
        return [
            Source(
                where=str(path),
                object_id=path.name,
                kind="counts",
                count=counts.count,
                shape=counts.shape,
                read=counts.read,
                certain=True,
                angles=contents.angles,
                scan=functools.partial(prepare_exchange, contents),
            )
        ]
    # Of TomoGAN's pairs, the noisy halves are no ground truth.
    stacks = [stack for stack in contents.stacks if not stack.key.endswith("_ns")]
    return [
        Source(
            where=f"{path}:{stack.key}",
            object_id=path.name if len(stacks) == 1 else f"{path.name}:{stack.key}",
            kind=stack.kind,
            count=stack.count,
            shape=stack.shape,
            read=stack.read,
            certain=contents.layout != "plain",
            angles=contents.angles if stack.kind == "sinograms" else None,
            separate=contents.layout in _PAIRED,
        )
        for stack in stacks
    ]


# how a file's name ends → what reads it
_READERS: dict[str, Callable[[Path], list[Source]]] = {
    ".tif": _read_tiff,
    ".tiff": _read_tiff,
    ".png": _read_png,
    ".npy": _read_npy,
    **dict.fromkeys(_HDF5, _read_hdf5),
}


def parse_angles(spec: str | Path | ArrayLike, count: int) -> NDArray[np.float64]:
    """Return ``count`` projection angles in radians, strictly increasing.

    ``spec`` is ``"0:180"`` (degrees from:to, end point excluded), ``"0:3.1416rad"``, a ``.txt`` or ``.npy`` file of
    one angle per projection, with ``:deg`` or ``:rad`` after its name where the values leave the unit open, or an
    array in radians.

    Raises GeometryError in one line: no angles, another count, not finite, repeated, unsorted, over more than a full
    turn, or degrees that may be radians.
    """
    if isinstance(spec, (str, Path)):
        text = str(spec)
        match = re.fullmatch(r"([-+.\de]+):([-+.\de]+?)(deg|rad)?", text)
        values, unit, where = _range(match, count) if match else _angle_file(text)
    else:
        values, unit, where = np.asarray(spec, dtype=np.float64).ravel(), "rad", "angles"
    if not len(values):
        raise GeometryError(complaint(where, f"{count} angles", "none", "give one angle per projection"))
    if not np.all(np.isfinite(values)):
        bad = np.flatnonzero(~np.isfinite(values))
        raise GeometryError(complaint(where, "finite angles", f"{len(bad)} others, first at {bad[0]}", "correct them"))
    if len(values) != count:
        raise GeometryError(
            complaint(where, f"{count} angles, one per row of the sinogram", f"{len(values)}", "correct it")
        )
    radians = np.deg2rad(values) if unit == "deg" else values
    steps = np.diff(radians)
    if np.any(steps <= 0):
        first = int(np.flatnonzero(steps <= 0)[0]) + 1
        what = "a repeated" if steps[first - 1] == 0 else "a smaller"
        raise GeometryError(
            complaint(where, "increasing angles", f"{what} one at {first}", "sort rows and angles together")
        )
    span = float(radians[-1] - radians[0])
    if unit == "deg" and count > 2 and span < np.deg2rad(2 * np.pi * 1.001):
        raise GeometryError(
            complaint(where, "degrees over a scan", f"{np.rad2deg(span):.3g}° in all", "are they radians? say :rad")
        )
    if span > 2 * np.pi * 1.001:
        mend = "are they degrees? convert them with numpy.deg2rad, or say :deg" if unit == "rad" else "drop the rest"
        raise GeometryError(complaint(where, "at most one full turn", f"{span:.1f} radians", mend))
    return radians


def _range(match: re.Match[str], count: int) -> tuple[NDArray[np.float64], str, str]:
    where = f"angles {match[0]}"
    try:
        first, last = float(match[1]), float(match[2])
    except ValueError:
        raise GeometryError(complaint(where, "FROM:TO in degrees", match[0], "for instance 0:180")) from None
    if not last > first:
        raise GeometryError(complaint(where, "TO above FROM", match[0], "for instance 0:180"))
    unit = match[3] or "deg"
    if match[3] is None and last - first < 2 * np.pi + 0.01:
        raise GeometryError(complaint(where, "degrees", "what may be radians", f"write {match[0]}deg or {match[0]}rad"))
    return first + (last - first) * np.arange(count) / count, unit, where


def _angle_file(text: str) -> tuple[NDArray[np.float64], str, str]:
    unit = ""
    if text.endswith((":deg", ":rad")):
        text, unit = text[:-4], text[-3:]
    path, where = Path(text), f"angles {text}"
    try:
        if not path.is_file():
            raise GeometryError(complaint(where, "FROM:TO or a file of angles", "no such file", "for instance 0:180"))
        loaded = np.load(path, allow_pickle=False) if path.suffix == ".npy" else np.loadtxt(path, comments="#", ndmin=1)
        values = (
            np.asarray(loaded).astype(np.float64, casting="same_kind" if loaded.dtype.kind == "f" else "safe").ravel()
        )
    except (OSError, ValueError, TypeError, EOFError) as error:
        raise GeometryError(complaint(where, "one number per line, or .npy", "something else", "rewrite it")) from error
    if not unit and len(values) and np.ptp(values) < 2 * np.pi + 0.01:
        raise GeometryError(
            complaint(where, "degrees or radians", "what may be either", f"write {text}:deg or {text}:rad")
        )
    return values, unit or "deg", where
