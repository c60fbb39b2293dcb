"""Downloads: the one place where a file comes from the network, through Pooch, hashed before anyone may use it.

Files land in ``cache_dir("downloads")``. A download goes to a private folder first and is moved into place only when
it is whole and its checksum fits; an interrupted one is thrown away and started again, never resumed.
``TOMOBENCH_MIRROR=http://host:port`` replaces the public hosts: the file is then asked for as ``MIRROR/<file name>``.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, urlsplit, urlunsplit

from ..errors import DataError, DownloadError, UnknownName
from .cache import cache_dir

RETRIES = 2
TIMEOUT = (10.0, 30.0)  # seconds to connect, and between two bytes
QUICK_TIMEOUT = (3.0, 5.0)
QUICK_LIMIT = 60.0  # seconds in all: longer than this is not "at once"
UNKNOWN_SIZE_LIMIT = 64 << 30  # bytes: no file of the registry comes near it
STALE_AFTER = 86_400.0  # seconds before a scratch folder is taken for a killed run's


@dataclass(frozen=True)
class RemoteFile:
    """One row of ``registry.toml``; ``checksum`` is None where nobody published one."""

    name: str
    url: str
    licence: str
    citation: str
    checksum: str | None = None
    bytes: int | None = None
    library: str | None = None


@functools.cache
def registry() -> dict[str, RemoteFile]:
    """Return file name → row of the shipped registry. Raises DataError on a row that is not as it should be."""
    text = Path(__file__).with_name("registry.toml").read_text(encoding="utf-8")
    return parse_registry(text)


def parse_registry(text: str) -> dict[str, RemoteFile]:
    """Return file name → row of a registry written in TOML.

    Raises DataError naming the row and the field: unknown or missing field, duplicate or unsafe name, a URL that is
    not http(s), a checksum that is neither 64 hexadecimal digits of sha256 nor 32 of md5.
    """
    rows: dict[str, RemoteFile] = {}
    for number, fields in enumerate(tomllib.loads(text).get("file", [])):
        where = f"registry.toml: file {number} ({fields.get('name', 'unnamed')})"
        try:
            row = RemoteFile(**fields)
        except TypeError as error:
            raise DataError(f"{where}: {str(error).partition(') ')[2] or error}") from error
        if row.name in rows or Path(row.name).name != row.name or row.name.startswith("."):
            raise DataError(f"{where}: the name must be a plain file name that no other row has")
        if not row.url.startswith(("http://", "https://")):
            raise DataError(f"{where}: the url must begin with http:// or https://")
        if row.checksum is not None:
            algorithm, _, digits = row.checksum.partition(":")
            if len(digits) != {"sha256": 64, "md5": 32}.get(algorithm) or set(digits) - set("0123456789abcdef"):
                raise DataError(f"{where}: the checksum must be sha256: or md5: and lower-case hexadecimal digits")
        rows[row.name] = row
    return rows


def fetch(filename: str, *, accept_unverified: bool = False, progress: bool | None = None, quick: bool = False) -> Path:
    """Return the path of a registered file, downloading it where the cache has no sound copy.

    Parameters
    ----------
    filename : str
        A name of ``registry.toml``.
    accept_unverified : bool
        Also take a file whose checksum nobody published; the sha256 of what arrives is pinned in ``pins.json`` of
        the cache and every later copy must match it.
    progress : bool or None
        Show a progress bar on stderr; None shows it on a terminal only.
    quick : bool
        Find out whether the file can be had at once: one try, short timeouts, a minute in all.

    Raises
    ------
    UnknownName
        No such file in the registry.
    DownloadError
        In one line: which file, what was expected, what was found, and the mend. Nothing is left behind.
    """
    row = _row(filename)
    path = cache_dir("downloads") / row.name
    expected = row.checksum or _pins().get(row.name)
    if path.is_file():
        if expected is None and accept_unverified:
            _pin(row.name, checksum_of(path, "sha256"))
            return path
        if expected is not None:
            found = remembered_checksum(path, expected)
            if found == expected:
                return path
            print(f"tomobench: {path} is damaged, downloading it again: {found}, not {expected}", file=sys.stderr)
    if expected is None and not accept_unverified:
        raise DownloadError(
            f"{row.name}: nobody published a checksum, so nothing can tell the genuine file from another; "
            f"to take what arrives and pin its sha256: tomobench data fetch {row.name} --accept-unverified"
            + (f", or register your own copy: tomobench data add {row.library} FILE" if row.library else "")
        )
    arrived = _download(row, path, expected, progress=progress, quick=quick)
    if expected is None:
        _pin(row.name, arrived)
    return path


def cached(filename: str) -> Path | None:
    """Return the path of a file that is in the cache and sound, else None; the network is never touched."""
    row = _row(filename)
    path = cache_dir("downloads") / row.name
    expected = row.checksum or _pins().get(row.name)
    sound = expected is not None and path.is_file() and remembered_checksum(path, expected) == expected
    return path if sound else None


def verify(filename: str) -> str:
    """Hash a cached file anew and return its checksum, ``"sha256:…"`` or ``"md5:…"``.

    Raises DataError in one line where it is absent, has no checksum to match, or differs.
    """
    row = _row(filename)
    path = cache_dir("downloads") / row.name
    if not path.is_file():
        raise DataError(f"{row.name}: not in the cache; tomobench data fetch {row.name}")
    expected = row.checksum or _pins().get(row.name)
    if expected is None:
        raise DataError(
            f"{row.name}: in the cache but never accepted, so there is no checksum to compare with; "
            f"tomobench data fetch {row.name} --accept-unverified"
        )
    found = checksum_of(path, expected.partition(":")[0])
    if found != expected:
        raise DataError(f"{path}: expected {expected}, found {found}; tomobench data fetch {row.name} replaces it")
    return found


def remove(filename: str) -> bool:
    """Delete a file from the cache, what was unpacked from it, and its pin; True where there was a file."""
    row = _row(filename)
    path = cache_dir("downloads") / row.name
    present = path.exists()
    path.unlink(missing_ok=True)
    _sidecar(path).unlink(missing_ok=True)
    shutil.rmtree(cache_dir("extracted") / path.stem, ignore_errors=True)
    pins = _pins()
    if pins.pop(row.name, None) is not None:
        write_json(cache_dir() / "pins.json", pins)
    return present


def describe() -> list[dict[str, Any]]:
    """One row per registered file: name, library, bytes, licence, citation, url, verified, and whether it is here."""
    pins = _pins()
    rows = []
    for row in registry().values():
        present = (cache_dir("downloads") / row.name).is_file()
        state = "absent" if not present else "cached" if row.checksum or row.name in pins else "not accepted"
        rows.append(
            {
                "name": row.name,
                "library": row.library,
                "bytes": row.bytes,
                "licence": row.licence,
                "citation": row.citation,
                "url": row.url,
                "verified": row.checksum is not None,
                "state": state,
            }
        )
    return rows


def checksum_of(path: Path, algorithm: str = "sha256") -> str:
    """Return ``"<algorithm>:<hexadecimal digest>"`` of a file's content. Raises DataError where it cannot be read."""
    try:
        with path.open("rb") as stream:
            return f"{algorithm}:{hashlib.file_digest(stream, algorithm).hexdigest()}"
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; make the file readable or remove it") from error


