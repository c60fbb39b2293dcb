"""The leaderboard and its tables, from records whose numbers are known."""

from __future__ import annotations

import csv
import io
import json
import math
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tomobench.harness.leaderboard import Row, leaderboard, rows
from tomobench.harness.records import SCORES, Record, dump, parse
from tomobench.harness.store import Store
from tomobench.harness.tables import FORMATS, render, sections

OBJECTS = [f"object-{number}" for number in range(10)]
STEADY = [30.0 + 0.1 * number for number in range(10)]  # mean 30.45


def record(
    method: str = "alpha",
    psnr: list[float] | None = None,
    *,
    objects: list[str] = OBJECTS,
    rank_by: str = "psnr",
    protocol: str = "psnr@0000",
    truth: str = "truth-1",
    **changes: Any,
) -> Record:
    """A record as the runner writes it: ``psnr`` for each image, the other scores 0.5."""
    cases: dict[str, list[Any]] = {"id": [f"case-{number}" for number in range(len(objects))], "object": objects}
    if changes.get("status", "ok") == "ok":
        cases |= {name: [0.5] * len(objects) for name in SCORES}
        cases[rank_by] = STEADY if psnr is None else psnr
    made: Record = {
        "schema": 1,
        "benchmark": "sparse-view/shapes-32@1",
        "split": "test",
        "task": "reconstruction",
        "measured": rank_by == "held_out",
        "unverified": False,
        "method": {"name": method, "kind": "shipped", "identity": f"{method}@1", "parameters": {}, "tuned_on": None},
        "protocol": {"id": protocol, "rank_by": rank_by},
        "data": {"inputs": "inputs-1", "truth": truth, "notes": []},
        "isolation": "none",
        "key": "0",
        "status": "ok",
        "message": "",
        "cases": cases,
        "flags": [],
        "diagnosis": "",
        "info": {"framework": "numpy", "parameters": 0, "training_data": "none", "reference": "", "version": 1},
        "limits": {"seconds": 600.0, "memory": 4e9},
        "environment": {},
        "timings": {"seconds": 0.5, "seconds_per_image": 0.05, "peak_memory": 123_000_000},
    }
    return parse(dump(made | changes), Path("made by hand"))


def failed(method: str, status: str = "crash", message: str = "it fell", **changes: Any) -> Record:
    """A record of a method without an answer."""
    return record(method, status=status, message=message, **changes)


def by_method(records: list[Record], split: str = "test") -> dict[str, Row]:
    """The rows of one split by method."""
    return {row.method: row for row in rows(records) if row.split == split}


# --- ranks


def test_methods_that_cannot_be_told_apart_share_a_rank() -> None:
    """C is now 0.5 dB above A, now as much below: a tie at rank 1. B is 5 dB below both: rank 3."""
    wobbly = [value + 0.5 * (-1) ** number for number, value in enumerate(STEADY)]
    found = by_method([record("A"), record("B", [value - 5 for value in STEADY]), record("C", wobbly)])
    assert {name: row.rank for name, row in found.items()} == {"A": 1, "B": 3, "C": 1}


def test_five_objects_cannot_separate_methods() -> None:
    """2 · 2⁻⁵ > 5 %: even 20 dB apart, all share rank 1 and the table says why."""
    few = OBJECTS[:5]
    found = rows([record("A", [40.0] * 5, objects=few), record("B", [20.0] * 5, objects=few)])
    assert [row.rank for row in found] == [1, 1]
    assert "5 objects cannot separate methods" in render(found, "table")


def test_six_objects_can() -> None:
    """2 · 2⁻⁶ < 5 %."""
    six = OBJECTS[:6]
    found = by_method([record("A", [40.0] * 6, objects=six), record("B", [20.0] * 6, objects=six)])
    assert (found["A"].rank, found["B"].rank) == (1, 2)


