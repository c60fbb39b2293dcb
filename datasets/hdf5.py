"""HDF5 files of the field: opened with suspicion, recognised by layout, read one image or sinogram at a time.

Items come first whatever the file does: an image is (rows, columns), a sinogram (angles, detectors), float64.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, complaint

Float64 = NDArray[np.float64]

MAX_READ = 4 << 30  # bytes read in one go
MAX_DATASET = 256 << 30  # bytes a dataset may claim to hold
_SMALL = 64 << 20  # bytes below which the stored size is not looked at
_DENSEST = 2000  # deflate gives at most about 1030 : 1; a dataset that claims more was never written
_MAX_LINKS = 8


@contextmanager
def open_hdf5(path: Path | str) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading.

    Raises DataError in one line where the file is missing, not a regular file, empty, an HTML page, truncated, or
    not HDF5 at all.
    """
    path = Path(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a FIFO would wait for ever
            raise DataError(complaint(path, "an HDF5 file", "a folder or special file", "name the file itself"))
        with path.open("rb") as stream:
            head = stream.read(512)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; check the path and its permissions") from error
    if not head:
        raise DataError(complaint(path, "an HDF5 file", "an empty file", "download or copy it again"))
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html", b"<head")):
        raise DataError(complaint(path, "an HDF5 file", "an HTML page", "download it again from its real address"))
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        found = "a truncated one" if "truncated" in str(error) else "something else"
        raise DataError(complaint(path, "a whole HDF5 file", found, "download or copy it again")) from error
    with file:
        yield file


def find_dataset(file: h5py.File, key: str) -> h5py.Dataset:
    """Return the dataset ``key``, which must lie in this very file.

    Raises DataError in one line where the key is missing (the existing ones are listed), leads through an external
    link, is virtual, keeps its values in another file, holds no plain numbers, or claims an absurd size.
    """
    where = f"{file.filename}:{key}"
    node = _follow(file, key, where, 0)
    if not isinstance(node, h5py.Dataset):
        raise DataError(
            complaint(where, "a dataset", "a group", f"datasets are {', '.join(list_keys(file)) or 'none'}")
        )
    if node.is_virtual or node.external:
        raise DataError(complaint(where, "values in this file", "values kept in another file", "copy them into one"))
    if node.dtype.kind not in "iufb":
        raise DataError(complaint(where, "real numbers", f"values of type {node.dtype}", "convert them first"))
    stored = node.id.get_storage_size()
    if node.nbytes > MAX_DATASET or node.nbytes > max(_SMALL, stored * _DENSEST):
        raise DataError(
            complaint(
                where,
                "as many values as are stored",
                f"{node.nbytes:,} bytes claimed in {stored:,}",
                "do not trust the file",
            )
        )
    return node


def read_dataset(file: h5py.File, key: str, selection: Any = ()) -> NDArray[Any]:
    """Return the values of dataset ``key``, all or a selection as h5py takes it, in native byte order.

    Raises DataError as ``find_dataset`` does, and where more than ``MAX_READ`` bytes would be read.
    """
    dataset = find_dataset(file, key)
    where = f"{file.filename}:{key}"
    wanted = dataset.nbytes
    if selection != () and dataset.shape:
        axes = [range(n)[s] for n, s in zip(dataset.shape, selection, strict=True)]
        wanted = dataset.dtype.itemsize * int(np.prod([len(a) if isinstance(a, range) else 1 for a in axes]))
    if wanted > MAX_READ:
        raise DataError(complaint(where, f"at most {MAX_READ:,} bytes at once", f"{wanted:,}", "split the file"))
    try:
        values = np.asarray(dataset[selection])
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(
            complaint(where, "readable values", "a damaged or unknown encoding", "copy the file again")
        ) from error
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def list_keys(file: h5py.File, most: int | None = 50) -> list[str]:
    """Names of the datasets in the file, at most ``most`` of them, without following any link out of it."""
    found: list[str] = []

    def note(name: str, node: Any) -> bool | None:
        if isinstance(node, h5py.Dataset):
            found.append(name)
        return True if len(found) == most else None

    file.visititems(note)  # visits hard links only
    return found


def _follow(file: h5py.File, key: str, where: str, hops: int) -> Any:
    """Walk from the root one link at a time, so that no other file is ever opened."""
    node: Any = file
    walked = ""
    for part in key.strip("/").split("/"):
        try:
            link = node.get(part, getlink=True) if isinstance(node, h5py.Group) else None
        except TypeError:  # h5py's word for a user-defined link
            link = h5py.ExternalLink("?", "?")
        if link is None:
            raise DataError(
                complaint(where, "this dataset", "no such key", f"datasets are {', '.join(list_keys(file)) or 'none'}")
            )
        if isinstance(link, h5py.ExternalLink) or hops > _MAX_LINKS:
            raise DataError(
                complaint(where, "a dataset of this file", "a link out of it or in a circle", "copy the data in")
            )
        if isinstance(link, h5py.SoftLink):
            inner = link.path if link.path.startswith("/") else f"{walked}/{link.path}"
            node = _follow(file, inner, where, hops + 1)
        else:
            node = node[part]
        walked += f"/{part}"
    return node


@dataclass(frozen=True)
class Stack:
    """Items of one dataset, read on demand.

    Attributes
    ----------
    kind : "images", "sinograms" or "counts" (raw detector counts of a sinogram, before flat field and logarithm).
    count : number of items.
    shape : (rows, columns) of an image, (angles, detectors) of a sinogram.
    axes : the stored axes that are (item, row, column); two of them where the dataset is one item.
    """

    path: Path
    key: str
    kind: str
    count: int
    shape: tuple[int, int]
    axes: tuple[int, ...]

    def read(self, index: int) -> Float64:
        """Item ``index`` as (rows, columns) float64. Raises IndexError, or DataError as ``read_dataset`` does."""
        if not 0 <= index < self.count:
            raise IndexError(f"{self.path}:{self.key} has {self.count} items, not {index + 1}")
        selection: list[Any] = [slice(None)] * len(self.axes)
        item, row, column = (-1, *self.axes) if len(self.axes) == 2 else self.axes
        if item >= 0:
            selection[item] = index
        with open_hdf5(self.path) as file:
            values = read_dataset(file, self.key, tuple(selection))
        values = values.T if row > column else values
        return values.astype(np.float64)


@dataclass(frozen=True)
class Contents:
    """What a file holds: its layout, its stacks, the projection angles in radians if it tells them, other values."""

    layout: str
    stacks: tuple[Stack, ...]
    angles: Float64 | None = None
    extras: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def of(self, *kinds: str) -> tuple[Stack, ...]:
        """The stacks of the given kinds."""
        return tuple(stack for stack in self.stacks if stack.kind in kinds)


_LODOPAB = re.compile(r"(observation|ground_truth)_(train|validation|test)_\d{3}\.hdf5")


def sniff(path: Path | str) -> Contents:
    """Say which of the field's layouts a file has, and what it holds; only shapes, angles and factors are read.

    Layouts: ``superres-tomo`` (Images, Sinograms, items last), ``samplegen`` (data in ``*_imagestack`` or
    ``*_sinostack``, items last, angles over [0, π] *with* end point), ``tomogan`` (train_ns, train_gt, test_ns,
    test_gt), ``data-exchange`` (/exchange/data …, one sinogram per detector row), ``lodopab``,
    ``battery-imaging-library`` (sinograms (translation, angle, q), or data (row, column, q)), ``sd2i`` (one sinogram
    per key beside its angular sample), and ``plain``: one dataset of two or three axes under any name.

    In a plain dataset of three axes the items lie on the axis that differs from two equal ones; with none or all equal
    they come first. Raises DataError as ``read_dataset`` does, or where nothing fits.
    """
    path = Path(path)
    with open_hdf5(path) as file:
        keys = list_keys(file)
        for recognise in (_superres, _tomogan, _exchange, _battery, _sd2i, _samplegen, _lodopab, _plain):
            contents = recognise(path, file, keys)
            if contents is not None:
                return contents
    raise DataError(
        complaint(
            path,
            "a known HDF5 layout or one dataset of 2 or 3 axes",
            ", ".join(keys) or "no dataset",
            "see the documentation of HDF5 layouts",
        )
    )


def _stack(path: Path, file: h5py.File, key: str, kind: str, axes: tuple[int, ...]) -> Stack:
    shape = find_dataset(file, key).shape
    if len(shape) != len(axes) or 0 in shape:
        raise DataError(complaint(f"{path}:{key}", f"{len(axes)} non-empty axes", f"shape {shape}", "check the file"))
    count = shape[axes[0]] if len(axes) == 3 else 1
    return Stack(path, key, kind, count, (shape[axes[-2]], shape[axes[-1]]), axes)


def _superres(path: Path, file: h5py.File, keys: list[str]) -> Contents | None:
    if not {"Images", "Sinograms"} & set(keys):
        return None
    stacks = [_stack(path, file, key, key.lower(), (2, 0, 1)) for key in ("Images", "Sinograms") if key in keys]
    if len({stack.count for stack in stacks}) > 1:
        raise DataError(
            complaint(path, "as many Images as Sinograms", f"{stacks[0].count} and {stacks[1].count}", "check the file")
        )
    names = [key for key in ("NImages", "ScaleFactor", "Noise", "ImageSize") if key in keys]
    return Contents("superres-tomo", tuple(stacks), extras={key: read_dataset(file, key) for key in names})


def _tomogan(path: Path, file: h5py.File, keys: list[str]) -> Contents | None:
    names = [key for key in ("train_gt", "train_ns", "test_gt", "test_ns") if key in keys]
    if not names:
        return None
    return Contents("tomogan", tuple(_stack(path, file, key, "images", (0, 1, 2)) for key in names))


def _exchange(path: Path, file: h5py.File, keys: list[str]) -> Contents | None:
    if "exchange/data" not in keys:
        return None
    names = [key for key in ("exchange/data", "exchange/data_white", "exchange/data_dark") if key in keys]
    stacks = tuple(_stack(path, file, key, "counts", (1, 0, 2)) for key in names)
    angles = None
    if "exchange/theta" in keys:
        angles = np.deg2rad(read_dataset(file, "exchange/theta").astype(np.float64).ravel())
        if len(angles) != stacks[0].shape[0]:
            raise DataError(
                complaint(f"{path}:exchange/theta", f"{stacks[0].shape[0]} angles", f"{len(angles)}", "check the file")
            )
    return Contents("data-exchange", stacks, angles)


def _battery(path: Path, file: h5py.File, keys: list[str]) -> Contents | None:
    if "q" not in keys or not {"sinograms", "data"} & set(keys):
        return None
    stacks = []
    if "sinograms" in keys:
        stacks.append(_stack(path, file, "sinograms", "sinograms", (2, 1, 0)))
    if "data" in keys:
        stacks.append(_stack(path, file, "data", "images", (2, 0, 1)))
    return Contents("battery-imaging-library", tuple(stacks), extras={"q": read_dataset(file, "q")})


def _sd2i(path: Path, file: h5py.File, keys: list[str]) -> Contents | None:
    names = [key for key in keys if f"{key}_angsamp" in keys]
    if not names:
        return None
    return Contents("sd2i", tuple(_stack(path, file, key, "sinograms", (0, 1)) for key in names))


def _samplegen(path: Path, file: h5py.File, keys: list[str]) -> Contents | None:
    kind = {"imagestack": "images", "sinostack": "sinograms"}.get(path.stem.rpartition("_")[2])
    if keys != ["data"] or kind is None:
        return None
    stack = _stack(path, file, "data", kind, (2, 0, 1))
    return Contents("samplegen", (stack,), np.linspace(0, np.pi, stack.shape[0]) if kind == "sinograms" else None)


def _lodopab(path: Path, file: h5py.File, keys: list[str]) -> Contents | None:
    match = _LODOPAB.fullmatch(path.name)
    if keys != ["data"] or match is None:
        return None
    if match[1] == "ground_truth":
        return Contents("lodopab", (_stack(path, file, "data", "images", (0, 1, 2)),))
    stack = _stack(path, file, "data", "sinograms", (0, 1, 2))
    # Its authors place the angles at the middle of 1000 equal parts of [0, π).
    return Contents("lodopab", (stack,), (np.arange(stack.shape[0]) + 0.5) * np.pi / stack.shape[0])


def _plain(path: Path, file: h5py.File, keys: list[str]) -> Contents | None:
    shapes = {key: file[key].shape for key in keys if file[key].ndim in (2, 3)}
    if len(shapes) != 1:
        return None
    ((key, shape),) = shapes.items()
    if len(shape) == 2:
        return Contents("plain", (_stack(path, file, key, "images", (0, 1)),))
    first, second, third = shape
    axes = (2, 0, 1) if first == second != third else (1, 0, 2) if first == third != second else (0, 1, 2)
    return Contents("plain", (_stack(path, file, key, "images", axes),))
