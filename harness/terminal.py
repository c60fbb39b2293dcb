"""``tomobench run`` on a terminal: progress, the closing lines, and what Ctrl-C does."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from types import FrameType

from tqdm import tqdm

from .runner import DEFAULT_METHODS, Summary, run


class Bar:
    """A progress bar of cells; on a pipe a line every tenth of the way, failures and notes."""

    def __init__(self) -> None:
        self._bar: tqdm[None] | None = None
        self._lock = threading.Lock()
        self.failed = 0
        self._cells = self._done = 0

    def plan(self, cells: int) -> None:
        """Start the bar."""
        self._cells = cells
        self._bar = tqdm(total=cells, unit="cell", disable=None, leave=False)

    def cell(self, benchmark: str, split: str, method: str, status: str) -> None:
        """Advance the bar."""
        with self._lock:
            self._done += 1
            tenth = max(1, self._cells // 10)
            if not sys.stderr.isatty() and self._done % tenth == 0:
                print(f"{self._done}/{self._cells} cells", file=sys.stderr, flush=True)
            if self._bar is not None:
                self._bar.set_postfix_str(f"{benchmark} {split} {method}", refresh=False)
                self._bar.update()
        if status not in ("ok", "kept"):
            self.failed += 1
            self.note(f"{status}: {method} on {benchmark} {split}")

    def note(self, text: str) -> None:
        """Print one line above the bar."""
        with self._lock:
            tqdm.write(text, file=sys.stderr)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()


def run_with_progress(arguments: argparse.Namespace) -> int:
    """Carry out ``tomobench run``; 0 when every cell is scored, 1 when one failed."""
    stop = threading.Event()
    _stop_on_ctrl_c(stop)
    bar = Bar()
    try:
        summary = run(
            arguments.what or ["quick"],
            arguments.method or DEFAULT_METHODS,
            arguments.split,
            arguments.out,
            jobs=arguments.jobs,
            timeout=arguments.timeout,
            memory=arguments.memory,
            force=arguments.force,
            progress=bar,
            stop=stop,
        )
    finally:
        bar.close()
    print(_closing(summary), file=sys.stderr)
    print(f"see: tomobench leaderboard {arguments.out}", file=sys.stderr)
    return 1 if summary.failed else 0


def _closing(summary: Summary) -> str:
    new = sum(summary.new.values())
    text = f"{_many(new, 'cell')} answered"
    if summary.kept:
        text += f", {summary.kept} kept from before"
    if summary.failed:
        text += f", {summary.failed} without a score"
    if summary.skipped:
        text += f", {_many(len(summary.skipped), 'benchmark')} skipped"
    return text


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _stop_on_ctrl_c(stop: threading.Event) -> None:
    """First Ctrl-C: stop the workers and leave; second: leave at once (workers die with us)."""

    def handler(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(130)
        stop.set()
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, handler)
