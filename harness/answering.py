"""What a worker does: each task of its job answered by the method, checked, and written down."""

from __future__ import annotations

import io
import json
import os
import sys
import time
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..baselines.catalogue import Method, build_method, load_object
from ..baselines.protocol import as_adapter, candidates_of, info_of
from ..benchmarks.prepare import input_groups
from ..errors import PredictionError, TomoBenchError
from .answers import check_answer

PIXELS_AT_ONCE = 2**22  # of answers in one batch
CASES_AT_ONCE = 64
NO_ROOM = "no room"  # the status of a task whose predictions could not be written; the parent looks for itself


class _NoRoom(Exception):
    """The predictions could not be written, which is not the method's fault."""


def carry_out(folder: Path) -> None:
    """Carry out the job of a folder, task by task; every task ends in its own small report."""
    job = json.loads((folder / "job.json").read_text())
    method = Method(**job["method"])
    for number, task in enumerate(job["tasks"]):
        report: dict[str, Any] = {"status": "ok", "message": ""}
        try:
            _reset_peak()
            report |= _describe(method) if task["describe"] else _predict(folder, number, method, task)
        except _NoRoom as error:
            report |= {"status": NO_ROOM, "message": str(error)}
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
    found = load_object(method)
    info = asdict(info_of(as_adapter(found)))
    candidates = [_json_values("candidates", choice) for choice in candidates_of(found)]
    return {"candidates": candidates, "info": _json_values("info", info)}


def _json_values(what: str, values: Any) -> dict[str, Any]:
    """A dictionary in JSON's types, NumPy scalars included; PredictionError where a value cannot be written down."""
    try:
        plain = {
            str(key): value.item() if isinstance(value, np.generic) else value for key, value in dict(values).items()
        }
        json.dumps(plain, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise PredictionError(
            f"{what}: expected names and plain values, found {values!r}; declare plain ones"
        ) from error
    return plain


def _predict(folder: Path, number: int, method: Method, task: dict[str, Any]) -> dict[str, Any]:
    np.random.seed(0)  # noqa: NPY002 - a method that draws from the global state must draw the same every time
    started = time.perf_counter()
    adapter = build_method(method, task["parameters"])
    built = time.perf_counter() - started
    target = folder / str(number)
    target.mkdir()
    seconds, cases = 0.0, 0
    for name, (count, scan), batches in input_groups(folder / task["inputs"], _batch_size):
        path = target / f"{name}.npy"
        _append(path, _header((count, scan.image_size, scan.image_size)))
        for inputs in batches:
            begun = time.perf_counter()
            answer = adapter.predict(inputs)
            seconds += time.perf_counter() - begun
            _append(path, check_answer(answer, inputs.answer_shape).tobytes())
        cases += count
    info = _json_values("info", asdict(info_of(adapter)))
    return {"build_seconds": built, "seconds": seconds, "cases": cases, "info": info}


def _header(shape: tuple[int, int, int]) -> bytes:
    """The header of a ``.npy`` file, little-endian float32 in C order."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return header.getvalue()


def _append(path: Path, data: bytes) -> None:
    try:
        with path.open("ab") as file:
            file.write(data)
    except OSError as error:
        raise _NoRoom(f"{path.parent}: {error.strerror}") from error


def _batch_size(image_size: int) -> int:
    return max(1, min(CASES_AT_ONCE, PIXELS_AT_ONCE // image_size**2))


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