def remembered_checksum(path: Path, expected: str) -> str:
    """Return the checksum of a cached file in the algorithm of ``expected``.

    The file is hashed again only when its size or modification time is not as noted beside it.
    """
    algorithm = expected.partition(":")[0]
    stamp = _stamp(path, algorithm)
    try:
        seen = json.loads(_sidecar(path).read_text(encoding="utf-8"))
        if {key: seen[key] for key in stamp} == stamp:
            return str(seen["checksum"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # never seen, or the note itself is damaged: hash
    checksum = checksum_of(path, algorithm)
    write_json(_sidecar(path), {**stamp, "checksum": checksum})
    return checksum


def write_json(path: Path, value: object) -> None:
    """Write a JSON file so that a reader, or a crash, sees the old content or the new and nothing between."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(value, stream, indent=2)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def sweep(folder: Path, pattern: str) -> None:
    """Delete day-old scratch folders that killed runs left in ``folder``; a younger one may still be in use."""
    for leftover in folder.glob(pattern):
        if time.time() - leftover.stat().st_mtime > STALE_AFTER:
            shutil.rmtree(leftover, ignore_errors=True)


def redact(url: str) -> str:
    """``url`` without user name, password, query and fragment, fit for a message."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, f"***@{host}" if "@" in parts.netloc else host, parts.path, "", ""))


def _row(filename: str) -> RemoteFile:
    if filename not in registry():
        raise UnknownName("data file", filename, registry())
    return registry()[filename]


def _pins() -> dict[str, str]:
    """The checksums the user accepted on arrival: file name → ``"sha256:…"``."""
    path = cache_dir() / "pins.json"
    if not path.exists():
        return {}
    try:
        pins = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): str(checksum) for name, checksum in pins.items()}
    except (ValueError, AttributeError) as error:
        raise DataError(f"{path}: not the JSON that TomoBench writes; delete it and accept the files again") from error


