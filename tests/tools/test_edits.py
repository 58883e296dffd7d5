"""Edits applied to a text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treemend.store.records import Edit
from treemend.tools.edits import apply_edits


def edit(start: int, end: int, text: str) -> Edit:
    return Edit(path="a.py", start=start, end=end, text=text)


def test_no_edit_leaves_the_text() -> None:
    assert apply_edits("a\r\nb", []) == "a\r\nb"


def test_offsets_count_characters_of_the_text_as_given() -> None:
    assert apply_edits("é = 1\n", [edit(4, 5, "22"), edit(0, 1, "ö")]) == "ö = 22\n"


def test_insertions_at_one_place_keep_their_order_and_precede_a_replacement() -> None:
    edits = [edit(1, 2, "X"), edit(1, 1, "1"), edit(1, 1, "2")]
    assert apply_edits("abc", edits) == "a12Xc"


def test_touching_edits_do_not_overlap() -> None:
    assert apply_edits("abcd", [edit(2, 4, "Y"), edit(0, 2, "X")]) == "XY"


def test_insertion_at_either_end() -> None:
    assert apply_edits("ab", [edit(2, 2, ">"), edit(0, 0, "<")]) == "<ab>"


@pytest.mark.parametrize(
    "edits",
    [
        [edit(0, 3, ""), edit(2, 4, "")],
        [edit(0, 3, ""), edit(1, 1, "inside")],
        [edit(1, 2, "x"), edit(1, 2, "y")],
    ],
)
def test_P21_overlapping_edits_are_refused(edits: list[Edit]) -> None:
    with pytest.raises(ValueError, match="overlaps"):
        apply_edits("abcdef", edits)


@pytest.mark.parametrize("bad", [edit(0, 4, ""), edit(4, 4, ""), edit(2, 1, "")])
def test_edits_outside_the_text_are_refused(bad: Edit) -> None:
    with pytest.raises(ValueError, match="outside"):
        apply_edits("abc", [bad])


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(max_size=4), st.text(max_size=4)), max_size=6))
def test_the_order_of_edits_apart_does_not_matter(
    pieces: list[tuple[str, str]],
) -> None:
    text, expected, edits = "", "", []
    for old, new in pieces:
        edits.append(edit(len(text), len(text) + len(old), new))
        text += old + "|"
        expected += new + "|"
    assert apply_edits(text, edits) == apply_edits(text, edits[::-1]) == expected