def test_failed_methods_come_last_without_a_rank() -> None:
    """Every status but ok is shown, after the scored ones and by name, with its message."""
    statuses = ("timeout", "oom", "crash", "error", "invalid")
    records = [failed(f"a-{status}", status, f"why {status}") for status in statuses] + [record("z")]
    found = rows(records)
    assert [(row.method, row.rank) for row in found] == [("z", 1), *((f"a-{s}", None) for s in sorted(statuses))]
    text = render(found, "table")
    assert all(f"a-{status}: why {status}" in text for status in statuses)


def test_lower_is_better_where_there_is_no_truth() -> None:
    """Measured benchmarks are ranked by held-out projections, whose error is better small."""
    found = rows([
        record("near", [0.1] * 10, rank_by="held_out", protocol="held_out@0000"),
        record("far", [0.3] * 10, rank_by="held_out", protocol="held_out@0000"),
    ])  # fmt: skip
    assert [(row.method, row.rank) for row in found] == [("near", 1), ("far", 2)]
    assert "No ground truth" in render(found, "table")


def test_a_perfect_answer_is_first() -> None:
    """PSNR is infinite without error; it ranks first and prints as ∞."""
    found = rows([record("A"), record("perfect", [math.inf] * 10)])
    assert found[0].method == "perfect"
    assert found[0].rank == 1
    assert "∞" in render(found, "table")


@pytest.mark.parametrize("rank_by", ["psnr", "held_out"])
def test_a_score_that_is_not_a_number_is_never_first(rank_by: str) -> None:
    """NaN is neither better than nor tied with a number: such a row is last and not ranked first."""
    options = {"rank_by": rank_by, "protocol": f"{rank_by}@0000"}
    found = rows([record("broken", [math.nan] * 10, **options), record("sound", [0.4] * 10, **options)])
    assert [row.method for row in found] == ["sound", "broken"]
    assert found[0].rank == 1
    assert found[1].rank != 1


# --- means, gaps, tables


def test_the_mean_is_over_objects() -> None:
    """Two images of one object count as one: ((10 + 20)/2 + 40)/2 = 27.5, not 70/3."""
    (row,) = rows([record("A", [10.0, 20.0, 40.0], objects=["a", "a", "b"])])
    assert row.scores["psnr"] == 27.5
    assert (row.images, row.objects) == (3, 2)


def test_an_interval_holds_its_mean() -> None:
    """The mean of 30, 30.1, …, 30.9 is 30.45, its standard error 0.096: 95 % is about ±0.18, within bootstrap noise."""
    (row,) = rows([record()])
    low, high = row.intervals["psnr"]
    assert row.scores["psnr"] == pytest.approx(30.45)
    assert low == pytest.approx(30.45 - 1.96 * 0.0908, abs=0.03)  # 0.0908: the plug-in standard error, σ/√10
    assert high == pytest.approx(30.45 + 1.96 * 0.0908, abs=0.03)


def test_the_gap_is_to_the_worst_other_split() -> None:
    """30 on test, 25 and 20 elsewhere: the gap is 10 dB, to the split with 20."""
    found = rows([
        record(psnr=[30.0] * 10),
        record(psnr=[25.0] * 10, split="ood:a"),
        record(psnr=[20.0] * 10, split="ood:b"),
    ])  # fmt: skip
    assert [(row.split, row.worst) for row in found] == [("test", "ood:b"), ("ood:a", ""), ("ood:b", "")]
    assert found[0].gap == 10.0
    assert math.isnan(found[1].gap)
    assert "10.00 (b)" in render(found, "table")


def test_the_gap_of_an_error_is_positive_too() -> None:
    """For a score that is better small the loss is the rise: 0.3 − 0.1 = 0.2."""
    options = {"rank_by": "held_out", "protocol": "held_out@0000"}
    found = rows([record(psnr=[0.1] * 10, **options), record(psnr=[0.3] * 10, split="ood:a", **options)])
    assert found[0].gap == pytest.approx(0.2)


