"""The worker process: sees an inputs file, runs a method, leaves a predictions file. It never meets the truth.

``python -m tomobench.harness.worker FOLDER`` reads ``FOLDER/job.json`` and, for task k, leaves ``FOLDER/k/NNNN.npy``
(one per geometry) and then ``FOLDER/k.json`` (status, timings, peak memory), which says that the task is done.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..baselines.catalogue import Method, build_method
from ..baselines.protocol import info_of
from ..benchmarks.prepare import input_groups
from ..errors import PredictionError, TomoBenchError
from .answers import check_answer

PIXELS_AT_ONCE = 2**22  # of answers in one batch
CASES_AT_ONCE = 64


def main(folder: Path) -> None:
    """Carry out the job of a folder, task by task; every task ends in its own small report."""
    _die_with_parent()
    job = json.loads((folder / "job.json").read_text())
    method = Method(**job["method"])
    for number, task in enumerate(job["tasks"]):
        report: dict[str, Any] = {"status": "ok", "message": ""}
        try:
            _reset_peak()
            report |= _describe(method) if task.get("describe") else _predict(folder, number, method, task)
        except PredictionError as error:
            report |= {"status": "invalid", "message": str(error)}
        except MemoryError as error:
            report |= {"status": "oom", "message": f"out of memory: {_one_line(error)}"}
        except SystemExit as error:
            report |= {"status": "crash", "message": f"the method called sys.exit({error.code!r})"}
        except TomoBenchError as error:
            report |= {"status": "error", "message": str(error)}
        except BaseException as error:
            traceback.print_exc()
            report |= {"status": "error", "message": f"{type(error).__name__}: {_one_line(error)}{_place(error)}"}
        report["peak_memory"] = _peak()
        sys.stdout.flush()
        sys.stderr.flush()
        written = folder / f".{number}.json"
        written.write_text(json.dumps(report))
        os.replace(written, folder / f"{number}.json")


def _describe(method: Method) -> dict[str, Any]:
    """What an outside method declares: tuning candidates and info."""
    adapter = build_method(method)
    candidates = [dict(candidate) for candidate in getattr(adapter, "candidates", ())]
    return {"candidates": candidates, "info": asdict(info_of(adapter))}


def _predict(folder: Path, number: int, method: Method, task: dict[str, Any]) -> dict[str, Any]:
    np.random.seed(0)  # noqa: NPY002 - a method that draws from the global state must draw the same every time
    started = time.perf_counter()
    adapter = build_method(method, task["parameters"])
    built = time.perf_counter() - started
    target = folder / str(number)
    target.mkdir()
    seconds, cases = 0.0, 0
    for name, (count, scan), batches in input_groups(folder / task["inputs"], _batch_size):
        shape = (count, scan.image_size, scan.image_size)
        out = np.lib.format.open_memmap(target / f"{name}.npy", mode="w+", dtype="<f4", shape=shape)
        start = 0
        for inputs in batches:
            begun = time.perf_counter()
            answer = adapter.predict(inputs)
            seconds += time.perf_counter() - begun
            stop = start + len(inputs.sinograms)
            out[start:stop] = check_answer(answer, inputs.answer_shape)
            start = stop
        out.flush()
        cases += count
        del out
    return {"build_seconds": built, "seconds": seconds, "cases": cases, "info": asdict(info_of(adapter))}


def _batch_size(image_size: int) -> int:
    return max(1, min(CASES_AT_ONCE, PIXELS_AT_ONCE // image_size**2))


def _die_with_parent() -> None:
    """Ask Linux to kill this process when the harness dies, so that a killed run leaves nothing behind."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(1)


def _reset_peak() -> None:
    """Start the kernel's high-water mark of resident memory anew, so that each task has its own."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def _peak() -> int:
    """Peak resident memory of this process in bytes."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]


def _place(error: BaseException) -> str:
    """Where in the method's own code an exception came from."""
    frames = traceback.extract_tb(error.__traceback__)
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""


if __name__ == "__main__":
    main(Path(sys.argv[1]))
