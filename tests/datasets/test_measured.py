"""The measured libraries from a mirror of the real files, and the other downloaded ones from made-up files."""

from __future__ import annotations

import io
import zipfile

import h5py
import numpy as np
import pytest

from tomobench.datasets import div2k, fetch, lodopab, preparation, reactors, tooth, user
from tomobench.datasets.catalogue import SHIPPED, load_library
from tomobench.datasets.hdf5 import open_hdf5, read_dataset, sniff
from tomobench.datasets.library import disc_mask
from tomobench.datasets.reactor_bed import MicroCT
from tomobench.errors import DownloadError

MEASURED = ("reactors", "tooth", "div2k", "micro-ct", "xrd-ct", "lodopab")


@pytest.fixture(autouse=True)
def forget():
    """No test sees what another one loaded."""
    for cached in (reactors._scan, tooth._scan, div2k._photographs, lodopab._patients, lodopab._stacks):
        cached.cache_clear()


@pytest.mark.parametrize("name", MEASURED)
def test_offline_use(name, cache, monkeypatch):
    """Licence and summary are there without network or disk; the data are missed in one line with the mend."""
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    library = load_library(name)
    assert library.info.name == name
    assert library.info.licence
    assert not library.info.offline
    assert library.info.unverified == (name in ("micro-ct", "xrd-ct"))
    assert not cache.exists()
    if name in ("reactors", "tooth", "div2k"):
        with pytest.raises(DownloadError, match=r"set TOMOBENCH_MIRROR") as caught:
            library.scan(0) if hasattr(library, "scan") else library.image(0, 32)
        assert "\n" not in str(caught.value)


def test_every_registered_library_exists():
    """A file's library in the registry is one that TomoBench ships."""
    assert {row.library for row in fetch.registry().values()} - {None} <= set(SHIPPED)


@pytest.mark.parametrize(
    ("index", "key", "shape", "every"),
    [(0, "MnNaWSiO2", (120, 179), 2), (1, "POX", (160, 223), 3), (2, "photocatalyst", (300, 331), 5)],
)
def test_reactors(real_mirror, index, key, shape, every):
    """Shapes, angles over [0, π), equal sums, the axis already in the middle, and the file's own sparse scans."""
    library = load_library("reactors")
    scan = library.scan(index)
    assert library.object_id(index) == key
    assert scan.sinogram.shape == shape
    assert scan.sinogram.dtype == np.float32
    np.testing.assert_allclose(scan.angles, np.deg2rad(180 / shape[0]) * np.arange(shape[0]))
    sums = scan.sinogram.sum(axis=1, dtype=np.float64)
    assert np.ptp(sums) / sums.mean() < 1e-5
    assert preparation.find_rotation_centre(scan.sinogram, scan.angles) == pytest.approx((shape[1] - 1) / 2, abs=0.25)
    assert [step.split("(")[0] for step in scan.steps] == ["equal_intensity_per_angle"]
    assert scan.sparse == slice(None, None, every)
    with open_hdf5(fetch.fetch("sd2i_sinograms.h5")) as file:
        sparse = read_dataset(file, f"{key}_angsamp")
        np.testing.assert_array_equal(sparse, read_dataset(file, key)[scan.sparse])


def test_reactors_spread_before_normalisation(real_mirror):
    """MnNaWSiO2 comes normalised, the other two do not: the recorded spreads say so."""
    spreads = [float(load_library("reactors").scan(k).steps[0].split("=")[1][:-1]) for k in range(3)]
    assert spreads == [0.0, 0.0057, 0.024]


def test_sd2i_layout(real_data):
    """The real file is recognised, with its three full scans."""
    contents = sniff(real_data / "sd2i_sinograms.h5")
    assert contents.layout == "sd2i"
    assert {stack.key: stack.shape for stack in contents.stacks}["POX"] == (160, 223)


def test_tooth(real_mirror):
    """Both rows agree with TomoPy's centre of 296 within a pixel; centred, attenuating, air near zero."""
    library = load_library("tooth")
    assert library.indices_by_object() == {"tooth": [0, 1]}
    for row in range(2):
        scan = library.scan(row)
        assert [step.split("(")[0] for step in scan.steps] == ["flat_and_dark_field", "minus_log", "centre"]
        offset = float(scan.steps[2].split("=")[1].split(",")[0])
        assert 639 / 2 + offset == pytest.approx(296, abs=1)
        assert scan.sinogram.shape == (181, 591)
        assert np.rad2deg(scan.angles[-1]) == pytest.approx(180 * 180 / 181)
        assert scan.sinogram.max() == pytest.approx(1.95, abs=0.02)
        assert abs(scan.sinogram[:, :50].mean()) < 0.01
        assert preparation.find_rotation_centre(scan.sinogram, scan.angles) == pytest.approx(295, abs=0.1)


