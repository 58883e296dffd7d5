"""Which lines differ."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from treemend.tools.line_diff import DIFFERENCES_MAX, Change, changes

LINES = st.lists(st.sampled_from([b"a\n", b"b\n", b"c\n"]), max_size=40)


def lines(text: str) -> list[bytes]:
    return [letter.encode() for letter in text]


def test_equal_lines_have_no_changes() -> None:
    assert changes(lines("abc"), lines("abc")) == []
    assert changes([], []) == []


def test_the_shortest_script_of_the_paper() -> None:
    found = changes(lines("abcabba"), lines("cbabac"))
    moved = sum(c.old_end - c.old_start + c.new_end - c.new_start for c in found)
    assert moved == 5


def test_a_changed_line_is_one_change() -> None:
    assert changes(lines("abc"), lines("axc")) == [Change(1, 2, 1, 2)]


@settings(deadline=None)
@given(LINES, LINES)
def test_changes_rebuild_the_new_lines(old: list[bytes], new: list[bytes]) -> None:
    rebuilt: list[bytes] = []
    done = 0
    for change in changes(old, new):
        rebuilt += old[done : change.old_start] + new[change.new_start : change.new_end]
        done = change.old_end
    assert rebuilt + old[done:] == new


def test_P26_beyond_the_bound_the_changes_are_still_right_and_few() -> None:
    old = [b"%d\n" % (number % 3) for number in range(60 * DIFFERENCES_MAX)]
    new = [b"x\n" if number % 20 == 0 else line for number, line in enumerate(old)]
    assert changes(old, new) == [Change(n, n + 1, n, n + 1) for n in range(0, len(old), 20)]


def test_P26_many_lines_without_one_in_common() -> None:
    old, new = [b"%d\n" % n for n in range(3000)], [b"+%d\n" % n for n in range(2000)]
    assert changes(old, new) == [Change(0, 3000, 0, 2000)]
