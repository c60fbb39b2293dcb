"""``tb.evaluate``: score a method in this process, for a notebook or a debugger. No isolation, no record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..baselines.catalogue import find_method, load_object
from ..baselines.protocol import Adapter, as_adapter, candidates_of
from ..benchmarks.benchmark import Benchmark, load_benchmark
from ..benchmarks.prepare import Prepared, prepare
from ..errors import PredictionError, UsageError
from .answers import check_answer
from .records import SCORES
from .scoring import Scores, score
from .tuning import mean_psnr


@dataclass(frozen=True)
class Evaluation:
    """What came of it.

    Attributes
    ----------
    scores : one row per image, indexed by case id: ``object`` and every score.
    mean : the mean of each score over the objects, as on the leaderboard.
    parameters : what the method ran with.
    diagnosis, flags : the scale diagnosis and what else is remarkable.
    """

    benchmark: str
    split: str
    method: str
    scores: pd.DataFrame
    mean: pd.Series[float]
    parameters: dict[str, Any]
    diagnosis: str
    flags: tuple[str, ...]


def evaluate(
    method: str | Adapter | Callable[..., Any],
    benchmark: str,
    split: str = "test",
    *,
    parameters: dict[str, Any] | None = None,
) -> Evaluation:
    """Score a method on one split of a benchmark.

    Parameters
    ----------
    method : a method spec as on the command line, an adapter, an adapter class, or a plain function of the inputs.
    benchmark, split : what it is asked.
    parameters : for a shipped method or a class; None tunes its candidates on validation data as a run does.

    Raises UnknownName, DataError, and PredictionError for an answer that cannot be scored.
    """
    home = load_benchmark(benchmark)
    home.split(split)

    found = find_method(method) if isinstance(method, str) else None
    fixed = found.parameters if found else {}
    made_of = load_object(found) if found else method

    def build(chosen: dict[str, Any]) -> Adapter:
        return as_adapter(made_of, {**chosen, **fixed})

    if parameters is None:
        candidates = () if fixed else candidates_of(made_of)
        parameters = _tune(build, candidates, home.tuning) if candidates else {}
    adapter = build(parameters)
    result = _score(adapter, prepare(home, split), home)
    frame = pd.DataFrame(result.cases).set_index("id")
    return Evaluation(
        benchmark=home.id,
        split=split,
        method=str(getattr(adapter, "name", type(adapter).__name__)),
        scores=frame,
        mean=frame.groupby("object")[list(SCORES)].mean().mean(),
        parameters={**parameters, **fixed},
        diagnosis=result.diagnosis,
        flags=tuple(result.flags),
    )


def score_predictions(
    predictions: NDArray[Any] | list[NDArray[Any]], benchmark: str, split: str = "test"
) -> tuple[Scores, Prepared]:
    """Score ready-made answers: (n, rows, columns), or a list of such, one for each geometry of the benchmark.

    Raises PredictionError where shapes, types or values do not fit.
    """
    home = load_benchmark(benchmark)
    prepared = prepare(home, split)
    given = list(predictions) if isinstance(predictions, list) else [predictions]
    shapes = [inputs.answer_shape for inputs in prepared.inputs(2**31)]
    if len(given) != len(shapes):
        expected = ", ".join(map(str, shapes))
        raise PredictionError(f"predictions: expected {len(shapes)} arrays ({expected}), found {len(given)}")
    checked = [check_answer(array, shape) for array, shape in zip(given, shapes, strict=True)]
    return score(prepared, lambda number: checked[number], home.protocol), prepared


def _tune(build: Callable[[dict[str, Any]], Adapter], candidates: Any, home: Benchmark) -> dict[str, Any]:
    """The candidate with the best mean PSNR on validation data, as the runner chooses."""
    prepared = prepare(home, "validation")
    values = [mean_psnr(_score(build(dict(choice)), prepared, home)) for choice in candidates]
    if max(values) == -np.inf:
        raise UsageError("tuning: no candidate gave a score")
    return dict(candidates[int(np.argmax(values))])


def _score(adapter: Adapter, prepared: Prepared, home: Benchmark) -> Scores:
    answers = [check_answer(adapter.predict(inputs), inputs.answer_shape) for inputs in prepared.inputs(2**31)]
    return score(prepared, lambda number: answers[number], home.protocol)
