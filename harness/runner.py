"""Running a suite: the cells that are not answered yet, tuned, answered in workers, scored, recorded.

A cell is one method on one split of one benchmark. Its record is kept as long as its key stays the same: benchmark and
data, method and parameters, score protocol. Killed and started again, a run goes on where it was.
"""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..baselines.catalogue import Method, find_method, method_info
from ..baselines.parameters import TUNING_BUDGET
from ..baselines.protocol import UNDECLARED
from ..benchmarks.benchmark import Benchmark, load_benchmark
from ..benchmarks.prepare import Prepared, prepare
from ..benchmarks.suites import SUITES
from ..datasets.catalogue import load_library
from ..errors import DataError, StoreError, UnknownName, UsageError
from .environment import environment, worker_threads
from .job import Limits, Outcome, Stopped, Task, check_outcome, run_job
from .records import SCHEMA, Record
from .scoring import score
from .store import Store

DEFAULT_METHODS = ("fbp", "sirt", "tv", "cgls", "zero")  # the slow ones early, so that workers end together
KEPT_BYTES = 2**26  # of a cell's predictions; more are scored and let go


class Progress(Protocol):
    """What a run tells its watcher; every call may come from any thread."""

    def plan(self, cells: int) -> None:
        """So many cells are to be answered."""

    def cell(self, benchmark: str, split: str, method: str, status: str) -> None:
        """A cell has its record."""

    def note(self, text: str) -> None:
        """Something worth one line happened."""


class Silent:
    """A watcher that says nothing."""

    def plan(self, cells: int) -> None:
        """Nothing."""

    def cell(self, benchmark: str, split: str, method: str, status: str) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""


@dataclass
class Summary:
    """What a run did.

    ``new`` counts new records by status, ``kept`` the cells that had theirs already, ``failed`` the asked-for cells
    without a score, new or kept; ``skipped`` maps a benchmark to why it was left out.
    """

    new: dict[str, int] = field(default_factory=dict)
    kept: int = 0
    failed: int = 0
    skipped: dict[str, str] = field(default_factory=dict)


def run(
    what: Sequence[str] = ("quick",),
    methods: Sequence[str] = DEFAULT_METHODS,
    splits: Sequence[str] | None = None,
    out: Path | str = "results",
    *,
    jobs: int = 1,
    timeout: float = 600.0,
    memory: float = 4.0,
    force: bool = False,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
) -> Summary:
    """Answer every cell of the named suites and benchmarks that has no valid record yet.

    Parameters
    ----------
    what : suite names and benchmark ids.
    methods : method specs (see ``baselines.catalogue``).
    splits : split names; by default ``test`` and every ``ood:*``.
    out : the results folder.
    jobs : workers at a time; the machine's cores are shared out between them.
    timeout, memory : seconds and gigabytes (10⁹ bytes) for one cell.
    force : answer again what has a record.

    Raises UnknownName, UsageError, StoreError before anything is computed, and DataError for a benchmark that was named
    itself and has no data; a suite skips such a one and says so.
    """
    plan = _Plan.make(what, methods, splits)
    limits = Limits(timeout, int(memory * 1e9), worker_threads(jobs))
    with Store(Path(out)) as store:
        return _Run(store, limits, force, progress or Silent(), stop or threading.Event()).carry_out(plan, jobs)


@dataclass(frozen=True)
class _Plan:
    """Names resolved before anything is computed."""

    benchmarks: tuple[tuple[Benchmark, bool], ...]  # with whether it may be skipped (it came by a suite)
    methods: tuple[Method, ...]
    splits: tuple[str, ...] | None

    @staticmethod
    def make(what: Sequence[str], methods: Sequence[str], splits: Sequence[str] | None) -> _Plan:
        named: dict[str, tuple[Benchmark, bool]] = {}
        for name in what:
            if name in SUITES:
                for member in SUITES[name]:
                    benchmark = load_benchmark(member)
                    named.setdefault(benchmark.id, (benchmark, True))
            elif "/" in name:
                benchmark = load_benchmark(name)
                named[benchmark.id] = (benchmark, False)
            else:
                raise UnknownName("suite or benchmark", name, SUITES, "(a benchmark reads FAMILY/LIBRARY-SIZE)")
        found = {method.name: method for method in map(find_method, methods)}
        if not found:
            raise UsageError("no method to run: name at least one with -m")
        for benchmark, _ in named.values():
            for split in splits or ():
                if "/" in split or not any(split in other.splits for other, _ in named.values()):
                    benchmark.split(split)  # raises with the nearest names
        return _Plan(tuple(named.values()), tuple(found.values()), tuple(splits) if splits else None)

    def splits_of(self, benchmark: Benchmark) -> list[str]:
        """The splits asked for that this benchmark has."""
        return [s for s in self.splits if s in benchmark.splits] if self.splits else benchmark.scored_splits