def test_a_split_that_failed_is_not_passed_over_by_the_gap() -> None:
    """25 dB on one split and a crash on another: the worst is the crash, so no gap of 5 dB is claimed."""
    found = rows([record(psnr=[30.0] * 10), record(psnr=[25.0] * 10, split="ood:a"), failed("alpha", split="ood:b")])
    assert found[0].worst == "ood:b"
    assert found[0].gap != 5.0


def test_protocols_are_never_mixed() -> None:
    """The same cells under two score protocols: two tables, a rank 1 in each."""
    found = rows([record("A"), record("B", [9.0] * 10, protocol="psnr@1111")])
    assert [row.rank for row in found] == [1, 1]
    assert [[line["method"] for line in section.main] for section in sections(found)] == [["A"], ["B"]]


def test_data_are_never_mixed() -> None:
    """The same cells on other data (another NumPy drew them): two tables, a rank 1 in each."""
    found = rows([record("A"), record("B", [9.0] * 10, truth="truth-2")])
    assert [row.rank for row in found] == [1, 1]
    assert [[line["method"] for line in section.main] for section in sections(found)] == [["A"], ["B"]]


def test_the_gap_does_not_cross_protocols() -> None:
    """A split under another protocol gives no gap."""
    found = rows([record(), record(psnr=[1.0] * 10, split="ood:a", protocol="psnr@1111")])
    assert math.isnan(next(row for row in found if row.split == "test").gap)


def mixed() -> list[Record]:
    """Records of every kind."""
    return [
        record("A"),
        record("B", [value - 5 for value in STEADY], flags=["constant image in 1 of 10 cases"]),
        record("C", [math.inf] * 10),
        record("D", [math.nan] * 10),
        failed("E"),
        failed("F", "timeout"),
        record("A", [20.0] * 10, split="ood:rings"),
        failed("B", split="ood:rings"),
        record("A", protocol="psnr@1111"),
        record("A", benchmark="low-dose/foam-32@1"),
        record("B", [0.1] * 10, rank_by="held_out", protocol="held_out@0000", benchmark="sparse-view/reactors@1"),
    ]


@pytest.mark.parametrize("style", FORMATS)
def test_the_order_of_the_records_does_not_matter(style: str) -> None:
    """Ten shuffles of records of every kind print the same bytes."""
    expected = render(rows(mixed()), style)
    draw = random.Random(1)
    for _ in range(10):
        shuffled = mixed()
        draw.shuffle(shuffled)
        assert render(rows(shuffled), style) == expected


@pytest.mark.parametrize("style", FORMATS)
def test_a_rebuilt_leaderboard_is_the_same_bytes(style: str, finished: Path, call: Callable[..., Any]) -> None:
    """Printed twice from the same folder, and once into a file, by the command."""
    first, second = (call("leaderboard", finished, "--format", style) for _ in range(2))
    assert first == second
    assert first[0] == 0
    target = finished.parent / f"board.{style}"
    assert call("leaderboard", finished, "--format", style, "-o", target) == (0, "", "")
    assert target.read_text() == first[1] == render(leaderboard(finished), style)


# --- formats


def test_csv_columns_come_in_their_order() -> None:
    """The names and the order that scripts rely on."""
    header = render(rows([record()]), "csv").splitlines()[0].split(",")
    assert header[:6] == ["benchmark", "split", "method", "status", "rank", "n"]
    places = [header.index(name) for name in ("n", "mse", "psnr", "ssim", "seconds_per_image")]
    assert places == sorted(places)
    assert len(set(header)) == len(header)


def test_csv_parses() -> None:
    """pandas reads back what is in the records: the numbers to the last bit, failures as missing values."""
    frame = pd.read_csv(io.StringIO(render(rows(mixed()), "csv")))
    assert len(frame) == len(mixed())
    one = frame[(frame["method"] == "A") & (frame["split"] == "test") & (frame["protocol"] == "psnr@0000")]
    one = one[one["benchmark"] == "sparse-view/shapes-32@1"].iloc[0]
    assert one["psnr"] == np.mean(STEADY)
    assert (one["mse"], one["ssim"], one["seconds_per_image"], one["n"]) == (0.5, 0.5, 0.05, 10)
    crashed = frame[(frame["method"] == "E")].iloc[0]
    assert crashed["status"] == "crash"
    assert crashed[["rank", "psnr", "mse"]].isna().all()


