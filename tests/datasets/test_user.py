"""Bringing one's own data: what is accepted, what is refused and in which words, and that what is stored stays so."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

from tomobench.datasets import user
from tomobench.datasets.catalogue import list_libraries, load_library
from tomobench.datasets.library import ImageLibrary, ScanLibrary
from tomobench.datasets.user_files import parse_angles
from tomobench.errors import DataError, GeometryError, TomoBenchError, UnknownName

PICTURE = np.add.outer(np.arange(12.0), np.arange(16.0))  # 0 … 26


def disc_scan(angles, detectors=41, axis=23.0):
    """Exact projections of a disc of radius 9, four pixels off the axis."""
    offsets = np.arange(detectors) - (axis + 4 * np.cos(angles))[:, None]
    return 2 * np.sqrt(np.clip(81 - offsets**2, 0, None))


HALF_TURN = np.arange(60) * np.pi / 60


def write(path, values):
    """Save an array as what the path's ending says."""
    if path.suffix == ".npy":
        np.save(path, values)
    elif path.suffix == ".tif":
        tifffile.imwrite(path, values, photometric="minisblack")
    elif path.suffix == ".png":
        Image.fromarray(values).save(path)
    else:
        with h5py.File(path, "w") as file:
            file["data"] = values
    return path


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("a.npy", ">f8"),
        ("a.npy", "<i2"),
        ("a.tif", "u2"),
        ("a.tif", ">f4"),
        ("a.png", "u1"),
        ("a.h5", "f4"),
        ("a.h5", "i4"),
    ],
)
def test_one_image(tmp_path, name, dtype):
    """Every format and byte order gives the central square over the largest value, zero outside the disc."""
    library = user.add("mine", write(tmp_path / name, PICTURE.astype(dtype)), licence="CC0", pixel_size=2.5)
    assert isinstance(library, ImageLibrary)
    assert (len(library), library.info.licence, library.info.pixel_size) == (1, "CC0", 2.5)
    image = load_library("mine").image(0, 12)
    assert image.dtype == np.float32
    np.testing.assert_allclose(image[6], PICTURE[6, 2:14] / 26, rtol=1e-6)
    assert image[0, 0] == image[-1, -1] == 0
    assert "mine" in list_libraries()


def test_pages_are_slices_of_one_object(tmp_path):
    """A three-page TIFF is three images of one object with one scale; grey is made of colour."""
    pages = np.stack([PICTURE, 2 * PICTURE, 4 * PICTURE]).astype(np.float32)
    library = user.add("stack", write(tmp_path / "a.tif", pages))
    assert library.indices_by_object() == {"a.tif": [0, 1, 2]}
    np.testing.assert_allclose(
        [library.image(k, 12)[6, 6] for k in range(3)], np.array([1, 2, 4]) * 14 / 104, rtol=1e-6
    )
    colour = np.zeros((12, 12, 3), np.uint8) + np.array([255, 0, 0], np.uint8)
    colour[0, 0] = 255
    tifffile.imwrite(tmp_path / "c.tif", colour, photometric="rgb")
    assert user.add("colour", tmp_path / "c.tif").image(0, 12)[6, 6] == pytest.approx(0.2125, abs=1e-4)


def test_folder_is_one_object_per_file(tmp_path):
    """A folder gives one object per image file, in order of name; other files are passed over."""
    folder = tmp_path / "folder"
    folder.mkdir()
    write(folder / "b.png", np.full((8, 8), 100, np.uint8))
    write(folder / "a.npy", np.full((2, 6, 6), 200.0))
    (folder / "README.txt").write_text("notes")
    library = user.add("many", folder)
    assert library.indices_by_object() == {"a.npy": [0, 1], "b.png": [2]}
    assert library.image(2, 4)[2, 2] == pytest.approx(0.5)


@pytest.mark.parametrize(("least", "expected"), [(-1.0, 0.0), (-50.0, 50 / 150)])
def test_negative_values(tmp_path, least, expected):
    """Slightly negative values are clipped and zero stays zero; far below zero the scale begins at the least value."""
    values = np.zeros((8, 8))
    values[0, 0], values[4, 4] = least, 100
    library = user.add("hu", write(tmp_path / "a.npy", values))
    assert library.image(0, 8)[3, 3] == pytest.approx(expected, abs=1e-6)
    assert library.image(0, 8).max() == 1


@pytest.mark.parametrize("spec", ["0:180", "0:3.141592653589793rad", HALF_TURN])
def test_scan(tmp_path, spec):
    """A sinogram with its axis two detectors off is centred; the step says by how much."""
    library = user.add("scan", write(tmp_path / "s.npy", disc_scan(HALF_TURN, axis=22.0)), angles=spec)
    assert isinstance(library, ScanLibrary)
    scan = load_library("scan").scan(0)
    np.testing.assert_allclose(scan.angles, HALF_TURN)
    assert scan.sinogram.shape[1] % 2 == 1
    kind, figures = scan.steps[0].split("(")
    assert kind == "centre"
    assert float(figures.split(",")[0].split("=")[1]) == pytest.approx(2, abs=0.1)
    assert library.object_id(0) == "s.npy"


