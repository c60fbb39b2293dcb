"""Benchmark ids and suites: what is listed can be loaded, and what cannot be asked is refused with a way out."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tomobench.benchmarks import SUITES, list_benchmarks, load_benchmark, load_suite
from tomobench.benchmarks.benchmark import DEFAULT_SIZE, SIZES, SYNTHETIC
from tomobench.datasets import load_library
from tomobench.datasets.library import ImageLibrary
from tomobench.errors import UnknownName, UsageError


def test_every_listed_benchmark_parses_back():
    """Every id gives a benchmark of that id; its name without the version the same one."""
    listed = list_benchmarks()
    assert len(set(listed)) == len(listed) > 20
    for identifier in listed:
        benchmark = load_benchmark(identifier)
        assert benchmark.id == identifier
        assert load_benchmark(benchmark.name) == benchmark
        assert benchmark.measured is not isinstance(load_library(benchmark.library), ImageLibrary)
        assert benchmark.protocol.rank_by == ("held_out" if benchmark.measured else "psnr")


def test_default_size_may_be_left_out():
    """``sparse-view/shapes`` is ``sparse-view/shapes-64@1``."""
    assert load_benchmark("sparse-view/shapes").id == "sparse-view/shapes-64@1"
    assert DEFAULT_SIZE == 64


@pytest.mark.parametrize("size", [SIZES[0], 37, 200, SIZES[-1]])
def test_any_size_in_bounds(size):
    """The size is part of the id."""
    assert load_benchmark(f"low-dose/foam-{size}").id == f"low-dose/foam-{size}@1"


@pytest.mark.parametrize(
    ("identifier", "error", "words"),
    [
        ("sparse-view/shapes-64@2", UsageError, "computes version 1; install the release that had @2"),
        ("sparse-view/shapes-64@0", UsageError, "computes version 1"),
        ("sparse-view/shapes-15", UsageError, "expected a size from 16 to 1024, found 15"),
        ("sparse-view/shapes-1025", UsageError, "expected a size from 16 to 1024, found 1025"),
        ("sparse-vew/shapes-64", UnknownName, "did you mean sparse-view/shapes-64"),
        ("sparse-view/shaeps-64", UnknownName, "did you mean sparse-view/shapes-64"),
        ("limited-angle/graines", UnknownName, "did you mean limited-angle/grains-64"),
        ("low-dose/reactors", UsageError, "use sparse-view, limited-angle"),
        ("reconstruction/tooth", UsageError, "is measured"),
        ("sparse-view/shapes-legacy", UsageError, "use reconstruction/shapes-legacy"),
        ("sparse-view", UnknownName, "unknown benchmark 'sparse-view'"),
        ("", UnknownName, "unknown benchmark"),
        ("sparse-view/shapes-64@", UnknownName, "did you mean"),
        ("sparse-view/../shapes", UnknownName, "unknown benchmark"),
        ("SPARSE-VIEW/SHAPES", UnknownName, "unknown benchmark"),
    ],
)
def test_wrong_ids(identifier, error, words):
    """Wrong versions and sizes say the bounds, unknown names the nearest ones; one line each."""
    with pytest.raises(error, match=re.escape(words)) as caught:
        load_benchmark(identifier)
    assert "\n" not in str(caught.value)


def test_unknown_split():
    """The nearest split is offered."""
    with pytest.raises(UnknownName, match="did you mean ood:fewer-angles"):
        load_benchmark("sparse-view/shapes").split("ood:few-angles")


@pytest.mark.parametrize("library", SYNTHETIC)
def test_splits_of_a_synthetic_library(library):
    """``test`` first, then out-of-distribution: the other three libraries, and four faults of a scan."""
    benchmark = load_benchmark(f"sparse-view/{library}")
    others = [f"ood:{name}" for name in SYNTHETIC if name != library]
    faults = ["ood:fewer-angles", "ood:lower-dose", "ood:centre-offset", "ood:rings"]
    assert benchmark.scored_splits == ["test", *others, *faults]
    assert set(benchmark.splits) == {*benchmark.scored_splits, "train", "validation"}
    test = benchmark.split("test").measurement
    assert benchmark.split("ood:fewer-angles").measurement.angles == test.angles // 2
    assert benchmark.split("ood:lower-dose").measurement.photons == test.photons / 10
    assert benchmark.split("ood:centre-offset").measurement.centre_offset == 1
    assert benchmark.split("ood:rings").measurement.ring_gain == 0.02
    assert benchmark.tuning == benchmark


@pytest.mark.parametrize("size", [16, 64, 200])
def test_families_scan_as_they_say(size):
    """Angles, arc and photons per family follow the image size as the summaries state."""
    scans = {
        family: load_benchmark(f"{family}/shapes-{size}").split("test").measurement
        for family in ("reconstruction", "sparse-view", "limited-angle", "low-dose")
    }
    assert [scan.angles for scan in scans.values()] == [
        round(size * np.pi / 2),
        round(size * 3 / 8),
        round(size * 2 / 3),
        size,
    ]
    assert [scan.photons for scan in scans.values()] == [1e5, 1e5, 1e5, 1e3]
    assert scans["limited-angle"].arc == pytest.approx(np.deg2rad(120))
    assert scans["low-dose"].arc == np.pi


def test_legacy_shapes_are_scanned_as_published():
    """As many angles as pixels, 0 and π both, no noise on the scan."""
    scan = load_benchmark("reconstruction/shapes-legacy").split("test").measurement
    assert (scan.angles, scan.both_ends, scan.photons) == (64, True, None)


def test_measured_benchmarks_borrow_their_tuning():
    """A library that is all test is tuned on the family's default one."""
    assert load_benchmark("sparse-view/reactors").tuning.id == "sparse-view/shapes-64@1"
    assert load_benchmark("limited-angle/tooth").tuning.id == "limited-angle/shapes-64@1"


def test_broken_library_of_the_users_does_not_hide_the_others(cache):
    """A damaged entry among the user's libraries leaves every shipped benchmark usable."""
    folder = cache / "libraries" / "broken"
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text("{")
    assert load_benchmark("sparse-view/shapes").id == "sparse-view/shapes-64@1"


@pytest.mark.parametrize("name", SUITES)
def test_suites_name_benchmarks(name):
    """Every member of a suite parses, and none is there twice."""
    members = load_suite(name)
    assert len({load_benchmark(member).id for member in members}) == len(members)


def test_unknown_suite():
    """The nearest suite is offered."""
    with pytest.raises(UnknownName, match="did you mean quick"):
        load_suite("quik")
