"""The command line: what it lists, shows and scores, and how it says no."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import tomobench
from tomobench.baselines.catalogue import list_methods, load_method
from tomobench.benchmarks.benchmark import list_benchmarks, load_benchmark
from tomobench.benchmarks.geometry import Geometry
from tomobench.benchmarks.prepare import prepare
from tomobench.benchmarks.suites import SUITES
from tomobench.benchmarks.tasks import ReconstructionInputs
from tomobench.datasets.catalogue import list_libraries
from tomobench.harness.evaluate import score_predictions
from tomobench.harness.store import Store
from tomobench.metrics import METRICS

BENCH = "sparse-view/shapes-32"
Call = Callable[..., tuple[int, str, str]]
Refused = Callable[..., str]

# --- how it says no


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "quikc"], "quick"),
        (["run", "sparse-view/shaeps-32"], "sparse-view/shapes-64"),
        (["run", "sparce-view/shapes"], "sparse-view/shapes-64"),
        (["run", BENCH, "-m", "sitr"], "did you mean sirt"),
        (["run", BENCH, "-m", ""], "unknown method ''"),
        (["run", BENCH, "--split", "tset"], "did you mean test"),
        (["run", BENCH, "--split", "ood:ring"], "ood:rings"),
        (["run", "quick", "-m", "zero", "--split", "tets"], "did you mean test"),
        (["list", "benchmark"], "did you mean benchmarks"),
        (["list", "nothing-like-it"], "known: benchmarks, libraries, methods, metrics, suites"),
        (["show", "fpb"], "did you mean fbp"),
        (["show", "shapse"], "did you mean shapes"),
        (["show", ""], "unknown name ''"),
        (["show", "sparse-view/shpaes"], "sparse-view/shapes"),
        (["show", BENCH, "--save-inputs", "never.h5", "--split", "tset"], "did you mean test"),
        (["show", "fbp", "--save-inputs", "never.h5"], "unknown benchmark 'fbp'"),
        (["score", "never.npy", "--benchmark", "sparse-view/shaeps-32"], "sparse-view/shapes-64"),
        (["score", "never.npy", "--benchmark", BENCH, "--split", "tset"], "did you mean test"),
        (["data", "path", "shapse"], "shapes"),
        (["data", "fetch", "shapse"], "shapes"),
        (["leaderboard", "never"], "tomobench run quick --out never"),
        (["pictures", "never"], "tomobench run quick --out never"),
    ],
)
def test_an_unknown_name_gets_the_nearest(
    words: list[str], said: str, refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 2, one line that offers a mend, and nothing made."""
    monkeypatch.chdir(tmp_path)
    assert said in refused(*words)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        *([option, value] for option in ("--jobs",) for value in ("0", "-1", "1e9", "1000000000", "x", "", "²", "1.5")),
        *([option, value] for option in ("--timeout",) for value in ("0", "-1", "nan", "inf", "x", "1e12", "")),
        *([option, value] for option in ("--memory",) for value in ("0", "-2", "nan", "inf", "x", "99999")),
        ["-m", "fbp[filter=none]"],
        ["-m", "fbp[cutoff=2]"],
        ["-m", "fbp[cutoff=wide]"],
        ["-m", "fbp[filters=hann]"],
        ["-m", "fbp[hann]"],
        ["-m", "fbp[1=2]"],
        ["-m", "sirt[iterations=0]"],
        ["-m", "sirt[iterations=many]"],
        ["-m", "tv[regularisation=-1]"],
        ["-m", "zero[level=1]"],
        ["-m", "fbp["],
        ["-m", "outside:Object[k=1]"],
        ["-m", "no_such_module:Object"],
        ["-m", "no.such.module:Object"],
        ["-m", "a..b:Object"],
        ["-m", "no_such_file.py:Object"],
        ["-m", "no/such/folder"],
        ["-m", ":Object"],
        ["-m", "json:"],
        ["-m", "."],
        ["--no-such-option"],
        ["--split"],
    ],
    ids=" ".join,
)
def test_an_impossible_option_of_run(
    words: list[str], refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 2 and one line, before a results folder is made."""
    monkeypatch.chdir(tmp_path)
    refused("run", BENCH, *words)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["rnu"],
        ["data"],
        ["data", "ad"],
        ["leaderboard"],
        ["leaderboard", ".", "--format", "xlsx"],
        ["score", "x.npy"],
        ["run", f"{BENCH}@99"],
        ["show", f"{BENCH}@99"],
        ["run", "sparse-view/shapes-8"],
        ["run", "sparse-view/shapes-99999"],
        ["run", "sparse-view/"],
        ["run", "/"],
        ["run", "../../etc/passwd"],
        ["run", "low-dose/reactors"],
        ["run", "low-dose/shapes-legacy"],
    ],
    ids=" ".join,
)
def test_an_impossible_command(words: list[str], refused: Refused) -> None:
    """Exit 2 and one line for what argparse, versions and sizes refuse."""
    refused(*words)


def test_another_version_names_this_one(refused: Refused) -> None:
    """A benchmark of another version is refused with both versions in the line."""
    line = refused("score", "never.npy", "--benchmark", f"{BENCH}@7")
    assert "@7" in line
    assert "computes version 1" in line


@pytest.mark.parametrize(
    "library", ["shapes", *(pytest.param(name, marks=pytest.mark.slow) for name in ("natural", "grains", "foam"))]
)
def test_the_smallest_size_can_be_run(library: str, call: Call, tmp_path: Path) -> None:
    """Every size that an id may ask for is one that can be drawn and scored: 16 is the smallest."""
    words = ["run", f"sparse-view/{library}-16", "-m", "zero", "--split", "test", "--out", tmp_path / "results"]
    code, _, err = call(*words)
    assert code == 0, err


# --- what it lists and shows


def test_help_lists_the_commands(call: Call) -> None:
    """Every command with its line; the same for each command's own help."""
    code, out, _ = call("--help")
    assert code == 0
    for name in ("run", "leaderboard", "pictures", "list", "show", "score", "data"):
        assert re.search(rf"^    {name}\s+\w", out, re.MULTILINE)
        code, own, _ = call(name, "--help")
        assert code == 0
        assert own.startswith(f"usage: tomobench {name}")


def test_help_is_instant() -> None:
    """Nothing heavy is imported for it: neither NumPy nor h5py nor pandas."""
    code = (
        "import sys; from tomobench.harness.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print('HEAVY', sorted({'numpy', 'h5py', 'pandas', 'scipy', 'astra', 'skimage'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("HEAVY []\n")


def test_version_by_module_and_by_script() -> None:
    """``python -m tomobench`` and the installed script are the same program."""
    script = Path(sys.executable).with_name("tomobench")
    words = [[sys.executable, "-m", "tomobench", "--version"]]
    words += [[str(script), "--version"]] if script.exists() else []
    for one in words:
        done = subprocess.run(one, capture_output=True, text=True, check=True)
        assert done.stdout == f"tomobench {tomobench.__version__}\n"


@pytest.mark.parametrize(
    ("kind", "key", "names"),
    [
        ("suites", "suite", list(SUITES)),
        ("benchmarks", "benchmark", list_benchmarks),
        ("methods", "method", list_methods),
        ("libraries", "library", list_libraries),
        ("metrics", "metric", list(METRICS)),
    ],
)
def test_lists_are_complete(kind: str, key: str, names: Any, call: Call) -> None:
    """The JSON list names everything there is, in order; the text list too."""
    expected = names() if callable(names) else names
    code, out, err = call("list", kind, "--json")
    assert (code, err) == (0, "")
    assert [entry[key] for entry in json.loads(out)] == expected
    code, out, err = call("list", kind)
    assert (code, err) == (0, "")
    assert all(name in out for name in expected)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("quick", "sparse-view/shapes-64"),
        ("fbp", "Kak & Slaney (1988)"),
        ("zero", "all-zero"),
        ("shapes", "CC0-1.0"),
        ("reactors", "licence"),
        ("psnr", "meaning"),
        (BENCH, "12 angles over 180°, 1e+05 photons"),  # 3 angles for every 8 of 32 pixels
        (f"{BENCH}@1", "psnr@"),
        ("sparse-view/reactors", "as measured"),
    ],
)
def test_show(name: str, said: str, call: Call) -> None:
    """One sheet of each kind, with its name on top."""
    code, out, err = call("show", name)
    assert (code, err) == (0, "")
    assert out.splitlines()[0].startswith(name)
    assert said in out


