"""Downloads through a real web server on the loopback, well-behaved and not."""

from __future__ import annotations

import hashlib
import json
import os

import pytest

from tomobench.datasets import fetch
from tomobench.errors import DataError, DownloadError, UnknownName

BODY = b"\x89HDF\r\n" + bytes(range(256)) * 40
SHA = "sha256:" + hashlib.sha256(BODY).hexdigest()
PUBLIC = "http://nowhere.invalid/data"


@pytest.fixture(autouse=True)
def rows(monkeypatch):
    """A registry of three files, and no waiting between tries."""
    table = {
        "good.h5": fetch.RemoteFile("good.h5", PUBLIC, "CC0", "none", SHA, len(BODY)),
        "md5.h5": fetch.RemoteFile("md5.h5", PUBLIC, "CC0", "none", "md5:" + hashlib.md5(BODY).hexdigest()),
        "micro-ct.h5": fetch.RemoteFile("micro-ct.h5", PUBLIC, "unknown", "none", library="micro-ct"),
    }
    monkeypatch.setattr(fetch, "registry", lambda: table)
    monkeypatch.setattr(fetch, "TIMEOUT", (0.5, 0.5))
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)


def leftovers(cache):
    """Everything in the downloads folder."""
    return sorted(path.name for path in (cache / "downloads").rglob("*"))


@pytest.mark.parametrize("name", ["good.h5", "md5.h5"])
def test_arrives_whole_once(mirror, cache, name):
    """A file is downloaded once, has the bytes sent, and is then served from the cache."""
    mirror.serve(name, BODY)
    assert fetch.cached(name) is None
    path = fetch.fetch(name)
    assert path == cache / "downloads" / name
    assert path.read_bytes() == BODY
    assert fetch.fetch(name) == fetch.cached(name) == path
    assert mirror.requests == [f"/{name}"]
    assert fetch.verify(name).endswith(hashlib.new(fetch.verify(name).split(":")[0], BODY).hexdigest())


def test_server_trouble_passes(mirror):
    """503 twice, then the file: it is had on the third try."""
    mirror.serve("good.h5", BODY)
    well = mirror.answers["good.h5"]
    mirror.answers["good.h5"] = lambda h: h.send_error(503) if len(mirror.requests) < 3 else well(h)
    assert fetch.fetch("good.h5").read_bytes() == BODY
    assert len(mirror.requests) == 3


def redirect(handler):
    """Send the client to where it already is."""
    handler.send_response(302)
    handler.send_header("Location", handler.path)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