def test_downloads_are_shared(real_mirror):
    """Three scans need one download."""
    for index in range(3):
        load_library("reactors").scan(index)
    assert real_mirror.requests == ["/sd2i_sinograms.h5"]


def photographs():
    """A zip like DIV2K's: a hundred small PNG files in a folder, the k-th of brightness k."""
    from PIL import Image

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(100):
            picture = io.BytesIO()
            pixels = np.full((70, 200, 3), number, np.uint8)
            pixels[:, 70:] += 100  # the second and third patch differ from the first
            Image.fromarray(pixels if number % 2 else pixels.transpose(1, 0, 2)).save(picture, "png")
            archive.writestr(f"DIV2K_valid_LR_bicubic/X4/{801 + number:04d}x4.png", picture.getvalue())
    return buffer.getvalue()


def serve(monkeypatch, mirror, name, body):
    """Let the mirror offer ``body`` as the registered file ``name``, checksum included."""
    import hashlib

    row = fetch.RemoteFile(name, "http://nowhere.invalid/x", "x", "y", "sha256:" + hashlib.sha256(body).hexdigest())
    table = {**fetch.registry(), name: row}
    monkeypatch.setattr(fetch, "registry", lambda: table)
    mirror.serve(name, body)


def test_div2k(mirror, monkeypatch):
    """Three patches per photograph, upright or on its side, grey in [0, 1], zero outside the disc."""
    serve(monkeypatch, mirror, div2k.FILE, photographs())
    library = load_library("div2k")
    assert len(library) == 300
    assert library.object_id(299) == "photo-0900"
    assert list(library.indices_by_object().values())[5] == [15, 16, 17]
    for photo in (10, 11):
        for patch, level in enumerate((photo, photo + 100, photo + 100)):
            image = library.image(3 * photo + patch, 48)
            assert image.dtype == np.float32
            inside = disc_mask(48)
            assert not image[~inside].any()
            # the patches are 66 pixels wide, so the second begins four columns before the brighter part
            expected = level if patch != 1 else (level * 62 + photo * 4) / 66
            assert np.median(image[inside]) == pytest.approx(level / 255, abs=1e-6)
            assert image[24].mean() == pytest.approx(expected / 255, abs=0.02)


def test_lodopab(mirror, monkeypatch):
    """Slices are read from 28 files of 128 and clipped to [0, 1]; an object is the patient of the list."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(28):
            part = io.BytesIO()
            with h5py.File(part, "w") as file:
                file["data"] = np.full((128, 4, 4), (number + 1) / 20, np.float32)
            archive.writestr(f"ground_truth_test_{number:03d}.hdf5", part.getvalue())
    serve(monkeypatch, mirror, lodopab.ARCHIVE, buffer.getvalue())
    serve(monkeypatch, mirror, lodopab.PATIENTS, "\n".join(str(k // 60) for k in range(3553)).encode())
    library = load_library("lodopab")
    assert len(library) == 3553
    assert library.object_id(3552) == "patient-59"
    assert library.image(130, 4)[1, 1] == pytest.approx(0.1)
    assert library.image(3552, 4).max() == 1


@pytest.mark.parametrize("registered", [True, False])
def test_micro_ct(tmp_path, mirror, registered):
    """A volume with slices last is one object scaled by its one maximum, registered by path or taken unverified."""
    volume = np.zeros((8, 8, 5), np.float32)
    volume[2:6, 2:6] = np.arange(1, 6)
    with h5py.File(tmp_path / "own.h5", "w") as file:
        file["volume"] = volume
    library = MicroCT()
    if registered:
        user.add("micro-ct", tmp_path / "own.h5")
    else:
        mirror.serve("micro-ct.h5", (tmp_path / "own.h5").read_bytes())
        with pytest.raises(DownloadError, match="nobody published a checksum"):
            len(library)
        fetch.fetch("micro-ct.h5", accept_unverified=True)
    assert len(library) == 5
    assert len(library.indices_by_object()) == 1
    np.testing.assert_allclose([library.image(k, 8)[4, 4] for k in range(5)], np.arange(1, 6) / 5, rtol=1e-6)
    assert "micro-ct" not in user.names()
