"""The README keeps its word: its links, its commands, and the figures of its leaderboard."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tomobench.benchmarks.suites import SUITES
from tomobench.errors import UsageError
from tomobench.harness import cli
from tomobench.harness.leaderboard import leaderboard
from tomobench.harness.runner import run

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    """Every relative link and picture of README and docs is a file of the repository."""
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).is_file(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_parse(page):
    """Every ``tomobench …`` line of a code block is a command line that the parser takes."""
    blocks = re.findall(r"```bash\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for line in "\n".join(blocks).splitlines():
        for command in line.partition("#")[0].split("&&"):
            words = command.replace("'", "").split()
            if words[:1] == ["tomobench"]:
                try:
                    cli._parser().parse_args(words[1:])
                except UsageError as error:
                    pytest.fail(f"{line}: {error}")


def rows_of_readme() -> dict[tuple[str, str], tuple[str, str]]:
    """(benchmark, method) → (PSNR, SSIM) as the README prints them, without their intervals."""
    found = {}
    benchmark = ""
    for line in README.splitlines():
        if line.startswith("### "):
            benchmark = line.removeprefix("### ").partition(" · ")[0]
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if benchmark and len(cells) > 8 and cells[0].isdigit():
            found[benchmark, cells[1]] = (cells[2].partition(" [")[0], cells[3].partition(" [")[0])
    return found


def test_the_readme_shows_the_quick_suite():
    """Every benchmark of the suite, five methods each."""
    shown = rows_of_readme()
    assert {name for name, _ in shown} == {f"{name}@1" for name in SUITES["quick"]}
    assert len(shown) == 5 * len(SUITES["quick"])


@pytest.mark.slow
def test_the_readme_figures_come_from_the_quick_suite(tmp_path, monkeypatch):
    """The offline benchmarks run anew give the printed PSNR to 0.01 dB and SSIM to 0.001."""
    monkeypatch.setenv("TOMOBENCH_CACHE", str(tmp_path / "cache"))
    offline = [name for name in SUITES["quick"] if "reactors" not in name]
    run(offline, splits=["test"], out=tmp_path / "results", jobs=2)
    shown = rows_of_readme()
    for row in leaderboard(tmp_path / "results"):
        psnr, ssim = shown[row.benchmark, row.method]
        assert float(psnr) == pytest.approx(row.scores["psnr"], abs=0.011)
        assert float(ssim) == pytest.approx(row.scores["ssim"], abs=0.0011)
