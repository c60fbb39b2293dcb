"""Archives: unpack a zip so that a hostile or broken one leaves nothing, and a finished folder is known to be whole."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import DataError, complaint
from .fetch import checksum_of, sweep, write_json

MANIFEST = ".manifest.json"
_CHUNK = 1 << 20


def extract_zip(archive: Path, target: Path, *, max_bytes: int, max_files: int) -> list[Path]:
    """Unpack ``archive`` into the folder ``target`` and return its files in the archive's order.

    A ``target`` from an earlier call is reused when the archive and every file are as they were then (size and
    modification time, else the sha256 in the manifest); otherwise it is replaced. The work is done in a temporary
    folder beside ``target``, which is renamed when whole.

    Parameters
    ----------
    max_bytes : int
        Cap on the bytes that come out, counted while they come out: the archive's own word is not trusted.
    max_files : int
        Cap on the number of files.

    Raises
    ------
    DataError
        In one line: not a zip, truncated, a bad CRC, encrypted, over a cap, or a member that is absolute, climbs out
        with ``..``, is a link or a special file, has an unprintable name or a name that another one has too.
    """
    ready = _reusable(archive, target)
    if ready is not None:
        return ready
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target.parent, f".{target.name}-*")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as scratch:
        fresh = Path(scratch) / "files"
        fresh.mkdir()
        try:
            with zipfile.ZipFile(archive) as unzipped:
                members = _checked_members(archive, unzipped, max_bytes, max_files)
                files = _write_members(archive, unzipped, members, fresh, max_bytes)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise DataError(
                complaint(archive, "a whole zip archive", str(error), "download or copy it again")
            ) from error
        except OSError as error:
            raise DataError(f"{archive}: {error.strerror or error} while unpacking to {target}") from error
        write_json(fresh / MANIFEST, {"archive": _stamp(archive), "files": files})
        if target.exists():
            target.rename(Path(scratch) / "replaced")
        try:
            fresh.rename(target)
        except OSError:  # another process finished first; its folder serves if it is whole
            ready = _reusable(archive, target)
            if ready is None:
                raise
            return ready
    return [target / name for name in files]


def _checked_members(archive: Path, unzipped: zipfile.ZipFile, max_bytes: int, max_files: int) -> list[zipfile.ZipInfo]:
    """The members to write, folders left out, after every check that needs no decompression."""
    members = [member for member in unzipped.infolist() if not member.is_dir()]
    if not members:
        raise DataError(complaint(archive, "a zip archive with files", "none", "download or copy it again"))
    if len(members) > max_files:
        raise DataError(complaint(archive, f"at most {max_files:,} files", f"{len(members):,}", "do not trust it"))
    claimed = sum(member.file_size for member in members)
    if claimed > max_bytes:
        raise DataError(complaint(archive, f"at most {max_bytes:,} bytes", f"{claimed:,} claimed", "do not trust it"))
    for member in unzipped.infolist():
        fault = _fault(member)
        if fault:
            raise DataError(f"{archive}: member {member.orig_filename!r} {fault}; nothing was unpacked")
    taken: set[str] = set()
    for member in members:
        # Case is folded because some file systems cannot tell two such names apart.
        key = str(PurePosixPath(member.filename)).casefold()
        parents = {str(parent).casefold() for parent in PurePosixPath(member.filename).parents}
        if key in taken or parents & taken:
            raise DataError(f"{archive}: member {member.filename!r} has the name of another; nothing was unpacked")
        taken.add(key)
    if MANIFEST in taken:
        raise DataError(f"{archive}: member {MANIFEST!r} has a name that TomoBench keeps; nothing was unpacked")
    return members


def _fault(member: zipfile.ZipInfo) -> str | None:
    name = member.orig_filename  # filename is cut at the first NUL
    if not name.isprintable():
        return "has unprintable characters in its name"
    if "\\" in name or ":" in name:
        return "has a backslash or a colon in its name"
    if name.startswith("/"):
        return "has an absolute path"
    if not name.strip("/.") or ".." in name.split("/"):
        return "climbs out of the folder"
    if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a special file"
    if member.flag_bits & 0x1:
        return "is encrypted"
    return None


def _write_members(
    archive: Path, unzipped: zipfile.ZipFile, members: list[zipfile.ZipInfo], folder: Path, max_bytes: int
) -> dict[str, dict[str, Any]]:
    """Write the members below ``folder`` and return their entries of the manifest; zipfile checks each CRC."""
    left = max_bytes
    entries: dict[str, dict[str, Any]] = {}
    for member in members:
        path = folder / member.filename
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with unzipped.open(member) as source, path.open("xb") as sink:
            while chunk := source.read(_CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise DataError(complaint(archive, f"at most {max_bytes:,} bytes", "more", "do not trust it"))
                digest.update(chunk)
                sink.write(chunk)
        name = path.relative_to(folder).as_posix()
        entries[name] = {**_stamp(path), "sha256": f"sha256:{digest.hexdigest()}"}
    return entries


def _reusable(archive: Path, target: Path) -> list[Path] | None:
    """The files of an earlier extraction if all of them are whole, else None."""
    try:
        manifest = json.loads((target / MANIFEST).read_text(encoding="utf-8"))
        if manifest["archive"] != _stamp(archive):
            return None
        for name, entry in manifest["files"].items():
            stamp = _stamp(target / name)
            if stamp["size"] != entry["size"]:
                return None
            if stamp["mtime_ns"] != entry["mtime_ns"] and checksum_of(target / name) != entry["sha256"]:
                return None
        return [target / name for name in manifest["files"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, DataError):
        return None


def _stamp(path: Path) -> dict[str, int]:
    state = os.stat(path)
    return {"size": state.st_size, "mtime_ns": state.st_mtime_ns}
