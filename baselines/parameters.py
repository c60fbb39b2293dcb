"""Checks of the parameters that shipped methods take, so that a wrong one is one clear line."""

from __future__ import annotations

from typing import Any

from ..errors import UsageError

# One declared budget for every method: parameter sets it may try on the validation split.
TUNING_BUDGET = 8


def whole(method: str, name: str, value: Any, least: int = 1) -> int:
    """A whole number of at least ``least``, or UsageError."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UsageError(f"{method}: {name}: expected a whole number of at least {least}, found {value!r}")
    return value


def positive(method: str, name: str, value: Any) -> float:
    """A number above zero, or UsageError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise UsageError(f"{method}: {name}: expected a number above zero, found {value!r}")
    return float(value)