def test_scan_with_end_point(tmp_path):
    """SampleGen's angles include 180°, which repeats 0°: that projection is dropped and the step says so."""
    angles = np.linspace(0, np.pi, 61)
    write(tmp_path / "run_sinostack.h5", disc_scan(angles, axis=20.0)[..., None])
    scan = user.add("sample", tmp_path / "run_sinostack.h5").scan(0)
    np.testing.assert_allclose(scan.angles, HALF_TURN)
    assert scan.sinogram.shape == (60, 41)
    assert scan.steps == ("drop_end_point()",)


def test_data_exchange_file(real_data):
    """The real tooth file, registered by path, gives the very scans of the shipped library."""
    library = user.add("my-tooth", real_data / "tooth.h5")
    assert len(library) == 2
    assert library.scan(1).steps[2].startswith("centre(offset=-23.57")
    assert library.object_id(0) == library.object_id(1) == "tooth.h5"


def test_pairs_serve_both_ways(tmp_path):
    """A file of image and sinogram pairs is an image library without angles and a scan library with them."""
    with h5py.File(tmp_path / "pairs.h5", "w") as file:
        file["Images"] = np.ones((9, 9, 2)) * [1, 2]
        file["Sinograms"] = np.stack([disc_scan(HALF_TURN, axis=20.0)] * 2, axis=-1)
    images = user.add("pairs", tmp_path / "pairs.h5")
    assert images.image(0, 9)[4, 4] == 0.5
    assert len(images.indices_by_object()) == 2  # unrelated items
    scans = user.add("pairs-scanned", tmp_path / "pairs.h5", angles="0:180")
    assert (len(scans), scans.scan(1).sinogram.shape) == (2, (60, 41))


def bad_images(folder):
    """Name → a path that must not become a library, and the words that say why."""
    nan = PICTURE.copy()
    nan[2, 3], nan[5, 5] = np.nan, np.inf
    (folder / "empty.npy").touch()
    (folder / "words.png").write_text("not a picture")
    (folder / "page.h5").write_text("<html>gone</html>")
    (folder / "notes.txt").write_text("notes")
    (folder / "folder").mkdir()
    os.symlink(folder / "nan.npy", folder / "link.npy")
    os.mkfifo(folder / "fifo.npy")
    np.save(folder / "object.npy", np.array([{}, {}]), allow_pickle=True)
    header = b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }"
    (folder / "bomb.npy").write_bytes(header.ljust(127) + b"\n")
    return {
        "missing.npy": "No such file",
        "empty.npy": "an empty file",
        "words.png": "expected a .png file",
        "page.h5": "an HTML page",
        "notes.txt": r"found \.txt",
        "folder": "found none",
        "link.npy": "a symbolic link",
        "fifo.npy": "a special file",
        "object.npy": "expected a .npy file|values of type object",
        "bomb.npy": "expected a .npy file",
        write(folder / "nan.npy", nan).name: r"found 2 NaN or Inf, first at \(0, 2, 3\)",
        write(folder / "complex.npy", PICTURE + 1j).name: "found complex128",
        write(folder / "text.npy", np.array([["a"]])).name: "values of type <U1",
        write(folder / "line.npy", np.arange(4.0)).name: r"found shape \(4,\)",
        write(folder / "none.npy", np.zeros((0, 4))).name: r"found shape \(0, 4\)",
        write(folder / "black.npy", np.zeros((4, 4))).name: "expected an image with contrast",
    }


def test_bad_images(tmp_path, cache):
    """Each bad input is one line that names the file, and leaves no library and no temporary folder."""
    for name, words in bad_images(tmp_path).items():
        with pytest.raises(DataError, match=words) as caught:
            user.add("bad", tmp_path / name)
        assert "\n" not in str(caught.value)
        assert name in str(caught.value)
        assert not list((cache / "libraries").iterdir()) if (cache / "libraries").exists() else True


