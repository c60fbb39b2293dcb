"""The exceptions TomoBench raises on purpose; each message is one line a user can act on.

Tree::

    TomoBenchError
    ├── UnknownName        a library, benchmark, method, suite, split, metric or format nobody registered
    ├── DataError          a file, archive or array from outside is not what it should be
    │   └── DownloadError  a download did not arrive whole, or arrived as something else
    ├── GeometryError      angles, detectors or sinogram shape contradict each other
    ├── PredictionError    an adapter's answer cannot be scored
    ├── StoreError         the results folder cannot be read or written as asked
    └── UsageError         a command line that cannot be carried out

Anything else that escapes is a bug in TomoBench and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class TomoBenchError(Exception):
    """Base of every deliberate error; ``str(error)`` is one line."""


class UnknownName(TomoBenchError):
    """A name that is not registered; the message offers the nearest ones."""

    def __init__(self, what: str, name: str, known: Iterable[str], hint: str = "") -> None:
        known = sorted(set(known))
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5) or [k for k in known if name and name in k][:3]
        mend = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known[:20]) or 'none'}"
        super().__init__(f"unknown {what} {name!r}: {mend}{' ' + hint if hint else ''}")


class DataError(TomoBenchError):
    """A file, archive or array from outside is not what it should be."""


class DownloadError(DataError):
    """A download did not arrive whole, or arrived as something else."""


class GeometryError(TomoBenchError):
    """Angles, detectors or sinogram shape contradict each other."""


class PredictionError(TomoBenchError):
    """An adapter's answer cannot be scored."""


class StoreError(TomoBenchError):
    """The results folder cannot be read or written as asked."""


class UsageError(TomoBenchError):
    """A command line that cannot be carried out."""


def complaint(where: object, expected: str, found: str, mend: str) -> str:
    """One line: where it is wrong, what was expected, what was found, and what to do."""
    return f"{where}: expected {expected}, found {found}; {mend}"


def plain(text: object, longest: int = 500) -> str:
    """The text as one line that any terminal, file and web page can show: what is not printable becomes ``?``."""
    return "".join(sign if sign.isprintable() else "?" for sign in " ".join(str(text).split()))[:longest]