def test_csv_and_json_say_the_same() -> None:
    """Every cell of one is the value of the other."""
    table = list(csv.DictReader(io.StringIO(render(rows(mixed()), "csv"))))
    objects = json.loads(render(rows(mixed()), "json"))
    assert [list(line) for line in table] == [list(line) for line in objects]
    for line, entry in zip(table, objects, strict=True):
        assert line == {key: "" if value is None else str(value) for key, value in entry.items()}


def test_json_is_strict() -> None:
    """No NaN and no Infinity, which JSON does not have."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} in JSON")

    json.loads(render(rows(mixed()), "json"), parse_constant=refuse)


HOSTILE = ("=cmd()", "@SUM(A1)", "+1+1", "-2", "a|b", "<script>alert(1)</script>", "a_b&c%d#e$f{g}~h^i\\j", "a\nb")


@pytest.mark.parametrize("name", HOSTILE)
def test_csv_is_no_formula(name: str) -> None:
    """No cell begins as a spreadsheet formula does, whatever the method is called, says or declares."""
    info = {"parameters": 0, "training_data": name}
    text = render(rows([record(name, info=info), failed("bad", message=name)]), "csv")
    for line in csv.DictReader(io.StringIO(text)):
        for column in ("method", "message", "training_data"):
            assert not line[column].startswith(("=", "+", "-", "@", "\t", "\r"))


@pytest.mark.parametrize("name", HOSTILE)
def test_markdown_keeps_its_table(name: str) -> None:
    """Every line of the table has the same number of cells, and no HTML gets through."""
    text = render(rows([record(name), failed("bad", message=name)]), "md")
    assert "<script" not in text
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 4, "header, rule, two methods"
    assert len({len(re.sub(r"\\.", "", line).split("|")) for line in table}) == 1


@pytest.mark.parametrize("name", HOSTILE)
def test_latex_is_balanced(name: str) -> None:
    """Environments and braces close, and every row has as many cells as there are columns."""
    text = render(rows([record(name), failed("bad", message=name)]), "latex")
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    assert re.findall(r"\\begin{(\w+)}", body) == re.findall(r"\\end{(\w+)}", body) == ["tabular"]
    bare = re.sub(r"\\[{}&%#$_\\]", "", body.replace("\\textbackslash{}", ""))
    assert bare.count("{") == bare.count("}")
    assert not re.search(r"(?<!\\)[%#$]", bare.replace("\\", ""))
    columns = len(re.search(r"\\begin{tabular}{(\w+)}", body)[1])  # type: ignore[index]
    lines = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert len(lines) == 3, "header and two methods"
    assert {len(re.sub(r"\\textbackslash\{\}|\\&", "", line).split("&")) for line in lines} == {columns}


@pytest.mark.parametrize("style", FORMATS)
def test_no_control_character_is_printed(style: str) -> None:
    """A method's name, message and declarations cannot steer the terminal, nor turn text about."""
    nasty = "a\x1b[31m\x07\u202eb"
    info = {"parameters": 0, "training_data": nasty}
    text = render(rows([record(nasty, info=info), failed("bad", message=nasty)]), style)
    assert not {"\x1b", "\x07", "\u202e"} & set(text)


def test_numbers_are_not_read_from_names() -> None:
    """A method called 007 stays 007."""
    for style in FORMATS:
        assert "007" in render(rows([record("007")]), style)


def test_remarks_say_what_a_reader_must_know() -> None:
    """Borrowed tuning, unverified data, flags and the diagnosis appear under the table."""
    method = {"name": "A", "kind": "shipped", "identity": "", "parameters": {"k": 3}, "tuned_on": "x/y@1 validation"}
    made = record(unverified=True, flags=["constant image in 1 of 10 cases"], diagnosis="off by 2×") | {
        "method": method
    }
    text = render(rows([made]), "table")
    for said in ("k 3", "tuned on x/y@1", "no published checksum", "constant image in 1 of 10", "off by 2×"):
        assert said in text


