"""Splits by object: which items of a library are train, validation and test, without ever dividing an object."""

from __future__ import annotations

import hashlib
import math

from ..datasets.library import Library

TEST_SHARE = 0.25
VALIDATION_SHARE = 0.15
WANTED_TESTS = 6  # objects, the fewest that can separate two methods; a small library gives up to half of its own
SMALLEST_DIVIDED = 4  # a library of fewer objects is all test


def split_objects(objects: list[str]) -> dict[str, list[str]]:
    """Assign every object id to ``train``, ``validation`` or ``test`` by the rank of its hash.

    The assignment depends on the ids alone, not on their order. Fewer than four objects are all ``test``.
    """
    ranked = sorted(objects, key=lambda name: hashlib.sha256(name.encode()).digest())
    if len(ranked) < SMALLEST_DIVIDED:
        return {"test": ranked, "validation": [], "train": []}
    tests = max(math.ceil(TEST_SHARE * len(ranked)), min(WANTED_TESTS, len(ranked) // 2))
    validations = math.ceil(VALIDATION_SHARE * len(ranked))
    return {
        "test": ranked[:tests],
        "validation": ranked[tests : tests + validations],
        "train": ranked[tests + validations :],
    }


def split_items(library: Library, split: str, count: int | None = None) -> list[int]:
    """Up to ``count`` item indices of a split, one of each object before a second of any; all of them for None.

    Asking for more never changes which items came first.
    """
    by_object = library.indices_by_object()
    members = [by_object[name] for name in split_objects(list(by_object))[split]]
    deepest = max((len(items) for items in members), default=0)
    rounds = (items[turn] for turn in range(deepest) for items in members if turn < len(items))
    chosen: list[int] = []
    for index in rounds:
        if count is not None and len(chosen) == count:
            break
        chosen.append(index)
    return chosen
