"""Suites: named lists of benchmarks."""

from __future__ import annotations

from ..errors import UnknownName
from .benchmark import FAMILIES, SYNTHETIC

SUITES: dict[str, tuple[str, ...]] = {
    # Offline and quick: one family a library, and the measured reactors where their 0.9 MB file is at hand.
    "quick": ("sparse-view/shapes-64", "limited-angle/foam-64", "low-dose/grains-64", "sparse-view/reactors"),
    "classic": (
        *(f"{family}/{library}-64" for family in FAMILIES for library in SYNTHETIC),
        "reconstruction/shapes-legacy-64",
        "sparse-view/reactors",
        "limited-angle/reactors",
        "sparse-view/tooth-148",
    ),
    "full": (
        *(f"{family}/{library}-{size}" for family in FAMILIES for library in SYNTHETIC for size in (64, 128)),
        "reconstruction/shapes-legacy-64",
        "sparse-view/reactors",
        "limited-angle/reactors",
        "sparse-view/tooth-296",
        "limited-angle/tooth-296",
        "sparse-view/div2k-64",
        "sparse-view/lodopab-128",
    ),
}


def load_suite(name: str) -> tuple[str, ...]:
    """Names of the benchmarks of a suite; raises UnknownName."""
    if name not in SUITES:
        raise UnknownName("suite", name, SUITES)
    return SUITES[name]