BAD = {
    "short": (lambda m: m.serve("good.h5", BODY[:-9], claimed=len(BODY)), "a body that breaks off early", 3),
    "html": (lambda m: m.serve("good.h5", b"\n<!DOCTYPE html><p>please log in</p>"), "an HTML page", 1),
    "absent": (lambda m: None, "HTTP status 404", 1),
    "down": (lambda m: m.answers.update({"good.h5": lambda h: h.send_error(503)}), "HTTP status 503", 3),
    "wrong hash": (lambda m: m.serve("good.h5", BODY[::-1]), hashlib.sha256(BODY[::-1]).hexdigest(), 3),
    "longer": (lambda m: m.serve("good.h5", BODY * 2), f"more than {len(BODY):,} bytes", 1),
    "empty": (lambda m: m.serve("good.h5", b""), "an empty body", 1),
    "stall": (lambda m: m.serve("good.h5", BODY, stall=3), "no answer in time", 3),
    "redirect loop": (lambda m: m.answers.update({"good.h5": redirect}), "a redirect loop", 31),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_download(mirror, cache, case):
    """Every failure is one line with the file, the fault and the mend, and leaves nothing behind."""
    prepare, found, tries = BAD[case]
    prepare(mirror)
    with pytest.raises(DownloadError) as caught:
        fetch.fetch("good.h5")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("good.h5: expected 10,246 bytes from http://127.0.0.1:")
    assert f"found {found}" in message or found in message
    assert "TOMOBENCH_MIRROR" in message
    assert leftovers(cache) == []
    assert len(mirror.requests) == tries


def test_no_network(cache):
    """A host that refuses the connection is named without a traceback of sockets."""
    with pytest.raises(DownloadError, match="found no connection to the host; try again"):
        fetch.fetch("good.h5", quick=True)
    assert leftovers(cache) == []


def test_quick_tries_once(mirror, monkeypatch):
    """Quick asks one time only, even where the server may recover."""
    mirror.answers["good.h5"] = lambda h: h.send_error(503)
    with pytest.raises(DownloadError):
        fetch.fetch("good.h5", quick=True)
    assert len(mirror.requests) == 1


def test_credentials_are_redacted(monkeypatch, mirror):
    """Neither password nor token of a URL reaches a message."""
    monkeypatch.setenv("TOMOBENCH_MIRROR", mirror.url.replace("//", "//anna:secret@"))
    with pytest.raises(DownloadError) as caught:
        fetch.fetch("good.h5")
    assert "secret" not in str(caught.value)
    assert "anna" not in str(caught.value)
    assert fetch.redact("https://u:p@h.org:8/a/b?token=t#f") == "https://***@h.org:8/a/b"


def test_mirror_must_be_http(monkeypatch):
    """A mirror that is no web address is refused before anything is tried."""
    monkeypatch.setenv("TOMOBENCH_MIRROR", "/data")
    with pytest.raises(DownloadError, match="expected http://host:port"):
        fetch.fetch("good.h5")


def test_damaged_copy_is_replaced(mirror, capsys):
    """A byte flipped in the cache is noticed, said, and mended by a new download."""
    mirror.serve("good.h5", BODY)
    path = fetch.fetch("good.h5")
    path.write_bytes(BODY[:-1] + b"!")
    assert fetch.cached("good.h5") is None
    with pytest.raises(DataError, match=f"expected {SHA}"):
        fetch.verify("good.h5")
    assert fetch.fetch("good.h5").read_bytes() == BODY
    assert "is damaged, downloading it again" in capsys.readouterr().err


def test_unchanged_file_is_not_hashed_again(mirror, monkeypatch):
    """Size and modification time as noted: the note is believed; a new time: the file is hashed."""
    mirror.serve("good.h5", BODY)
    path = fetch.fetch("good.h5")
    hashed = []
    monkeypatch.setattr(fetch, "checksum_of", lambda p, algorithm: hashed.append(p) or SHA)
    assert fetch.cached("good.h5") == path
    assert hashed == []
    os.utime(path, ns=(1, 1))
    assert fetch.cached("good.h5") == path
    assert hashed == [path]


def test_unverified_needs_consent_and_is_pinned(mirror, cache, capsys):
    """Without a published checksum: refused, taken on consent, pinned, and another file refused ever after."""
    mirror.serve("micro-ct.h5", BODY)
    with pytest.raises(DownloadError, match=r"nobody published a checksum.*--accept-unverified.*data add micro-ct"):
        fetch.fetch("micro-ct.h5")
    assert mirror.requests == []
    path = fetch.fetch("micro-ct.h5", accept_unverified=True)
    assert json.loads((cache / "pins.json").read_text()) == {"micro-ct.h5": SHA}
    assert f"pinned to {SHA}" in capsys.readouterr().err
    assert fetch.fetch("micro-ct.h5") == path
    path.unlink()
    mirror.serve("micro-ct.h5", BODY + b"changed")
    with pytest.raises(DownloadError, match=SHA):
        fetch.fetch("micro-ct.h5", accept_unverified=True)
    assert not path.exists()


def test_remove_forgets_the_pin(mirror, cache):
    """Removing an unverified file takes its pin away too, so that the user may decide anew."""
    mirror.serve("micro-ct.h5", BODY)
    fetch.fetch("micro-ct.h5", accept_unverified=True)
    assert [row["state"] for row in fetch.describe() if row["name"] == "micro-ct.h5"] == ["cached"]
    assert fetch.remove("micro-ct.h5")
    assert json.loads((cache / "pins.json").read_text()) == {}
    assert not fetch.remove("micro-ct.h5")


def test_full_disk_is_one_line(mirror, monkeypatch, cache):
    """No space left on the device: one line, nothing left behind."""
    mirror.serve("good.h5", BODY)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fetch._Sink, "write", full)
    with pytest.raises(DownloadError, match="No space left on device while writing the cache"):
        fetch.fetch("good.h5")
    assert leftovers(cache) == []


def test_unknown_name_offers_the_nearest():
    """A misspelt file name is answered with the right one."""
    with pytest.raises(UnknownName, match=r"did you mean good\.h5"):
        fetch.fetch("god.h5")


def test_shipped_registry_is_sound():
    """Every shipped row has a plain name, a web address, a licence, a citation and a well-formed checksum or none."""
    from pathlib import Path

    text = Path(fetch.__file__).with_name("registry.toml").read_text(encoding="utf-8")
    table = fetch.parse_registry(text)
    assert table["tooth.h5"].bytes == 1_043_312
    assert all(row.licence and row.citation for row in table.values())
    assert sum(row.checksum is None for row in table.values()) == 9  # the seeds' six libraries and three extra links


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ('name = "a.h5"\nurl = "https://h/a"\nlicence = "x"', "missing 1 required positional argument: 'citation'"),
        ('name = "../a"\nurl = "https://h/a"\nlicence = "x"\ncitation = "y"', "plain file name"),
        ('name = "a"\nurl = "file:///a"\nlicence = "x"\ncitation = "y"', "must begin with http"),
        ('name = "a"\nurl = "https://h/a"\nlicence = "x"\ncitation = "y"\nchecksum = "sha256:12"', "checksum"),
        (
            'name = "a"\nurl = "https://h/a"\nlicence = "x"\ncitation = "y"\nsize = 3',
            "unexpected keyword argument 'size'",
        ),
    ],
)
def test_bad_registry_row(row, fault):
    """A registry row with a missing, unknown or malformed field is named with its fault."""
    with pytest.raises(DataError, match=fault):
        fetch.parse_registry(f"[[file]]\n{row}\n")
