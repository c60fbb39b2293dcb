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
    """A progress bar of cells; on a pipe only failures and notes are printed."""

    def __init__(self) -> None:
        self._bar: tqdm[None] | None = None
        self._lock = threading.Lock()
        self.failed = 0

    def plan(self, cells: int) -> None:
        """Start the bar."""
        self._bar = tqdm(total=cells, unit="cell", disable=None, leave=False)

    def cell(self, benchmark: str, split: str, method: str, status: str) -> None:
        """Advance the bar."""
        with self._lock:
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
    print(f"tomobench leaderboard {arguments.out}", file=sys.stderr)
    return 1 if summary.failed else 0


def _closing(summary: Summary) -> str:
    new = sum(summary.new.values())
    text = f"{new} cells answered"
    if summary.kept:
        text += f", {summary.kept} kept from before"
    if summary.failed:
        text += f", {summary.failed} without a score"
    if summary.skipped:
        text += f", {len(summary.skipped)} benchmarks skipped"
    return text


def _stop_on_ctrl_c(stop: threading.Event) -> None:
    """First Ctrl-C: stop the workers and leave; second: leave at once (workers die with us)."""

    def handler(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(130)
        stop.set()
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, handler)