def test_everything_listed_can_be_shown(call: Call) -> None:
    """No listed name leads nowhere."""
    for name in (*SUITES, *list_benchmarks(), *list_methods(), *list_libraries(), *METRICS):
        assert call("show", name)[0] == 0, name


@pytest.mark.parametrize("words", [["list", "benchmarks"], ["--help"]])
def test_a_closed_pipe_is_no_error(words: list[str]) -> None:
    """The reader has gone, as in ``tomobench list benchmarks | head -1``: nothing on stderr."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tomobench", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(30) in (0, -13)
    assert err == ""


def test_a_terminal_without_utf_8(finished: Path, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The tables hold signs that ASCII lacks; on such a terminal they are replaced, not a traceback."""
    for name, value in {
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "LC_ALL": "C",
        "PYTHONIOENCODING": "ascii",
    }.items():
        monkeypatch.setenv(name, value)
    done = command("leaderboard", finished)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "fbp" in done.stdout


# --- leaderboard to a file


def test_a_leaderboard_cannot_be_written_over_a_folder(finished: Path, tmp_path: Path, refused: Refused) -> None:
    """``-o FOLDER``: refused, and nothing left in or beside it."""
    (tmp_path / "taken").mkdir()
    assert "give another -o" in refused("leaderboard", finished, "-o", tmp_path / "taken")
    (tmp_path / "file").write_text("mine")
    assert "give another -o" in refused("leaderboard", finished, "-o", tmp_path / "file" / "board.md")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "taken"]


