"""Intervals and tiers: a paired bootstrap over objects, never over the images of one object.

Efron & Tibshirani, An Introduction to the Bootstrap (1993), percentile intervals, by SciPy's ``bootstrap``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import bootstrap

from .arrays import Float64

CONFIDENCE = 0.95
RESAMPLES = 2_000
SEED = 20210421
# With fewer objects than this no resampling can tell two methods apart at the 5 % level: all n differences having
# one sign is an event of probability 2 · 2⁻ⁿ.
SMALLEST_SAMPLE = 6


def object_means(values: ArrayLike, objects: Sequence[str]) -> Float64:
    """(objects,) the mean of each object's images, objects in sorted order."""
    array, names = np.asarray(values, dtype=np.float64), np.asarray(objects)
    return np.array([array[names == name].mean() for name in sorted(set(objects))])


def interval(values: ArrayLike, objects: Sequence[str]) -> tuple[float, float]:
    """95 % percentile bootstrap interval of the mean over objects; (nan, nan) for one object or non-finite values."""
    means = object_means(values, objects)
    if len(means) < 2 or not np.isfinite(means).all():
        return float("nan"), float("nan")
    if np.ptp(means) == 0:
        return float(means[0]), float(means[0])
    result = bootstrap(
        (means,),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    return float(result.low), float(result.high)


def separable(first: ArrayLike, second: ArrayLike, objects: Sequence[str]) -> bool:
    """Whether two methods' paired scores differ: the interval of their mean difference leaves out zero."""
    if len(set(objects)) < SMALLEST_SAMPLE:
        return False
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        return _mean_differs(one, other)
    difference = one - other
    low, high = interval(difference, objects)
    return low > 0 or high < 0


def _mean_differs(first: Float64, second: Float64) -> bool:
    """For scores that are not all finite, which have no interval: whether the means differ, nan being a value."""
    means = float(np.mean(first)), float(np.mean(second))
    return means[0] != means[1] and not all(np.isnan(means))


def ranks(scores: Mapping[str, ArrayLike], objects: Sequence[str], higher_is_better: bool) -> dict[str, int]:
    """Rank per method: one more than the number of methods that are separably better; equal ranks are a tier.

    ``scores`` holds one value per image for each method, the same images in the same order for all.
    """
    sign = 1 if higher_is_better else -1
    arrays = {name: sign * np.asarray(values, dtype=np.float64) for name, values in scores.items()}
    means = {name: float(np.mean(object_means(values, objects))) for name, values in arrays.items()}
    result = {}
    for name, mine in arrays.items():
        better = 0
        for other, theirs in arrays.items():
            if other != name and _mean_above(means[other], means[name]) and separable(theirs, mine, objects):
                better += 1
        result[name] = 1 + better
    return result


def _mean_above(theirs: float, mine: float) -> bool:
    """Whether one mean is above another; a nan is below everything."""
    return theirs > mine or (np.isnan(mine) and not np.isnan(theirs))
