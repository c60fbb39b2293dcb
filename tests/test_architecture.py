"""The arrows between rooms, and that no module imports in a circle or loads a framework unasked; by reading imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# room → the rooms it may reach; every room may also reach itself and ``errors``
MAY_REACH = {
    "metrics": set(),
    "datasets": set(),
    "benchmarks": {"datasets", "metrics"},
    "baselines": {"benchmarks"},
    "submissions": {"baselines", "benchmarks", "datasets"},
    "harness": {"submissions", "baselines", "benchmarks", "datasets", "metrics"},
}
HEAVY = {"torch", "tensorflow", "keras", "matplotlib", "onnxruntime", "jax", "dask", "distributed"}


@cache
def modules() -> dict[str, Path]:
    """Dotted name below the package → file, for every module of every room; a package by its folder's name."""
    found = {"errors": ROOT / "errors.py"}
    for room in MAY_REACH:
        for path in sorted((ROOT / room).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def statements(tree: ast.AST, everywhere: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """Import statements: all, or those that run when the module is imported (not in functions, not for types only)."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif everywhere or not waits(node):
            yield from statements(node, everywhere)


def waits(node: ast.AST) -> bool:
    """True for what does not run when the module is imported."""
    if isinstance(node, ast.If):
        return "TYPE_CHECKING" in ast.unparse(node.test)
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)


def targets(name: str, everywhere: bool) -> set[str]:
    """What a module imports: ``numpy`` and the like, or the project's modules as ``.room.module``."""
    path = modules()[name]
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    found = set()
    for node in statements(ast.parse(path.read_text()), everywhere):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
            continue
        if node.level == 0:
            found.add(node.module or "")
            continue
        base = package[: len(package) - (node.level - 1)]
        base = [*base, *(node.module.split(".") if node.module else [])]
        for alias in node.names:
            full = ".".join([*base, alias.name])
            found.add("." + (full if full in modules() else ".".join(base)))
    # an absolute import of the package itself counts as one of its rooms
    return {f".{target.partition('.')[2]}" if target.split(".")[0] == "tomobench" else target for target in found}


def own(name: str, everywhere: bool) -> set[str]:
    """The project's modules that a module imports."""
    return {target[1:] for target in targets(name, everywhere) if target.startswith(".")}


def test_every_room_is_there():
    """The reader below finds the rooms and the modules this test names."""
    assert {"metrics.ssim", "datasets.library", "benchmarks.geometry", "baselines.fbp", "harness.cli"} <= set(modules())
    assert "benchmarks.geometry" in own("baselines.fbp", True)
    assert "datasets.cache" in own("benchmarks.prepare", False)
    assert "datasets.user" in own("datasets.catalogue", True) - own("datasets.catalogue", False)


@pytest.mark.parametrize("name", modules())
def test_arrows_run_one_way(name):
    """harness → submissions → baselines → benchmarks → datasets; metrics reach nothing; anywhere in the file."""
    room = name.split(".")[0]
    if room == "errors":
        assert not own(name, True)
        return
    reached = {target.split(".")[0] for target in own(name, True)} - {room, "errors"}
    # the root holds the version and lazy names; only the rim may ask it
    if room == "harness":
        reached.discard("")
    assert reached <= MAY_REACH[room]


def test_no_module_imports_in_a_circle():
    """The graph of imports that run at import time has no cycle."""
    graph = {name: own(name, False) & set(modules()) - {name} for name in modules()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " → ".join([*trail[trail.index(name) :], name])
        if name not in done:
            for target in sorted(graph[name]):
                visit(target, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())
    assert done == set(modules())


@pytest.mark.parametrize("name", modules())
def test_frameworks_wait_until_they_are_used(name):
    """No module loads a deep-learning framework, Dask or Matplotlib by being imported."""
    assert not {target.split(".")[0] for target in targets(name, False)} & HEAVY


def test_packages_are_listed():
    """Every folder with an ``__init__`` is in pyproject's list, so that a wheel holds it."""
    import tomllib

    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {"tomobench." + name for name, path in modules().items() if path.name == "__init__.py"}
    assert set(listed) == {"tomobench", *folders}
