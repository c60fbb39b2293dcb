"""HDF5: files that mean harm or are broken, and every layout of the field with its items moved first."""

from __future__ import annotations

import os

import h5py
import numpy as np
import pytest

from tomobench.datasets.hdf5 import open_hdf5, read_dataset, sniff
from tomobench.errors import DataError


def write(path, **datasets):
    """An HDF5 file of the given datasets; a double underscore in a name stands for a slash."""
    with h5py.File(path, "w") as file:
        for key, values in datasets.items():
            file[key.replace("__", "/")] = values
    return path


def numbered(*shape):
    """An array whose every value is different."""
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def truncated(path):
    """A genuine file without its second half."""
    write(path, data=np.zeros(5000))
    path.write_bytes(path.read_bytes()[:20_000])


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda p: None, "No such file"),
        (lambda p: p.mkdir(), "a folder or special file"),
        (os.mkfifo, "a folder or special file"),
        (lambda p: p.write_bytes(b""), "an empty file"),
        (lambda p: p.write_bytes(b"<!doctype html><p>gone"), "an HTML page"),
        (lambda p: p.write_bytes(b"0123456789" * 100), "something else"),
        (truncated, "a truncated one"),
    ],
    ids=["missing", "folder", "fifo", "empty", "html", "other", "truncated"],
)
def test_not_an_hdf5_file(tmp_path, make, found):
    """What is no HDF5 file is told from it in one line, without waiting on a FIFO."""
    make(tmp_path / "a.h5")
    with pytest.raises(DataError, match=found) as caught, open_hdf5(tmp_path / "a.h5"):
        pass
    assert "\n" not in str(caught.value)


def hostile(folder):
    """A file with one dataset of each kind that reaches outside, and honest links beside them."""
    secret = write(folder / "secret.h5", truth=numbered(3))
    (folder / "raw.bin").write_bytes(b"12345678")
    layout = h5py.VirtualLayout((3,), "f4")
    layout[:] = h5py.VirtualSource(secret, "truth", (3,))
    with h5py.File(folder / "a.h5", "w") as file:
        file["honest"] = numbered(4)
        file["soft"] = h5py.SoftLink("/honest")
        file["group/up"] = h5py.SoftLink("/soft")
        file["external"] = h5py.ExternalLink("secret.h5", "/truth")
        file["group/through"] = h5py.ExternalLink("secret.h5", "/")
        file["indirect"] = h5py.SoftLink("/group/through/truth")
        file["circle"] = h5py.SoftLink("/circle")
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset("raw", (8,), "u1", external=[(str(folder / "raw.bin"), 0, 8)])
        file.create_dataset("bomb", (200_000, 200_000), "f4", chunks=(1000, 1000))
        file["text"] = "words"
        file["complex"] = np.zeros(2, complex)
    return folder / "a.h5"


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("external", "a link out of it"),
        ("group/through/truth", "a link out of it"),
        ("indirect", "a link out of it"),
        ("circle", "in a circle"),
        ("virtual", "values kept in another file"),
        ("raw", "values kept in another file"),
        ("bomb", "160,000,000,000 bytes claimed in 0"),
        ("text", "real numbers"),
        ("complex", "complex128"),
        ("group", "a group"),
        ("absent", "no such key; datasets are .*honest"),
        ("honest/deeper", "no such key"),
    ],
)
def test_hostile_dataset(tmp_path, key, found):
    """Links out, virtual and raw-external values, bombs and missing keys are refused; the keys there are listed."""
    with open_hdf5(hostile(tmp_path)) as file, pytest.raises(DataError, match=found) as caught:
        read_dataset(file, key)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["honest", "soft", "group/up"])
def test_links_inside_the_file_are_followed(tmp_path, key):
    """Soft links that stay in the file are as good as the dataset."""
    with open_hdf5(hostile(tmp_path)) as file:
        assert read_dataset(file, key, (slice(1, 3),)).tolist() == [1, 2]


def test_big_endian_comes_out_native(tmp_path):
    """Byte order is converted, values are kept."""
    with open_hdf5(write(tmp_path / "a.h5", data=numbered(4).astype(">f4"))) as file:
        values = read_dataset(file, "data")
    assert values.dtype == np.float32
    assert values.dtype.isnative
    assert values.tolist() == [0, 1, 2, 3]


