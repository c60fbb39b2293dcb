"""What a method may hand back, and what becomes of the ones that hand back something else, or nothing."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import psutil
import pytest

from tomobench.errors import PredictionError, UsageError
from tomobench.harness.evaluate import evaluate
from tomobench.harness.leaderboard import leaderboard
from tomobench.harness.records import SCORES
from tomobench.harness.runner import run
from tomobench.harness.tables import FORMATS, render

BENCH = "sparse-view/shapes-32"
METHODS = Path(__file__).parent / "methods.py"

# object of methods.py → status, and what its message must say
SAME_AS_SMEAR = (
    "float64", "big_endian", "fortran_order", "non_contiguous", "read_only", "broadcast_view", "subclass", "memmap",
    "mutates",
)  # fmt: skip
SCORABLE = ("float16", "negative", "huge", "constant")
REFUSED = {
    "none": "predict returned None; return the array",
    "nan": "1 NaN or Inf, first at (0, 1, 2) of its batch",
    "infinite": "1 NaN or Inf, first at (23, 31, 31) of its batch",
    "overflow": "24576 NaN or Inf, first at (0, 0, 0)",
    "wrong_shape": "returned shape (24, 31, 31); expected (24, 32, 32)",
    "one_for_all": "returned shape (1, 32, 32); expected (24, 32, 32); one image for each case",
    "scalar": "numpy.float32; expected a NumPy array",
    "extra_axis": "an axis of length 1 is too many or missing: use .reshape",
    "no_batch_axis": "the batch axis is missing: add [None]",
    "transposed": "returned shape (32, 32, 24); expected (24, 32, 32)",
    "complex_numbers": "complex64; expected float32; convert with .astype(np.float32)",
    "boolean": "bool; expected float32; convert with .astype(np.float32)",
    "uint8": "uint8; expected float32; convert",
    "integers": "int64; expected float32; convert",
    "objects": "object; expected float32; convert",
    "text": "expected float32; convert",
    "masked": "a masked array; fill it: .filled(value)",
    "lists": "builtins.list; expected a NumPy array; call np.asarray",
    "torch_tensor": "torch.Tensor; expected a NumPy array; call .detach().cpu().numpy()",
}
ENDS = {
    "raises": ("error", "ValueError: deliberate, on two lines (methods.py, line "),
    "sys_exit": ("crash", "the method called sys.exit(0)"),
    "exit_0": ("crash", "the worker exited with code 0 before it answered"),
    "exit_3": ("crash", "the worker exited with code 3 before it answered"),
    "segfault": ("crash", "the worker was killed by SIGSEGV"),
    "NeedsArguments": ("error", "missing 1 required positional argument: 'weights'"),
    "Absent": ("error", "unknown object in"),
    "TriesTooMuch": ("invalid", "declares 20 candidates; the budget for every method is 8"),
}
IN_WORKERS = ("smear", "one_for_all", "mutates", "constant")
FAST_ENDS = tuple(name for name in ENDS if name not in ("exit_3", "NeedsArguments"))
OTHERS_IN_WORKERS = tuple(
    name for name in (*SAME_AS_SMEAR, *SCORABLE, *REFUSED, *ENDS) if name not in (*IN_WORKERS, *FAST_ENDS, "scalar")
)


@pytest.fixture(scope="session")
def methods() -> ModuleType:
    """``methods.py`` in this process."""
    spec = importlib.util.spec_from_file_location("harness_test_methods", METHODS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def smeared(methods: ModuleType) -> Any:
    """The scores of the right answer."""
    return evaluate(methods.smear, BENCH).scores


def _run(folder: Path, names: tuple[str, ...], **options: Any) -> Any:
    return run([BENCH], [f"{METHODS}:{name}" for name in names], ["test"], folder, **({"timeout": 120} | options))


def _one_line(message: str) -> bool:
    return "\n" not in message and message.isprintable()


@pytest.fixture(scope="session")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run of the worst answers, with a right one last."""
    folder = tmp_path_factory.mktemp("answers") / "results"
    _run(folder, (*IN_WORKERS[1:], *FAST_ENDS, "smear"))
    return folder


