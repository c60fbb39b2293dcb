"""Put the leaderboard and a picture of a results folder into README.md: ``make readme`` runs it after a run."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURE = "limited-angle_foam-64"


def main(results: Path) -> None:
    """Replace what stands between the README's markers."""
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    table = (results / "leaderboard.md").read_text(encoding="utf-8").strip()
    text = re.sub(
        r"(<!-- leaderboard -->\n).*?(<!-- /leaderboard -->)",
        lambda match: f"{match[1]}\n{table}\n\n{match[2]}",
        text,
        flags=re.DOTALL,
    )
    readme.write_text(text, encoding="utf-8")
    (drawn,) = (results / "pictures").glob(f"{PICTURE}*-test*.png")
    target = ROOT / "docs" / "pictures" / f"{PICTURE}.png"
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(drawn, target)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
