"""What every cell of one run shares: the store, the limits, prepared data, and the word to stop."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ..benchmarks.benchmark import Benchmark
from ..benchmarks.prepare import Prepared, prepare
from ..errors import StoreError
from .job import Limits, Stopped
from .records import Record
from .store import Store


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
class Session:
    """The shared part of a run; its methods may be called from any thread."""

    store: Store
    limits: Limits
    force: bool
    progress: Progress
    stop: threading.Event
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _making: dict[Hashable, threading.Lock] = field(default_factory=dict)
    _prepared: dict[tuple[str, str], Prepared] = field(default_factory=dict)

    def once(self, *key: Hashable) -> threading.Lock:
        """The lock that lets one thread make what ``key`` names while the others wait for it."""
        with self._lock:
            return self._making.setdefault(key, threading.Lock())

    def go_on(self) -> None:
        """Raise Stopped where the run was asked to stop."""
        if self.stop.is_set():
            raise Stopped

    def prepare(self, benchmark: Benchmark, split: str) -> Prepared:
        """A split's prepared data, made by whichever thread asks first."""
        with self.once("prepare", benchmark.id, split):
            self.go_on()
            if (benchmark.id, split) not in self._prepared:
                self._prepared[benchmark.id, split] = prepare(benchmark, split)
            return self._prepared[benchmark.id, split]

    def kept(self, path: Path, key: str) -> Record | None:
        """The record at ``path`` if it answers ``key``; None where absent, damaged (said so), or ``force`` is on.

        Raises StoreError for a record of a newer TomoBench, which must not be overwritten.
        """
        try:
            record = self.store.load(path)
        except StoreError as error:
            if "newer TomoBench" in str(error):
                raise
            self.progress.note(f"{str(error).partition(';')[0]}; answering that cell again")
            return None
        return record if record is not None and record.get("key") == key and not self.force else None