# --- score


@pytest.fixture(scope="module")
def truth_names(cache: Path) -> list[str]:
    """The case ids of the test split, in order."""
    return prepare(load_benchmark(BENCH), "test").case_ids


@pytest.fixture
def kept(finished: Path) -> np.ndarray[Any, Any]:
    """What fbp answered in the finished run, (24, 32, 32)."""
    return np.load(Store(finished).predictions_path(f"{BENCH}@1", "test", "fbp") / "0000.npy")


def _write_h5(path: Path, answers: dict[str, Any]) -> Path:
    with h5py.File(path, "w") as file:
        for name, image in answers.items():
            file[name] = image
    return path


def _printed(out: str) -> dict[str, str]:
    """The printed means by score."""
    lines = [line.split() for line in out.splitlines()]
    return {words[0]: words[1] for words in lines if len(words) > 2 and words[0] in ("mse", "psnr", "ssim", "residual")}


@pytest.mark.parametrize("suffix", [".npy", ".h5"])
def test_kept_predictions_score_as_the_run_did(
    suffix: str,
    kept: np.ndarray[Any, Any],
    truth_names: list[str],
    finished: Path,
    tmp_path: Path,
    call: Call,
    record_of: Callable[..., dict[str, Any]],
) -> None:
    """The means of the run's record, to the six digits that are printed; in HDF5 the order of the cases is free."""
    path = tmp_path / f"answers{suffix}"
    if suffix == ".npy":
        np.save(path, kept)
    else:
        _write_h5(path, dict(reversed(list(zip(truth_names, kept, strict=True)))))
    code, out, err = call("score", path, "--benchmark", BENCH)
    assert (code, err) == (0, "")
    cases = record_of(finished, "fbp")["cases"]
    printed = _printed(out)
    assert set(printed) == {"mse", "psnr", "ssim", "residual"}
    assert printed == {name: f"{np.mean(cases[name]):.6g}" for name in printed}


def test_kept_predictions_score_as_the_run_did_to_every_digit(
    kept: np.ndarray[Any, Any], finished: Path, record_of: Callable[..., dict[str, Any]]
) -> None:
    """Case by case, within 1e-12 of the record."""
    scores, _ = score_predictions(kept, BENCH)
    cases = record_of(finished, "fbp")["cases"]
    assert scores.cases["id"] == cases["id"]
    for name in ("mse", "psnr", "ssim", "rmse", "mae", "nrmse", "residual", "noise_ratio", "affine_psnr"):
        np.testing.assert_allclose(scores.cases[name], cases[name], rtol=1e-12, atol=0)


def test_several_images_of_an_object_count_once(call: Call, tmp_path: Path, finished: Path) -> None:
    """``score`` prints the mean that the leaderboard has, over objects, where an object has several images."""
    from tomobench.harness.leaderboard import leaderboard
    from tomobench.harness.runner import run

    bench = "sparse-view/foam-32"
    run([bench], ["fbp[filter='hann']"], ["test"], tmp_path / "results")
    (row,) = leaderboard(tmp_path / "results")
    (answers,) = tmp_path.rglob("0000.npy")
    _, out, _ = call("score", answers, "--benchmark", bench)
    assert _printed(out)["psnr"] == f"{row.scores['psnr']:.6g}"


