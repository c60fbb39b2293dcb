"""The results folder: records, tuning, kept predictions and logs; one writer at a time, every write atomic.

Layout: ``records/BENCHMARK/SPLIT/METHOD.json``, ``tuning/BENCHMARK/METHOD.json``,
``predictions/BENCHMARK/SPLIT/METHOD/GROUP.npy``, ``logs/…``, and ``tomobench.json``, which marks the folder as ours.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from ..errors import StoreError
from .records import SCHEMA, Record, dump, parse

MARKER = "tomobench.json"


def slug(name: str) -> str:
    """A file name for any method or benchmark name; distinct names stay distinct."""
    safe = re.sub(r"[^A-Za-z0-9._@=-]", "_", name)[:80]
    return safe if safe == name else f"{safe}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def write_atomically(path: Path, text: str) -> None:
    """Write a file whole or not at all: temporary file, fsync, rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".writing-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


class Store:
    """A results folder. Use as a context manager to write; reading needs no lock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock: int | None = None

    def __enter__(self) -> Store:
        """Make the folder where it is absent and become its one writer, or raise StoreError."""
        try:
            if self.folder.exists() and not self.folder.is_dir():
                raise StoreError(f"results {self.folder}: expected a folder, found a file; give another --out")
            self.folder.mkdir(parents=True, exist_ok=True)
            strangers = [item.name for item in self.folder.iterdir() if not item.name.startswith(".")]
            if strangers and MARKER not in strangers:
                raise StoreError(
                    f"results {self.folder}: expected an empty or a results folder, found {strangers[0]!r}; "
                    "give another --out"
                )
            self._lock = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            self._take_lock(self._lock)
            if MARKER not in strangers:
                write_atomically(self.folder / MARKER, json.dumps({"schema": SCHEMA}) + "\n")
            for left in list(self.folder.rglob(".writing-*")):  # of a writer that was killed
                shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"results {self.folder}: {error.strerror}; give another --out") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _take_lock(self, handle: int) -> None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(handle, 64, 0).decode(errors="replace").strip() or "another process"
            os.close(handle)
            self._lock = None
            raise StoreError(
                f"results {self.folder}: in use by {holder}; wait for it, stop it, or give another --out"
            ) from error
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"process {os.getpid()}\n".encode(), 0)

    def record_path(self, benchmark: str, split: str, method: str) -> Path:
        """Where a cell's record lies."""
        return self.folder / "records" / slug(benchmark) / slug(split) / f"{slug(method)}.json"

    def tuning_path(self, benchmark: str, method: str) -> Path:
        """Where the tuning of a method on a benchmark lies."""
        return self.folder / "tuning" / slug(benchmark) / f"{slug(method)}.json"

    def predictions_path(self, benchmark: str, split: str, method: str) -> Path:
        """The folder of a cell's kept predictions."""
        return self.folder / "predictions" / slug(benchmark) / slug(split) / slug(method)

    def log_path(self, benchmark: str, split: str, method: str) -> Path:
        """Where the end of a failed cell's output lies."""
        return self.folder / "logs" / slug(benchmark) / slug(split) / f"{slug(method)}.log"

    def load(self, path: Path) -> Record | None:
        """A record, or None where there is none; StoreError where it is damaged."""
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise StoreError(f"record {path}: cannot be read ({error}); delete it and run again") from error
        return parse(text, path)

    def save(self, path: Path, record: Record) -> None:
        """Write a record; on a full disk the old one stays and StoreError says so."""
        try:
            write_atomically(path, dump(record))
        except OSError as error:
            raise StoreError(
                f"record {path}: {error.strerror}; free some space and run the same command again"
            ) from error

    def records(self) -> Iterator[Record]:
        """Every record, in the order of their paths. Raises StoreError at a damaged one, or where there is no store."""
        try:
            ours = (self.folder / MARKER).is_file()
        except OSError as error:
            raise StoreError(f"results {self.folder}: {error.strerror}; give another folder") from error
        if not ours:
            raise StoreError(f"results {self.folder}: no results here; run: tomobench run quick --out {self.folder}")
        for path in sorted(self.folder.glob("records/*/*/*.json")):
            record = self.load(path)
            if record is not None:
                yield record
