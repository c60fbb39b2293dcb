"""Pictures: truth, every method and its error map, for the best, the median and the worst slice of a benchmark."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..benchmarks.benchmark import load_benchmark
from ..benchmarks.prepare import prepare
from ..errors import PredictionError, StoreError, UsageError
from .answers import open_answer
from .leaderboard import rows
from .records import Record, number
from .store import Store, slug

FLOOR = "zero"  # shown last, and left out of choosing slices and of the error scale


def draw_all(results: Path, split: str = "test", folder: Path | None = None) -> list[Path]:
    """Draw one PNG for each benchmark with records of ``split``; return their paths.

    Raises StoreError where there is nothing to draw, UsageError where matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise UsageError("pictures need matplotlib; install: pip install 'tomobench[report]'") from error
    matplotlib.use("Agg")
    store = Store(results)
    by_benchmark: dict[str, list[Record]] = defaultdict(list)
    for record in store.records():
        kept = record.get("predictions", {}).get("kept")
        if record["split"] == split and record["status"] == "ok" and kept:
            by_benchmark[record["benchmark"]].append(record)
    if not by_benchmark:
        raise StoreError(f"results {results}: no kept predictions of split {split!r}; run the benchmark again")
    target = folder or results / "pictures"
    drawn = []
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name, records in sorted(by_benchmark.items()):
            path = target / f"{slug(name)}-{slug(split)}.png"
            _draw(store, name, split, records, path)
            drawn.append(path)
    except OSError as error:
        raise UsageError(f"pictures {target}: {error.strerror or error}; give another -o") from error
    return drawn


def choose_slices(scores: NDArray[np.float64]) -> dict[str, int]:
    """The best, median and worst slice by (methods, slices) PSNR, averaged over the methods.

    With fewer than three slices, those there are: best and worst, or the only one.
    """
    order = [int(index) for index in np.argsort(scores.mean(axis=0), kind="stable")]
    if len(order) == 1:
        return {"only": order[0]}
    chosen = {"best": order[-1], "median": order[len(order) // 2], "worst": order[0]}
    if len(order) == 2:
        del chosen["median"]
    return chosen


def _draw(store: Store, name: str, split: str, records: list[Record], path: Path) -> None:
    from matplotlib import pyplot

    ranked = [row.method for row in rows(records)]
    records = sorted(records, key=lambda record: ranked.index(record["method"]["name"]))
    records.sort(key=lambda record: record["method"]["name"] == FLOOR)
    judged = [record for record in records if record["method"]["name"] != FLOOR] or records
    psnr = np.array([[number(value) for value in record["cases"]["psnr"]] for record in judged])
    chosen = choose_slices(psnr)
    benchmark = load_benchmark(name)
    groups = [group.images for group in prepare(benchmark, split).truth()]
    truths = [image for images in groups for image in images]
    shapes = [images.shape for images in groups]
    answers = {record["method"]["name"]: _answers(store, name, split, record, shapes) for record in records}
    errors = [
        answers[record["method"]["name"]][index] - truths[index] for record in judged for index in chosen.values()
    ]
    reach = float(max(np.percentile(np.abs(error), 99.5) for error in errors)) or 1.0
    top = benchmark.protocol.data_range

    known = "reference" if benchmark.measured else "truth"
    lines, columns = 2 * len(chosen), 1 + len(records)
    figure, axes = pyplot.subplots(
        lines,
        columns,
        figsize=(1.75 * columns + 1.2, 1.95 * lines + 0.5),
        squeeze=False,
        layout="constrained",
    )
    grey: Any = None
    signed: Any = None
    for place, (label, index) in enumerate(chosen.items()):
        above, below = axes[2 * place], axes[2 * place + 1]
        grey = above[0].imshow(truths[index], cmap="gray", vmin=0, vmax=top, interpolation="nearest")
        above[0].set_title(known, fontsize=9)
        case = records[0]["cases"]["id"][index]
        below[0].text(0.5, 0.5, f"{label} slice\n{case}\n\nerror maps →", ha="center", va="center", fontsize=8)
        for column, record in enumerate(records, start=1):
            method = record["method"]["name"]
            image = answers[method][index]
            above[column].imshow(image, cmap="gray", vmin=0, vmax=top, interpolation="nearest")
            above[column].set_title(f"{method}  {number(record['cases']['psnr'][index]):.2f} dB", fontsize=9)
            signed = below[column].imshow(
                image - truths[index], cmap="RdBu_r", vmin=-reach, vmax=reach, interpolation="nearest"
            )
    for axis in axes.flat:
        axis.set_axis_off()
    figure.suptitle(f"{name} · {split}", fontsize=11)
    figure.colorbar(
        grey,
        ax=axes[: lines // 2],
        shrink=0.8,
        aspect=25,
        label="attenuation" if lines == 2 else "attenuation, one grey scale",
    )
    figure.colorbar(
        signed,
        ax=axes[lines // 2 :],
        shrink=0.8,
        aspect=25,
        label="error" if lines == 2 else f"answer − {known}, one scale",
    )
    figure.savefig(path, dpi=100, metadata={"Software": "TomoBench"})
    pyplot.close(figure)


def _answers(
    store: Store, name: str, split: str, record: Record, shapes: list[tuple[int, int, int]]
) -> list[NDArray[np.float32]]:
    folder = store.predictions_path(name, split, record["method"]["name"])
    try:
        return [
            image for number, shape in enumerate(shapes) for image in open_answer(folder / f"{number:04d}.npy", shape)
        ]
    except PredictionError as error:
        raise StoreError(f"{folder}: {error}; or run again with --force") from error