def test_saved_inputs_lead_to_the_same_scores(
    tmp_path: Path, kept: np.ndarray[Any, Any], finished: Path, call: Call, record_of: Callable[..., dict[str, Any]]
) -> None:
    """An outsider reads the file that ``show --save-inputs`` wrote, runs fbp, writes HDF5 by case id: same scores."""
    saved = tmp_path / "inputs.h5"
    code, out, err = call("show", BENCH, "--save-inputs", saved)
    assert (code, err) == (0, "")
    assert "24 cases of sparse-view/shapes-32@1 test" in out
    with h5py.File(saved) as file:
        assert list(file) == ["0000"]
        group = file["0000"]
        assert set(group) == {"sinograms", "case_ids"}, "nothing of the truth"
        scan = Geometry(group.attrs["angles"], int(group.attrs["detectors"]), int(group.attrs["image_size"]))
        inputs = ReconstructionInputs(group["sinograms"][...], scan)
        names = list(group["case_ids"].asstr()[...])
    parameters = record_of(finished, "fbp")["method"]["parameters"]
    answers = load_method("fbp", **parameters).predict(inputs)
    np.testing.assert_array_equal(answers, kept)
    path = _write_h5(tmp_path / "answers.h5", dict(zip(names, answers, strict=True)))
    code, out, _ = call("score", path, "--benchmark", BENCH)
    assert _printed(out)["psnr"] == f"{np.mean(record_of(finished, 'fbp')['cases']['psnr']):.6g}"


def test_saved_inputs_overwrite_nothing(tmp_path: Path, refused: Refused) -> None:
    """An existing file, a folder and a missing folder are refused, and left as they are."""
    (tmp_path / "mine.h5").write_text("mine")
    assert "exists already" in refused("show", BENCH, "--save-inputs", tmp_path / "mine.h5")
    assert (tmp_path / "mine.h5").read_text() == "mine"
    assert "exists already" in refused("show", BENCH, "--save-inputs", tmp_path)
    assert "give another file" in refused("show", BENCH, "--save-inputs", tmp_path / "no" / "inputs.h5")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.h5"]


