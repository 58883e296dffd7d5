"""Commits read as data."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.tools.past import commit_all, filler
from tests.tools.test_worktree import HOSTILE_SETTINGS, git

from treemend.tools.git_data import GitRepository, find_repository
from treemend.tools.git_history import (
    Revision,
    changed_functions,
    commit_named,
    commits_before,
    is_ancestor,
)

BEFORE = '''class Cart:
    def total(self):
        """The price."""
        price = 0
        return price

    def clear(self):
        self.items = []
        return None
'''
AFTER = BEFORE.replace("price = 0", "price = 1")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    place = tmp_path / "repo"
    commit_all(
        place,
        [
            (
                "A cart\n\nWith a total.\n\nSigned-off-by: x <x@y>\n",
                {"shop/cart.py": BEFORE, "notes.txt": "a"},
            ),
            ("The total begins at one", {"shop/cart.py": AFTER}),
            ("A note", {"notes.txt": "b"}),
        ],
    )
    return place


def opened(repo: Path) -> GitRepository:
    found = find_repository(repo.resolve())
    assert found is not None
    return found


def test_commits_with_their_messages_newest_first(repo: Path) -> None:
    found = commits_before(opened(repo), git(repo, "rev-parse", "HEAD"), 10)
    assert found is not None
    assert [one.message.strip() for one in found] == [
        "A note",
        "The total begins at one",
        "A cart\n\nWith a total.",
    ]


def test_below_a_folder_paths_are_relative_to_it(repo: Path) -> None:
    name = git(repo, "rev-parse", "HEAD~1")
    assert changed_functions(opened(repo / "shop"), [name]) == {name: {("cart.py", "total")}}


def test_the_methods_that_a_commit_changed(repo: Path) -> None:
    name = git(repo, "rev-parse", "HEAD~1")
    assert changed_functions(opened(repo), [name]) == {name: {("shop/cart.py", "total")}}


GO = """func (s *Shop) Total(x int) int {
	y := 1
	return x
}
"""
RUST = """impl Shop {
    fn total(&self) -> u8 {
        let y = 1;
        return x;
    }
}
"""
JAVA = """class A {
    public int total(int x) {
        int y = 1;
        return x;
    }
}
"""
RUBY = """class A
  def total(x)
    y = 1
    return x
  end
end
"""
SCRIPT = """function total(x) {
  const y = 1;
  return x;
}
"""


@pytest.mark.parametrize(
    ("path", "code", "name"),
    [
        ("a.go", GO, "Total"),
        ("a.rs", RUST, "total"),
        ("A.java", JAVA, "total"),
        ("a.rb", RUBY, "total"),
        ("a.js", SCRIPT, "total"),
    ],
)
def test_functions_of_other_languages(tmp_path: Path, path: str, code: str, name: str) -> None:
    repo = tmp_path / "repo"
    commit_all(repo, [("one", {path: code}), ("two", {path: code.replace("return x", "return 2")})])
    head = git(repo, "rev-parse", "HEAD")
    assert changed_functions(opened(repo), [head]) == {head: {(path, name)}}


def test_what_no_commit_is_named_by_has_no_past(repo: Path) -> None:
    assert commit_named(Revision(opened(repo), "no-such-branch")) is None
    assert commit_named(Revision(opened(repo), "--all")) is None
    assert commits_before(opened(repo), "0" * 40, 10) is None


def test_what_comes_before_what(repo: Path) -> None:
    first, last = git(repo, "rev-parse", "HEAD~2"), git(repo, "rev-parse", "HEAD")
    assert is_ancestor(opened(repo), first, last) and not is_ancestor(opened(repo), last, first)


def test_a_shallow_clone_has_the_past_that_it_has(repo: Path, tmp_path: Path) -> None:
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "-q", "--depth", "2", f"file://{repo}", shallow], check=True)
    found = commits_before(opened(shallow), git(shallow, "rev-parse", "HEAD"), 10)
    assert found is not None and len(found) == 2


def test_nothing_that_the_repository_says_is_run(repo: Path, tmp_path: Path) -> None:
    """E26: neither for messages nor for differences."""
    canary = tmp_path / "canary.sh"
    canary.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\ncat\n")
    canary.chmod(0o700)
    with (repo / ".git" / "config").open("a") as config:
        config.write(HOSTILE_SETTINGS.format(canary=canary, hooks=tmp_path))
    (repo / ".gitattributes").write_text("*.py diff=evil filter=evil\n")
    head = git(repo, "rev-parse", "HEAD")
    assert commits_before(opened(repo), head, 10)
    name = git(repo, "rev-parse", "HEAD~1")
    assert changed_functions(opened(repo), [name])[name] == {("shop/cart.py", "total")}
    assert not (tmp_path / "ran").exists()
    subprocess.run(["git", "diff", "HEAD~1", "HEAD~2"], cwd=repo, stdout=subprocess.DEVNULL, check=False)
    assert (tmp_path / "ran").exists(), "the attack did not work at all"


def test_many_commits(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    commit_all(repo, filler(300))
    found = commits_before(opened(repo), git(repo, "rev-parse", "HEAD"), 250)
    assert found is not None and len(found) == 250
    assert found[0].message.startswith("Step 299")
