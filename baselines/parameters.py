"""Checks of the parameters that shipped methods take, so that a wrong one is one clear line."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from ..errors import UsageError

# One declared budget for every method: parameter sets it may try on the validation split.
TUNING_BUDGET = 8


def whole(method: str, name: str, value: Any, least: int = 1) -> int:
    """A whole number of at least ``least``, or UsageError."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise UsageError(f"{method}: {name}: expected a whole number of at least {least}, found {value!r}")
    return int(value)


def positive(method: str, name: str, value: Any, most: float = sys.float_info.max) -> float:
    """A finite number above zero and up to ``most``, or UsageError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
        bound = f" and up to {most:g}" if most < sys.float_info.max else ""
        raise UsageError(f"{method}: {name}: expected a number above zero{bound}, found {value!r}")
    return float(value)
