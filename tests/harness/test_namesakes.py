"""Two methods of one name never take each other's record."""

from __future__ import annotations

import pytest

from tomobench.errors import UsageError
from tomobench.harness.leaderboard import leaderboard
from tomobench.harness.runner import run

CODE = "import numpy as np\n\n\ndef f(inputs):\n    return np.full(inputs.answer_shape, {value}, dtype=np.float32)\n"
BENCH = "sparse-view/shapes-16"


@pytest.fixture
def files(tmp_path):
    """``a/m.py`` and ``b/m.py``, both with an ``f``, and a results folder that a's has answered."""
    for name, value in (("a", 0.25), ("b", 0.5)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "m.py").write_text(CODE.format(value=value))
    run([BENCH], [f"{tmp_path}/a/m.py:f"], ["test"], tmp_path / "out")
    return tmp_path


def test_another_files_method_is_refused(files):
    """The second file's method is refused in one line and the first one's record stays; --force replaces it."""
    before = leaderboard(files / "out")[0].scores["mse"]
    with pytest.raises(UsageError, match=r"'m:f' there is the method of another file; rename yours"):
        run([BENCH], [f"{files}/b/m.py:f"], ["test"], files / "out")
    assert leaderboard(files / "out")[0].scores["mse"] == before
    run([BENCH], [f"{files}/b/m.py:f"], ["test"], files / "out", force=True)
    assert leaderboard(files / "out")[0].scores["mse"] != before


def test_an_edited_file_is_answered_again(files):
    """The same file with other code is the same method, moved on."""
    before = leaderboard(files / "out")[0].scores["mse"]
    (files / "a" / "m.py").write_text(CODE.format(value=0.75))
    assert run([BENCH], [f"{files}/a/m.py:f"], ["test"], files / "out").new == {"ok": 1}
    assert leaderboard(files / "out")[0].scores["mse"] != before


def test_a_tuned_value_at_the_end_of_its_candidates_is_said(files):
    """A class whose best candidate is its last says so under the table."""
    (files / "c.py").write_text(
        "import numpy as np\n\n\nclass Scaled:\n    candidates = ({'value': 9.0}, {'value': 5.0}, {'value': 0.0})\n\n"
        "    def __init__(self, value=0.0):\n        self.value = value\n\n    def predict(self, inputs):\n"
        "        return np.full(inputs.answer_shape, self.value, dtype=np.float32)\n"
    )
    run([BENCH], [f"{files}/c.py:Scaled"], ["test"], files / "other")
    (row,) = leaderboard(files / "other")
    assert row.parameters == {"value": 0.0}
    assert "tuned value at the end of its candidates" in row.remarks
