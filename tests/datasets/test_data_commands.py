"""The data command: what it prints, what it returns, and that the errors are the library's own."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

import numpy as np
import pytest

from tomobench.errors import DataError, DownloadError, UnknownName, UsageError
from tomobench.harness.data_commands import add_parser


def data(*words):
    """Run ``tomobench data …`` and return the exit status."""
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers(required=True))
    arguments = parser.parse_args(["data", *map(str, words)])
    return arguments.handler(arguments)


@pytest.fixture
def picture(tmp_path):
    """A small image file."""
    np.save(tmp_path / "a.npy", np.arange(64.0).reshape(8, 8))
    return tmp_path / "a.npy"


def test_importing_is_light():
    """Building the parser imports neither NumPy nor HDF5."""
    code = "import sys, tomobench.harness.data_commands; sys.exit(bool({'numpy', 'h5py', 'pooch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_fetch_path_verify_remove(real_mirror, cache, capsys):
    """One file from the mirror to the cache and out again, each command saying what it did."""
    path = cache / "downloads" / "tooth.h5"
    with pytest.raises(DataError, match="data fetch tooth"):
        data("path", "tooth")
    assert data("fetch", "tooth") == 0
    assert data("path", "tooth.h5") == 0
    assert data("verify", "tooth") == 0
    assert data("verify") == 0
    assert data("remove", "tooth") == 0
    lines = capsys.readouterr().out.splitlines()
    digest = "tooth.h5: sha256:ab1d9bd073b7fb1beae4defa991c2a2626605c5cf1f4be0d0203656bc47b6489"
    assert lines == [str(path), str(path), digest, digest, "tooth.h5: removed"]
    assert not path.exists()


def test_verify_reports_every_damage(real_mirror, cache, picture, capsys):
    """A damaged file does not stop the check of the others, and the status is 1."""
    data("fetch", "tooth")
    data("add", "mine", picture)
    (cache / "downloads" / "tooth.h5").write_bytes(b"damaged")
    assert data("verify") == 1
    printed = capsys.readouterr()
    assert "tooth.h5: expected sha256:ab1d" in printed.err
    assert "mine: sha256:" in printed.out


def test_list_as_json(mirror, picture, capsys):
    """The list names libraries and files, the user's own too, and says what is here."""
    data("add", "mine", picture, "--licence", "CC0", "--pixel-size", "1.5")
    capsys.readouterr()
    assert data("list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    libraries = {row["name"]: row for row in listed["libraries"]}
    assert libraries["mine"]["licence"] == "CC0"
    assert libraries["mine"]["pixel_size"] == 1.5
    files = {row["name"]: row for row in listed["files"]}
    assert files["tooth.h5"]["bytes"] == 1_043_312
    assert files["tooth.h5"]["state"] == "absent"
    assert not files["micro-ct.h5"]["verified"]


def test_list_as_table(capsys):
    """The table marks the files that nobody can verify."""
    assert data("list") == 0
    printed = capsys.readouterr().out
    assert "none: unverified" in printed
    assert "1,043,312" in printed


def test_add_and_remove(picture, capsys, cache):
    """Adding says what was found; path and remove find the library."""
    assert data("add", "mine", picture) == 0
    assert data("path", "mine") == 0
    assert data("verify", "mine") == 0
    assert data("remove", "mine") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "mine: 1 image of the user's, 1 object"
    assert lines[1] == str(cache / "libraries" / "mine")
    assert lines[3] == "mine: removed"


@pytest.mark.parametrize(
    ("words", "error", "text"),
    [
        (("fetch", "toth"), UnknownName, "did you mean tooth"),
        (("fetch", "shapes"), UsageError, "needs no file"),
        (("fetch", "micro-ct"), DownloadError, "accept-unverified"),
        (("verify", "tooth"), DataError, "not in the cache"),
        (("remove", "nothing"), UnknownName, "unknown library or data file"),
        (("add", "mine", "/nowhere/a.npy"), DataError, "No such file"),
    ],
)
def test_errors_are_left_to_the_caller(words, error, text):
    """What cannot be done is raised as one line for the command line to print."""
    with pytest.raises(error, match=text) as caught:
        data(*words)
    assert "\n" not in str(caught.value)
