"""What earlier commits said and changed is evidence."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.tools.past import commit_all, filler
from tests.tools.test_worktree import git

from treemend.tools.index.history import COMMITS_MIN
from treemend.tools.index.repository import RepositoryIndex
from treemend.tools.localization.locate import Located, locate
from treemend.tools.localization.ranker import fitted_model

ISSUE = "Umlauts of customers come out garbled\n\nLetters with umlauts are garbled since the last release."
NAMES = ("gather", "arrange", "deliver", "attach", "enclose", "stamp")
CODE = "".join(f"def {name}(text):\n    first = text\n    return first\n\n\n" for name in NAMES)
"""No word of the issue; one function as good as the other."""


def changed(name: str, code: str = CODE) -> str:
    at = code.index("return", code.index(f"def {name}"))
    return code[:at] + code[at:].replace("return first", "return first + ''", 1)


def located(repo: Path, tmp_path: Path) -> Located:
    with RepositoryIndex(repo, tmp_path / "index.sqlite3", workers=1) as index:
        index.refresh()
        return locate(index, ISSUE, model=fitted_model(with_past=True))


@pytest.mark.parametrize("name", ["arrange", "enclose"])
def test_what_a_commit_that_says_the_like_changed_comes_first(tmp_path: Path, name: str) -> None:
    repo = tmp_path / "repo"
    told = ("Umlauts of customers were garbled", {"letters.py": changed(name)})
    commit_all(repo, [("Letters", {"letters.py": CODE}), *filler(COMMITS_MIN), told])
    first = located(repo, tmp_path).functions[0]
    assert first.name == name
    assert f"commit {git(repo, 'rev-parse', 'HEAD')[:10]} says the like and changed it" in first.reasons


def test_no_later_commit_no_other_branch_and_no_tag_gives_the_answer_away(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    commit_all(repo, [("Letters", {"letters.py": CODE}), *filler(COMMITS_MIN)])
    before = located(repo, tmp_path)
    commit_all(repo, [("Umlauts of customers are no longer garbled", {"letters.py": changed("stamp")})])
    git(repo, "tag", "release")
    git(repo, "branch", "mended")
    git(repo, "reset", "-q", "--hard", "HEAD~1")
    assert located(repo, tmp_path) == before
    assert not any("commit" in reason for hit in before.functions for reason in hit.reasons)


def test_the_same_twice(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    told = ("Umlauts of customers were garbled", {"letters.py": changed("attach")})
    commit_all(repo, [("Letters", {"letters.py": CODE}), *filler(COMMITS_MIN), told])
    assert located(repo, tmp_path) == located(repo, tmp_path)
