"""Every method by name, and how a method from outside is found.

A method is named by a shipped name (``sirt``), one with its parameters fixed (``sirt[iterations=50]``), an entry point
of the group ``tomobench.adapters``, ``module:Object``, or ``path/to/file.py:Object``. Finding never runs outside code:
``find_method`` looks, ``build_method`` (called in the worker) imports.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import re
import sys
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from ..errors import UnknownName, UsageError
from .protocol import Adapter, AdapterInfo, as_adapter

# name → module of this room : class
SHIPPED = {
    "fbp": "fbp:Fbp",
    "sirt": "sirt:Sirt",
    "cgls": "cgls:Cgls",
    "tv": "tv:Tv",
    "zero": "zero:Zero",
}


@dataclass(frozen=True)
class Method:
    """Where a method is and what identifies it; nothing of an outside method has been imported.

    ``identity`` changes when its code or version does. ``candidates`` are the parameter sets that tuning may choose
    from; ``parameters`` those that the user fixed. ``search_path`` is where ``module:Object`` is looked for.
    """

    name: str
    kind: str
    target: str
    identity: str
    parameters: dict[str, Any] = field(default_factory=dict)
    candidates: tuple[dict[str, Any], ...] = ()
    search_path: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values for a worker's job file; ``Method(**values)`` is the way back."""
        return asdict(self)


def list_methods() -> list[str]:
    """Names of the shipped methods and of the installed entry points."""
    return [*SHIPPED, *(name for name in _entry_points() if name not in SHIPPED)]


def shipped_class(name: str) -> Any:
    """The class of a shipped method, with its ``info`` and ``candidates``."""
    module, _, attribute = SHIPPED[name].partition(":")
    return getattr(importlib.import_module(f".{module}", __package__), attribute)


def method_info(name: str) -> AdapterInfo | None:
    """What a shipped method declares; None for others, whose code is not loaded just to ask."""
    return shipped_class(name).info if name in SHIPPED else None


def find_method(spec: str) -> Method:
    """Find a method by its spec without running any outside code.

    Raises UnknownName with the nearest names, UsageError for a file or module that is not there.
    """
    match = re.fullmatch(r"([^\[\]]+)\[([^\[\]]*)\]", spec)
    base, given = (match[1], match[2]) if match else (spec, "")
    if base in SHIPPED:
        return _shipped(base, spec, _parse_parameters(spec, given))
    if given:
        raise UsageError(f"method {spec!r}: only shipped methods take parameters; shipped: {', '.join(SHIPPED)}")
    points = _entry_points()
    if base in points:
        point = points[base]
        version = point.dist.version if point.dist else "unknown"
        return Method(base, "entry point", point.value, f"entry point {point.value} {version}")
    if ":" in base:
        return _outside(base)
    raise UnknownName("method", spec, list_methods(), "(or module:Object, or path/to/file.py:Object)")


def load_object(method: Method) -> Any:
    """Import what a method's spec names: an adapter, an adapter class or a function. Runs outside code."""
    if method.kind == "shipped":
        return shipped_class(method.target)
    if method.kind == "entry point":
        return EntryPoint("method", method.target, "tomobench.adapters").load()
    place, _, attribute = method.target.rpartition(":")
    if method.kind == "file":
        sys.path.insert(0, str(Path(place).parent))
        # A private name, so that a file called secrets.py does not replace the module of that name.
        spec = importlib.util.spec_from_file_location(f"_tomobench_method_{Path(place).stem}", place)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    else:
        sys.path[:0] = method.search_path
        module = importlib.import_module(place)
    found: Any = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise UnknownName(f"object in {place}", part, [name for name in dir(found) if not name.startswith("_")])
        found = getattr(found, part)
    return found


def build_method(method: Method, parameters: dict[str, Any] | None = None) -> Adapter:
    """Import the method and return its adapter, made with the given parameters. Runs outside code."""
    return as_adapter(load_object(method), {**(parameters or {}), **method.parameters})


def load_method(spec: str, **parameters: Any) -> Adapter:
    """Find and build a method in this process, for use from Python: ``load_method("sirt", iterations=50)``."""
    return build_method(find_method(spec), parameters)


def _shipped(name: str, spec: str, parameters: dict[str, Any]) -> Method:
    cls = shipped_class(name)
    candidates: tuple[dict[str, Any], ...] = getattr(cls, "candidates", ())
    if parameters:
        as_adapter(cls, parameters)  # refuses unknown or impossible values now, not in a worker
        label = f"{name}[{','.join(f'{key}={value}' for key, value in parameters.items())}]"
        return Method(label, "shipped", name, f"{name}@{cls.info.version}", parameters)
    return Method(name, "shipped", name, f"{name}@{cls.info.version}", candidates=candidates)


def _outside(spec: str) -> Method:
    place, _, attribute = spec.rpartition(":")
    if not place or not attribute:
        raise UsageError(f"method {spec!r}: expected module:Object or path/to/file.py:Object")
    if place.endswith(".py") or "/" in place:
        path = Path(place).expanduser().resolve()
        if not path.is_file():
            raise UsageError(f"method {spec!r}: no file {place}; give the path to a Python file and the object in it")
        return Method(f"{path.stem}:{attribute}", "file", f"{path}:{attribute}", _digest(path))
    search = (str(Path.cwd()),)
    path_list: Any = [*search, *sys.path]
    origin = None
    parts = place.split(".")
    for depth in range(1, len(parts) + 1):
        found = _find_spec(".".join(parts[:depth]), path_list)
        if found is None:
            raise UsageError(f"method {spec!r}: no module {place}; install it, or give path/to/file.py:Object")
        origin, path_list = found.origin, found.submodule_search_locations
    identity = _digest(Path(origin)) if origin and Path(origin).is_file() else place
    return Method(spec, "module", spec, identity, search_path=search)


def _find_spec(name: str, path: Any) -> ModuleSpec | None:
    """Where a module is, without importing it: on ``path``, else where an import hook (editable installs) knows it."""
    found = PathFinder.find_spec(name, path)
    for finder in sys.meta_path:
        if found is None and finder is not PathFinder:
            found = finder.find_spec(name, path)
    return found


def _digest(path: Path) -> str:
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"


def _parse_parameters(spec: str, given: str) -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    for part in filter(None, given.split(",")):
        key, equals, value = part.partition("=")
        if not equals:
            raise UsageError(f"method {spec!r}: expected NAME[key=value,…], found {part!r}")
        try:
            parameters[key.strip()] = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError):
            parameters[key.strip()] = value.strip()
    return parameters


@cache
def _entry_points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group="tomobench.adapters")}