@pytest.fixture(scope="session")
def answered_slowly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run of every other answer, with a right one last."""
    folder = tmp_path_factory.mktemp("answers-slow") / "results"
    _run(folder, (*OTHERS_IN_WORKERS, "smear"))
    return folder


# --- in this process: every kind of array


@pytest.mark.parametrize("name", SAME_AS_SMEAR)
def test_the_container_of_an_answer_does_not_change_its_scores(name: str, methods: ModuleType, smeared: Any) -> None:
    """Another layout, precision or class of the same values scores exactly the same."""
    found = evaluate(getattr(methods, name), BENCH).scores
    np.testing.assert_array_equal(found[list(SCORES)].to_numpy(), smeared[list(SCORES)].to_numpy())


def test_a_coarse_answer_is_scored(methods: ModuleType, smeared: Any) -> None:
    """float16 has 11 bits: its PSNR differs from float32's, by less than 0.1 dB."""
    difference = evaluate(methods.float16, BENCH).scores["psnr"] - smeared["psnr"]
    assert 0 < np.abs(difference).max() < 0.1


def test_a_negative_answer_is_scored(methods: ModuleType) -> None:
    """Truth in [0, 1] against an answer below −1: the error is above 1, so PSNR with range 1 is below 0 dB."""
    assert (evaluate(methods.negative, BENCH).scores["psnr"] < 0).all()


def test_a_huge_answer_is_scored(methods: ModuleType) -> None:
    """1e30 everywhere: MSE is 1e60, PSNR −600 dB, and every other score is a number or infinite, not an accident."""
    scores = evaluate(methods.huge, BENCH).scores
    np.testing.assert_allclose(scores["mse"], 1e60, rtol=1e-6)
    np.testing.assert_allclose(scores["psnr"], -600, atol=1e-5)
    assert not scores[["ssim", "rmse", "mae", "nrmse", "residual"]].isna().any(axis=None)


def test_a_constant_answer_is_flagged(methods: ModuleType) -> None:
    """A constant image in every case is said so."""
    assert evaluate(methods.constant, BENCH).flags == ("constant image in 24 of 24 cases",)


@pytest.mark.parametrize("name", REFUSED)
def test_an_answer_that_cannot_be_scored_is_refused(name: str, methods: ModuleType) -> None:
    """The error is one line that says what was found and what to do."""
    with pytest.raises(PredictionError) as caught:
        evaluate(getattr(methods, name), BENCH)
    assert REFUSED[name] in str(caught.value)
    assert _one_line(str(caught.value))


# --- in workers


def _check(folder: Path, name: str, record_of: Callable[..., dict[str, Any]], smeared: Any) -> None:
    record = record_of(folder, f"methods:{name}")
    status, said = ENDS.get(name) or (("invalid", REFUSED[name]) if name in REFUSED else ("ok", ""))
    assert record["status"] == status
    assert said in record["message"]
    assert _one_line(record["message"])
    assert len(record["cases"]["id"]) == 24, "a failed case is recorded, never dropped"
    if name == "smear" or name in SAME_AS_SMEAR:
        assert record["cases"]["psnr"] == smeared["psnr"].tolist()
    elif status == "ok":
        assert len(record["cases"]["psnr"]) == 24
    else:
        assert "psnr" not in record["cases"]


@pytest.mark.parametrize("name", [*IN_WORKERS, *FAST_ENDS])
def test_a_run_records_what_became_of_a_method(
    name: str, answered: Path, record_of: Callable[..., dict[str, Any]], smeared: Any
) -> None:
    """Status and message of each; the right method, which comes last, is scored to the last bit regardless."""
    _check(answered, name, record_of, smeared)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*OTHERS_IN_WORKERS, "smear"])