class _Run:
    """One run: the store it writes and what all its cells share."""

    def __init__(self, store: Store, limits: Limits, force: bool, progress: Progress, stop: threading.Event) -> None:
        self.store, self.limits, self.force, self.progress, self.stop = store, limits, force, progress, stop
        self.summary = Summary()
        self._lock = threading.Lock()
        self._making: dict[tuple[str, str], threading.Lock] = {}
        self._prepared: dict[tuple[str, str], Prepared] = {}
        self._described: dict[str, dict[str, Any]] = {}

    def carry_out(self, plan: _Plan, jobs: int) -> Summary:
        ready = []
        for benchmark, skippable in plan.benchmarks:
            try:
                self._require_data(benchmark, skippable)
            except DataError as error:
                if not skippable:
                    raise
                self.summary.skipped[benchmark.id] = str(error)
                self.progress.note(f"skipped {benchmark.id}: {error}")
                continue
            ready.append((benchmark, plan.splits_of(benchmark)))
        # Benchmark by benchmark within a method, so that no two workers wait for the same data to be prepared.
        units = [(benchmark, method, splits) for method in plan.methods for benchmark, splits in ready if splits]
        self.progress.plan(sum(len(splits) for _, _, splits in units))
        failure: BaseException | None = None
        with ThreadPoolExecutor(max_workers=jobs) as pool:
            waiting = [pool.submit(self._unit, *unit) for unit in units]
            for future in waiting:
                try:
                    future.result()
                except Stopped:
                    continue
                except BaseException as error:
                    self.stop.set()
                    failure = failure or error
        if failure is not None:
            raise failure
        return self.summary

    def _require_data(self, benchmark: Benchmark, skippable: bool) -> None:
        """Raise DataError, quickly for a skippable one, where a benchmark's file is neither cached nor to be had."""
        load_library(benchmark.library).ensure(quick=skippable)

    def _unit(self, benchmark: Benchmark, method: Method, splits: list[str]) -> None:
        """Every asked-for split of one benchmark with one method."""
        if self.stop.is_set():
            raise Stopped
        tuned = self._tune(benchmark, method)
        todo: list[tuple[str, Prepared, Record]] = []
        for split in splits:
            if self.stop.is_set():
                raise Stopped
            prepared = self._prepare(benchmark, split)
            head = self._head(benchmark, split, method, tuned, prepared)
            record = self._done(benchmark, split, method, head)
            if record is not None:
                with self._lock:
                    self.summary.kept += 1
                    self.summary.failed += record["status"] != "ok"
                self.progress.cell(benchmark.id, split, method.name, "kept")
            else:
                todo.append((split, prepared, head))
        if tuned.get("failed"):
            for split, prepared, head in todo:
                self._record(benchmark, split, method, head, prepared, tuned["failed"])
            return
        batches = [todo] if method.kind == "shipped" else [[item] for item in todo]
        for batch in filter(None, batches):

            def finished(index: int, outcome: Outcome, batch: list[tuple[str, Prepared, Record]] = batch) -> None:
                split, prepared, head = batch[index]
                self._record(benchmark, split, method, head, prepared, outcome)

            tasks = [Task(prepared, tuned["parameters"]) for _, prepared, _ in batch]
            run_job(method, tasks, self.limits, finished, self.stop)

    def _prepare(self, benchmark: Benchmark, split: str) -> Prepared:
        key = benchmark.id, split
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            if key not in self._prepared:
                self._prepared[key] = prepare(benchmark, split)
            return self._prepared[key]

    def _head(
        self, benchmark: Benchmark, split: str, method: Method, tuned: dict[str, Any], prepared: Prepared
    ) -> Record:
        """The part of a record that is known before the method runs; its hash is the cell's key."""
        protocol = benchmark.protocol
        head: Record = {
            "schema": SCHEMA,
            "benchmark": benchmark.id,
            "split": split,
            "task": benchmark.task,
            "measured": benchmark.measured,
            "unverified": load_library(benchmark.library).info.unverified,
            "method": {
                "name": method.name,
                "kind": method.kind,
                "identity": method.identity,
                "parameters": {**tuned["parameters"], **method.parameters},
                "tuned_on": tuned.get("tuned_on"),
            },
            "protocol": {"id": protocol.id, **asdict(protocol)},
            "data": {"inputs": prepared.inputs_digest, "truth": prepared.truth_digest, "notes": list(prepared.notes)},
            "isolation": "none",
        }
        head["key"] = hashlib.sha256(repr(head).encode()).hexdigest()[:16]
        return head

    def _done(self, benchmark: Benchmark, split: str, method: Method, head: Record) -> Record | None:
        """The record that answers a cell already, or None."""
        if self.force:
            return None
        record = self._load(self.store.record_path(benchmark.id, split, method.name))
        if record is None or record.get("key") != head["key"]:
            return None
        # More time or memory may change how these ended.
        limited = record["status"] in ("timeout", "oom")
        return None if limited and record.get("limits") != self._limits() else record

    def _load(self, path: Path) -> Record | None:
        """A record, or None where it is absent or damaged: a damaged one is answered again, and said so."""
        try:
            return self.store.load(path)
        except StoreError as error:
            if "newer TomoBench" in str(error):
                raise
            self.progress.note(f"{error.args[0].partition(';')[0]}; answering that cell again")
            return None

    def _limits(self) -> dict[str, float]:
        return {"seconds": self.limits.seconds, "memory": self.limits.memory}

    def _record(
        self,
        benchmark: Benchmark,
        split: str,
        method: Method,
        head: Record,
        prepared: Prepared,
        outcome: Outcome,
    ) -> None:
        """Score an outcome and write its record."""
        if self.stop.is_set():
            raise Stopped
        outcome = check_outcome(outcome)
        names: dict[str, list[Any]] = {"id": [], "object": []}
        for group in prepared.truth():
            names["id"] += group.case_ids
            names["object"] += group.object_ids
        record: Record = {
            **head,
            "status": outcome.status,
            "message": outcome.message,
            "cases": names,
            "flags": [],
            "diagnosis": "",
            "info": outcome.report.get("info") or asdict(method_info(method.target) or UNDECLARED),
            "limits": self._limits(),
            "environment": environment(self.limits.threads),
            "timings": _timings(outcome, len(names["id"])),
        }
        kept = self.store.predictions_path(benchmark.id, split, method.name)
        shutil.rmtree(kept, ignore_errors=True)
        log = self.store.log_path(benchmark.id, split, method.name)
        log.unlink(missing_ok=True)
        if outcome.status == "ok":
            scores = score(prepared, outcome.answer, benchmark.protocol)
            record |= {"cases": scores.cases, "flags": scores.flags, "diagnosis": scores.diagnosis}
            record["predictions"] = self._keep(kept, outcome)
        elif outcome.output.strip():
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text(outcome.output, encoding="utf-8")
        self.store.save(self.store.record_path(benchmark.id, split, method.name), record)
        with self._lock:
            self.summary.new[outcome.status] = self.summary.new.get(outcome.status, 0) + 1
            self.summary.failed += outcome.status != "ok"
        self.progress.cell(benchmark.id, split, method.name, outcome.status)

    def _keep(self, folder: Path, outcome: Outcome) -> dict[str, Any]:
        """Keep a cell's predictions for the pictures where they are small; their digest is recorded either way."""
        digest, size = hashlib.sha256(), sum(4 * int(np.prod(shape)) for shape in outcome.shapes)
        for index in range(len(outcome.shapes)):
            answer = outcome.answer(index)
            digest.update(answer.tobytes())
            if size <= KEPT_BYTES:
                folder.mkdir(parents=True, exist_ok=True)
                np.save(folder / f"{index:04d}.npy", answer)
        return {"sha256": digest.hexdigest(), "kept": size <= KEPT_BYTES}

    def _tune(self, benchmark: Benchmark, method: Method) -> dict[str, Any]:
        """The parameters a method runs with on a benchmark, tuned on validation data where it has candidates.

        ``failed`` holds the outcome that ended the attempt where there is one.
        """
        candidates, failed = self._candidates(method)
        if failed is not None:
            return {"parameters": {}, "failed": failed}
        if not candidates:
            return {"parameters": {}}
        home = benchmark.tuning
        prepared = self._prepare(home, "validation")
        head: Record = {
            "schema": SCHEMA,
            "benchmark": home.id,
            "method": {"name": method.name, "identity": method.identity},
            "protocol": home.protocol.id,
            "data": prepared.inputs_digest,
            "budget": TUNING_BUDGET,
            "candidates": list(candidates),
        }
        head["key"] = hashlib.sha256(repr(head).encode()).hexdigest()[:16]
        path = self.store.tuning_path(home.id, method.name)
        with self._lock:
            making = self._making.setdefault((f"tuning {home.id}", method.name), threading.Lock())
        with making:
            record = None if self.force else self._load(path)
            if record is None or record.get("key") != head["key"]:
                tried = self._try_all(head, home, method, candidates, prepared)
                if isinstance(tried, Outcome):
                    return {"parameters": {}, "failed": tried}
                record = tried
                self.store.save(path, record)
        return {"parameters": record["chosen"], "tuned_on": f"{home.id} validation"}

    def _try_all(
        self,
        head: Record,
        home: Benchmark,
        method: Method,
        candidates: Sequence[dict[str, Any]],
        prepared: Prepared,
    ) -> Record | Outcome:
        outcomes: list[tuple[str, float]] = []
        last: list[Outcome] = []

        def finished(index: int, outcome: Outcome) -> None:
            outcome = check_outcome(outcome)
            value = -np.inf
            if outcome.status == "ok":
                value = float(np.mean(score(prepared, outcome.answer, home.protocol).cases["psnr"]))
            outcomes.append((outcome.status, value))
            last.append(outcome)

        tasks = [Task(prepared, dict(candidate)) for candidate in candidates]
        run_job(method, tasks, self.limits, finished, self.stop)
        values = [value for _, value in outcomes]
        if not np.isfinite(max(values)):
            return last[0]
        return {
            **head,
            "status": "ok",
            "psnr": values,
            "statuses": [status for status, _ in outcomes],
            "chosen": dict(candidates[int(np.argmax(values))]),
            "cases": prepared.cases,
        }

    def _candidates(self, method: Method) -> tuple[Sequence[dict[str, Any]], Outcome | None]:
        """The parameter sets to tune over; an outside method is asked for its own in a worker."""
        if method.kind == "shipped":
            return method.candidates, None
        with self._lock:
            making = self._making.setdefault(("describe", method.name), threading.Lock())
        with making:
            if method.name not in self._described:
                ended: list[Outcome] = []
                run_job(method, [Task(None, {})], self.limits, lambda _, outcome: ended.append(outcome), self.stop)
                candidates = ended[0].report.get("candidates") or []
                if len(candidates) > TUNING_BUDGET:
                    message = f"declares {len(candidates)} candidates; the budget for every method is {TUNING_BUDGET}"
                    ended[0] = Outcome("invalid", message, {}, "", ended[0].folder, ())
                self._described[method.name] = {"outcome": ended[0], "candidates": candidates}
        known = self._described[method.name]
        outcome: Outcome = known["outcome"]
        return known["candidates"], None if outcome.status == "ok" else outcome


def _timings(outcome: Outcome, cases: int) -> dict[str, Any]:
    report = outcome.report
    seconds = report.get("seconds")
    return {
        "seconds": seconds,
        "seconds_per_image": seconds / cases if isinstance(seconds, int | float) and cases else None,
        "build_seconds": report.get("build_seconds"),
        "wall_seconds": report.get("wall_seconds"),
        "peak_memory": report.get("peak_memory"),
    }
