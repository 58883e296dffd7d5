"""Repositories with many commits, made at once."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.tools.test_worktree import ENVIRONMENT, git

Told = tuple[str, Mapping[str, str]]
"""A message, and files with what they hold then."""


def commit_all(repo: Path, commits: Iterable[Told]) -> None:
    """Add commits to the branch that is checked out, and check the last one out."""
    if not (repo / ".git").exists():
        repo.mkdir(parents=True, exist_ok=True)
        git(repo, "init", "-q", "-b", "main")
    begun = subprocess.run(
        ["git", "rev-parse", "-q", "--verify", "HEAD"], cwd=repo, env=ENVIRONMENT, stdout=subprocess.PIPE
    )
    branch = git(repo, "symbolic-ref", "HEAD")
    stream = [f"reset {branch}\n" + (f"from {begun.stdout.decode().strip()}\n" if begun.stdout else "")]
    for number, (message, files) in enumerate(commits):
        stream.append(f"commit {branch}\ncommitter x <x@y> {1_600_000_000 + number} +0000\n{_data(message)}")
        stream += [f"M 100644 inline {path}\n{_data(text)}" for path, text in files.items()]
    subprocess.run(
        ["git", "fast-import", "--quiet"],
        cwd=repo,
        env=ENVIRONMENT,
        input="".join(stream).encode(),
        check=True,
    )
    git(repo, "reset", "-q", "--hard")


def _data(text: str) -> str:
    return f"data {len(text.encode())}\n{text}\n"


def filler(count: int) -> list[Told]:
    """Commits that say and change nothing of interest."""
    return [(f"Step {number} of the changelog", {"changes.txt": f"{number}\n"}) for number in range(count)]
