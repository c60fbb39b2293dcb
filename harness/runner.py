"""Running a suite: the cells that are not answered yet, tuned, answered in workers, scored, recorded.

A cell is one method on one split of one benchmark. Its record is kept as long as its key stays the same: benchmark and
data, method and parameters, score protocol. Killed and started again, a run goes on where it was.
"""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..baselines.catalogue import Method, find_method, method_info
from ..baselines.protocol import UNDECLARED
from ..benchmarks.benchmark import Benchmark, load_benchmark
from ..benchmarks.prepare import Prepared
from ..benchmarks.suites import SUITES
from ..datasets.catalogue import load_library
from ..errors import DataError, StoreError, UnknownName, UsageError
from .environment import environment, worker_threads
from .job import Limits, Outcome, Stopped, Task, check_outcome, run_job, sweep
from .records import SCHEMA, Record, key_of
from .scoring import score
from .session import Progress, Session, Silent
from .store import Store
from .tuning import Tuned, Tuner

DEFAULT_METHODS = ("fbp", "sirt", "tv", "cgls", "zero")  # the slow ones early, so that workers end together
KEPT_BYTES = 2**26  # of a cell's predictions; more are scored and let go


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
    for name, value, least in (("jobs", jobs, 1), ("timeout", timeout, 0), ("memory", memory, 0)):
        if not (value >= least and 0 < value < float("inf")):
            raise UsageError(f"{name}: expected a number above zero, found {value!r}")
    plan = _Plan.make(what, methods, splits)
    limits = Limits(timeout, int(memory * 1e9), worker_threads(jobs))
    with Store(Path(out)) as store:
        sweep()
        session = Session(store, limits, force, progress or Silent(), stop or threading.Event())
        return _Run(session).carry_out(plan, jobs)


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
        found: dict[str, Method] = {}
        for method in map(find_method, methods):
            if found.setdefault(method.name, method) != method:
                raise UsageError(
                    f"two methods are called {method.name!r}: rename a file, or run them into two --out folders"
                )
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
    """One run: its plan carried out cell by cell."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.tuner = Tuner(session)
        self.summary = Summary()
        self._counting = threading.Lock()

    def carry_out(self, plan: _Plan, jobs: int) -> Summary:
        ready = [(benchmark, plan.splits_of(benchmark)) for benchmark in self._with_data(plan)]
        # Benchmark by benchmark within a method, so that no two workers wait for the same data to be prepared.
        units = [(benchmark, method, splits) for method in plan.methods for benchmark, splits in ready if splits]
        self.session.progress.plan(sum(len(splits) for _, _, splits in units))
        failure: BaseException | None = None
        with ThreadPoolExecutor(max_workers=jobs) as pool:
            waiting = [pool.submit(self._unit, *unit) for unit in units]
            for future in waiting:
                try:
                    future.result()
                except Stopped:
                    continue
                except BaseException as error:
                    self.session.stop.set()
                    failure = failure or error
        if failure is not None:
            raise failure
        return self.summary

    def _with_data(self, plan: _Plan) -> Iterator[Benchmark]:
        """The benchmarks whose data is at hand; one that came by a suite is skipped, with the mend, where it is not."""
        for benchmark, skippable in plan.benchmarks:
            try:
                load_library(benchmark.library).ensure(quick=skippable)
            except DataError as error:
                if not skippable:
                    raise
                self.summary.skipped[benchmark.id] = str(error)
                self.session.progress.note(f"skipped {benchmark.id}: {error}")
            else:
                yield benchmark

    def _unit(self, benchmark: Benchmark, method: Method, splits: list[str]) -> None:
        """Every asked-for split of one benchmark with one method."""
        self.session.go_on()
        tuned = self.tuner.tune(benchmark, method)
        cells = [_Cell.make(self.session, benchmark, split, method, tuned) for split in splits]
        todo = [cell for cell in cells if not self._kept(cell)]
        if tuned.failed is not None:
            for cell in todo:
                self._record(cell, tuned.failed)
            return
        # A shipped method answers its cells in one process; see job.py.
        for batch in [todo] if method.kind == "shipped" else [[cell] for cell in todo]:

            def finished(index: int, outcome: Outcome, batch: list[_Cell] = batch) -> None:
                self._record(batch[index], outcome)

            tasks = [Task(cell.prepared, tuned.parameters) for cell in batch]
            run_job(method, tasks, self.session.limits, finished, self.session.stop)

    def _kept(self, cell: _Cell) -> bool:
        """Whether a cell has its record already; counts it if so."""
        self._refuse_namesake(cell)
        record = self.session.kept(cell.path, cell.head["key"])
        if record is None:
            return False
        # More time or memory may change how these ended.
        if record["status"] in ("timeout", "oom") and record.get("limits") != self.session.limits.to_json():
            return False
        with self._counting:
            self.summary.kept += 1
            self.summary.failed += record["status"] != "ok"
        self.session.progress.cell(*cell.names, "kept")
        return True

    def _refuse_namesake(self, cell: _Cell) -> None:
        """Raise UsageError where another file's method of the same name has this record, which would be lost."""
        if self.session.force or cell.method.kind != "file":
            return
        try:
            record = self.session.store.load(cell.path)
        except StoreError:
            return
        if record is not None and record["method"].get("origin") != cell.head["method"]["origin"]:
            raise UsageError(
                f"results {self.session.store.folder}: {cell.method.name!r} there is the method of another file; "
                "rename yours, give another --out, or replace it with --force"
            )

    def _record(self, cell: _Cell, outcome: Outcome) -> None:
        """Score an outcome and write the cell's record."""
        self.session.go_on()
        outcome = check_outcome(outcome)
        method, store = cell.method, self.session.store
        names: dict[str, list[Any]] = {"id": [], "object": []}
        for group in cell.prepared.truth():
            names["id"] += group.case_ids
            names["object"] += group.object_ids
        record: Record = {
            **cell.head,
            "status": outcome.status,
            "message": outcome.message,
            "cases": names,
            "flags": [],
            "diagnosis": "",
            "info": outcome.report.get("info") or asdict(method_info(method.target) or UNDECLARED),
            "limits": self.session.limits.to_json(),
            "environment": environment(self.session.limits.threads),
            "timings": _timings(outcome, len(names["id"])),
        }
        kept, log = store.predictions_path(*cell.names), store.log_path(*cell.names)
        fresh = kept.with_name(f".writing-{kept.name}")
        try:
            shutil.rmtree(fresh, ignore_errors=True)
            if outcome.status == "ok":
                scores = score(cell.prepared, outcome.answer, cell.benchmark.protocol)
                record |= {"cases": scores.cases, "flags": scores.flags, "diagnosis": scores.diagnosis}
                record["predictions"] = _keep(fresh, outcome)
            elif outcome.output.strip():
                log.parent.mkdir(parents=True, exist_ok=True)
                log.write_text(outcome.output, encoding="utf-8", errors="replace")
            store.save(cell.path, record)
            # The old predictions go only once the record that speaks of the new ones is there.
            shutil.rmtree(kept, ignore_errors=True)
            if fresh.exists():
                fresh.rename(kept)
            if outcome.status == "ok":
                log.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(
                f"results {store.folder}: {error.strerror or error}; free some space and run the same command again"
            ) from error
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        with self._counting:
            self.summary.new[outcome.status] = self.summary.new.get(outcome.status, 0) + 1
            self.summary.failed += outcome.status != "ok"
        self.session.progress.cell(*cell.names, outcome.status)


