"""The public face: a short list of names, all of which resolve, behind an import that loads nothing heavy."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tomobench
from tomobench import errors

PUBLIC = [
    "Adapter",
    "AdapterInfo",
    "Geometry",
    "ReconstructionInputs",
    "TomoBenchError",
    "evaluate",
    "leaderboard",
    "list_benchmarks",
    "list_libraries",
    "list_methods",
    "load_benchmark",
    "load_library",
    "load_method",
    "run",
]
HEAVY = ("numpy", "astra", "scipy", "h5py", "pandas", "skimage", "torch", "tensorflow", "matplotlib")


def loaded_by(code, *arguments):
    """Which heavy packages a fresh interpreter has loaded after running some code."""
    code += f"\nimport sys, json; print('\\n' + json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True, cwd="/")
    return json.loads(done.stdout.splitlines()[-1])


def test_public_names():
    """Adding or dropping a public name is a decision: change this list with it."""
    assert sorted(tomobench.__all__) == PUBLIC
    assert set(PUBLIC) <= set(dir(tomobench))


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_resolve(name):
    """Each name is a documented function or class, not a module of the same name."""
    found = getattr(tomobench, name)
    assert callable(found)
    assert found.__doc__


def test_version_is_the_distributions():
    """``__version__`` and pyproject agree."""
    pyproject = (Path(tomobench.__file__).parent / "pyproject.toml").read_text()
    assert re.search(r'^version = "(.+)"$', pyproject, re.MULTILINE)[1] == tomobench.__version__


def test_unknown_attribute():
    """A name that is not there is an AttributeError as of any module."""
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = tomobench.no_such_name


def test_import_is_cheap():
    """``import tomobench`` loads no numpy, nor anything heavier."""
    assert loaded_by("import tomobench") == []


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"]])
def test_help_is_cheap(arguments):
    """``tomobench --help`` and a command's help load neither numpy nor ASTRA."""
    code = (
        "from tomobench.harness.cli import main\ntry:\n    main()\nexcept SystemExit as end:\n    assert not end.code"
    )
    assert loaded_by(code, *arguments) == []


def test_importing_methods_loads_no_framework():
    """Listing methods, libraries and benchmarks loads no deep-learning framework and no Matplotlib."""
    code = "import tomobench as t; t.list_methods(); t.list_libraries(); t.list_benchmarks(); t.load_method('fbp')"
    assert not set(loaded_by(code)) & {"torch", "tensorflow", "matplotlib"}


def test_every_deliberate_error_is_a_tomobench_error():
    """One ``except TomoBenchError`` catches them all, and the drawn tree names each of them."""
    classes = [item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, Exception)]
    assert len(classes) == 8
    for item in classes:
        assert issubclass(item, errors.TomoBenchError)
        assert item.__name__ in errors.__doc__


def test_unknown_names_suggest():
    """Near names are offered; else what is known; else that nothing is."""
    assert "did you mean sirt?" in str(errors.UnknownName("method", "srit", ["sirt", "fbp"]))
    assert "known: fbp, sirt" in str(errors.UnknownName("method", "qqq", ["sirt", "fbp"]))
    assert "known: none" in str(errors.UnknownName("method", "qqq", []))
    assert str(errors.UnknownName("method", "x", ["fbp"], "(hint)")).endswith("(hint)")
