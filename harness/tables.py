"""Tables: leaderboard rows as terminal text, Markdown, CSV, JSON and LaTeX. The same rows give the same bytes."""

from __future__ import annotations

import csv
import io
import json
import math
from itertools import groupby

from tabulate import tabulate

from ..metrics.protocol import HIGHER_IS_BETTER
from ..metrics.statistics import SMALLEST_SAMPLE
from .leaderboard import Row

FORMATS = ("table", "md", "csv", "json", "latex")
CSV_COLUMNS = (
    "benchmark,split,method,status,rank,n,objects,mse,mse_low,mse_high,psnr,psnr_low,psnr_high,ssim,ssim_low,ssim_high,"
    "residual,noise_ratio,held_out,held_out_low,held_out_high,gap,worst_split,seconds_per_image,peak_memory_bytes,"
    "learned_parameters,training_data,parameters,tuned_on,isolation,protocol,remarks,message"
).split(",")
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
NOTHING = "–"


def render(rows: list[Row], style: str) -> str:
    """The rows in one of ``FORMATS``, ending in a newline."""
    return {"table": _table, "md": _markdown, "csv": _csv, "json": _json, "latex": _latex}[style](rows)


def _cells(row: Row, timed: bool = True) -> dict[str, str]:
    """One row of a printed table, header to text; scores to the digits that mean something."""
    cells = {
        "rank": str(row.rank) if row.rank else NOTHING,
        "method": row.method,
        "PSNR / dB": _with_interval(row, "psnr", 2),
        "SSIM": _with_interval(row, "ssim", 3),
        "MSE": f"{row.scores['mse']:.2e}" if "mse" in row.scores else NOTHING,
    }
    if row.measured:
        cells["held-out error"] = _with_interval(row, "held_out", 4)
    else:
        cells["‖Ax̂−y‖/noise"] = _figure(row.scores.get("noise_ratio"), 2)
    if row.split == "test":
        digits = 2 if HIGHER_IS_BETTER[row.rank_by] else 4
        cells["OOD gap (worst)"] = f"{row.gap:.{digits}f} ({row.worst[4:]})" if row.worst else NOTHING
    cells["ms / image"] = _figure(row.seconds_per_image * 1e3, 1)
    cells["memory / MB"] = _figure(row.peak_memory / 1e6, 0)
    cells["status"] = row.status
    return cells


def _sections(rows: list[Row]) -> list[tuple[str, list[Row], str]]:
    """Title, rows and footnote of every table."""
    sections = []
    for _, group in groupby(rows, key=lambda row: (row.benchmark, row.split, row.protocol)):
        members = list(group)
        first = members[0]
        title = f"{first.benchmark} · {first.split} · {first.images} images of {first.objects} objects · {first.protocol}"
        sections.append((title, members, _footnote(members)))
    return sections


def _footnote(members: list[Row]) -> str:
    lines = []
    first = members[0]
    if first.objects < SMALLEST_SAMPLE:
        lines.append(f"{first.objects} objects cannot separate methods ({SMALLEST_SAMPLE} can): all share a rank.")
    if first.measured:
        lines.append("PSNR, SSIM, MSE against the all-angles reconstruction; ranked by projections no method saw.")
    for row in members:
        said = [*row.remarks, *([row.message] if row.status != "ok" else [])]
        if row.split == "test" and row.parameters:
            said.insert(0, ", ".join(f"{key} {value}" for key, value in row.parameters.items()))
        if said:
            lines.append(f"{row.method}: {'; '.join(said)}")
    return "\n".join(lines)


def _table(rows: list[Row]) -> str:
    return "\n".join(
        f"{title}\n{_tabulate(members, 'rounded_outline')}\n{note + chr(10) if note else ''}"
        for title, members, note in _sections(rows)
    )


def _markdown(rows: list[Row]) -> str:
    parts = []
    for title, members, note in _sections(rows):
        cells = [{key: _plain_markdown(value) for key, value in _cells(row).items()} for row in members]
        notes = "".join(f"\n- {_plain_markdown(line)}" for line in note.splitlines())
        parts.append(f"### {_plain_markdown(title)}\n\n{tabulate(cells, headers='keys', tablefmt='github', disable_numparse=True)}\n{notes}\n")
    return "\n".join(parts)


def _latex(rows: list[Row]) -> str:
    parts = []
    for title, members, _ in _sections(rows):
        body = _tabulate(members, "latex_booktabs")
        for sign, macro in (("‖", r"$\|$"), ("x̂", r"$\hat{x}$"), ("−", "$-$"), ("–", "--"), ("·", r"$\cdot$")):
            body = body.replace(sign, macro)
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
    for name in ("mse", "psnr", "ssim", "residual", "noise_ratio", "held_out"):
        low, high = row.intervals.get(name, (math.nan, math.nan))
        values |= {name: _finite(row.scores.get(name)), f"{name}_low": _finite(low), f"{name}_high": _finite(high)}
    return {column: values[column] for column in CSV_COLUMNS}


def _tabulate(members: list[Row], style: str) -> str:
    # Text throughout: tabulate must not turn "1e-3" or a method called "007" into a number of its own.
    return tabulate([_cells(row) for row in members], headers="keys", tablefmt=style, disable_numparse=True)


def _with_interval(row: Row, name: str, digits: int) -> str:
    value = row.scores.get(name)
    low, high = row.intervals.get(name, (math.nan, math.nan))
    text = _figure(value, digits)
    return text if math.isnan(low) or text == NOTHING else f"{text} [{low:.{digits}f}, {high:.{digits}f}]"


def _figure(value: float | None, digits: int) -> str:
    if value is None or math.isnan(value):
        return NOTHING
    return "∞" if math.isinf(value) else f"{value:.{digits}f}"


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _safe(value: str | float | int | None) -> str | float | int | None:
    """A CSV cell that no spreadsheet runs as a formula."""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return "'" + value
    return value


def _plain_markdown(text: str) -> str:
    """Text that Markdown shows as it is: no table break, no HTML."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace(">", "&gt;")