@dataclass(frozen=True)
class _Cell:
    """One method on one split of one benchmark, and the part of its record that is known before the method runs."""

    benchmark: Benchmark
    split: str
    method: Method
    prepared: Prepared
    head: Record
    path: Path

    @property
    def names(self) -> tuple[str, str, str]:
        """(benchmark, split, method) as records and paths have them."""
        return self.benchmark.id, self.split, self.method.name

    @staticmethod
    def make(session: Session, benchmark: Benchmark, split: str, method: Method, tuned: Tuned) -> _Cell:
        prepared = session.prepare(benchmark, split)
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
                # Which file, without saying where it lies.
                "origin": hashlib.sha256(method.target.encode()).hexdigest()[:12],
                "parameters": {**tuned.parameters, **method.parameters},
                "tuned_on": tuned.tuned_on,
                "at_edge": tuned.at_edge,
            },
            "protocol": {"id": protocol.id, **asdict(protocol)},
            "data": {"inputs": prepared.inputs_digest, "truth": prepared.truth_digest, "notes": list(prepared.notes)},
            "isolation": "none",
        }
        head["key"] = key_of(head)
        return _Cell(
            benchmark, split, method, prepared, head, session.store.record_path(benchmark.id, split, method.name)
        )


def _keep(folder: Path, outcome: Outcome) -> dict[str, Any]:
    """Keep a cell's predictions for the pictures where they are small; their digest is recorded either way."""
    digest, size = hashlib.sha256(), sum(4 * int(np.prod(shape)) for shape in outcome.shapes)
    for index in range(len(outcome.shapes)):
        answer = outcome.answer(index)
        digest.update(answer.tobytes())
        if size <= KEPT_BYTES:
            folder.mkdir(parents=True, exist_ok=True)
            np.save(folder / f"{index:04d}.npy", answer)
    return {"sha256": digest.hexdigest(), "kept": size <= KEPT_BYTES}


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
