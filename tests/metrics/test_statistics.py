"""Intervals, tiers and ranks: SciPy's bootstrap, normal theory, and objects as the unit of resampling."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import bootstrap

from tomobench.metrics import interval, ranks, separable
from tomobench.metrics.statistics import object_means


def names(count, prefix="o"):
    """Object ids."""
    return [f"{prefix}{k:03d}" for k in range(count)]


def test_object_means():
    """Each object counts once, whatever its number of images; objects in sorted order."""
    np.testing.assert_allclose(object_means([1.0, 2.0, 3.0, 10.0], ["b", "b", "b", "a"]), [10.0, 2.0])


def test_interval_is_scipys_bootstrap():
    """Another seed and ten times the resamples move the percentile interval by little."""
    values = np.random.default_rng(0).gamma(2.0, size=40)
    low, high = interval(values, names(40))
    direct = bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(99)
    ).confidence_interval
    width = direct.high - direct.low
    assert low == pytest.approx(direct.low, abs=0.06 * width)
    assert high == pytest.approx(direct.high, abs=0.06 * width)


def test_interval_of_many_normals():
    """For 300 normal values the interval is mean ± 1.96·s/√n within a tenth of its half width."""
    values = np.random.default_rng(1).normal(30, 2, size=300)
    low, high = interval(values, names(300))
    half = 1.96 * values.std() / np.sqrt(300)
    assert low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_interval_covers():
    """95 % intervals of 100 samples of 30 hold the true mean about as often as they say (≥ 87 of 100)."""
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(100):
        low, high = interval(rng.normal(5, 1, size=30), names(30))
        hits += low <= 5 <= high
    assert 87 <= hits <= 100


def test_more_images_of_an_object_are_no_more_evidence():
    """Eight copies of every image leave the interval as wide as one does."""
    values = np.random.default_rng(3).normal(size=10)
    once = interval(values, names(10))
    assert interval(np.repeat(values, 8), np.repeat(names(10), 8).tolist()) == pytest.approx(once, abs=1e-12)


def test_interval_does_not_depend_on_order_or_call():
    """The same scores give the same interval, shuffled or asked again."""
    values = np.random.default_rng(4).normal(size=12)
    order = np.random.default_rng(5).permutation(12)
    ids = np.array(names(12))
    first = interval(values, ids.tolist())
    assert interval(values, ids.tolist()) == first
    assert interval(values[order], ids[order].tolist()) == first


@pytest.mark.parametrize("values", [[1.0, 2.0], [1.0, np.nan], [1.0, np.inf]])
def test_no_interval(values):
    """One object has no spread, and nan or infinite scores have no mean to resample."""
    objects = ["a", "a"] if np.isfinite(values).all() else ["a", "b"]
    assert np.isnan(interval(values, objects)).all()


def test_interval_of_equal_values_is_a_point():
    """Objects that all score alike give a point, without SciPy's warning."""
    assert interval([2.5] * 6, names(6)) == (2.5, 2.5)


def test_separable_is_paired():
    """A steady gain of 0.1 dB is separable beneath a spread of 5 dB between objects, and the same both ways round."""
    base = np.random.default_rng(6).normal(30, 5, size=10)
    better = base + 0.1 + np.random.default_rng(7).normal(0, 0.02, size=10)
    assert separable(better, base, names(10))
    assert separable(base, better, names(10))
    assert not separable(base + np.random.default_rng(8).normal(0, 1, size=10), base, names(10))


@pytest.mark.parametrize(("objects", "expected"), [(2, False), (5, False), (6, True)])
def test_few_objects_separate_nothing(objects, expected):
    """Below six objects even a certain difference is no evidence (2 · 2⁻ⁿ > 5 %), however many images."""
    ids = np.repeat(names(objects), 4).tolist()
    worse = np.random.default_rng(9).normal(size=len(ids))
    assert separable(worse + 10, worse, ids) is expected


def test_ranks_share_a_tier():
    """Two alike methods tie at 1, the separably worse third is 3; lower is better turns the order round."""
    rng = np.random.default_rng(10)
    base = rng.normal(30, 2, size=20)
    scores = {
        "a": base + rng.normal(0, 0.1, 20),
        "b": base + rng.normal(0, 0.1, 20),
        "c": base - 3 + rng.normal(0, 0.1, 20),
    }
    assert ranks(scores, names(20), True) == {"a": 1, "b": 1, "c": 3}
    assert ranks(scores, names(20), False) == {"a": 2, "b": 2, "c": 1}


def test_ranks_are_deterministic_and_free_of_order():
    """The order in which methods are listed changes no rank."""
    rng = np.random.default_rng(11)
    scores = {name: rng.normal(k / 3, 1, size=12) for k, name in enumerate("abcde")}
    turned = dict(reversed(scores.items()))
    assert ranks(scores, names(12), True) == ranks(turned, names(12), True) == ranks(scores, names(12), True)


def test_ranks_count_objects_not_images():
    """A method that wins on one object of many images and loses on twenty others is not the better one."""
    ids = ["many"] * 100 + names(20)
    first = np.r_[np.ones(100), -np.ones(20)]
    assert ranks({"first": first, "second": np.zeros(120)}, ids, True) == {"first": 2, "second": 1}