def test_huge_tiff_claim(tmp_path):
    """A TIFF of a few hundred bytes that claims gigabytes is refused before a pixel is read."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((4, 4), np.float32))
    tags = tifffile.TiffFile(path)
    places = [tags.pages[0].tags[name].valueoffset for name in ("ImageWidth", "ImageLength")]
    tags.close()
    content = bytearray(path.read_bytes())
    for place in places:
        content[place : place + 2] = (60_000).to_bytes(2, "little")
    path.write_bytes(content)
    with pytest.raises(DataError, match="at most 67,108,864 bytes of pixels, found 14,400,000,000 bytes claimed"):
        user.add("bomb", path)


@pytest.mark.parametrize("name", ["Mine", "a/b", "..", "", "x" * 42, "mine-64", "-a", "tooth", "shapes", "ä"])
def test_bad_name(tmp_path, name):
    """Names that are shipped, unsafe, or look like a benchmark id with its size are refused."""
    with pytest.raises(DataError, match="library name"):
        user.add(name, write(tmp_path / "a.npy", PICTURE))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("0:3.14159", r"may be radians; write 0:3\.14159deg or 0:3\.14159rad"),
        ("180:0", "TO above FROM"),
        ("0:900", "at most one full turn"),
        ("nowhere.txt", "no such file"),
        ([], "found none"),
        ([0, 1, 2], "expected 4 angles, one per row of the sinogram, found 3"),
        ([0, 1, 1, 2], "a repeated one at 2"),
        ([0, 2, 1, 3], "a smaller one at 2"),
        ([0, 1, np.nan, 3], "1 others, first at 2"),
        ([0, 45, 90, 135], "are they degrees"),
    ],
)
def test_bad_angles(spec, words):
    """Angles that cannot be meant are refused with the place and the mend."""
    with pytest.raises(GeometryError, match=words) as caught:
        parse_angles(spec, 4)
    assert "\n" not in str(caught.value)


def test_angle_files(tmp_path):
    """A file of degrees is known by its span, one of radians must say so; words are refused."""
    (tmp_path / "d.txt").write_text("# angle\n0\n45\n90\n135\n")
    expected = np.arange(4) * np.pi / 4
    np.testing.assert_allclose(parse_angles(tmp_path / "d.txt", 4), expected)
    np.save(tmp_path / "r.npy", expected)
    np.testing.assert_allclose(parse_angles(f"{tmp_path / 'r.npy'}:rad", 4), expected)
    with pytest.raises(GeometryError, match=r"what may be either; write .*:deg or .*:rad"):
        parse_angles(tmp_path / "r.npy", 4)
    (tmp_path / "w.txt").write_text("north\n")
    with pytest.raises(GeometryError, match="one number per line"):
        parse_angles(tmp_path / "w.txt", 4)


def test_transposed_sinogram(tmp_path):
    """Angles that fit the columns and not the rows suggest transposing."""
    path = write(tmp_path / "s.npy", disc_scan(HALF_TURN).T)
    with pytest.raises(GeometryError, match=r"60, the number of columns; transpose it to \(angles, detectors\)"):
        user.add("scan", path, angles=HALF_TURN)


def test_sinograms_need_angles(real_data):
    """A layout of sinograms without angles asks for them."""
    with pytest.raises(GeometryError, match="no angles; give them, for instance --angles 0:180"):
        user.add("mine", real_data / "sd2i_sinograms.h5")
    assert len(user.add("mine", real_data / "sd2i_sinograms.h5", angles="0:180")) == 3


def test_replacing(tmp_path):
    """An existing library is kept unless told otherwise, kept when its successor is bad, and its version follows."""
    first = user.add("mine", write(tmp_path / "a.npy", PICTURE))
    with pytest.raises(DataError, match="exists already; replace it with --overwrite"):
        user.add("mine", write(tmp_path / "b.npy", PICTURE[:4]))
    with pytest.raises(TomoBenchError):
        user.add("mine", write(tmp_path / "c.npy", PICTURE * np.nan), overwrite=True)
    assert user.load("mine").info.version == first.info.version
    assert user.add("mine", tmp_path / "a.npy", overwrite=True).info.version == first.info.version
    assert user.add("mine", tmp_path / "b.npy", overwrite=True).info.version != first.info.version


@pytest.mark.parametrize("damage", ["data", "meta", "gone"])
def test_damaged_store(tmp_path, cache, damage):
    """A flipped byte, torn meta data or a missing file is noticed before a wrong image is given out."""
    user.add("mine", write(tmp_path / "a.npy", PICTURE)).image(0, 8)
    folder = cache / "libraries" / "mine"
    if damage == "data":
        content = bytearray((folder / "data.h5").read_bytes())
        content[-5] ^= 1
        (folder / "data.h5").write_bytes(content)
    elif damage == "meta":
        (folder / "meta.json").write_text('{"schema": 1')
    else:
        (folder / "data.h5").unlink()
    with pytest.raises(DataError, match=r"data add mine FILE --overwrite|data remove mine"):
        user.load("mine").image(0, 8)


def test_full_disk_is_noticed_beforehand(tmp_path, monkeypatch, cache):
    """Too little space for the copy is one line before anything is written."""
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=1000))
    with pytest.raises(
        DataError, match="expected 1,049,344 bytes free, found 1,000; free some, or set TOMOBENCH_CACHE"
    ):
        user.add("mine", write(tmp_path / "a.npy", PICTURE))
    assert list((cache / "libraries").iterdir()) == []


def test_remove(tmp_path, cache):
    """A removed library is gone from the list and the disk; removing it twice is an unknown name."""
    user.add("mine", write(tmp_path / "a.npy", PICTURE))
    user.remove("mine")
    assert user.names() == []
    assert list((cache / "libraries").iterdir()) == []
    with pytest.raises(UnknownName):
        user.remove("mine")


def test_meta_data_hold_no_path_of_the_user(tmp_path, cache):
    """What is stored names the file and not the folder it came from."""
    user.add("mine", write(tmp_path / "a.npy", PICTURE))
    text = (cache / "libraries" / "mine" / "meta.json").read_text()
    assert json.loads(text)["source"] == "a.npy"
    assert str(tmp_path) not in text
