"""Fixtures of the harness tests: one cache for the session, a finished run, the command line, processes by a mark."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tomobench.harness.cli import main
from tomobench.harness.records import dump
from tomobench.harness.runner import run
from tomobench.harness.store import Store

BENCH = "sparse-view/shapes-32"  # 24 images of 32 × 32: N differs from the side, so a transposed batch is noticed
METHODS = Path(__file__).parent / "methods.py"


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One cache for the session, so that data are prepared once; one thread; no public host is ever reached."""
    folder = tmp_path_factory.mktemp("cache")
    ours = {"TOMOBENCH_CACHE": str(folder), "OMP_NUM_THREADS": "1", "TOMOBENCH_MIRROR": "http://127.0.0.1:9"}
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    yield folder
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@pytest.fixture(scope="session")
def method() -> Callable[[str], str]:
    """``method("smear")``: how that object of ``methods.py`` is named to the harness."""
    return lambda name: f"{METHODS}:{name}"


@pytest.fixture(scope="session")
def record_of() -> Callable[..., dict[str, Any]]:
    """``record_of(store, "fbp", split="test")``: a cell's record."""

    def read(folder: Path, name: str, split: str = "test", benchmark: str = f"{BENCH}@1") -> dict[str, Any]:
        record = Store(folder).load(Store(folder).record_path(benchmark, split, name))
        assert record is not None, f"no record of {name} on {split}"
        return record

    return read


@pytest.fixture(scope="session")
def finished(cache: Path, method: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of three methods on two splits; read it only."""
    folder = tmp_path_factory.mktemp("finished") / "results"
    summary = run([BENCH], ["fbp", "zero", method("smear")], ["test", "ood:fewer-angles"], folder, timeout=120.0)
    assert summary.new == {"ok": 6}
    return folder


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """``call("list", "suites")``: the command line in this process → exit code, stdout, stderr."""
    handler = signal.getsignal(signal.SIGINT)

    def in_process(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as error:  # argparse after --help and --version
            code = int(error.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    yield in_process
    signal.signal(signal.SIGINT, handler)


@pytest.fixture
def refused(call: Callable[..., tuple[int, str, str]]) -> Callable[..., str]:
    """``refused("run", "quikc")``: the one line of a command that must exit with 2 and print nothing else."""

    def one_line(*arguments: object) -> str:
        code, out, err = call(*arguments)
        assert (code, out) == (2, ""), f"exit {code}, stdout {out[:200]!r}, stderr {err[:400]!r}"
        assert err.startswith("tomobench: ")
        assert err.endswith("\n")
        assert err.count("\n") == 1, f"more than one line: {err!r}"
        return err

    return one_line


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """``command("run", …)``: the command line as a process of its own, its temporary files in ``tmp_path/tmp``."""

    def process(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            _words(*arguments), env=_environment(tmp_path), cwd=tmp_path, capture_output=True, text=True, timeout=300,
            **options,
        )  # fmt: skip

    return process


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """``start("run", …)``: as ``command``, left running; whatever is left of it is killed after the test."""
    begun: list[subprocess.Popen[str]] = []

    def process(*arguments: object, **options: Any) -> subprocess.Popen[str]:
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        begun.append(
            subprocess.Popen(_words(*arguments), env=_environment(tmp_path), cwd=tmp_path, text=True, **options)
        )
        return begun[-1]

    yield process
    for one in begun:
        if one.poll() is None:
            one.kill()
        one.wait()
        for pipe in (one.stdout, one.stderr):
            if pipe is not None:
                pipe.close()
    for left in _with_mark(str(tmp_path / "tmp")):
        left.kill()


@pytest.fixture
def workers(tmp_path: Path) -> Callable[[], list[psutil.Process]]:
    """``workers()``: the living processes of jobs that ``command`` and ``start`` began, found by their folder."""
    return lambda: _with_mark(str(tmp_path / "tmp"))


@pytest.fixture
def marked() -> Iterator[Callable[[str], list[psutil.Process]]]:
    """``marked("text")``: the living processes with that text on their command line; killed after the test."""
    asked: list[str] = []

    def find(mark: str) -> list[psutil.Process]:
        asked.append(mark)
        return _with_mark(mark)

    yield find
    for mark in asked:
        for left in _with_mark(mark):
            left.kill()


@pytest.fixture(scope="session")
def soon() -> Callable[..., bool]:
    """``soon(condition, seconds=5)``: whether the condition comes true within that time."""

    def wait(condition: Callable[[], Any], seconds: float = 5.0) -> bool:
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    return wait


@pytest.fixture(scope="session")
def timeless() -> Callable[[Path], dict[str, str]]:
    """``timeless(store)``: every record and tuning file as text, without timings and the checksum that covers them."""

    def texts(folder: Path) -> dict[str, str]:
        found = {}
        for path in sorted([*folder.glob("records/*/*/*.json"), *folder.glob("tuning/*/*.json")]):
            record = json.loads(path.read_text())
            kept = {key: value for key, value in record.items() if key not in ("timings", "checksum")}
            found[str(path.relative_to(folder))] = dump(kept)
        return found

    return texts


def _words(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "tomobench", *map(str, arguments)]


def _environment(tmp_path: Path) -> dict[str, str]:
    folder = tmp_path / "tmp"
    folder.mkdir(exist_ok=True)
    return {**os.environ, "TMPDIR": str(folder)}


def _with_mark(mark: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if process.pid != os.getpid() and process.info["status"] != psutil.STATUS_ZOMBIE and mark in " ".join(words):
            found.append(process)
    return found