def _pin(name: str, checksum: str) -> None:
    write_json(cache_dir() / "pins.json", {**_pins(), name: checksum})
    print(f"tomobench: {name} is unverified; pinned to {checksum} as it arrived", file=sys.stderr)


def _sidecar(path: Path) -> Path:
    return path.with_name(f".{path.name}.seen.json")


def _stamp(path: Path, algorithm: str) -> dict[str, object]:
    state = path.stat()
    return {"size": state.st_size, "mtime_ns": state.st_mtime_ns, "algorithm": algorithm}


def _source(row: RemoteFile) -> str:
    mirror = os.environ.get("TOMOBENCH_MIRROR")
    if not mirror:
        return row.url
    if not mirror.startswith(("http://", "https://")):
        raise DownloadError(f"TOMOBENCH_MIRROR={redact(mirror)}: expected http://host:port; unset it or correct it")
    return f"{mirror.rstrip('/')}/{quote(row.name)}"


def _download(row: RemoteFile, path: Path, expected: str | None, *, progress: bool | None, quick: bool) -> str:
    """Download ``row`` to ``path`` and return its checksum; on failure raise DownloadError, leaving ``path`` alone."""
    import pooch
    import requests

    url = _source(row)
    downloader = _Downloader(row, (expected or "sha256:").partition(":")[0], progress=progress, quick=quick)
    sweep(path.parent, ".incoming-*")
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".incoming-") as folder, _quiet_pooch():
            manager = pooch.create(
                path=folder,
                base_url="",
                registry={row.name: expected},
                urls={row.name: url},
                retry_if_failed=0 if quick else RETRIES,
            )
            os.replace(manager.fetch(row.name, downloader=downloader), path)
    except _Refused as error:
        raise DownloadError(_failure(row, url, str(error))) from error
    except requests.RequestException as error:
        raise DownloadError(_failure(row, url, _reason(error))) from error
    except ValueError as error:  # Pooch's word for a wrong hash
        found = f"{downloader.bytes:,} bytes with {downloader.checksum}, not {expected}"
        raise DownloadError(_failure(row, url, found)) from error
    except OSError as error:
        raise DownloadError(_failure(row, url, f"{error.strerror or error} while writing the cache")) from error
    write_json(_sidecar(path), {**_stamp(path, downloader.algorithm), "checksum": downloader.checksum})
    return downloader.checksum


class _Refused(Exception):
    """An answer that trying again would not better; neither a ValueError nor a requests error, so Pooch lets it out."""


