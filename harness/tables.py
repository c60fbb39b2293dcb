"""Tables: leaderboard rows as terminal text, Markdown, CSV, JSON and LaTeX. The same rows give the same bytes."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import dataclass

from tabulate import tabulate

from ..metrics.protocol import HIGHER_IS_BETTER
from ..metrics.statistics import SMALLEST_SAMPLE
from .leaderboard import Row

FORMATS = ("table", "md", "csv", "json", "latex")
CSV_SCORES = ("mse", "psnr", "ssim", "residual", "noise_ratio", "held_out")
CSV_COLUMNS = (
    *("benchmark", "split", "method", "status", "rank", "n", "objects"),
    *(f"{name}{end}" for name in CSV_SCORES for end in ("", "_low", "_high")),
    *("gap", "worst_split", "seconds_per_image", "peak_memory_bytes", "learned_parameters", "training_data"),
    *("parameters", "tuned_on", "isolation", "protocol", "remarks", "message"),
)
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
NOTHING = "–"


def render(rows: list[Row], style: str) -> str:
    """The rows in one of ``FORMATS``, ending in a newline."""
    return {"table": _table, "md": _markdown, "csv": _csv, "json": _json, "latex": _latex}[style](rows)


@dataclass(frozen=True)
class Section:
    """What is printed of one benchmark: its test table, the out-of-distribution table, and remarks."""

    title: str
    main: list[dict[str, str]]
    shifted_title: str
    shifted: list[dict[str, str]]
    remarks: list[str]


def sections(rows: list[Row]) -> list[Section]:
    """The printed tables of every benchmark; another score protocol or other data makes another section."""
    built = []
    for members in _sections(rows):
        first = members[0]
        main_split = "test" if any(row.split == "test" for row in members) else first.split
        main = [row for row in members if row.split == main_split]
        others = [row for row in members if row.split != main_split]
        score = {"psnr": "PSNR / dB", "held_out": "held-out error"}[first.rank_by]
        built.append(
            Section(
                title=f"{first.benchmark} · {main_split} · {_many(main[0].images, 'image')} of "
                f"{_many(main[0].objects, 'object')} · {first.protocol}",
                main=[_cells(row) for row in main],
                shifted_title=f"{first.benchmark} · {score} (rank) on the other splits",
                shifted=_shifted(main, others),
                remarks=_remarks(main, others),
            )
        )
    return built


def _sections(rows: list[Row]) -> list[list[Row]]:
    """The rows of each section: one protocol, and for each split one version of the data."""
    made: list[tuple[tuple[str, str], dict[str, str], list[Row]]] = []
    for row in rows:
        key = row.benchmark, row.protocol
        for other, data, members in made:
            if other == key and data.setdefault(row.split, row.data) == row.data:
                members.append(row)
                break
        else:
            made.append((key, {row.split: row.data}, [row]))
    return [members for _, _, members in made]


def _cells(row: Row) -> dict[str, str]:
    """One row of a test table, header to text; scores to the digits that mean something."""
    cells = {
        "rank": str(row.rank) if row.rank else NOTHING,
        "method": row.method,
        "PSNR / dB": _with_interval(row, "psnr", 2),
        "SSIM": _with_interval(row, "ssim", 3),
        "MSE": f"{row.scores['mse']:.2e}" if "mse" in row.scores else NOTHING,
    }
    if row.measured:
        cells["held-out error"] = _with_interval(row, "held_out", 4)
        cells["residual"] = _figure(row.scores.get("residual"), 4)
    else:
        cells["residual/noise"] = _figure(row.scores.get("noise_ratio"), 2)
    gap = "no score" if math.isnan(row.gap) else f"{row.gap:.{_digits(row)}f}"
    cells["OOD gap (worst)"] = f"{gap} ({row.worst.removeprefix('ood:')})" if row.worst else NOTHING
    cells["ms/image"] = _figure(row.seconds_per_image * 1e3, 1)
    cells["MB"] = _figure(row.peak_memory / 1e6, 0)
    cells["trained on"] = row.training_data or NOTHING
    if row.learned_parameters:
        cells["trained on"] += f" ({row.learned_parameters:,} parameters)"
    cells["isolation"] = row.isolation
    cells["status"] = row.status
    return cells


def _shifted(main: list[Row], others: list[Row]) -> list[dict[str, str]]:
    """Methods down, splits across: the ranking score and the rank in each."""
    if not others:
        return []
    splits = list(dict.fromkeys(row.split for row in others))
    found = {(row.method, row.split): row for row in others}
    methods = list(dict.fromkeys(row.method for row in [*main, *others]))
    table = []
    for method in methods:
        line = {"method": method}
        for split in splits:
            row = found.get((method, split))
            if row is None:
                line[split] = NOTHING
            elif row.status != "ok":
                line[split] = row.status
            else:
                line[split] = f"{_figure(row.scores.get(row.rank_by), _digits(row))} ({row.rank})"
        table.append(line)
    return table


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _digits(row: Row) -> int:
    return 2 if HIGHER_IS_BETTER[row.rank_by] else 4


def _remarks(main: list[Row], others: list[Row]) -> list[str]:
    lines = []
    first = main[0]
    if first.objects < SMALLEST_SAMPLE:
        count = _many(first.objects, "object")
        lines.append(f"{count} cannot separate methods ({SMALLEST_SAMPLE} can), so all share a rank.")
    if first.unverified:
        lines.append("The data has no published checksum: it is what its user registered, pinned by its own sha256.")
    if first.measured:
        lines.append(
            "No ground truth: PSNR, SSIM and MSE compare with the all-angles reconstruction; the order is by held-out "
            "projections, which no method saw."
        )
    for row in main:
        said = [f"{key} {value}" for key, value in row.parameters.items()]
        said += [*row.remarks, *([row.message] if row.status != "ok" else [])]
        if said:
            lines.append(f"{row.method}: {'; '.join(said)}")
    few = sorted({row.split for row in others if row.objects < SMALLEST_SAMPLE <= first.objects})
    if few:
        lines.append(f"{', '.join(few)}: fewer than {SMALLEST_SAMPLE} objects, so all share a rank there.")
    lines += [f"{row.method} on {row.split}: {row.status}: {row.message}" for row in others if row.status != "ok"]
    return lines


def _table(rows: list[Row]) -> str:
    parts = []
    for section in sections(rows):
        lines = [section.title, _tabulate(section.main, "rounded_outline")]
        if section.shifted:
            lines += [section.shifted_title, _tabulate(section.shifted, "rounded_outline")]
        parts.append("\n".join([*lines, *section.remarks, ""]))
    return "\n".join(parts)


def _markdown(rows: list[Row]) -> str:
    parts = []
    for section in sections(rows):
        lines = [f"### {_for_markdown(section.title)}", "", _markdown_table(section.main), ""]
        if section.shifted:
            lines += [f"{_for_markdown(section.shifted_title)}:", "", _markdown_table(section.shifted), ""]
        lines += [f"- {_for_markdown(line)}" for line in section.remarks]
        parts.append("\n".join([*lines, ""]))
    return "\n".join(parts)


def _markdown_table(cells: list[dict[str, str]]) -> str:
    return _tabulate([{key: _for_markdown(value) for key, value in line.items()} for line in cells], "github")


def _latex(rows: list[Row]) -> str:
    parts = []
    for section in sections(rows):
        for title, cells in ((section.title, section.main), (section.shifted_title, section.shifted)):
            if cells:
                body = _tabulate(cells, "latex_booktabs").replace(NOTHING, "--")
                parts.append(f"% {title}\n{body}\n")
    return "\n".join(parts)


def _csv(rows: list[Row]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for row in rows:
        values = _flat(row)
        writer.writerow([_safe(values[column]) for column in CSV_COLUMNS])
    return text.getvalue()


def _json(rows: list[Row]) -> str:
    return json.dumps([_flat(row) for row in rows], indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _flat(row: Row) -> dict[str, str | float | int | None]:
    """One row under the CSV's column names; a number that is not finite is None."""
    values: dict[str, str | float | int | None] = {
        "benchmark": row.benchmark,
        "split": row.split,
        "method": row.method,
        "status": row.status,
        "rank": row.rank,
        "n": row.images,
        "objects": row.objects,
        "gap": _finite(row.gap),
        "worst_split": row.worst,
        "seconds_per_image": _finite(row.seconds_per_image),
        "peak_memory_bytes": _finite(row.peak_memory),
        "learned_parameters": row.learned_parameters,
        "training_data": row.training_data,
        "parameters": json.dumps(row.parameters, sort_keys=True),
        "tuned_on": row.tuned_on,
        "isolation": row.isolation,
        "protocol": row.protocol,
        "remarks": "; ".join(row.remarks),
        "message": row.message,
    }
    for name in CSV_SCORES:
        low, high = row.intervals.get(name, (math.nan, math.nan))
        values |= {name: _finite(row.scores.get(name)), f"{name}_low": _finite(low), f"{name}_high": _finite(high)}
    return {column: values[column] for column in CSV_COLUMNS}


def _tabulate(cells: list[dict[str, str]], style: str) -> str:
    # Text throughout: tabulate must not turn "1e-3" or a method called "007" into a number of its own.
    return tabulate(cells, headers="keys", tablefmt=style, disable_numparse=True)


def _with_interval(row: Row, name: str, digits: int) -> str:
    value = row.scores.get(name)
    low, high = row.intervals.get(name, (math.nan, math.nan))
    text = _figure(value, digits)
    return text if math.isnan(low) or text == NOTHING else f"{text} [{low:.{digits}f}, {high:.{digits}f}]"


def _figure(value: float | None, digits: int) -> str:
    if value is None or math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return "∞"
    return f"{value:.{digits}f}" if abs(value) < 1e7 else f"{value:.1e}"


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _safe(value: str | float | int | None) -> str | float | int | None:
    """A CSV cell that no spreadsheet runs as a formula."""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return "'" + value
    return value


def _for_markdown(text: str) -> str:
    """Text that Markdown shows as it is: no table break, no HTML."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace(">", "&gt;")
