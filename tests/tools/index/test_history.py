"""The commits before a tree in the index's cache."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.tools.past import commit_all, filler
from tests.tools.test_worktree import git

from treemend.tools.index.history import COMMITS_MIN
from treemend.tools.index.repository import RepositoryIndex


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    place = tmp_path / "repo"
    commit_all(place, [*filler(COMMITS_MIN), ("The first of the last", {"a.py": "def a():\n    return 1\n"})])
    return place


def known(index: RepositoryIndex) -> list[str]:
    """The names of the commits, newest first."""
    assert index.history() is not None
    return [name for (name,) in index.connection.execute("SELECT name FROM past_commit ORDER BY id DESC")]


def test_new_commits_are_added_and_no_other_is_read_again(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "index.sqlite3"
    with RepositoryIndex(repo, cache, workers=1) as index:
        before = known(index)
    assert len(before) == COMMITS_MIN + 1
    commit_all(repo, [("Another", {"b.py": "B = 1\n"})])
    monkeypatch.setattr("treemend.tools.index.history.COMMITS_MAX", 1)
    with RepositoryIndex(repo, cache, workers=1) as index:
        assert known(index) == [git(repo, "rev-parse", "HEAD"), *before]


def test_after_a_step_back_no_later_commit_is_known(repo: Path, tmp_path: Path) -> None:
    with RepositoryIndex(repo, tmp_path / "index.sqlite3", workers=1) as index:
        before = known(index)
        git(repo, "tag", "later")
        git(repo, "reset", "-q", "--hard", "HEAD~1")
        assert known(index) == before[1:]


@pytest.mark.parametrize("number", [0, COMMITS_MIN - 1])
def test_few_commits_are_no_past(tmp_path: Path, number: int) -> None:
    repo = tmp_path / "repo"
    if number:
        commit_all(repo, filler(number))
    else:
        repo.mkdir()
    with RepositoryIndex(repo, tmp_path / "index.sqlite3", workers=1) as index:
        assert index.history() is None


def test_a_damaged_past_is_none(repo: Path, tmp_path: Path) -> None:
    for place in (repo / ".git" / "objects").rglob("*"):
        if place.is_file():
            place.chmod(0o600)
            place.write_bytes(b"nothing")
    with RepositoryIndex(repo, tmp_path / "index.sqlite3", workers=1) as index:
        assert index.history() is None


def test_a_folder_that_no_commit_has_is_without_a_past(repo: Path, tmp_path: Path) -> None:
    """It lies in somebody else's work tree: what the commits there say is not about it."""
    folder = repo / "elsewhere"
    folder.mkdir()
    (folder / "a.py").write_text("def a():\n    return 1\n")
    with RepositoryIndex(folder, tmp_path / "index.sqlite3", workers=1) as index:
        assert index.history() is None
