"""The libraries that need no download: range, reproducibility, object ids, and what each recipe promises."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from itertools import chain

import numpy as np
import pytest
from scipy import ndimage

from tomobench.datasets import list_libraries, load_library
from tomobench.datasets.grains import OUTER
from tomobench.datasets.library import disc_mask, seed_for
from tomobench.datasets.natural import PATCHES, PHOTOGRAPHS
from tomobench.errors import UnknownName

NAMES = ("shapes", "shapes-legacy", "natural", "grains", "foam")
EVERY = pytest.mark.parametrize("name", NAMES)


@EVERY
@pytest.mark.parametrize("size", [48, 65, 128])
def test_images_are_what_a_library_promises(name, size):
    """(size, size) float32 in [0, 1], zero outside the inscribed disc, with something inside."""
    library = load_library(name)
    for index in (0, 1, 11, len(library) - 1):
        image = library.image(index, size)
        assert image.shape == (size, size)
        assert image.dtype == np.float32
        assert image.min() >= 0
        assert image.max() <= 1
        assert np.all(image[~disc_mask(size)] == 0)
        assert image.std() > 0.01


@pytest.mark.parametrize("size", [32, 34, 40, 46])
def test_shapes_at_the_smallest_sizes(size):
    """Every size that a benchmark may ask for can be drawn: 16 pixels are simulated on 32."""
    library = load_library("shapes")
    assert all(library.image(index, size).max() > 0 for index in range(20))


@EVERY
def test_item_does_not_depend_on_what_was_asked_before(name):
    """Item 5 is the same first, last, twice, and from another instance; items differ."""
    library = load_library(name)
    first = library.image(5, 48)
    others = [library.image(k, 48) for k in (6, 0, 7)]
    np.testing.assert_array_equal(library.image(5, 48), first)
    np.testing.assert_array_equal(load_library(name).image(5, 48), first)
    assert all(not np.array_equal(first, other) for other in others)


def test_items_are_the_same_in_another_process():
    """Nothing hangs on the hash seed of Python or on the order of imports."""
    code = (
        "import hashlib, sys; from tomobench.datasets import load_library;"
        "print(hashlib.sha256(b''.join(load_library(n).image(5, 48).tobytes() for n in sys.argv[1:])).hexdigest())"
    )
    here = hashlib.sha256(b"".join(load_library(name).image(5, 48).tobytes() for name in NAMES)).hexdigest()
    there = subprocess.run([sys.executable, "-c", code, *NAMES], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == here


@EVERY
def test_ids(name):
    """Item ids are unique, and every item belongs to one object."""
    library = load_library(name)
    indices = range(0, len(library), max(1, len(library) // 500))
    assert len({library.item_id(k) for k in indices}) == len(indices)
    assert all(library.object_id(k).startswith(f"{name}/") for k in indices)
    groups = library.indices_by_object()
    assert sorted(chain.from_iterable(groups.values())) == list(range(len(library)))


@pytest.mark.parametrize(
    ("name", "objects"), [("shapes", 55_000), ("natural", 17), ("grains", 10_000), ("foam", 2_000)]
)
def test_number_of_objects(name, objects):
    """Photographs and foams have several images each, shapes and tubes one."""
    assert len(load_library(name).indices_by_object()) == objects


def test_shapes_are_clean_and_legacy_shapes_are_not():
    """The corrected recipe has few grey values (the canvas, 3 to 10 shapes, none); the published one has noise."""
    clean, noisy = load_library("shapes"), load_library("shapes-legacy")
    for index in range(5):
        assert 2 <= len(np.unique(clean.image(index, 64))) <= 12
        assert len(np.unique(noisy.image(index, 64))) > 20
        assert not np.any(clean.image(index, 64)[~disc_mask(64, margin=5)])


@pytest.mark.parametrize("name", ["grains", "foam"])
def test_same_object_at_every_size(name):
    """Twice as fine a sampling shows the same object: its block mean differs at edges alone."""
    library = load_library(name)
    coarse, fine = library.image(3, 96), library.image(3, 192)
    difference = np.abs(fine.reshape(96, 2, 96, 2).mean(axis=(1, 3)) - coarse)
    assert np.median(difference) == 0 if name == "foam" else np.median(difference) < 0.01
    assert difference.mean() < 0.06


def test_grains_lie_in_a_tube():
    """Nothing outside 0.94 of the half field of view, a wall of one value inside it, and some tens of grains."""
    library = load_library("grains")
    size = 256
    axis = (np.arange(size) + 0.5) * 2 / size - 1
    radius = np.hypot(axis[:, None], axis[None, :])
    for index in range(4):
        image = library.image(index, size)
        assert np.all(image[radius > OUTER] == 0)
        wall = image[(radius < OUTER - 0.005) & (radius > OUTER - 0.035)]
        assert np.ptp(wall) == 0
        assert 0.35 <= wall[0] <= 0.6
        inside = (image > 0.3) & (radius < OUTER - 0.09)
        grains, _ = ndimage.label(inside)
        assert grains.max() >= 15


def test_foam_is_two_phases_and_some_bubbles():
    """A matrix of 0.6 with voids of 0 and inclusions of 1; neighbouring slices of one foam are alike, foams are not."""
    library = load_library("foam")
    for index in range(3):
        assert set(np.unique(library.image(index, 64))) <= {np.float32(0), np.float32(0.6), np.float32(1)}
    near = np.abs(library.image(3, 64) - library.image(4, 64)).mean()
    far = np.abs(library.image(3, 64) - library.image(11, 64)).mean()
    assert near < far
    assert library.object_id(7) == library.object_id(0) != library.object_id(8)


def test_natural_patches_tile_the_photograph():
    """The first patch of a photograph is the whole, whose middle ninth is the fifth tile."""
    library = load_library("natural")
    whole = library.image(2 * PATCHES, 96)
    tile = library.image(2 * PATCHES + 5, 32)
    inside = disc_mask(32)
    assert np.corrcoef(whole[32:64, 32:64][inside], tile[inside])[0, 1] > 0.98
    assert len(library) == PATCHES * len(PHOTOGRAPHS) == 170


def test_generator_depends_on_its_name_alone():
    """The same parts give the same numbers, and no two ways of cutting text into parts meet."""
    assert seed_for("a", 1).integers(1 << 60) == seed_for("a", 1).integers(1 << 60)
    values = [seed_for(*parts).integers(1 << 60) for parts in (("a", 1), ("a", 2), ("b", 1), ("a1",), ("a", "", 1))]
    assert len(set(values)) == len(values)


@pytest.mark.parametrize("size", [16, 33, 64])
def test_disc_mask(size):
    """The inscribed disc: the metrics' circle, and smaller by a margin."""
    from tomobench.metrics import circle

    np.testing.assert_array_equal(disc_mask(size), circle(size))
    assert disc_mask(size, 3.0).sum() == pytest.approx(np.pi * (size / 2 - 3) ** 2, rel=0.05)


@pytest.mark.parametrize("name", [name for name in list_libraries() if name])
def test_every_library_tells_what_it_is(name):
    """Name, version, licence and citation are there before anything is downloaded."""
    info = load_library(name).info
    assert info.name == name
    assert info.version >= 1
    for text in (info.summary, info.licence, info.citation, info.source):
        assert text
        assert "\n" not in text


def test_unknown_library():
    """The nearest name is offered, and the way to add one's own."""
    with pytest.raises(UnknownName, match=r"did you mean shapes.*tomobench data add"):
        load_library("shaeps")
