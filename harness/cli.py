"""The command line. Only the standard library is imported until a command needs more, so ``--help`` is instant."""

from __future__ import annotations

import argparse
import io
import os
import sys
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import TomoBenchError, UsageError, plain
from . import data_commands

LONGEST = 7 * 24 * 3600.0
TABLE_FORMATS = ("table", "md", "csv", "json", "latex")
LISTED = ("suites", "benchmarks", "methods", "libraries", "metrics")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit code: 0 done, 1 done but something failed, 2 could not be done, 130 stopped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without our signs shows ? rather than nothing
    try:
        try:
            parsed = _parser().parse_args(arguments)
            return int(parsed.handler(parsed))
        finally:
            sys.stdout.flush()
    except TomoBenchError as error:
        print(f"tomobench: {plain(error, 2000)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ntomobench: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


class _Parser(argparse.ArgumentParser):
    """Argument errors in the same one-line form as every other error."""

    def error(self, message: str) -> Any:
        raise UsageError(f"{message}; see: {self.prog} --help")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="tomobench", description="Benchmark suite and leaderboard harness for X-ray chemical tomography."
    )
    parser.add_argument("--version", action="version", version=f"tomobench {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)

    run = commands.add_parser("run", help="answer and score the cells of suites and benchmarks")
    run.add_argument("what", nargs="*", metavar="SUITE|BENCHMARK", help="default: quick")
    run.add_argument(
        "-m",
        "--method",
        action="append",
        metavar="METHOD",
        help="a shipped name, NAME[key=value,…], an entry point, module:Object or path/to/file.py:Object; "
        "repeatable; default: every classical baseline",
    )
    run.add_argument("--split", action="append", metavar="S", help="repeatable; default: test and every ood:*")
    run.add_argument("--out", default="results", metavar="DIR", type=Path, help="results folder (default: results)")
    run.add_argument("--jobs", default=1, type=_whole(1, 256), metavar="N", help="workers at a time (default: 1)")
    run.add_argument(
        "--timeout", default=600.0, type=_number(0, LONGEST), metavar="S", help="seconds for one cell (default: 600)"
    )
    run.add_argument(
        "--memory", default=4.0, type=_number(0, 4096), metavar="GB", help="gigabytes for one cell (default: 4)"
    )
    run.add_argument("--force", action="store_true", help="answer again what has a record")
    run.set_defaults(handler=_run)

    board = commands.add_parser("leaderboard", help="print the leaderboard of a results folder")
    board.add_argument("results", metavar="DIR", type=Path)
    board.add_argument("--format", choices=TABLE_FORMATS, default="table")
    board.add_argument("-o", "--output", metavar="FILE", type=Path, help="write to a file instead")
    board.set_defaults(handler=_leaderboard)

    pictures = commands.add_parser(
        "pictures", help="draw truth, answers and error maps of the best, median, worst slice"
    )
    pictures.add_argument("results", metavar="DIR", type=Path)
    pictures.add_argument("--split", default="test", metavar="S")
    pictures.add_argument("-o", "--output", metavar="FOLDER", type=Path, help="default: DIR/pictures")
    pictures.set_defaults(handler=_pictures)

    listing = commands.add_parser("list", help="list suites, benchmarks, methods, libraries or metrics")
    listing.add_argument("kind", metavar="|".join(LISTED))
    listing.add_argument("--json", action="store_true")
    listing.set_defaults(handler=_list)

    show = commands.add_parser("show", help="everything about a suite, benchmark, method, library or metric")
    show.add_argument("id", metavar="ID")
    show.add_argument("--split", default="test", metavar="S", help="with --save-inputs (default: test)")
    show.add_argument("--save-inputs", metavar="FILE", type=Path, help="write a benchmark split's inputs as HDF5")
    show.set_defaults(handler=_show)

    scoring = commands.add_parser("score", help="score a file of ready-made predictions")
    scoring.add_argument("predictions", metavar="PREDICTIONS", type=Path, help=".npy in case order, or .h5 by case id")
    scoring.add_argument("--benchmark", required=True, metavar="ID")
    scoring.add_argument("--split", default="test", metavar="S")
    scoring.set_defaults(handler=_score)

    data_commands.add_parser(commands)
    return parser


def _whole(least: int, most: int) -> Any:
    def whole_number(text: str) -> int:
        if not text.lstrip("+-").isdigit() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"expected a whole number from {least} to {most}, found {text!r}")
        return int(text)

    return whole_number


def _number(above: float, most: float) -> Any:
    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not above < value <= most:
            raise argparse.ArgumentTypeError(f"expected a number above {above:g} and up to {most:g}, found {text!r}")
        return value

    return number


def _run(arguments: argparse.Namespace) -> int:
    from .terminal import run_with_progress

    return run_with_progress(arguments)


def _leaderboard(arguments: argparse.Namespace) -> int:
    from .leaderboard import leaderboard
    from .tables import render

    text = render(leaderboard(arguments.results), arguments.format)
    if arguments.output is None:
        sys.stdout.write(text)
        return 0
    _write(arguments.output, text)
    return 0


def _write(path: Path, text: str) -> None:
    from .store import write_atomically

    try:
        write_atomically(path, text)
    except OSError as error:
        raise UsageError(f"output {path}: {error.strerror}; give another -o") from error


def _pictures(arguments: argparse.Namespace) -> int:
    from .pictures import draw_all

    for path in draw_all(arguments.results, arguments.split, arguments.output):
        print(path)
    return 0


def _list(arguments: argparse.Namespace) -> int:
    from .listing import listing

    sys.stdout.write(listing(arguments.kind, as_json=arguments.json))
    return 0


def _show(arguments: argparse.Namespace) -> int:
    from .listing import save_inputs, show

    if arguments.save_inputs is not None:
        print(save_inputs(arguments.id, arguments.split, arguments.save_inputs))
        return 0
    sys.stdout.write(show(arguments.id))
    return 0


def _score(arguments: argparse.Namespace) -> int:
    from .prediction_files import score_file

    sys.stdout.write(score_file(arguments.predictions, arguments.benchmark, arguments.split))
    return 0
