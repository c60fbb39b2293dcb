"""Run mypy over the package under its own name.

The repository root is the package, which mypy cannot see through an editable install's import hook; a folder with a
link of that name shows it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("datasets", "benchmarks", "baselines", "metrics", "submissions", "harness")


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tomobench").symlink_to(ROOT)
        command = [
            sys.executable,
            "-m",
            "mypy",
            "--config-file",
            str(ROOT / "pyproject.toml"),
            "--cache-dir",
            str(ROOT / ".mypy_cache"),
        ]
        packages = [flag for room in ROOMS for flag in ("-p", f"tomobench.{room}")]
        return subprocess.run([*command, *packages], cwd=folder, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
