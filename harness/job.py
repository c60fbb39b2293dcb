"""One worker process: started on a private folder, watched, stopped when it oversteps, its reports handed over.

A job is a list of tasks for one method. Shipped methods answer several cells in one process; a method from outside
gets a process for each cell, so that nothing it keeps in memory reaches the next one.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import psutil
from numpy.typing import NDArray

from ..baselines.catalogue import Method
from ..baselines.protocol import UNDECLARED
from ..benchmarks.prepare import Prepared
from ..errors import PredictionError, StoreError, plain
from .answering import NO_ROOM
from .answers import open_answer
from .environment import THREAD_VARIABLES
from .records import STATUSES

FOLDER_PREFIX = "tomobench-job-"
MARK = "TOMOBENCH_JOB"  # in a worker's environment, which its descendants inherit
POLL_SECONDS = 0.03
FAMILY_SECONDS = 0.5  # between looks for a worker's descendants, which cost a walk over every process
REPORT_CAP = 2**20  # bytes of a task's report
OUTPUT_KEPT = 64 * 1024  # bytes of a worker's stdout and stderr


@dataclass(frozen=True)
class Limits:
    """What one cell may take: seconds of wall time, bytes of resident memory, threads."""

    seconds: float
    memory: int
    threads: int

    def to_json(self) -> dict[str, float]:
        """What a record says of the limits; the threads are part of its environment."""
        return {"seconds": float(self.seconds), "memory": self.memory}


@dataclass(frozen=True)
class Task:
    """One thing to ask of a method: answer a split with some parameters, or (no ``prepared``) describe itself."""

    prepared: Prepared | None
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """How a task ended; ``answer(k)`` reads the k-th geometry's predictions while the job's folder lives."""

    status: str
    message: str
    report: dict[str, Any]
    output: str
    folder: Path
    shapes: tuple[tuple[int, int, int], ...]

    def answer(self, number: int) -> NDArray[np.float32]:
        """The (n, rows, columns) predictions of the k-th geometry; raises PredictionError for a bad file."""
        return open_answer(self.folder / f"{number:04d}.npy", self.shapes[number])


class Stopped(Exception):
    """The run was asked to stop; the running cells are abandoned."""


def run_job(
    method: Method,
    tasks: list[Task],
    limits: Limits,
    finished: Callable[[int, Outcome], None],
    stop: threading.Event,
) -> None:
    """Run tasks one after another and call ``finished(number, outcome)`` as each ends, in order.

    A worker that crashes, hangs or outgrows its memory costs the task it was at; a new worker takes up the rest.
    Raises Stopped when ``stop`` is set.
    """
    done = 0
    while done < len(tasks):
        prefix = f"{FOLDER_PREFIX}{os.getpid()}-"
        try:
            folder = tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True)
        except OSError as error:
            raise _no_room(Path(tempfile.gettempdir()), error) from error
        with folder as name:
            done += _one_worker(Path(name), method, tasks[done:], done, limits, finished, stop)


def sweep() -> None:
    """Remove the job folders of harness processes that were killed."""
    for left in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*"):
        owner = left.name.removeprefix(FOLDER_PREFIX).partition("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(left, ignore_errors=True)


def _one_worker(
    folder: Path,
    method: Method,
    tasks: list[Task],
    first: int,
    limits: Limits,
    finished: Callable[[int, Outcome], None],
    stop: threading.Event,
) -> int:
    """Run one worker until its tasks are done or it is lost; return how many tasks have ended."""
    try:
        _write_job(folder, method, tasks)
    except OSError as error:
        raise _no_room(folder, error) from error
    worker = subprocess.Popen(
        [sys.executable, "-m", "tomobench.harness.worker", str(folder), str(os.getpid())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env=os.environ
        | dict.fromkeys(THREAD_VARIABLES, str(limits.threads))
        | {"PYTHONHASHSEED": "0", MARK: folder.name},
        start_new_session=True,
    )
    assert worker.stdout is not None
    tail: deque[bytes] = deque()
    reader = threading.Thread(target=_drain, args=(worker.stdout, tail), daemon=True)
    reader.start()
    ended = 0
    started, peak = time.monotonic(), 0
    looked = started
    family: dict[int, psutil.Process] = {}
    _find_family(worker.pid, family)

    def end(status: str, message: str, report: dict[str, Any]) -> None:
        nonlocal ended, started, peak
        report.setdefault("wall_seconds", time.monotonic() - started)
        report["peak_memory"] = max(report.get("peak_memory") or 0, peak)
        prepared = tasks[ended].prepared
        shapes = _shapes(prepared) if prepared is not None else ()
        if status == NO_ROOM:
            _look_for_room(folder, shapes)
            status = "crash"
        if status not in STATUSES:
            status, message = "crash", f"the worker reported an unknown status, {status!r}"
        output = b"".join(tail)[-OUTPUT_KEPT:].decode(errors="replace")
        finished(first + ended, Outcome(status, plain(message), report, output, folder / str(ended), shapes))
        shutil.rmtree(folder / str(ended), ignore_errors=True)
        ended += 1
        started, peak = time.monotonic(), 0

    try:
        while ended < len(tasks):
            if stop.is_set():
                raise Stopped
            gone = worker.poll() is not None
            report = _report(folder / f"{ended}.json")
            if report is not None:
                end(report.pop("status"), report.pop("message"), report)
                continue
            if gone:
                end("crash", _death(worker.returncode), {})
                return ended
            if time.monotonic() - looked > FAMILY_SECONDS:
                _find_family(worker.pid, family)
                looked = time.monotonic()
            used = _resident(family)
            peak = max(peak, used)
            if used > limits.memory:
                end("oom", f"used {used / 1e9:.2f} GB, the limit is {limits.memory / 1e9:.2f} GB (--memory)", {})
                return ended
            if time.monotonic() - started > limits.seconds:
                end("timeout", f"no answer within {limits.seconds:g} s (--timeout)", {})
                return ended
            time.sleep(POLL_SECONDS)
        return ended
    finally:
        _end_family(worker, family, folder.name)
        reader.join(timeout=1)
        worker.stdout.close()


def _write_job(folder: Path, method: Method, tasks: list[Task]) -> None:
    described = []
    for task in tasks:
        entry: dict[str, Any] = {"parameters": task.parameters, "describe": task.prepared is None}
        if task.prepared is not None:
            name = f"inputs-{task.prepared.inputs_digest[:16]}.h5"
            if not (folder / name).exists():
                shutil.copyfile(task.prepared.inputs_path, folder / name)
            entry["inputs"] = name
        described.append(entry)
    (folder / "job.json").write_text(json.dumps({"method": method.to_json(), "tasks": described}))


def _shapes(prepared: Prepared) -> tuple[tuple[int, int, int], ...]:
    return tuple(inputs.answer_shape for inputs in prepared.inputs(2**31))


def _drain(pipe: IO[bytes], tail: deque[bytes]) -> None:
    """Keep the end of a worker's output; a method that prints gigabytes costs neither memory nor a full pipe."""
    kept = 0
    with contextlib.suppress(ValueError, OSError):
        while chunk := os.read(pipe.fileno(), 8192):
            tail.append(chunk)
            kept += len(chunk)
            while kept > OUTPUT_KEPT + 8192:
                kept -= len(tail.popleft())


