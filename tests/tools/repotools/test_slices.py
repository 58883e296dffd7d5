"""Slices through the functions of a repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from treemend.tools.index.repository import RepositoryIndex
from treemend.tools.repotools.registry import run_tool
from treemend.tools.repotools.results import Slice

LOANS = """DAYS = 21
OTHER = 5


def due(lent):
    unused = OTHER
    return lent + DAYS


def late(lent, returned):
    days = returned - due(lent)
    return max(0, days)


def unrelated():
    return 1
"""
TESTS = """from loans import late, unrelated


def test_late():
    other = unrelated()
    found = late(1, 25)
    assert found == 3
"""


@pytest.fixture
def repository(tmp_path: Path) -> RepositoryIndex:
    root = tmp_path / "repo"
    root.mkdir()
    (root / "loans.py").write_text(LOANS)
    (root / "test_loans.py").write_text(TESTS)
    (root / "broken.py").write_text("def f(:\n")
    (root / "page.js").write_text("function f() { return 1 }\n")
    return RepositoryIndex(root, tmp_path / "cache" / "index.db")


def test_a_form_feed_ends_no_line(repository: RepositoryIndex) -> None:
    text = "DAYS = 21\n\f\ndef due(lent):\n    return lent + DAYS\n"
    (repository.root / "pages.py").write_text(text)
    with repository as index:
        index.refresh()
        answer = run_tool(index, "get_slice", {"place": "pages.py:4"})
    assert isinstance(answer, Slice)
    told = [(one.place.line, one.text) for one in answer.lines]
    assert told == [(4, "return lent + DAYS"), (3, "def due(lent):"), (1, "DAYS = 21")]


def test_a_failing_assertion_leads_through_the_calls_to_what_decides_it(repository: RepositoryIndex) -> None:
    with repository as index:
        index.refresh()
        answer = run_tool(index, "get_slice", {"place": "test_loans.py:7"})
    assert isinstance(answer, Slice)
    places = [(one.place.path, one.place.line) for one in answer.lines]
    assert places == [
        *(("test_loans.py", line) for line in (7, 6)),
        *(("loans.py", line) for line in (12, 11, 10)),
        *(("loans.py", line) for line in (7, 5, 1)),
    ]
    assert answer.lines[-1].gives == ("DAYS",)


@pytest.mark.parametrize(
    "place, why",
    [
        ("loans.py", "path:line"),
        ("loans.py:99", "16 lines"),
        ("../../etc/passwd:1", "no file"),
        ("nowhere.py:1", "no file"),
        ("broken.py:1", "parsed"),
        ("page.js:1", "no Python"),
    ],
)
def test_what_is_no_line_of_python_is_answered_with_why(
    repository: RepositoryIndex, place: str, why: str
) -> None:
    with repository as index:
        index.refresh()
        answer = run_tool(index, "get_slice", {"place": place})
    assert not answer.found and why in answer.notes[0]