def test_a_run_records_what_became_of_the_other_methods(
    name: str, answered_slowly: Path, record_of: Callable[..., dict[str, Any]], smeared: Any
) -> None:
    """The arrays that were tried in this process fare the same in workers."""
    _check(answered_slowly, name, record_of, smeared)


def test_failures_stay_on_the_leaderboard(answered: Path) -> None:
    """Every method has its row, the failed ones without rank and below the scored ones, in all five formats."""
    rows = leaderboard(answered)
    assert {row.method for row in rows} == {f"methods:{name}" for name in (*IN_WORKERS, *FAST_ENDS)}
    assert [row.status == "ok" for row in rows] == sorted((row.status == "ok" for row in rows), reverse=True)
    assert all((row.rank is None) == (row.status != "ok") for row in rows)
    for style in FORMATS:
        text = render(rows, style)
        assert all(name in text.replace("\\_", "_") for name in (*IN_WORKERS, *FAST_ENDS))


def test_a_failed_method_leaves_its_output_in_the_log(answered: Path) -> None:
    """The traceback of a method that raised is kept, where its author can read it."""
    logs = [path.read_text() for path in answered.rglob("*raises*.log")]
    assert len(logs) == 1
    assert "in raises" in logs[0]


def test_what_a_failed_method_learned_from_is_not_claimed(
    answered: Path, record_of: Callable[..., dict[str, Any]]
) -> None:
    """A method that never came to declare anything is "undeclared", not "trained on none"."""
    assert record_of(answered, "methods:exit_0")["info"]["training_data"] != "none"
    assert record_of(answered, "methods:Absent")["info"]["training_data"] != "none"