def _report(path: Path) -> dict[str, Any] | None:
    """A task's report, or None while there is none. The worker is not believed beyond its form."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as file:
        try:
            report = json.loads(file.read(REPORT_CAP))
            if not isinstance(report, dict):
                raise TypeError
            return _believable(report)
        except (ValueError, KeyError, TypeError, OSError, RecursionError):
            return {"status": "crash", "message": "the worker left a report that cannot be read"}


def _believable(report: dict[str, Any]) -> dict[str, Any]:
    """The parts of a report that have the right form; the rest is dropped, since a method can write its own."""
    kept: dict[str, Any] = {"status": str(report["status"]), "message": str(report["message"])}
    for name in ("seconds", "build_seconds", "peak_memory"):
        value = report.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf:
            kept[name] = value
    info = report.get("info")
    if isinstance(info, dict):
        declared = asdict(UNDECLARED)
        kept["info"] = {
            key: plain(info[key]) if isinstance(default, str) and isinstance(info.get(key), str) else default
            for key, default in declared.items()
        }
        for key in ("parameters", "version"):
            if type(info.get(key)) is int and info[key] >= 0:
                kept["info"][key] = info[key]
    if isinstance(report.get("candidates"), list):
        kept["candidates"] = report["candidates"]
    return kept


def _no_room(folder: Path, error: OSError) -> StoreError:
    return StoreError(f"temporary folder {folder.parent}: {error.strerror or error}; free some space or set TMPDIR")


def _look_for_room(folder: Path, shapes: tuple[tuple[int, int, int], ...]) -> None:
    """Raise StoreError where predictions of these shapes really do not fit; a worker's word alone ends no run."""
    probe = folder / ".probe"
    try:
        with probe.open("wb") as file:
            for count, rows, columns in shapes:
                for _ in range(count):
                    file.write(bytes(4 * rows * columns))
    except OSError as error:
        raise _no_room(folder, error) from error
    finally:
        probe.unlink(missing_ok=True)


def _death(code: int) -> str:
    if code < 0:
        try:
            return f"the worker was killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"the worker was killed by signal {-code}"
    return f"the worker exited with code {code} before it answered"


def _find_family(pid: int, family: dict[int, psutil.Process]) -> None:
    """Remember a worker and every descendant it has now in ``family``, by process id."""
    with contextlib.suppress(psutil.Error):
        root = family.setdefault(pid, psutil.Process(pid))
        for process in root.children(recursive=True):
            family.setdefault(process.pid, process)


def _resident(family: dict[int, psutil.Process]) -> int:
    """Resident bytes of a worker and its descendants."""
    total = 0
    for process in family.values():
        with contextlib.suppress(psutil.Error):
            total += process.memory_info().rss
    return total


def _end_family(worker: subprocess.Popen[bytes], family: dict[int, psutil.Process], mark: str) -> None:
    """Kill the worker, its process group and every descendant that was seen or bears its mark; wait for the worker."""
    _find_family(worker.pid, family)
    for process in psutil.process_iter():  # descendants that were let go before they were seen
        with contextlib.suppress(psutil.Error):
            if process.environ().get(MARK) == mark:
                family.setdefault(process.pid, process)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(worker.pid, signal.SIGKILL)
    for process in family.values():
        with contextlib.suppress(psutil.Error):
            process.kill()
    worker.wait()


def check_outcome(outcome: Outcome) -> Outcome:
    """The outcome with its predictions files checked: ``ok`` becomes ``invalid`` where one cannot be trusted."""
    if outcome.status != "ok":
        return outcome
    try:
        for number in range(len(outcome.shapes)):
            outcome.answer(number)
    except PredictionError as error:
        return Outcome("invalid", str(error), outcome.report, outcome.output, outcome.folder, outcome.shapes)
    return outcome