# --- records


def test_a_record_survives_its_file() -> None:
    """What is parsed is what was dumped, infinities and missing numbers included; dumping again gives the same text."""
    made = record("A", [math.inf, -math.inf, math.nan] + [0.1] * 7)
    assert made["cases"]["psnr"] == ["inf", "-inf", None] + [0.1] * 7
    assert dump(parse(dump(made), Path("x"))) == dump(made)


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    """A bit flipped anywhere either is refused in one line or lies in white space: it never changes a value."""
    from tomobench.errors import StoreError

    store = Store(tmp_path)
    original = record()
    whole = dump(original).encode()
    draw = random.Random(2)
    refused = 0
    for _ in range(600):
        damaged = bytearray(whole)
        place = draw.randrange(len(damaged))
        damaged[place] ^= 1 << draw.randrange(8)
        (tmp_path / "record.json").write_bytes(damaged)
        try:
            found, said = store.load(tmp_path / "record.json"), ""
        except StoreError as error:
            found, said = original, str(error)
        assert found == original
        refused += bool(said)
        assert not said or ("record.json" in said and "\n" not in said)
    assert refused > 300


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[: len(text) // 2], "not whole JSON"),
        (lambda text: "", "not whole JSON"),
        (lambda text: "[]", "not a TomoBench record"),
        (lambda text: text.replace('"schema": 1', '"schema": 2'), "a newer TomoBench (schema 2, this one reads 1)"),
        (lambda text: text.replace('"message": ""', '"message": "", "message": ""'), "a key occurs twice"),
        (lambda text: text.replace("30.0", "NaN"), "NaN is not JSON"),
        (lambda text: text.replace("30.0", "Infinity"), "Infinity is not JSON"),
        (lambda text: text.replace("30.0", "1e999"), ""),
        (lambda text: text.replace("30.0", "31.0"), "checksum does not fit"),
        (lambda text: "[" * 100_000, "not whole JSON"),
        (lambda text: '{"schema": 1, "a": ' + "[" * 900 + "]" * 900 + "}", ""),
    ],
    ids=["torn", "empty", "list", "newer", "duplicate", "nan", "infinity", "1e999", "edited", "deep", "less-deep"],
)
def test_a_damaged_record_is_named(
    change: Callable[[str], str], said: str, tmp_path: Path, refused: Callable[..., str]
) -> None:
    """The leaderboard says in one line which file is damaged and how, and what to do."""
    with Store(tmp_path / "results") as store:
        path = store.record_path("sparse-view/shapes-32@1", "test", "alpha")
        store.save(path, record())
    path.write_text(change(path.read_text()))
    line = refused("leaderboard", tmp_path / "results")
    assert str(path) in line
    assert said in line
    assert "delete it and run again" in line or "update TomoBench" in line


def test_an_unknown_status_is_refused(tmp_path: Path, refused: Callable[..., str]) -> None:
    """A status that this TomoBench does not know is no row, even with a right checksum."""
    with Store(tmp_path / "results") as store:
        path = store.record_path("sparse-view/shapes-32@1", "test", "alpha")
        path.parent.mkdir(parents=True)
        path.write_text(dump({**record(), "status": "winner"}))
    line = refused("leaderboard", tmp_path / "results")
    assert "unknown status 'winner'" in line
    assert str(path) in line


def test_a_record_that_lacks_a_field_is_refused(tmp_path: Path, refused: Callable[..., str]) -> None:
    """Well-formed, signed, and not a cell's record: one line, no KeyError."""
    with Store(tmp_path / "results") as store:
        path = store.record_path("sparse-view/shapes-32@1", "test", "alpha")
        store.save(path, {"schema": 1, "status": "ok"})
    assert str(path) in refused("leaderboard", tmp_path / "results")