@pytest.fixture(scope="session")
def limited(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Cells with 3 seconds, others with 0.5 GB, a harmless method last, and the mark of their children."""
    folder = tmp_path_factory.mktemp("limited") / "results"
    mark = os.environ["TOMOBENCH_TEST_MARK"] = f"mark-{folder.parent.name}-{os.getpid()}"
    run([BENCH], [f"{METHODS}:hang"], ["test"], folder, timeout=3)
    run([BENCH], [f"{METHODS}:hog", f"{METHODS}:child_hogs", "zero"], ["test"], folder, timeout=120, memory=0.5)
    return folder, mark


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        ("methods:hang", "timeout", "no answer within 3 s (--timeout)"),
        ("methods:hog", "oom", "the limit is 0.50 GB (--memory)"),
        ("methods:child_hogs", "oom", "the limit is 0.50 GB (--memory)"),
        ("zero", "ok", ""),
    ],
)
def test_limits_are_kept(
    name: str, status: str, said: str, limited: tuple[Path, str], record_of: Callable[..., dict[str, Any]]
) -> None:
    """Time and memory end a cell, its children's memory included; the run goes on."""
    record = record_of(limited[0], name)
    assert record["status"] == status
    assert said in record["message"]
    assert _one_line(record["message"])


def test_a_memory_hog_is_stopped_well_before_it_has_all_it_wants(
    limited: tuple[Path, str], record_of: Callable[..., dict[str, Any]]
) -> None:
    """It wants 2 GB and may have 0.5: what was seen lies between, and is recorded as its peak."""
    peak = record_of(limited[0], "methods:hog")["timings"]["peak_memory"]
    assert 0.5e9 < peak < 2e9


def test_no_hogging_child_is_left(limited: tuple[Path, str], marked: Callable[[str], list[psutil.Process]]) -> None:
    """A child in a session of its own ends with its worker."""
    assert marked(limited[1]) == []


@pytest.mark.parametrize(
    "name",
    [
        "leaves_a_child_and_dies",
        pytest.param("leaves_a_child", marks=pytest.mark.slow),
        pytest.param("leaves_a_daemon", marks=pytest.mark.slow),
    ],
)
def test_no_process_is_left_after_a_method(
    name: str,
    tmp_path: Path,
    marked: Callable[[str], list[psutil.Process]],
    monkeypatch: pytest.MonkeyPatch,
    soon: Callable[..., bool],
) -> None:
    """A child with a session of its own, an orphan and a daemon all end with the job."""
    mark = f"mark-{name}-{os.getpid()}"
    monkeypatch.setenv("TOMOBENCH_TEST_MARK", mark)
    _run(tmp_path / "results", (name,))
    assert soon(lambda: not marked(mark), 1), f"left: {[process.cmdline() for process in marked(mark)]}"


def test_gigabytes_on_stdout_cost_nothing(tmp_path: Path, record_of: Callable[..., dict[str, Any]]) -> None:
    """200 MB of output neither fill the harness's memory nor stop the method."""
    before = psutil.Process().memory_info().rss
    _run(tmp_path / "results", ("floods_stdout",))
    assert record_of(tmp_path / "results", "methods:floods_stdout")["status"] == "ok"
    assert psutil.Process().memory_info().rss - before < 50e6


def test_text_that_no_terminal_should_see(tmp_path: Path, record_of: Callable[..., dict[str, Any]]) -> None:
    """A lone surrogate and an escape sequence in an exception neither end the run nor reach the terminal."""
    _run(tmp_path / "results", ("unprintable", "smear"))
    assert record_of(tmp_path / "results", "methods:smear")["status"] == "ok"
    record = record_of(tmp_path / "results", "methods:unprintable")
    assert record["status"] == "error"
    assert _one_line(record["message"])
    for style in FORMATS:
        assert "\x1b" not in render(leaderboard(tmp_path / "results"), style)


FORGED = {
    "forged_memory": ("error", "crash"),
    "forged_status": ("crash",),
    "forged_ok": ("ok", "invalid", "crash"),
    "forged_seconds": ("error", "crash"),
    "forged_info": ("error", "crash"),
    "forged_info_fields": ("error", "crash"),
    "forged_nothing": ("crash",),
    "forged_torn": ("crash",),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if place > 0 else []) for place, name in enumerate(FORGED)]
)
def test_a_forged_report_fools_nobody(name: str, tmp_path: Path, record_of: Callable[..., dict[str, Any]]) -> None:
    """A report that the method wrote itself costs it its cell; the run and the leaderboard go on."""
    folder = tmp_path / "results"
    run([BENCH], [f"{METHODS}:{name}", "zero"], ["test"], folder, timeout=120)
    record, zero = record_of(folder, f"methods:{name}"), record_of(folder, "zero")
    assert zero["status"] == "ok"
    assert record["status"] in FORGED[name]
    if record["status"] == "ok":  # what it left where predictions belong is what is scored: here, nothing
        assert record["cases"]["psnr"] == zero["cases"]["psnr"]
    for style in FORMATS:
        assert "zero" in render(leaderboard(folder), style)


# --- how a method is found, and what it declares


def test_a_file_that_cannot_be_imported(tmp_path: Path, record_of: Callable[..., dict[str, Any]]) -> None:
    """An error at import is the method's, with file and line; the next method is answered."""
    (tmp_path / "broken.py").write_text("import numpy\nimport a_package_that_nobody_has\n")
    run([BENCH], [f"{tmp_path}/broken.py:predict", "zero"], ["test"], tmp_path / "results")
    record = record_of(tmp_path / "results", "broken:predict")
    assert record["status"] == "error"
    assert "No module named 'a_package_that_nobody_has' (broken.py, line 2)" in record["message"]
    assert record_of(tmp_path / "results", "zero")["status"] == "ok"


