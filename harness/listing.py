"""``tomobench list`` and ``tomobench show``: what there is, and everything about one of it."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tabulate import tabulate

from ..baselines.catalogue import SHIPPED, list_methods, method_info, shipped_class
from ..benchmarks.benchmark import Benchmark, list_benchmarks, load_benchmark
from ..benchmarks.suites import SUITES
from ..datasets.catalogue import list_libraries, load_library
from ..errors import DataError, UnknownName, UsageError
from ..metrics import METRICS

KINDS = ("suites", "benchmarks", "methods", "libraries", "metrics")


def entries(kind: str) -> list[dict[str, Any]]:
    """One dictionary for each thing of a kind, its name first."""
    match kind:
        case "suites":
            return [{"suite": name, "benchmarks": list(members)} for name, members in SUITES.items()]
        case "benchmarks":
            return [{"benchmark": name, "summary": load_benchmark(name).summary} for name in list_benchmarks()]
        case "methods":
            return [_method_entry(name) for name in list_methods()]
        case "libraries":
            return [_library_entry(name) for name in list_libraries()]
        case "metrics":
            return [{"metric": name, "meaning": meaning} for name, meaning in METRICS.items()]
    raise UnknownName("kind of list", kind, KINDS)


def listing(kind: str, as_json: bool = False) -> str:
    """The entries of a kind as text or JSON."""
    found = entries(kind)
    if as_json:
        return json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    plain = [{key: "\n".join(value) if isinstance(value, list) else value for key, value in e.items()} for e in found]
    return tabulate(plain, headers="keys", tablefmt="plain", disable_numparse=True) + "\n"


def show(name: str) -> str:
    """Everything about one suite, benchmark, method, library or metric, as text. Raises UnknownName."""
    if name in SUITES:
        return _sheet(name, {"benchmarks": "\n".join(SUITES[name])})
    if name in METRICS:
        return _sheet(name, {"meaning": METRICS[name]})
    if name in list_libraries():
        return _sheet(name, asdict(load_library(name).info))
    if name in list_methods():
        return _sheet(name, _method_sheet(name))
    if "/" in name:
        benchmark = load_benchmark(name)
        try:
            return _sheet(benchmark.id, _benchmark_sheet(benchmark))
        except DataError as error:  # its splits go by objects, which only the data knows
            return _sheet(benchmark.id, {"summary": benchmark.summary, "splits": f"need the data: {error}"})
    known = [*SUITES, *METRICS, *list_libraries(), *list_methods(), *list_benchmarks()]
    raise UnknownName("name", name, known)


def save_inputs(name: str, split: str, target: Path) -> str:
    """Write a benchmark split's inputs, with case ids, as an HDF5 file for other programs; returns one closing line."""
    import h5py

    from ..benchmarks.prepare import prepare

    benchmark = load_benchmark(name)
    benchmark.split(split)
    if target.exists():
        raise UsageError(f"{target}: exists already; remove it or give another file")
    prepared = prepare(benchmark, split)
    try:
        shutil.copyfile(prepared.inputs_path, target)
        with h5py.File(target, "r+") as file:
            for group, truth in zip(sorted(file), prepared.truth(), strict=True):
                file[group].create_dataset("case_ids", data=truth.case_ids, dtype=h5py.string_dtype())
    except OSError as error:
        target.unlink(missing_ok=True)
        raise UsageError(f"{target}: {error.strerror or error}; give another file") from error
    return f"{target}: {prepared.cases} cases of {benchmark.id} {split} in {prepared.groups} group(s)"


def _method_entry(name: str) -> dict[str, Any]:
    info = method_info(name)
    return {
        "method": name,
        "framework": info.framework if info else "outside",
        "training data": info.training_data if info else "declared when run",
        "reference": info.reference if info else "",
    }


def _library_entry(name: str) -> dict[str, Any]:
    info = load_library(name).info
    return {
        "library": name,
        "summary": info.summary,
        "licence": info.licence,
        "data": "offline" if info.offline else ("unverified download" if info.unverified else "download"),
    }


def _method_sheet(name: str) -> dict[str, Any]:
    if name not in SHIPPED:
        return {"kind": "entry point; declares itself when it runs"}
    cls = shipped_class(name)
    described = {"what": (cls.__doc__ or "").splitlines()[0], **asdict(cls.info)}
    candidates = getattr(cls, "candidates", ())
    if candidates:
        described["tuned over"] = "\n".join(
            ", ".join(f"{key}={value}" for key, value in choice.items()) for choice in candidates
        )
    return described


def _benchmark_sheet(benchmark: Benchmark) -> dict[str, Any]:
    splits = []
    for split in benchmark.splits.values():
        scan = split.measurement
        if scan is None:
            how = "measured angles" + (f", every {split.angles_step}nd of them" if split.angles_step > 1 else "")
        else:
            degrees = round(scan.arc * 57.29578)
            photons = f"{scan.photons:.0e} photons" if scan.photons else "noiseless"
            how = f"{scan.angles} angles over {degrees}°, {photons}"
            how += f", axis off by {scan.centre_offset:g} detectors untold" if scan.centre_offset else ""
            how += f", detector gains off by {scan.ring_gain:.0%}" if scan.ring_gain else ""
        size = f"up to {split.count} images" if split.count else "every scan"
        splits.append(f"{split.name}: {size} of {split.library} ({split.part}), {how}")
    return {
        "summary": benchmark.summary,
        "task": benchmark.task,
        "image size": benchmark.size or "as measured",
        "score protocol": f"{benchmark.protocol.id} {asdict(benchmark.protocol)}",
        "tuned on": f"{benchmark.tuning.id} validation",
        "splits": "\n".join(splits),
    }


def _sheet(title: str, facts: dict[str, Any]) -> str:
    body = [(key, "–" if value is None or value == "" else value) for key, value in facts.items()]
    return f"{title}\n{tabulate(body, tablefmt='plain', disable_numparse=True, maxcolwidths=[None, 100])}\n"
