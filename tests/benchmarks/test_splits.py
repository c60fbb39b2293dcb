"""Splits by object: disjoint, complete, and independent of order and of how many items are asked for."""

from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomobench.benchmarks.splits import split_items, split_objects
from tomobench.datasets import load_library

NAMES = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=60, unique=True)


@given(NAMES)
def test_every_object_is_in_one_split(objects):
    """No object in two splits, none in none; from four objects on every split has some."""
    splits = split_objects(objects)
    assert sorted(chain.from_iterable(splits.values())) == sorted(objects)
    if len(objects) >= 4:
        assert all(splits[name] for name in ("test", "validation", "train"))


@given(NAMES, st.randoms())
def test_order_does_not_matter(objects, shuffler):
    """The assignment is by the ids alone."""
    turned = objects.copy()
    shuffler.shuffle(turned)
    assert split_objects(turned) == split_objects(objects)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_few_objects_are_all_test(count):
    """Fewer than four objects are not divided."""
    objects = [f"o{k}" for k in range(count)]
    splits = split_objects(objects)
    assert sorted(splits["test"]) == objects
    assert splits["train"] == splits["validation"] == []


@pytest.mark.parametrize(("count", "sizes"), [(4, (2, 1, 1)), (8, (4, 2, 2)), (17, (6, 3, 8)), (100, (25, 15, 60))])
def test_shares(count, sizes):
    """A quarter is test and 15 % validation, rounded up; a small library tests six objects, or half of its own."""
    splits = split_objects([f"o{k}" for k in range(count)])
    assert (len(splits["test"]), len(splits["validation"]), len(splits["train"])) == sizes


# By coreutils: for k in 0 … 7, printf object-$k | sha256sum, sorted.
PINNED = [f"object-{k}" for k in (3, 6, 2, 0, 5, 7, 1, 4)]


def test_assignment_is_pinned():
    """A published split must not change by accident: these come from the SHA-256 of the names."""
    splits = split_objects([f"object-{k}" for k in range(8)])
    assert splits == {
        "test": PINNED[:4],
        "validation": PINNED[4:6],
        "train": PINNED[6:],
    }


@pytest.mark.parametrize("name", ["natural", "foam"])
def test_images_of_one_object_stay_together(name):
    """Ten patches of a photograph and eight cuts of a foam are never in two splits."""
    library = load_library(name)
    seen = {
        split: {library.object_id(k) for k in split_items(library, split)} for split in ("test", "validation", "train")
    }
    assert not seen["test"] & seen["validation"]
    assert not seen["test"] & seen["train"]
    assert not seen["validation"] & seen["train"]
    assert sum(len(split_items(library, split)) for split in seen) == len(library)


@pytest.mark.parametrize("name", ["natural", "foam", "shapes"])
def test_asking_for_more_keeps_the_first(name):
    """Three items are the first three of ten, and of all."""
    library = load_library(name)
    every = split_items(library, "validation")
    for count in (0, 1, 3, 10, 30):
        assert split_items(library, "validation", count) == every[:count]
    assert len(set(every)) == len(every)


def test_one_item_of_each_object_before_a_second():
    """The first six test items of the photographs are of six photographs, the seventh starts again."""
    library = load_library("natural")
    objects = [library.object_id(k) for k in split_items(library, "test", 12)]
    assert len(set(objects[:6])) == 6
    assert objects[6:] == objects[:6]