@pytest.mark.parametrize("name", [pytest.param("Adapter", marks=pytest.mark.slow), "instance"])
def test_an_adapter_of_a_module_in_the_working_folder(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_of: Callable[..., dict[str, Any]],
    smeared: Any,
) -> None:
    """``module:Object`` is found from where the command runs; a class and an instance do; its info is recorded."""
    (tmp_path / "my_methods.py").write_text(METHODS.read_text())
    monkeypatch.chdir(tmp_path)
    run([BENCH], [f"my_methods:{name}"], ["test"], tmp_path / "results")
    record = record_of(tmp_path / "results", f"my_methods:{name}")
    assert record["cases"]["psnr"] == smeared["psnr"].tolist()
    assert record["info"] == {
        "framework": "test", "parameters": 12, "training_data": "none", "reference": "nobody", "version": 1,
    }  # fmt: skip


@pytest.mark.slow
def test_two_files_of_one_name_are_two_methods(tmp_path: Path) -> None:
    """``a/method.py:predict`` and ``b/method.py:predict`` in one run: both are answered, or the command is refused."""
    for folder, value in (("a", 0.1), ("b", 0.2)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "method.py").write_text(
            f"import numpy as np\ndef predict(inputs): return np.full(inputs.answer_shape, {value}, np.float32)\n"
        )
    specs = [f"{tmp_path}/{folder}/method.py:predict" for folder in ("a", "b")]
    try:
        summary = run([BENCH], specs, ["test"], tmp_path / "results")
    except UsageError:
        return
    assert summary.new == {"ok": 2}


def test_a_method_with_candidates_is_tuned(
    tmp_path: Path, record_of: Callable[..., dict[str, Any]], smeared: Any
) -> None:
    """The best of its three factors is chosen on validation data, and the record says so."""
    _run(tmp_path / "results", ("Tuned",))
    record = record_of(tmp_path / "results", "methods:Tuned")
    assert record["method"]["parameters"] == {"factor": 1.0}
    assert record["method"]["tuned_on"] == f"{BENCH}@1 validation"
    assert record["cases"]["psnr"] == smeared["psnr"].tolist()


@pytest.mark.slow
def test_an_instance_is_not_tuned(tmp_path: Path, record_of: Callable[..., dict[str, Any]], smeared: Any) -> None:
    """An instance cannot take other parameters, so none are recorded for it, though its class lists candidates."""
    _run(tmp_path / "results", ("tuned_instance",))
    record = record_of(tmp_path / "results", "methods:tuned_instance")
    assert record["cases"]["psnr"] == smeared["psnr"].tolist()
    assert record["method"]["parameters"] == {}
    assert record["method"]["tuned_on"] is None


def test_candidates_of_numpy_numbers(tmp_path: Path, record_of: Callable[..., dict[str, Any]], smeared: Any) -> None:
    """NumPy scalars among the candidates are taken as numbers, or refused by name; they are no crash."""
    _run(tmp_path / "results", ("OddCandidates",))
    record = record_of(tmp_path / "results", "methods:OddCandidates")
    assert record["status"] == "ok" or "candidates" in record["message"]


def test_odd_declarations_do_not_spoil_the_leaderboard(tmp_path: Path) -> None:
    """Parameters given as text and training data as None still print, in all five formats."""
    _run(tmp_path / "results", ("OddInfo",))
    for style in FORMATS:
        assert "methods:OddInfo" in render(leaderboard(tmp_path / "results"), style)


def test_an_answer_equal_to_the_truth_is_flagged(tmp_path: Path, record_of: Callable[..., dict[str, Any]]) -> None:
    """PSNR is infinite on validation too, where it is tuned; the row stands, ranked, with its flag."""
    _run(tmp_path / "results", ("Omniscient",))
    record = record_of(tmp_path / "results", "methods:Omniscient")
    assert (record["status"], record["message"]) == ("ok", "")
    assert record["cases"]["psnr"] == ["inf"] * 24
    assert record["cases"]["mse"] == [0.0] * 24
    assert record["flags"] == ["bit-identical to the truth in 24 of 24 cases"]
    (row,) = leaderboard(tmp_path / "results")
    assert (row.rank, row.scores["psnr"]) == (1, np.inf)
    for style in FORMATS:
        assert "bit-identical to the truth" in render([row], style) or style == "latex"
