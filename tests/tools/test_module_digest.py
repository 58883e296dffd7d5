"""The digest of a module after edits tells the same apart as that of the whole text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treemend.store.records import Edit
from treemend.tools.edits import apply_edits
from treemend.tools.module_digest import ModuleDigest
from treemend.tools.syntax import syntax_digest

CODE = '''"""A module."""
import os

# a comment
@cache
def first(a, b):
    if a:
        return (a)
    return b


class Box:
    size = 1

    def grow(self): self.size += 1


LAST = first(1, 2)'''


def edit(start: int, end: int, text: str) -> Edit:
    return Edit(path="a.py", start=start, end=end, text=text)


def swap(old: str, new: str, code: str = CODE) -> list[Edit]:
    start = code.index(old)
    return [edit(start, start + len(old), new)]


@given(
    st.lists(
        st.tuples(
            st.integers(0, len(CODE)),
            st.integers(0, 12),
            st.sampled_from(
                ["", "(", ")", "\n", "a", "pass\n", "x = 1\n", "# note", "    ", "else:", ";", "\\"]
            ),
        ),
        min_size=2,
        max_size=2,
    )
)
def test_two_edits_are_alike_for_both_digests_or_for_none(spans: list[tuple[int, int, str]]) -> None:
    digest = ModuleDigest(CODE)
    made = [[edit(start, min(len(CODE), start + size), text)] for start, size, text in spans]
    fast = [digest.after(edits) for edits in made]
    whole = [syntax_digest(apply_edits(CODE, edits)) for edits in made]
    if fast[0] == fast[1]:
        assert whole[0] == whole[1]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(a)\n", "a\n"),
        ("# a comment", "# another"),
        ("a, b)", "a,b)"),
        ("\n\n\nclass", "\n\nclass"),
        ("1, 2)", "1,  2)\n"),
    ],
)
def test_layout_comments_and_parentheses_count_for_nothing(old: str, new: str) -> None:
    digest = ModuleDigest(CODE)
    assert digest.after(swap(old, new)) == digest.untouched


def test_the_same_statement_by_different_edits_has_one_digest() -> None:
    digest = ModuleDigest(CODE)
    wide = swap(
        "    if a:\n        return (a)\n    return b", "    if not a:\n        return a\n    return b"
    )
    assert digest.after(wide) == digest.after(swap("if a", "if not a")) != digest.untouched


def test_an_edit_between_statements_counts() -> None:
    digest = ModuleDigest(CODE)
    assert digest.after(swap("# a comment\n", "import sys\n")) != digest.untouched
    assert digest.after([edit(len(CODE), len(CODE), "\nx = 1\n")]) != digest.untouched
    assert digest.after([edit(0, 0, "\n")]) == digest.untouched


@pytest.mark.parametrize(
    "code", ["a = 1; b = 2\nc = 3\n", "print 'old'\n", "", "x = (\n", "a = 1\rb = 2\rc = 3\r"]
)
def test_other_texts(code: str) -> None:
    digest = ModuleDigest(code)
    more = [edit(len(code), len(code), "\nd = 4\n")]
    assert digest.after(more) != digest.untouched
    assert digest.after(more) == digest.after([edit(len(code), len(code), "\nd  =  4\n")])
