"""Makes git repositories of the example folders.

    python examples/build.py OUT

Each example becomes OUT/<name>, one commit with a fixed author and date, so that commit ids are the same
everywhere. OUT may exist; an example that is there already is made anew.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
NAMES = ("one-file", "two-files", "two-edits", "out-of-reach", "flaky", "late-fee")
IDENTITY = {
    f"GIT_{role}_{field}": value
    for role in ("AUTHOR", "COMMITTER")
    for field, value in (
        ("NAME", "treemend"),
        ("EMAIL", "treemend@localhost"),
        ("DATE", "2026-01-01T00:00:00+00:00"),
    )
}


def build(out: Path) -> list[Path]:
    """Make all examples below `out`; returns their folders."""
    return [build_one(name, out / name) for name in NAMES]


def build_one(name: str, target: Path) -> Path:
    """Make one example at `target`."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(HERE / name, target, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    _git(target, "init", "--quiet", "--initial-branch=main")
    _git(target, "add", "--all")
    _git(target, "-c", "commit.gpgsign=false", "commit", "--quiet", "--message", f"Example: {name}")
    return target


def _git(folder: Path, *arguments: str) -> None:
    environment = {
        **os.environ,
        **IDENTITY,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
    }
    subprocess.run(["git", *arguments], cwd=folder, env=environment, check=True)


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    for folder in build(Path(sys.argv[1])):
        print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
