"""``tomobench data``: list, fetch, add, verify, locate and remove the data behind the libraries."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Add the ``data`` command; each of its own commands leaves its handler in ``arguments.handler``.

    A handler takes the parsed arguments and returns the exit status; a TomoBenchError is left to the caller.
    """
    parser = subparsers.add_parser("data", help="list, fetch, add, verify, locate and remove data")
    commands = parser.add_subparsers(dest="data_command", required=True, metavar="COMMAND")

    command = commands.add_parser("list", help="every library and downloadable file, and what is here already")
    command.add_argument("--json", action="store_true", help="machine-readable")
    command.set_defaults(handler=list_data)

    command = commands.add_parser("fetch", help="download the files of a library, or one file")
    command.add_argument("names", metavar="NAME", nargs="+", help="libraries or files of 'tomobench data list'")
    command.add_argument(
        "--accept-unverified",
        action="store_true",
        help="take a file whose checksum nobody published, and pin what arrives: nothing tells whether it is genuine",
    )
    command.set_defaults(handler=fetch_data)

    command = commands.add_parser("add", help="register images or measured sinograms of your own")
    command.add_argument("name", metavar="NAME", help="lower-case letters, digits and '-'")
    command.add_argument(
        "path", metavar="FILE_OR_FOLDER", type=Path, help="TIFF, PNG, NPY or HDF5, or a folder of them"
    )
    command.add_argument(
        "--angles", metavar="A", help="sinograms: 0:180 (degrees), or a file of angles, FILE:deg, FILE:rad"
    )
    command.add_argument("--licence", default="unknown", help="what others may do with the data")
    command.add_argument("--citation", default="unpublished", help="how to cite them")
    command.add_argument("--pixel-size", metavar="UM", type=float, help="micrometres")
    command.add_argument("--overwrite", action="store_true", help="replace a library of this name")
    command.set_defaults(handler=add_data)

    command = commands.add_parser("verify", help="hash what is here anew and compare")
    command.add_argument(
        "name", metavar="NAME", nargs="?", help="a library or a file; everything that is here if absent"
    )
    command.set_defaults(handler=verify_data)

    command = commands.add_parser("path", help="print where a library or file lies")
    command.add_argument("name", metavar="NAME")
    command.set_defaults(handler=locate_data)

    command = commands.add_parser("remove", help="delete a library of yours, or downloaded files")
    command.add_argument("name", metavar="NAME")
    command.set_defaults(handler=remove_data)


def list_data(arguments: argparse.Namespace) -> int:
    """Print the libraries, then the files."""
    from dataclasses import asdict

    from ..datasets import fetch
    from ..datasets.catalogue import list_libraries, load_library

    libraries: list[dict[str, Any]] = [asdict(load_library(name).info) for name in list_libraries()]
    files = fetch.describe()
    if arguments.json:
        print(json.dumps({"libraries": libraries, "files": files}, indent=2, sort_keys=True))
        return 0
    from tabulate import tabulate

    rows = [
        (row["name"], row["licence"], "offline" if row["offline"] else "download", row["summary"]) for row in libraries
    ]
    print(tabulate(rows, headers=("library", "licence", "data", "what it is")))
    print()
    table = [
        (
            row["name"],
            row["library"] or "",
            "" if row["bytes"] is None else f"{row['bytes']:,}",
            row["state"],
            "published" if row["verified"] else "none: unverified",
        )
        for row in files
    ]
    print(tabulate(table, headers=("file", "library", "bytes", "here", "checksum"), disable_numparse=True))
    return 0


def fetch_data(arguments: argparse.Namespace) -> int:
    """Download what the name stands for and print where it lies."""
    from ..datasets import fetch

    for file in (file for name in arguments.names for file in _files(name)):
        print(fetch.fetch(file, accept_unverified=arguments.accept_unverified))
    return 0


def add_data(arguments: argparse.Namespace) -> int:
    """Register the user's data and say what was found in it."""
    from ..baselines.catalogue import list_methods
    from ..benchmarks.suites import SUITES
    from ..datasets import user
    from ..errors import UsageError
    from ..metrics import METRICS

    if arguments.name in {*list_methods(), *SUITES, *METRICS}:
        raise UsageError(f"library name {arguments.name!r}: a method, suite or metric is called so; choose another")
    library = user.add(
        arguments.name,
        arguments.path,
        angles=arguments.angles,
        licence=arguments.licence,
        citation=arguments.citation,
        pixel_size=arguments.pixel_size,
        overwrite=arguments.overwrite,
    )
    objects = len(library.indices_by_object())
    print(f"{arguments.name}: {library.info.summary}, {objects} object{'s' if objects != 1 else ''}")
    return 0


def verify_data(arguments: argparse.Namespace) -> int:
    """Hash anew; without a name everything that is here, going on after a failure. 1 where something is damaged."""
    from ..datasets import fetch, user
    from ..errors import DataError

    if arguments.name is not None:
        if user.exists(arguments.name):
            print(f"{arguments.name}: {user.verify(arguments.name)}")
            return 0
        for file in _files(arguments.name):
            print(f"{file}: {fetch.verify(file)}")
        return 0
    status = 0
    here = [str(row["name"]) for row in fetch.describe() if row["state"] != "absent"]
    checks: list[tuple[str, Callable[[str], str]]] = [(name, fetch.verify) for name in here]
    checks += [(name, user.verify) for name in user.stored()]
    for name, check in checks:
        try:
            print(f"{name}: {check(name)}")
        except DataError as error:
            print(error, file=sys.stderr)
            status = 1
    return status


def locate_data(arguments: argparse.Namespace) -> int:
    """Print the path; nothing is downloaded."""
    from ..datasets import fetch, user
    from ..datasets.cache import cache_dir
    from ..errors import DataError

    if user.exists(arguments.name):
        print(cache_dir("libraries") / arguments.name)
        return 0
    for file in _files(arguments.name):
        path = fetch.cached(file)
        if path is None:
            raise DataError(f"{file}: not in the cache, or damaged; tomobench data fetch {arguments.name}")
        print(path)
    return 0


def remove_data(arguments: argparse.Namespace) -> int:
    """Delete a library of the user's, or the downloaded files that the name stands for."""
    from ..datasets import fetch, user

    if user.exists(arguments.name):
        user.remove(arguments.name)
        print(f"{arguments.name}: removed")
        return 0
    for file in _files(arguments.name):
        print(f"{file}: {'removed' if fetch.remove(file) else 'was not here'}")
    return 0


def _files(name: str) -> list[str]:
    """The registered files that a library or file name stands for.

    Raises UnknownName with the nearest names, or UsageError for a library that needs no file.
    """
    from ..datasets.catalogue import list_libraries
    from ..datasets.fetch import registry
    from ..errors import UnknownName, UsageError

    if name in registry():
        return [name]
    files = [row.name for row in registry().values() if row.library == name]
    if not files:
        if name in list_libraries():
            raise UsageError(f"library {name!r} needs no file: it is generated, installed, or your own")
        raise UnknownName("library or data file", name, [*list_libraries(), *registry()])
    return files
