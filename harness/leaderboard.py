"""The leaderboard: a pure function of the records.

Rows of one table share a benchmark, a split, a score protocol and the data's digest; rows that differ in any of these
are never ranked together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import plain
from ..metrics.protocol import HIGHER_IS_BETTER
from ..metrics.statistics import interval, object_means, ranks
from .records import Record, number
from .store import Store

SHOWN = ("mse", "psnr", "ssim", "residual", "noise_ratio", "held_out")


@dataclass(frozen=True)
class Row:
    """One method on one split of one benchmark.

    ``scores`` maps a score to its mean over objects, ``intervals`` to the 95 % interval of that mean (nan where one
    object, or none, was scored). ``rank`` is None for a method without scores. ``gap`` is how much
    of the ranking score the method loses from ``test`` to its worst out-of-distribution split (positive is a loss
    whichever way the score runs); it stands on the ``test`` row alone.
    """

    benchmark: str
    split: str
    method: str
    status: str
    message: str
    rank: int | None
    images: int
    objects: int
    scores: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    gap: float
    worst: str
    seconds_per_image: float
    peak_memory: float
    parameters: dict[str, Any]
    tuned_on: str
    learned_parameters: int
    training_data: str
    isolation: str
    protocol: str
    data: str
    rank_by: str
    measured: bool
    unverified: bool
    remarks: tuple[str, ...] = field(default_factory=tuple)


def leaderboard(results: Path | str) -> list[Row]:
    """Every row of a results folder, benchmarks in order of name, ``test`` first, best method first.

    Raises StoreError where the folder holds no results or a damaged record.
    """
    return rows(Store(Path(results)).records())


def rows(records: Iterable[Record]) -> list[Row]:
    """The rows of some records; the same records in any order give the same rows."""
    tables: dict[tuple[str, str, str, str], list[Record]] = defaultdict(list)
    for record in records:
        key = (record["benchmark"], record["split"], record["protocol"]["id"], record["data"]["truth"])
        tables[key].append(record)
    built: list[Row] = []
    for key in sorted(tables, key=lambda key: (key[0], key[2], key[1] != "test", *key[1:])):
        built += _table(sorted(tables[key], key=lambda record: record["method"]["name"]))
    return _with_gaps(built)


def _table(records: list[Record]) -> list[Row]:
    """The rows of one table, ranked."""
    scored = [record for record in records if record["status"] == "ok"]
    rank_by = records[0]["protocol"]["rank_by"]
    better_high = HIGHER_IS_BETTER[rank_by]
    placed: dict[str, int] = {}
    if scored:
        objects = scored[0]["cases"]["object"]
        placed = ranks({_name(record): _scores(record, rank_by) for record in scored}, objects, better_high)
    built = [_row(record, placed.get(_name(record))) for record in records]
    sign = -1 if better_high else 1

    def order(row: Row) -> tuple[Any, ...]:
        value = sign * row.scores.get(rank_by, np.nan)
        return row.rank is None, np.inf if np.isnan(value) else value, row.method

    return sorted(built, key=order)


def _row(record: Record, rank: int | None) -> Row:
    objects = record["cases"]["object"]
    scores, intervals = {}, {}
    if record["status"] == "ok":
        for name in SHOWN:
            values = _scores(record, name)
            scores[name] = float(np.mean(object_means(values, objects)))
            intervals[name] = interval(values, objects)
    method, timings = record["method"], record["timings"]
    remarks = [*record["flags"], record["diagnosis"]]
    if method.get("at_edge"):
        remarks.append("tuned value at the end of its candidates")
    if method["tuned_on"] and not method["tuned_on"].startswith(record["benchmark"]):
        remarks.append(f"tuned on {method['tuned_on']}")
    return Row(
        benchmark=record["benchmark"],
        split=record["split"],
        method=plain(_name(record)),
        status=record["status"],
        message=plain(record["message"]),
        rank=rank,
        images=len(objects),
        objects=len(set(objects)),
        scores=scores,
        intervals=intervals,
        gap=float("nan"),
        worst="",
        seconds_per_image=number(timings["seconds_per_image"]),
        peak_memory=number(timings["peak_memory"]),
        parameters=method["parameters"],
        tuned_on=method["tuned_on"] or "",
        learned_parameters=_whole(record["info"].get("parameters", 0)),
        training_data=plain(record["info"].get("training_data", "")),
        isolation=record["isolation"],
        protocol=record["protocol"]["id"],
        data=record["data"]["truth"],
        rank_by=record["protocol"]["rank_by"],
        measured=record["measured"],
        unverified=record["unverified"],
        remarks=tuple(plain(remark) for remark in remarks if remark),
    )


def _with_gaps(built: list[Row]) -> list[Row]:
    """The rows, each ``test`` row with its fall to the worst out-of-distribution split.

    A split without a score is the worst there can be: it is named, and the gap stays nan.
    """
    worst: dict[tuple[str, str, str], tuple[float, str]] = {}
    for row in built:
        if row.split.startswith("ood:"):
            value = _sign(row) * row.scores[row.rank_by] if row.rank_by in row.scores else -np.inf
            key = row.benchmark, row.method, row.protocol
            worst[key] = min(worst.get(key, (np.inf, "")), (value, row.split))
    result = []
    for row in built:
        value, split = worst.get((row.benchmark, row.method, row.protocol), (np.nan, ""))
        if row.split == "test" and split and row.rank_by in row.scores:
            gap = _sign(row) * row.scores[row.rank_by] - value if np.isfinite(value) else np.nan
            row = replace(row, gap=gap, worst=split)
        result.append(row)
    return result


def _sign(row: Row) -> int:
    return 1 if HIGHER_IS_BETTER[row.rank_by] else -1


def _whole(value: Any) -> int:
    """A count that a record declares, 0 where it is none."""
    return value if type(value) is int and value > 0 else 0


def _name(record: Record) -> str:
    return str(record["method"]["name"])


def _scores(record: Record, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([number(value) for value in record["cases"][name]])
