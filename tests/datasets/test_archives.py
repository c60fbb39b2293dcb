"""Zip archives: what is unpacked, what is refused, and that a finished folder is trusted only while it is whole."""

from __future__ import annotations

import io
import stat
import struct
import zipfile

import pytest

from tomobench.datasets.archives import MANIFEST, extract_zip
from tomobench.errors import DataError

LIMITS = {"max_bytes": 1 << 20, "max_files": 20}


def make_zip(path, members, compression=zipfile.ZIP_DEFLATED):
    """Write a zip of (name or ZipInfo, bytes) pairs."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def special(name, mode):
    """A member that claims to be of another kind than a regular file."""
    info = zipfile.ZipInfo(name)
    info.external_attr = (mode | 0o777) << 16
    return info


def test_unpacks_and_reuses(tmp_path):
    """Members come out byte for byte, in order; a second call touches nothing."""
    archive = make_zip(tmp_path / "a.zip", [("b/2.png", b"two"), ("1.png", b"one")])
    files = extract_zip(archive, tmp_path / "out", **LIMITS)
    assert [path.relative_to(tmp_path / "out").as_posix() for path in files] == ["b/2.png", "1.png"]
    assert [path.read_bytes() for path in files] == [b"two", b"one"]
    before = files[0].stat().st_ino
    assert extract_zip(archive, tmp_path / "out", **LIMITS) == files
    assert files[0].stat().st_ino == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "out"]


@pytest.mark.parametrize("damage", ["truncate", "flip", "delete", "manifest", "archive"])
def test_damaged_folder_is_redone(tmp_path, damage):
    """A member truncated, changed or gone, a torn manifest, or another archive: everything is unpacked anew."""
    archive = make_zip(tmp_path / "a.zip", [("1.png", b"one"), ("2.png", b"two")])
    files = extract_zip(archive, tmp_path / "out", **LIMITS)
    expected = b"one"
    if damage == "truncate":
        files[0].write_bytes(b"on")
    elif damage == "flip":
        files[0].write_bytes(b"onE")
    elif damage == "delete":
        files[0].unlink()
    elif damage == "manifest":
        (tmp_path / "out" / MANIFEST).write_text('{"archive"')
    else:
        make_zip(archive, [("1.png", b"ONE"), ("2.png", b"two!")])
        expected = b"ONE"
    assert extract_zip(archive, tmp_path / "out", **LIMITS)[0].read_bytes() == expected


BAD = {
    "parent": ([("../evil", b"x")], "climbs out"),
    "inner parent": ([("a/../../evil", b"x")], "climbs out"),
    "absolute": ([("/evil", b"x")], "absolute path"),
    "backslash": ([("a\\..\\evil", b"x")], "backslash"),
    "drive": ([("C:evil", b"x")], "colon"),
    "bidi": ([("a\u202egnp.exe", b"x")], "unprintable"),
    "symlink": ([(special("a", stat.S_IFLNK), b"/etc/passwd")], "link or a special file"),
    "fifo": ([(special("a", stat.S_IFIFO), b"")], "link or a special file"),
    "case twins": ([("a.png", b"1"), ("A.PNG", b"2")], "has the name of another"),
    "file as folder": ([("a", b"1"), ("a/b", b"2")], "has the name of another"),
    "reserved": ([(MANIFEST, b"{}")], "TomoBench keeps"),
    "too many": ([(f"{k}", b"") for k in range(21)], "at most 20 files, found 21"),
    "too large": ([("a", bytes((1 << 20) + 1))], "at most 1,048,576 bytes, found 1,048,577 claimed"),
    "empty": ([], "found none"),
}


@pytest.mark.parametrize("case", BAD)
def test_hostile_archive(tmp_path, case):
    """Hostile members are refused in one line and nothing is written, in the target or outside it."""
    members, found = BAD[case]
    archive = make_zip(tmp_path / "a.zip", members)
    with pytest.raises(DataError, match=found) as caught:
        extract_zip(archive, tmp_path / "deep" / "out", **LIMITS)
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.zip", "deep"]


def test_duplicate_names(tmp_path):
    """The same name twice is refused, for either could be the one that was checked."""
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive = make_zip(tmp_path / "a.zip", [("a", b"1"), ("a", b"2")])
    with pytest.raises(DataError, match="has the name of another"):
        extract_zip(archive, tmp_path / "out", **LIMITS)


def test_nul_in_a_name(tmp_path):
    """A name with a NUL, which zipfile would silently cut, is refused."""
    archive = make_zip(tmp_path / "a.zip", [("goodXbad", b"1")])
    archive.write_bytes(archive.read_bytes().replace(b"goodXbad", b"good\0bad"))
    with pytest.raises(DataError, match="unprintable"):
        extract_zip(archive, tmp_path / "out", **LIMITS)


def test_lying_size_is_counted_while_unpacking(tmp_path):
    """A member that claims ten bytes and holds two megabytes is stopped by what comes out, not by its word."""
    archive = make_zip(tmp_path / "a.zip", [("a", bytes(2 << 20))])
    true, lie = struct.pack("<L", 2 << 20), struct.pack("<L", 10)
    archive.write_bytes(archive.read_bytes().replace(true, lie))
    with pytest.raises(DataError):
        extract_zip(archive, tmp_path / "out", **LIMITS)
    assert not (tmp_path / "out").exists()


def broken(kind):
    """The bytes of an archive that is broken in one way."""
    buffer = io.BytesIO()
    make_zip(buffer, [("a", b"0123456789" * 50)], zipfile.ZIP_STORED)
    whole = buffer.getvalue()
    return {
        "truncated": whole[:-30],
        "bad crc": whole.replace(b"0123", b"0124", 1),
        "html": b"<html>not found</html>",
        "nothing": b"",
    }[kind]


@pytest.mark.parametrize("kind", ["truncated", "bad crc", "html", "nothing"])
def test_broken_archive(tmp_path, kind):
    """A broken archive is one line and leaves no folder, not even a temporary one."""
    archive = tmp_path / "a.zip"
    archive.write_bytes(broken(kind))
    with pytest.raises(DataError, match="expected a whole zip archive") as caught:
        extract_zip(archive, tmp_path / "out", **LIMITS)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_failed_update_keeps_the_old_folder(tmp_path):
    """When a new archive is refused, what was unpacked from the old one is still there."""
    archive = make_zip(tmp_path / "a.zip", [("1.png", b"one")])
    files = extract_zip(archive, tmp_path / "out", **LIMITS)
    make_zip(archive, [("../1.png", b"evil")])
    with pytest.raises(DataError):
        extract_zip(archive, tmp_path / "out", **LIMITS)
    assert files[0].read_bytes() == b"one"
