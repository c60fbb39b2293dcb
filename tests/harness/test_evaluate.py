"""``tomobench.evaluate``: the same scores as a run's, in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tomobench as tb
from tomobench.baselines.fbp import Fbp
from tomobench.baselines.zero import Zero
from tomobench.errors import PredictionError, TomoBenchError, UnknownName
from tomobench.harness.leaderboard import leaderboard
from tomobench.harness.records import SCORES, number

BENCH = "sparse-view/shapes-32"


@pytest.mark.parametrize(("name", "split"), [("fbp", "test"), ("zero", "test"), ("fbp", "ood:fewer-angles")])
def test_the_scores_are_those_of_a_run(
    name: str, split: str, finished: Path, record_of: Callable[..., dict[str, Any]]
) -> None:
    """Tuned alike, answered alike, scored alike: every score of every case is the record's, to the last bit."""
    record = record_of(finished, name, split)
    result = tb.evaluate(name, BENCH, split)
    assert result.parameters == record["method"]["parameters"]
    assert list(result.scores.index) == record["cases"]["id"]
    assert list(result.scores["object"]) == record["cases"]["object"]
    for score in SCORES:
        expected = [number(value) for value in record["cases"][score]]
        np.testing.assert_array_equal(result.scores[score], expected)
    row = next(row for row in leaderboard(finished) if (row.method, row.split) == (name, split))
    assert result.mean["psnr"] == pytest.approx(row.scores["psnr"], rel=1e-14)


def test_what_comes_back() -> None:
    """A frame with one row for each image, a series of means, and names to print with them."""
    result = tb.evaluate("zero", BENCH)
    assert isinstance(result.scores, pd.DataFrame)
    assert result.scores.shape == (24, 1 + len(SCORES))
    assert result.scores.index.is_unique
    assert isinstance(result.mean, pd.Series)
    assert list(result.mean.index) == list(SCORES)
    assert (result.benchmark, result.split, result.method) == (f"{BENCH}@1", "test", "zero")
    assert result.flags == ("constant image in 24 of 24 cases",)
    # Zero: the error is the truth, so NRMSE = ‖x‖/‖x‖ = 1 and the relative residual ‖y‖/‖y‖ = 1.
    np.testing.assert_allclose(result.scores["nrmse"], 1, rtol=1e-12)
    np.testing.assert_allclose(result.scores["residual"], 1, rtol=1e-12)


def test_a_function_a_class_and_an_instance_are_one_method() -> None:
    """Whatever a method is handed over as, its answers get the same scores."""

    def nothing(inputs: Any) -> Any:
        return np.zeros(inputs.answer_shape, np.float32)

    results = [tb.evaluate(method, BENCH) for method in ("zero", nothing, Zero, Zero())]
    assert [result.method for result in results] == ["zero", "nothing", "zero", "zero"]
    for result in results[1:]:
        pd.testing.assert_frame_equal(result.scores, results[0].scores)


def test_fixed_parameters_are_kept() -> None:
    """In the spec, by keyword, or in an instance: not tuned over, and what is reported is what ran."""
    by_keyword = tb.evaluate("fbp", BENCH, parameters={"filter": "hann", "cutoff": 0.5})
    in_spec = tb.evaluate("fbp[filter=hann,cutoff=0.5]", BENCH)
    instance = tb.evaluate(Fbp("hann", 0.5), BENCH)
    pd.testing.assert_frame_equal(in_spec.scores, by_keyword.scores)
    pd.testing.assert_frame_equal(instance.scores, by_keyword.scores)
    assert by_keyword.parameters == {"filter": "hann", "cutoff": 0.5}
    assert instance.parameters == {}, "an instance keeps its own; none were chosen for it"


def test_a_class_is_tuned(finished: Path, record_of: Callable[..., dict[str, Any]]) -> None:
    """The class behind a shipped name is tuned as the name is."""
    assert tb.evaluate(Fbp, BENCH).parameters == record_of(finished, "fbp")["method"]["parameters"]


def test_the_truth_scores_perfectly_and_is_flagged() -> None:
    """A method that was handed the truth: no error, infinite PSNR, SSIM 1, and a flag for the reader."""
    from tomobench.benchmarks.benchmark import load_benchmark
    from tomobench.benchmarks.prepare import prepare

    truth = next(prepare(load_benchmark(BENCH), "test").truth()).images
    result = tb.evaluate(lambda inputs: truth.copy(), BENCH)
    assert (result.scores["mse"] == 0).all()
    assert np.isposinf(result.scores["psnr"]).all()
    np.testing.assert_allclose(result.scores["ssim"], 1, atol=1e-12)
    assert result.flags == ("bit-identical to the truth in 24 of 24 cases",)


def test_a_wrong_scale_is_diagnosed() -> None:
    """Half the truth plus nothing: "off by 2.0×", though PSNR alone would not say why."""
    from tomobench.benchmarks.benchmark import load_benchmark
    from tomobench.benchmarks.prepare import prepare

    truth = next(prepare(load_benchmark(BENCH), "test").truth()).images
    noise = 1e-3 * np.random.default_rng(1).standard_normal(truth.shape)
    diagnosis = tb.evaluate(lambda inputs: truth / 2 + noise, BENCH).diagnosis
    assert diagnosis.startswith("off by 2.0× (too small)")


def test_the_order_of_the_cases_matters() -> None:
    """Swapped answers are wrong answers: the right ones in reverse order lose."""
    from tomobench.benchmarks.benchmark import load_benchmark
    from tomobench.benchmarks.prepare import prepare

    truth = next(prepare(load_benchmark(BENCH), "test").truth()).images
    result = tb.evaluate(lambda inputs: truth[::-1].copy(), BENCH)
    assert (result.scores["psnr"] < 40).all()
    assert result.flags == ()


@pytest.mark.parametrize(
    ("method", "asked", "split"),
    [
        ("fpb", BENCH, "test"),
        ("fbp", "sparse-view/shaeps", "test"),
        ("fbp", BENCH, "tset"),
    ],
)
def test_unknown_names(method: str, asked: str, split: str) -> None:
    """Each is an UnknownName with the nearest ones."""
    with pytest.raises(UnknownName, match="did you mean"):
        tb.evaluate(method, asked, split)


@pytest.mark.parametrize("method", [None, 7, object(), [np.zeros(3)]])
def test_what_is_no_method(method: Any) -> None:
    """One line that says what a method is."""
    with pytest.raises(PredictionError, match=r"expected an object with predict\(inputs\)"):
        tb.evaluate(method, BENCH)


def test_a_wrong_answer_is_refused() -> None:
    """As in a run, a bad answer is an error, not a score."""
    with pytest.raises(PredictionError, match="returned shape"):
        tb.evaluate(lambda inputs: np.zeros((2, 2), np.float32), BENCH)


def test_a_wrong_parameter_is_refused() -> None:
    """A parameter that a shipped method does not have, or cannot take, is one line."""
    with pytest.raises(TomoBenchError, match="cutoff"):
        tb.evaluate("fbp", BENCH, parameters={"cutoff": 7})
    with pytest.raises(TomoBenchError, match="cut_off"):
        tb.evaluate("fbp", BENCH, parameters={"cut_off": 0.5})


def test_an_error_of_the_method_is_its_own() -> None:
    """In a notebook the traceback leads into the method."""

    def broken(inputs: Any) -> Any:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        tb.evaluate(broken, BENCH)
