"""Pictures of a finished run."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tomobench.harness.pictures import choose_slices, draw_all
from tomobench.harness.store import Store

needs_matplotlib = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="matplotlib is not installed (the extra 'report')"
)


def test_best_median_and_worst_slice() -> None:
    """Means over two methods are 20, 40, 10, 30, 25: slice 1 is best, 4 the median, 2 the worst."""
    scores = np.array([[15.0, 45.0, 10.0, 35.0, 20.0], [25.0, 35.0, 10.0, 25.0, 30.0]])
    assert choose_slices(scores) == {"best": 1, "median": 4, "worst": 2}


def test_perfect_slices_can_be_chosen_from() -> None:
    """An infinite PSNR is the best."""
    assert choose_slices(np.array([[20.0, np.inf, 10.0]])) == {"best": 1, "median": 0, "worst": 2}


def test_slices_of_one_score_are_chosen_alike_every_time() -> None:
    """Ties are broken by the order of the cases."""
    assert choose_slices(np.full((2, 9), 30.0)) == choose_slices(np.full((3, 9), 31.0))


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished run that a test may spoil."""
    return Path(shutil.copytree(finished, tmp_path / "copied"))


@needs_matplotlib
def test_a_picture_of_every_benchmark(copied: Path, call: Callable[..., tuple[int, str, str]]) -> None:
    """One PNG for the run's one benchmark: 4 columns of 1.75 inch and 6 rows at 100 dots an inch, not blank."""
    from matplotlib.image import imread

    code, out, err = call("pictures", copied)
    assert (code, err) == (0, "")
    (path,) = map(Path, out.split())
    assert path.parent == copied / "pictures"
    assert path.read_bytes().startswith(b"\x89PNG")
    pixels = imread(path)
    assert 600 < pixels.shape[1] < 1000
    assert 900 < pixels.shape[0] < 1300
    assert pixels[..., :3].std() > 0.1
    assert 20_000 < path.stat().st_size < 2_000_000


@needs_matplotlib
def test_a_picture_is_the_same_every_time(copied: Path, tmp_path: Path) -> None:
    """Drawn twice from the same folder: the same bytes."""
    first, second = (draw_all(copied, "test", tmp_path / name)[0].read_bytes() for name in ("a", "b"))
    assert first == second


@needs_matplotlib
@pytest.mark.parametrize("damage", ["gone", "folder gone", "truncated", "pickled", "another shape"])
def test_predictions_that_are_not_there(damage: str, copied: Path, refused: Callable[..., str]) -> None:
    """Predictions that were deleted or damaged are named in one line, with what to do."""
    folder = Store(copied).predictions_path("sparse-view/shapes-32@1", "test", "fbp")
    file = folder / "0000.npy"
    match damage:
        case "gone":
            file.unlink()
        case "folder gone":
            shutil.rmtree(folder)
        case "truncated":
            file.write_bytes(file.read_bytes()[:-50])
        case "pickled":
            np.save(file, np.array([{"a": 1}]), allow_pickle=True)
        case "another shape":
            np.save(file, np.zeros((3, 8, 8), np.float32))
    line = refused("pictures", copied)
    assert str(folder) in line
    assert "--force" in line


@needs_matplotlib
def test_nothing_to_draw(finished: Path, refused: Callable[..., str]) -> None:
    """A split that was not run."""
    assert "no kept predictions of split 'ood:rings'" in refused("pictures", finished, "--split", "ood:rings")


@needs_matplotlib
def test_nowhere_to_draw(finished: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    """``-o`` names a file."""
    (tmp_path / "file").write_text("mine")
    assert str(tmp_path / "file") in refused("pictures", finished, "-o", tmp_path / "file")


@needs_matplotlib
def test_a_method_that_failed_is_left_out(copied: Path, call: Callable[..., Any]) -> None:
    """A record without predictions is no reason not to draw the others."""
    from tomobench.harness.records import dump

    store = Store(copied)
    path = store.record_path("sparse-view/shapes-32@1", "test", "zero")
    record = store.load(path)
    assert record is not None
    path.write_text(dump({**record, "status": "crash", "predictions": {"kept": False}}))
    assert call("pictures", copied)[0] == 0
