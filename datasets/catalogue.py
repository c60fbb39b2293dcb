"""Every library by name: the shipped ones in one visible table, then the user's own."""

from __future__ import annotations

import importlib

from ..errors import UnknownName
from .library import Library

# name → module of this room : class
SHIPPED = {
    "shapes": "shapes:Shapes",
    "shapes-legacy": "shapes:LegacyShapes",
    "natural": "natural:Natural",
    "grains": "grains:Grains",
    "foam": "foam:Foam",
    "reactors": "reactors:Reactors",
    "tooth": "tooth:Tooth",
    "div2k": "div2k:Div2k",
    "micro-ct": "reactor_bed:MicroCT",
    "xrd-ct": "reactor_bed:XrdCT",
    "lodopab": "lodopab:Lodopab",
}


def list_libraries() -> list[str]:
    """Names of the shipped libraries, then of those the user added."""
    from . import user

    return [*SHIPPED, *user.names()]


def load_library(name: str) -> Library:
    """Return the library called ``name``; nothing is downloaded or read until an item is asked for.

    Raises UnknownName with the nearest names.
    """
    if name in SHIPPED:
        module, _, attribute = SHIPPED[name].partition(":")
        return getattr(importlib.import_module(f".{module}", __package__), attribute)()
    from . import user

    if name in user.names():
        return user.load(name)
    raise UnknownName("library", name, list_libraries(), "(add your own: tomobench data add NAME FILE)")