class _Downloader:
    """What Pooch calls to bring one URL into one file: HTTP with timeouts, a size cap and a look at what came."""

    def __init__(self, row: RemoteFile, algorithm: str, *, progress: bool | None, quick: bool) -> None:
        self.row, self.algorithm, self.quick = row, algorithm, quick
        self.progress = sys.stderr.isatty() if progress is None else progress
        self.bytes, self.checksum = 0, ""

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        import requests
        from pooch import HTTPDownloader
        from tqdm import tqdm

        size = self.row.bytes or 1  # tqdm has no truth value without a total; Pooch sets the real one
        deadline = time.monotonic() + (QUICK_LIMIT if self.quick else float("inf"))
        with (
            Path(output_file).open("wb") as stream,
            tqdm(desc=self.row.name, total=size, unit="B", unit_scale=True, disable=not self.progress) as bar,
        ):
            sink = _Sink(stream, self.algorithm, self.row.bytes or UNKNOWN_SIZE_LIMIT, deadline)
            answers: list[requests.Response] = []  # Pooch leaves them open when it fails
            download = HTTPDownloader(
                progressbar=bar if self.progress else False,
                chunk_size=1 << 18,
                timeout=QUICK_TIMEOUT if self.quick else TIMEOUT,
                hooks={"response": lambda answer, **_: answers.append(answer)},
            )
            try:
                download(url, sink, pooch)
            except requests.TooManyRedirects as error:
                raise _Refused("a redirect loop") from error
            except requests.HTTPError as error:
                if error.response is not None and error.response.status_code < 500:
                    raise _Refused(_reason(error)) from error
                raise  # the server's own trouble may pass: Pooch tries again
            finally:
                for answer in answers:
                    answer.close()
        self.bytes, self.checksum = sink.bytes, f"{self.algorithm}:{sink.digest.hexdigest()}"
        if sink.head.lstrip().lower().startswith((b"<!doctype html", b"<html", b"<head")):
            raise _Refused("an HTML page (a login, a proxy or a dead link)")
        if not sink.bytes:
            raise _Refused("an empty body")


class _Sink:
    """The file Pooch writes to: hashes what passes, and stops a flood and a trickle."""

    def __init__(self, stream: IO[bytes], algorithm: str, limit: int, deadline: float) -> None:
        self.stream, self.limit, self.deadline = stream, limit, deadline
        self.digest, self.bytes, self.head = hashlib.new(algorithm), 0, b""

    def write(self, chunk: bytes) -> int:
        self.head = self.head or chunk[:512]
        self.bytes += len(chunk)
        self.digest.update(chunk)
        if self.bytes > self.limit:
            raise _Refused(f"more than {self.limit:,} bytes")
        if time.monotonic() > self.deadline:
            raise _Refused(f"no end after {QUICK_LIMIT:.0f} s")
        return self.stream.write(chunk)

    def flush(self) -> None:
        self.stream.flush()


def _reason(error: Exception) -> str:
    """What went wrong in a few words; never the exception's own text, which repeats the URL and its credentials."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"HTTP status {error.response.status_code}"
    if isinstance(error, requests.Timeout) or "timed out" in str(error).lower():
        return "no answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "a body that breaks off early"
    if isinstance(error, requests.ConnectionError):
        return "no connection to the host"
    return type(error).__name__


def _failure(row: RemoteFile, url: str, found: str) -> str:
    size = f"{row.bytes:,} bytes" if row.bytes else "the file"
    mend = (
        f"try again, set TOMOBENCH_MIRROR to a server that has it, or copy it to {cache_dir('downloads') / row.name}"
        if row.checksum or not row.library
        else f"the link may be dead; if you have the file: tomobench data add {row.library} FILE"
    )
    return f"{row.name}: expected {size} from {redact(url)}, found {found}; {mend}"


@contextmanager
def _quiet_pooch() -> Iterator[None]:
    """Silence Pooch's log, which prints the whole URL."""
    import pooch

    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("WARNING")
    try:
        yield
    finally:
        logger.setLevel(level)
