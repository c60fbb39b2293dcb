"""``tomobench score``: ready-made predictions from a file, matched by case, checked before anything is read."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from ..benchmarks.benchmark import load_benchmark
from ..benchmarks.prepare import Prepared, prepare
from ..datasets.hdf5 import find_dataset, list_keys, open_hdf5, read_dataset
from ..errors import PredictionError
from ..metrics import interval
from .answers import check_answer
from .records import SCORES
from .scoring import score


def score_file(path: Path, benchmark: str, split: str) -> str:
    """Score a predictions file and return the table of means as text.

    ``.npy``: (N, rows, columns) float32 in case order, for benchmarks of one geometry. ``.h5``: one (rows, columns)
    dataset for each case id. Raises PredictionError for a file that does not fit the benchmark.
    """
    home = load_benchmark(benchmark)
    home.split(split)
    _require_plain_file(path)
    prepared = prepare(home, split)
    answers = _read_npy(path, prepared) if path.suffix == ".npy" else _read_hdf5(path, prepared)
    result = score(prepared, lambda number: answers[number], home.protocol)
    rows = []
    for name in SCORES:
        values = np.asarray(result.cases[name], dtype=np.float64)
        if np.isnan(values).all():
            continue
        low, high = interval(values, result.cases["object"])
        rows.append((name, f"{values.mean():.6g}", "–" if np.isnan(low) else f"[{low:.6g}, {high:.6g}]"))
    title = f"{home.id} · {split} · {len(result.cases['id'])} images · {home.protocol.id}"
    remarks = [*result.flags, result.diagnosis]
    notes = "".join(f"{remark}\n" for remark in filter(None, remarks))
    return f"{title}\n{tabulate(rows, headers=('score', 'mean', '95 % interval'), disable_numparse=True)}\n{notes}"


def _require_plain_file(path: Path) -> None:
    try:
        facts = os.lstat(path)
    except OSError as error:
        raise PredictionError(f"predictions {path}: {error.strerror}; give a .npy or .h5 file") from error
    if not stat.S_ISREG(facts.st_mode):
        raise PredictionError(f"predictions {path}: expected a plain file, found a link, folder or pipe; give the file")
    if path.suffix not in (".npy", ".h5", ".hdf5"):
        raise PredictionError(
            f"predictions {path}: expected .npy or .h5, found {path.suffix or 'no suffix'!r}; convert it"
        )
    if facts.st_size == 0:
        raise PredictionError(f"predictions {path}: expected predictions, found an empty file; write it again")


def _read_npy(path: Path, prepared: Prepared) -> list[NDArray[np.float32]]:
    if prepared.groups != 1:
        raise PredictionError(
            f"predictions {path}: this benchmark's {prepared.cases} cases differ in size; "
            "give an .h5 with one dataset for each case id"
        )
    shape = next(prepared.inputs(2**31)).answer_shape
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)  # mapped: a header that lies about the size is refused
    except (OSError, ValueError, EOFError) as error:
        raise PredictionError(f"predictions {path}: not a plain .npy file; save a float array with np.save") from error
    return [check_answer(array, shape, f"predictions {path}: holds")]


def _read_hdf5(path: Path, prepared: Prepared) -> list[NDArray[np.float32]]:
    answers = []
    with open_hdf5(path) as file:
        keys = set(list_keys(file, most=None))
        wanted = set(prepared.case_ids)
        if keys != wanted:
            missing, extra = sorted(wanted - keys), sorted(keys - wanted)
            raise PredictionError(
                f"predictions {path}: expected one dataset for each of {len(wanted)} case ids, found "
                f"{len(missing)} missing{_first(missing)} and {len(extra)} unknown{_first(extra)}; "
                "case ids: tomobench show BENCHMARK --save-inputs FILE"
            )
        for truth in prepared.truth():
            shape = truth.images.shape[1:]
            stack: list[Any] = []
            for case in truth.case_ids:
                found = find_dataset(file, case).shape
                if found != shape:
                    raise PredictionError(
                        f"predictions {path}: case {case}: expected {shape}, found {found}; one image a case"
                    )
                stack.append(read_dataset(file, case))
            answers.append(check_answer(np.stack(stack), truth.images.shape, f"predictions {path}: holds"))
    return answers


def _first(names: list[str]) -> str:
    return f" (such as {names[0]})" if names else ""
