"""Runs that are killed, stopped, crowded out or short of room, and stores that were damaged or changed in between."""

from __future__ import annotations

import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tomobench.errors import StoreError, TomoBenchError, UsageError
from tomobench.harness.leaderboard import leaderboard
from tomobench.harness.runner import run
from tomobench.harness.store import Store
from tomobench.harness.tables import FORMATS, render

BENCH = "sparse-view/shapes-32"
SPLITS = ("test", "ood:fewer-angles")
KILLS = [2, pytest.param(15, marks=pytest.mark.slow)]

Command = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., "subprocess.Popen[str]"]


def _timed(text: str) -> list[dict[str, str]]:
    """The CSV leaderboard without the columns that time and memory alone decide."""
    import csv

    lines = list(csv.DictReader(text.splitlines()))
    return [{key: value for key, value in line.items() if key not in TIMINGS} for line in lines]


TIMINGS = ("seconds_per_image", "peak_memory_bytes")


def _snapshot(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def _one_line(text: str) -> bool:
    return text.startswith("tomobench: ") and text.count("\n") == 1 and "Traceback" not in text


# --- killed


@pytest.mark.parametrize("kills", KILLS)
def test_a_killed_run_goes_on_where_it_was(
    kills: int,
    tmp_path: Path,
    finished: Path,
    method: Callable[[str], str],
    start: Start,
    command: Command,
    workers: Callable[[], list[psutil.Process]],
    timeless: Callable[[Path], dict[str, str]],
    soon: Callable[..., bool],
) -> None:
    """SIGKILL at random moments, each time started again: in the end every record is that of an unbroken run."""
    folder = tmp_path / "results"
    words = ["run", BENCH, "-m", "fbp", "-m", "zero", "-m", method("smear"), "--out", folder, "--timeout", 120]
    words += [word for split in SPLITS for word in ("--split", split)]
    draw = random.Random(kills)
    for _ in range(kills):
        process = start(*words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        soon(lambda: workers() or process.poll() is not None, 10)  # noqa: B023 - called at once
        time.sleep(draw.uniform(0, 1.2))
        process.kill()
        process.wait()
        assert soon(lambda: not workers(), 5), f"left behind: {[one.cmdline() for one in workers()]}"
    done = command(*words)
    assert done.returncode == 0, done.stderr
    assert timeless(folder) == timeless(finished)
    assert list(folder.rglob(".writing-*")) == []
    ours, unbroken = (_timed(render(leaderboard(one), "csv")) for one in (folder, finished))
    assert ours == unbroken
    kept = {name: data for name, data in _snapshot(folder).items() if name.startswith("predictions")}
    assert kept == {name: data for name, data in _snapshot(finished).items() if name.startswith("predictions")}


def test_a_worker_dies_with_its_harness(
    tmp_path: Path,
    method: Callable[[str], str],
    start: Start,
    workers: Callable[[], list[psutil.Process]],
    soon: Callable[..., bool],
) -> None:
    """Even a worker that was still starting when the harness was killed does not go on, to hang for ever."""
    process = start("run", BENCH, "-m", method("HangsWhenMade"), "--split", "test", "--out", tmp_path / "results")
    assert soon(workers, 20)
    process.kill()
    process.wait()
    assert soon(lambda: not workers(), 4), f"left behind: {[one.cmdline() for one in workers()]}"


@pytest.mark.slow
def test_what_a_killed_run_left_in_the_temporary_folder_is_cleared(
    tmp_path: Path, method: Callable[[str], str], start: Start, command: Command, soon: Callable[..., bool]
) -> None:
    """The job folder of a killed harness, with a copy of the inputs, is gone after the next run."""
    words = ["run", BENCH, "--split", "test", "--out", tmp_path / "results"]
    process = start(*words, "-m", method("hang"))
    assert soon(lambda: list((tmp_path / "tmp").glob("tomobench-*/job.json")), 20)
    process.kill()
    process.wait()
    assert command(*words, "-m", "zero").returncode == 0
    assert list((tmp_path / "tmp").iterdir()) == []


# --- stopped


def test_ctrl_c_stops_the_run_and_the_next_one_goes_on(
    tmp_path: Path,
    method: Callable[[str], str],
    start: Start,
    command: Command,
    workers: Callable[[], list[psutil.Process]],
    soon: Callable[..., bool],
) -> None:
    """SIGINT: exit code 130, one line, no worker left; what was answered is kept by the next run."""
    words = ["run", BENCH, "--split", "test", "--out", tmp_path / "results", "-m", "zero"]
    process = start(*words, "-m", method("hang"))
    record = Store(tmp_path / "results").record_path(f"{BENCH}@1", "test", "zero")
    assert soon(record.exists, 30)
    assert soon(workers, 20)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert out == ""
    assert err.splitlines()[-1] == "tomobench: stopped; the same command goes on from here"
    assert "Traceback" not in err
    assert workers() == []
    assert list((tmp_path / "tmp").iterdir()) == []
    done = command(*words)
    assert done.returncode == 0
    assert "0 cells answered, 1 kept from before" in done.stderr


@pytest.mark.slow
def test_ctrl_c_twice_leaves_at_once(
    tmp_path: Path,
    method: Callable[[str], str],
    start: Start,
    workers: Callable[[], list[psutil.Process]],
    soon: Callable[..., bool],
) -> None:
    """Two SIGINTs in a row: exit code 130, no traceback, no worker left."""
    process = start("run", BENCH, "--split", "test", "--out", tmp_path / "results", "-m", method("hang"))
    assert soon(workers, 20)
    process.send_signal(signal.SIGINT)
    time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode in (130, -signal.SIGINT), "a shell reports both as 130"
    assert "Traceback" not in err
    assert soon(lambda: not workers(), 4)


# --- two at once


def test_a_store_has_one_writer(
    tmp_path: Path, method: Callable[[str], str], start: Start, command: Command, soon: Callable[..., bool]
) -> None:
    """The second is told in one line which process is in its way; reading goes on; killing frees the store."""
    folder = tmp_path / "results"
    first = start("run", BENCH, "--split", "test", "--out", folder, "-m", method("hang"))
    assert soon(lambda: (folder / "tomobench.json").exists(), 20)
    second = command("run", BENCH, "--split", "test", "--out", folder, "-m", "zero")
    assert second.returncode == 2
    assert _one_line(second.stderr)
    assert f"in use by process {first.pid};" in second.stderr
    assert leaderboard(folder) == []
    first.kill()
    first.wait()
    assert command("run", BENCH, "--split", "test", "--out", folder, "-m", "zero").returncode == 0


@pytest.mark.slow
def test_two_runs_share_the_cache(
    tmp_path: Path, start: Start, timeless: Callable[[Path], dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs that prepare the same data at the same time, into stores of their own, agree."""
    monkeypatch.setenv("TOMOBENCH_CACHE", str(tmp_path / "new-cache"))
    both = [start("run", BENCH, "--split", "test", "--out", tmp_path / name, "-m", "zero") for name in ("a", "b")]
    assert [process.wait(60) for process in both] == [0, 0]
    assert timeless(tmp_path / "a") == timeless(tmp_path / "b")
    assert list((tmp_path / "new-cache").rglob(".making-*")) == []


# --- damaged


@pytest.fixture
def answered(tmp_path: Path) -> Path:
    """A store with one answered cell, fresh for each test."""
    folder = tmp_path / "answered"
    run([BENCH], ["zero"], ["test"], folder)
    return folder


class Watcher:
    """What a run says, kept."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.cells: list[str] = []

    def plan(self, cells: int) -> None:
        """Nothing."""

    def cell(self, benchmark: str, split: str, method: str, status: str) -> None:
        """Keep how it ended."""
        self.cells.append(status)

    def note(self, text: str) -> None:
        """Keep it."""
        self.notes.append(text)


@pytest.mark.parametrize("damage", ["torn", "flipped"])
def test_a_damaged_record_is_answered_again(
    damage: str, answered: Path, timeless: Callable[[Path], dict[str, str]]
) -> None:
    """The run says which file is damaged and writes it anew, equal to what it was."""
    before = timeless(answered)
    (path,) = answered.glob("records/*/*/*.json")
    text = path.read_text()
    path.write_text(text[:700] if damage == "torn" else text.replace('"psnr@', '"psnR@'))
    with pytest.raises(StoreError, match=re.escape(str(path))):
        leaderboard(answered)
    watcher = Watcher()
    summary = run([BENCH], ["zero"], ["test"], answered, progress=watcher)
    assert summary.new == {"ok": 1}
    assert [note for note in watcher.notes if str(path) in note and "answering that cell again" in note]
    assert timeless(answered) == before


def test_a_newer_record_is_left_alone(answered: Path) -> None:
    """A record of a later schema stops the run before it overwrites anything."""
    (path,) = answered.glob("records/*/*/*.json")
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 99'))
    before = path.read_bytes()
    with pytest.raises(StoreError, match="written by a newer TomoBench"):
        run([BENCH], ["zero"], ["test"], answered)
    assert path.read_bytes() == before


def test_stray_temporary_files_are_cleared(answered: Path) -> None:
    """What a killed writer left is removed by the next writer, and read by nobody."""
    (path,) = answered.glob("records/*/*/*.json")
    stray = path.with_name(".writing-abc")
    stray.write_text("{")
    assert len(leaderboard(answered)) == 1
    run([BENCH], ["zero"], ["test"], answered)
    assert not stray.exists()


# --- places where no store can be

Refused = Callable[..., str]


def _is_refused(place: Path, said: str, refused: Refused) -> None:
    assert said in refused("run", BENCH, "--split", "test", "-m", "zero", "--out", place)


def test_a_file_in_the_way_is_refused(tmp_path: Path, refused: Refused) -> None:
    """``--out`` names a file: refused, and the file stays as it is."""
    (tmp_path / "file").write_text("mine")
    _is_refused(tmp_path / "file", "expected a folder, found a file", refused)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_below_a_file_is_refused(tmp_path: Path, refused: Refused) -> None:
    """``--out file/results``."""
    (tmp_path / "file").write_text("mine")
    _is_refused(tmp_path / "file" / "results", "give another --out", refused)


def test_a_strangers_folder_is_refused(tmp_path: Path, refused: Refused) -> None:
    """A folder with files of another kind is not written to."""
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("mine")
    _is_refused(tmp_path / "thesis", "'chapter.tex'", refused)
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter.tex"]


def test_a_name_too_long_is_refused(tmp_path: Path, refused: Refused) -> None:
    """A file name of 300 bytes, which no Linux file system takes, to write to and to read from."""
    _is_refused(tmp_path / ("x" * 300), "give another --out", refused)


def test_a_name_too_long_is_refused_for_reading(tmp_path: Path, refused: Refused) -> None:
    """The leaderboard of such a folder."""
    assert "results" in refused("leaderboard", tmp_path / ("x" * 300))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to a read-only folder")
def test_a_read_only_folder_is_refused(tmp_path: Path, refused: Refused) -> None:
    """Refused before anything is computed."""
    (tmp_path / "locked").mkdir(mode=0o500)
    _is_refused(tmp_path / "locked" / "results", "give another --out", refused)


# --- short of room


def test_a_full_disk_keeps_the_old_record(answered: Path) -> None:
    """A record that cannot be written (at most 2,000 bytes a file) leaves the old one, and one line says so."""
    (path,) = answered.glob("records/*/*/*.json")
    before = _snapshot(answered)
    code = (
        "import resource, sys; from pathlib import Path; from tomobench.harness.store import Store\n"
        "store, path = Store(Path(sys.argv[1])), Path(sys.argv[2])\n"
        "record = store.load(path)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "store.save(path, record | {'message': 'new'})\n"
    )
    words = [sys.executable, "-c", code, str(answered), str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("tomobench.errors.StoreError: record ")
    assert "File too large; free some space and run the same command again" in last
    assert _snapshot(answered) == before


@pytest.mark.slow
def test_a_disk_that_fills_while_a_method_runs(
    answered: Path,
    method: Callable[[str], str],
    start: Start,
    workers: Callable[[], list[psutil.Process]],
    soon: Callable[..., bool],
) -> None:
    """The harness cannot write what the worker answered: exit 2 and one line; records and predictions stay."""
    first = start("run", BENCH, "--split", "test", "-m", method("slow"), "--out", answered)
    assert first.wait(60) == 0
    before = _snapshot(answered)
    process = start("run", BENCH, "--split", "test", "-m", method("slow"), "--out", answered, "--force")
    assert soon(lambda: [one for one in workers() if (Path(one.cmdline()[-2]) / "0").is_dir()], 30)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1000, 1000))
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2, err
    assert _one_line(err), err
    assert _snapshot(answered) == before


@pytest.mark.parametrize("room", [1_000, 60_000])
def test_a_disk_that_is_full_from_the_start(room: int, answered: Path, command: Command) -> None:
    """No room for the inputs' copy, or for the worker's answer: not the method's fault, and nothing is overwritten."""

    def cap() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    before = _snapshot(answered)
    done = command(
        "run", BENCH, "--split", "test", "-m", "zero", "--out", answered, "--force", "--memory", "2", preexec_fn=cap
    )
    assert done.returncode == 2, done.stderr
    assert _one_line(done.stderr), done.stderr
    assert _snapshot(answered) == before


# --- changed in between


@pytest.mark.slow
def test_more_time_answers_only_what_ran_out_of_it(
    tmp_path: Path, method: Callable[[str], str], record_of: Callable[..., dict[str, Any]]
) -> None:
    """A longer --timeout tries again what ran into the shorter one, and nothing else."""
    folder = tmp_path / "results"
    both = ["zero", method("slow")]
    assert run([BENCH], ["zero"], ["test"], folder).new == {"ok": 1}
    assert run([BENCH], both, ["test"], folder, timeout=1.8).new == {"timeout": 1}
    again = run([BENCH], both, ["test"], folder, timeout=1.8)
    assert (again.new, again.kept, again.failed) == ({}, 2, 1)
    more = run([BENCH], both, ["test"], folder, timeout=60)
    assert (more.new, more.kept, more.failed) == ({"ok": 1}, 1, 0)
    assert record_of(folder, "methods:slow")["limits"]["seconds"] == 60


@pytest.mark.slow
def test_more_time_tunes_again_what_ran_out_of_it(
    tmp_path: Path, method: Callable[[str], str], record_of: Callable[..., dict[str, Any]]
) -> None:
    """A candidate that timed out is tried again with more time: the outcome is that of a fresh run."""
    folder = tmp_path / "results"
    for timeout, factor in ((4.5, 100.0), (60, 1.0)):
        run([BENCH], [method("SlowButBetter")], ["test"], folder, timeout=timeout)
        assert record_of(folder, "methods:SlowButBetter")["method"]["parameters"] == {"factor": factor}


def test_other_limits_leave_scored_cells_alone(answered: Path) -> None:
    """Another --timeout and --memory do not answer a scored cell again."""
    summary = run([BENCH], ["zero"], ["test"], answered, timeout=60, memory=2)
    assert (summary.new, summary.kept) == ({}, 1)


def test_another_parameter_is_another_cell(tmp_path: Path) -> None:
    """``sirt[iterations=1]`` and ``[iterations=2]`` are two rows; asking again for one keeps it."""
    folder = tmp_path / "results"
    assert run([BENCH], ["sirt[iterations=1]"], ["test"], folder).new == {"ok": 1}
    summary = run([BENCH], ["sirt[iterations=1]", "sirt[iterations=2]"], ["test"], folder)
    assert (summary.new, summary.kept) == ({"ok": 1}, 1)
    assert {row.method for row in leaderboard(folder)} == {"sirt[iterations=1]", "sirt[iterations=2]"}


@pytest.mark.slow
def test_an_edited_method_is_answered_again(tmp_path: Path, record_of: Callable[..., dict[str, Any]]) -> None:
    """Another source is another method; the same source is not."""
    file, folder = tmp_path / "mine.py", tmp_path / "results"
    source = "import numpy as np\ndef predict(inputs): return np.full(inputs.answer_shape, {}, np.float32)\n"
    for value, new in ((0.1, {"ok": 1}), (0.1, {}), (0.2, {"ok": 1})):
        file.write_text(source.format(value))
        assert run([BENCH], [f"{file}:predict"], ["test"], folder).new == new
    assert len(leaderboard(folder)) == 1


def test_force_answers_everything_again(answered: Path, timeless: Callable[[Path], dict[str, str]]) -> None:
    """``--force`` redoes a scored cell, with the same outcome."""
    before = timeless(answered)
    (path,) = answered.glob("records/*/*/*.json")
    old = path.stat().st_ino
    assert run([BENCH], ["zero"], ["test"], answered, force=True).new == {"ok": 1}
    assert path.stat().st_ino != old
    assert timeless(answered) == before


def test_a_failure_that_is_kept_still_counts(
    tmp_path: Path, method: Callable[[str], str], call: Callable[..., tuple[int, str, str]]
) -> None:
    """Exit code 1 the first time, when the cell fails, and the second, when its record is kept."""
    words = ["run", BENCH, "--split", "test", "-m", method("NeedsArguments"), "--out", tmp_path / "results"]
    first, second = call(*words), call(*words)
    assert (first[0], second[0]) == (1, 1)
    assert "1 cell answered, 1 without a score" in first[2]
    assert "0 cells answered, 1 kept from before, 1 without a score" in second[2]
    assert "Traceback" not in first[2] + second[2]


# --- the same again


@pytest.mark.parametrize("jobs", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_another_run_gives_the_same_records(
    jobs: int, finished: Path, tmp_path: Path, method: Callable[[str], str], timeless: Callable[[Path], dict[str, str]]
) -> None:
    """A fresh store, one job or two: records, tuning and predictions equal the first run's but for the timings."""
    run([BENCH], ["fbp", "zero", method("smear")], SPLITS, tmp_path / "results", timeout=120.0, jobs=jobs)
    assert timeless(tmp_path / "results") == timeless(finished)
    for style in FORMATS:  # prints, whatever the timings
        assert render(leaderboard(tmp_path / "results"), style)


@pytest.mark.parametrize("options", [{"jobs": 0}, {"jobs": -1}, {"timeout": 0.0}, {"memory": -1.0}])
def test_impossible_limits_are_refused_from_python_too(options: dict[str, Any], tmp_path: Path) -> None:
    """``tomobench.run`` names the limit, before a store is made."""
    with pytest.raises(UsageError):
        run([BENCH], ["zero"], ["test"], tmp_path / "results", **options)
    assert not (tmp_path / "results").exists()


def test_a_mistyped_name_is_refused_before_a_store_is_made(tmp_path: Path) -> None:
    """Names are resolved first."""
    with pytest.raises(TomoBenchError):
        run([BENCH], ["zreo"], ["test"], tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_records_are_readable(finished: Path) -> None:
    """A record is one JSON file that any program reads, in UTF-8, with its own checksum."""
    for path in finished.glob("records/*/*/*.json"):
        assert len(json.loads(path.read_text(encoding="utf-8"))["checksum"]) == 64