def _wrong_files(folder: Path, kept: np.ndarray[Any, Any], names: list[str]) -> dict[str, tuple[Path, str]]:
    """Files that cannot be scored: what is wrong → path and what must be said."""
    right = folder / "right.npy"
    np.save(right, kept)
    by_case = dict(zip(names, kept, strict=True))
    found: dict[str, tuple[Path, str]] = {"missing": (folder / "never.npy", "No such file")}

    (folder / "folder.npy").mkdir()
    found["folder"] = folder / "folder.npy", "expected a plain file"
    (folder / "link.npy").symlink_to(right)
    found["symbolic link"] = folder / "link.npy", "expected a plain file"
    os.mkfifo(folder / "pipe.npy")
    found["pipe"] = folder / "pipe.npy", "expected a plain file"
    (folder / "empty.npy").touch()
    found["empty"] = folder / "empty.npy", "empty file"
    (folder / "empty.h5").touch()
    found["empty HDF5"] = folder / "empty.h5", "empty file"
    (folder / "answers.txt").write_text("1 2 3")
    found["suffix"] = folder / "answers.txt", "'.txt'"
    (folder / "answers").write_text("1 2 3")
    found["no suffix"] = folder / "answers", "no suffix"

    np.save(folder / "pickled.npy", np.array([{"a": 1}] * 20_000), allow_pickle=True)
    found["pickled"] = folder / "pickled.npy", ""
    header = right.read_bytes()
    (folder / "lying.npy").write_bytes(header.replace(b"(24, 32, 32)", b"(99, 32, 32)"))
    found["lying header"] = folder / "lying.npy", "not a plain .npy"
    (folder / "truncated.npy").write_bytes(header[:-100])
    found["truncated"] = folder / "truncated.npy", ""
    (folder / "text.npy").write_bytes(b"x" * len(header))
    found["no npy at all"] = folder / "text.npy", "not a plain .npy"
    for name, array, said in (
        ("shape", kept[:, 1:], "(24, 31, 32)"),
        ("fewer cases", kept[:-1], "one image for each case"),
        ("int32", kept.astype(np.int32), "float32"),
        ("NaN", np.where(kept == kept.max(), np.nan, kept).astype(np.float32), "NaN"),
    ):
        np.save(folder / f"{name}.npy", array)
        found[name] = folder / f"{name}.npy", said

    def h5(what: str, said: str, answers: dict[str, Any]) -> None:
        found[what] = _write_h5(folder / f"{what}.h5", answers), said

    h5("missing case", f"1 missing (such as {names[3]})", {k: v for k, v in by_case.items() if k != names[3]})
    h5("extra case", "1 unknown (such as zzz)", by_case | {"zzz": kept[0]})
    h5("wrong size in HDF5", f"case {names[0]}: expected (32, 32), found (31, 32)", by_case | {names[0]: kept[0][1:]})
    h5("integers in HDF5", "int64", {k: np.zeros((32, 32), np.int64) for k in names})
    h5("text in HDF5", "real numbers", by_case | {names[0]: "text"})
    h5("NaN in HDF5", "NaN", by_case | {names[0]: np.full((32, 32), np.nan, np.float32)})
    h5("one stack", "missing", {"predictions": kept})
    (folder / "page.h5").write_text("<html>not found</html>")
    found["a web page"] = folder / "page.h5", "HTML"

    _write_h5(folder / "elsewhere.h5", {"image": kept[0]})
    with h5py.File(
        _write_h5(folder / "external.h5", {k: v for k, v in by_case.items() if k != names[0]}), "r+"
    ) as file:
        file[names[0]] = h5py.ExternalLink("elsewhere.h5", "/image")
    found["external link"] = folder / "external.h5", ""
    layout = h5py.VirtualLayout((32, 32), "<f4")
    layout[:] = h5py.VirtualSource(folder / "elsewhere.h5", "image", (32, 32))
    with h5py.File(_write_h5(folder / "virtual.h5", {k: v for k, v in by_case.items() if k != names[0]}), "r+") as file:
        file.create_virtual_dataset(names[0], layout)
    found["virtual dataset"] = folder / "virtual.h5", "another file"
    return found


def test_files_that_cannot_be_scored(
    kept: np.ndarray[Any, Any], truth_names: list[str], tmp_path: Path, refused: Refused
) -> None:
    """Each is refused in one line that names the file and the fault."""
    faults = {}
    for what, (path, said) in _wrong_files(tmp_path, kept, truth_names).items():
        try:
            line = refused("score", path, "--benchmark", BENCH)
            assert path.name in line
            assert said in line, line
            assert "; " in line, f"names no mend: {line}"
        except (AssertionError, Exception) as error:
            faults[what] = f"{type(error).__name__}: {str(error).splitlines()[0][:400]}"
    assert not faults, "\n".join(f"{what}: {why}" for what, why in faults.items())


@pytest.mark.parametrize("saved", [lambda a: a.astype(np.float64), np.asfortranarray, lambda a: a.astype(">f4")])
def test_what_np_save_makes_of_floats_is_scored(
    saved: Callable[[Any], Any], kept: np.ndarray[Any, Any], tmp_path: Path, call: Callable[..., tuple[int, str, str]]
) -> None:
    """float64, Fortran order and big-endian hold the same numbers, and give the same table."""
    tables = []
    for name, array in (("plain", kept), ("saved", saved(kept))):
        np.save(tmp_path / f"{name}.npy", array)
        tables.append(call("score", tmp_path / f"{name}.npy", "--benchmark", BENCH))
    assert tables[0][0] == 0
    assert tables[0] == tables[1]


def test_predictions_of_another_benchmark_are_refused(
    kept: np.ndarray[Any, Any], truth_names: list[str], tmp_path: Path, refused: Refused
) -> None:
    """Another library's cases have other ids; another size's another shape."""
    path = _write_h5(tmp_path / "answers.h5", dict(zip(truth_names, kept, strict=True)))
    assert "24 missing" in refused("score", path, "--benchmark", "sparse-view/natural-32")
    np.save(tmp_path / "answers.npy", kept)
    assert "(24, 24, 24)" in refused("score", tmp_path / "answers.npy", "--benchmark", "sparse-view/shapes-24")
