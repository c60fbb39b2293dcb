"""Tuning: every method chooses among its candidates on validation data, with one declared budget for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..baselines.catalogue import Method
from ..baselines.parameters import TUNING_BUDGET
from ..benchmarks.benchmark import Benchmark
from .job import Outcome, Task, check_outcome, run_job
from .records import SCHEMA, Record, key_of
from .scoring import Scores, score
from .session import Session


@dataclass(frozen=True)
class Tuned:
    """The parameters a method runs with, and where they come from; ``failed`` is how the attempt ended if it did."""

    parameters: dict[str, Any] = field(default_factory=dict)
    tuned_on: str | None = None
    at_edge: bool = False
    failed: Outcome | None = None


class Tuner:
    """Tunes the methods of one run, each once for a benchmark; the choice is kept in the store with every score."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._described: dict[str, tuple[Sequence[dict[str, Any]], Outcome | None]] = {}

    def tune(self, benchmark: Benchmark, method: Method) -> Tuned:
        """The candidate with the best mean PSNR on the validation split of the benchmark's tuning home."""
        candidates, failed = self._candidates(method)
        if failed is not None or not candidates:
            return Tuned(failed=failed)
        home, session = benchmark.tuning, self.session
        prepared = session.prepare(home, "validation")
        head: Record = {
            "schema": SCHEMA,
            "benchmark": home.id,
            "method": {"name": method.name, "identity": method.identity},
            "protocol": home.protocol.id,
            "data": prepared.inputs_digest,
            "budget": TUNING_BUDGET,
            "candidates": list(candidates),
        }
        head["key"] = key_of(head)
        path = session.store.tuning_path(home.id, method.name)
        with session.once("tuning", home.id, method.name):
            record = session.kept(path, head["key"])
            limits = session.limits.to_json()
            if record is not None and {"timeout", "oom"} & set(record["statuses"]) and record["limits"] != limits:
                record = None  # more time or memory may let another candidate win
            if record is None:
                scores, outcomes = self._try_all(home, method, candidates)
                if max(scores) == -np.inf:
                    return Tuned(failed=outcomes[0])
                record = {
                    **head,
                    "status": "ok",
                    "statuses": [outcome.status for outcome in outcomes],
                    "psnr": scores,
                    "chosen": dict(candidates[int(np.argmax(scores))]),
                    "limits": limits,
                }
                session.store.save(path, record)
        ends = (candidates[0], candidates[-1])
        return Tuned(record["chosen"], f"{home.id} validation", at_edge=record["chosen"] in map(dict, ends))

    def _try_all(
        self, home: Benchmark, method: Method, candidates: Sequence[dict[str, Any]]
    ) -> tuple[list[float], list[Outcome]]:
        """Each candidate's mean PSNR (−inf where it gave no answer) and how it ended."""
        prepared = self.session.prepare(home, "validation")
        scores: list[float] = []
        outcomes: list[Outcome] = []

        def finished(index: int, outcome: Outcome) -> None:
            outcomes.append(check_outcome(outcome))
            value = -np.inf
            if outcomes[-1].status == "ok":
                value = mean_psnr(score(prepared, outcome.answer, home.protocol))
            scores.append(value)

        tasks = [Task(prepared, dict(candidate)) for candidate in candidates]
        run_job(method, tasks, self.session.limits, finished, self.session.stop)
        return scores, outcomes

    def _candidates(self, method: Method) -> tuple[Sequence[dict[str, Any]], Outcome | None]:
        """The parameter sets to try; an outside method is asked for its own in a worker, once a run."""
        if method.kind == "shipped":
            return method.candidates, None
        with self.session.once("describe", method.name):
            if method.name not in self._described:
                ended: list[Outcome] = []
                limits, stop = self.session.limits, self.session.stop
                run_job(method, [Task(None, {})], limits, lambda _, outcome: ended.append(outcome), stop)
                self._described[method.name] = _declared(ended[0])
                failed = self._described[method.name][1]
                if failed is not None:
                    self.session.progress.note(f"{method.name}: {failed.message}")
        return self._described[method.name]


def mean_psnr(scores: Scores) -> float:
    """What tuning maximises; −inf where it cannot be said."""
    value = float(np.mean(scores.cases["psnr"]))
    return -np.inf if np.isnan(value) else value


def _declared(outcome: Outcome) -> tuple[Sequence[dict[str, Any]], Outcome | None]:
    """What an outside method declared, or the outcome that its cells get."""
    if outcome.status != "ok":
        return (), outcome
    candidates = outcome.report.get("candidates")
    if not isinstance(candidates, list) or not all(isinstance(choice, dict) for choice in candidates):
        message = "candidates: expected a list of keyword dictionaries; mend the method's declaration"
    elif len(candidates) > TUNING_BUDGET:
        message = f"declares {len(candidates)} candidates; the budget for every method is {TUNING_BUDGET}: drop some"
    else:
        return candidates, None
    return (), Outcome("invalid", message, {}, "", outcome.folder, ())