# name of the file, its datasets, → layout, and per stack: key, kind, count, shape, which stored values item 1 (or 0) is
A = numbered(4, 5, 3)
LAYOUTS = {
    "superres-tomo": (
        "lib.h5",
        {"Images": A, "Sinograms": A + 100, "NImages": 3, "ScaleFactor": np.ones(3)},
        [("Images", "images", 3, A[..., 1]), ("Sinograms", "sinograms", 3, A[..., 1] + 100)],
    ),
    "samplegen": ("run_sinostack.h5", {"data": A}, [("data", "sinograms", 3, A[..., 1])]),
    "tomogan": (
        "t.h5",
        {"train_ns": A.astype("u1"), "train_gt": A.astype("u1")},
        [("train_gt", "images", 4, A[1]), ("train_ns", "images", 4, A[1])],
    ),
    "data-exchange": (
        "x.h5",
        {
            "exchange__data": A,
            "exchange__data_white": A[:2],
            "exchange__data_dark": A[:1],
            "exchange__theta": np.array([0, 45, 90, 135.0]),
        },
        [
            ("exchange/data", "counts", 5, A[:, 1]),
            ("exchange/data_white", "counts", 5, A[:2, 1]),
            ("exchange/data_dark", "counts", 5, A[:1, 1]),
        ],
    ),
    "lodopab": ("observation_test_000.hdf5", {"data": A}, [("data", "sinograms", 4, A[1])]),
    "battery-imaging-library": (
        "b.h5",
        {"sinograms": A, "data": A, "q": np.arange(3.0)},
        [("sinograms", "sinograms", 3, A[..., 1].T), ("data", "images", 3, A[..., 1])],
    ),
    "sd2i": (
        "s.h5",
        {"POX": A[..., 0], "POX_angsamp": A[::2, :, 0]},
        [("POX", "sinograms", 1, A[..., 0])],
    ),
    "plain": ("p.h5", {"entry__volume": A}, [("entry/volume", "images", 4, A[1])]),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout(tmp_path, layout):
    """Each layout is recognised, and an item read alone is the one that its axes say."""
    name, datasets, stacks = LAYOUTS[layout]
    contents = sniff(write(tmp_path / name, **datasets))
    assert contents.layout == layout
    assert [(s.key, s.kind, s.count, s.shape) for s in contents.stacks] == [
        (key, kind, count, item.shape) for key, kind, count, item in stacks
    ]
    for stack, (_, _, count, item) in zip(contents.stacks, stacks, strict=True):
        values = stack.read(min(1, count - 1))
        assert values.dtype == np.float64
        np.testing.assert_array_equal(values, item)


def test_angles_of_the_layouts(tmp_path):
    """SampleGen's angles include 180°, Data Exchange's are converted from degrees, LoDoPaB's lie mid-cell."""
    sample = sniff(write(tmp_path / "a_sinostack.h5", data=A)).angles
    np.testing.assert_allclose(sample, [0, np.pi / 3, 2 * np.pi / 3, np.pi])
    exchange = sniff(write(tmp_path / "x.h5", exchange__data=A, exchange__theta=[0, 45, 90, 135.0])).angles
    np.testing.assert_allclose(exchange, [0, np.pi / 4, np.pi / 2, 3 * np.pi / 4])
    lodopab = sniff(write(tmp_path / "observation_test_000.hdf5", data=A)).angles
    np.testing.assert_allclose(lodopab, np.deg2rad([18, 54, 90, 126, 162]))


@pytest.mark.parametrize(("shape", "count"), [((6, 6, 9), 9), ((6, 9, 6), 9), ((9, 6, 6), 9), ((5, 6, 7), 5)])
def test_plain_volume_finds_its_slices(tmp_path, shape, count):
    """Square slices are found on any axis; where no two axes are equal the first one counts."""
    stack = sniff(write(tmp_path / "v.h5", volume=numbered(*shape))).stacks[0]
    assert stack.count == count
    with pytest.raises(IndexError):
        stack.read(count)


@pytest.mark.parametrize(
    ("datasets", "found"),
    [
        ({"Images": A, "Sinograms": A[..., :2]}, "expected as many Images as Sinograms, found 3 and 2"),
        ({"Images": A[..., 0]}, r"expected 3 non-empty axes, found shape \(4, 5\)"),
        ({"exchange__data": A, "exchange__theta": np.arange(3.0)}, "expected 4 angles, found 3"),
        ({"a": A, "b": A}, "expected a known HDF5 layout"),
        ({"line": np.arange(3.0)}, "found line"),
    ],
)
def test_contradictory_file(tmp_path, datasets, found):
    """A file that contradicts its layout, or fits none, is refused with what it holds."""
    with pytest.raises(DataError, match=found):
        sniff(write(tmp_path / "a.h5", **datasets))
