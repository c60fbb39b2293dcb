"""Records: one JSON file per cell, the only thing a leaderboard is computed from.

A record carries its own checksum, so that a torn or edited file is noticed when it is read. JSON has no NaN and no
infinity: nan is written as null, ±inf as "inf" and "-inf".
"""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

from ..errors import StoreError

SCHEMA = 1
STATUSES = ("ok", "timeout", "oom", "crash", "error", "invalid")
# What the record of a cell must have; a tuning record, which has "chosen", is another matter.
REQUIRED = (
    "benchmark",
    "split",
    "method",
    "measured",
    "unverified",
    "isolation",
    "protocol",
    "data",
    "cases",
    "info",
    "timings",
    "flags",
    "diagnosis",
    "message",
)
SCORES = ("mse", "psnr", "ssim", "rmse", "mae", "nrmse", "residual", "noise_ratio", "held_out", "affine_psnr")

Record = dict[str, Any]


def dump(record: Record) -> str:
    """The record as text with its checksum; equal records give equal text."""
    body = _plain({key: value for key, value in record.items() if key != "checksum"})
    body["checksum"] = _checksum(body)
    return json.dumps(body, sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def parse(text: str, where: Path) -> Record:
    """Read a record back, or raise StoreError saying what is wrong with it and what to do."""
    mend = "delete it and run again"
    try:
        body = json.loads(
            text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant, parse_float=_finite_float
        )
    except (ValueError, RecursionError) as error:
        raise StoreError(f"record {where}: not whole JSON ({error}); {mend}") from error
    if not isinstance(body, dict) or not isinstance(body.get("schema"), int):
        raise StoreError(f"record {where}: not a TomoBench record; {mend}")
    if body["schema"] > SCHEMA:
        raise StoreError(
            f"record {where}: written by a newer TomoBench (schema {body['schema']}, this one reads {SCHEMA}); "
            "update TomoBench, or use another --out"
        )
    if body.get("checksum") != _checksum({key: value for key, value in body.items() if key != "checksum"}):
        raise StoreError(f"record {where}: its checksum does not fit its content; {mend}")
    if body.get("status") not in STATUSES:
        raise StoreError(f"record {where}: unknown status {body.get('status')!r}; {mend}")
    missing = [key for key in REQUIRED if "chosen" not in body and key not in body]
    if missing:
        raise StoreError(f"record {where}: has no {missing[0]!r}; {mend}")
    return body


def key_of(head: Record) -> str:
    """The hash of what identifies a record; another value anywhere in ``head``, another key."""
    return hashlib.sha256(json.dumps(_plain(head), sort_keys=True).encode()).hexdigest()[:16]


def number(value: Any) -> float:
    """A stored score as a float: null is nan, "inf" is infinite."""
    return math.nan if value is None else float(value)


def _plain(value: Any) -> Any:
    """The value in JSON's types; NumPy scalars and arrays included."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("inf" if value > 0 else "-inf")
    return value


def _checksum(body: Record) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, allow_nan=False).encode()).hexdigest()


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key occurs twice")
    return result


def _finite_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not a finite number")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
