from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from treemend.agents.templates.drafts import canonical, is_ordered
from treemend.store.records import Edit
from treemend.tools.syntax import parse_module

TEXT = "a = b + b + bb\n"


def edit(start: int, end: int, text: str) -> Edit:
    return Edit(path="m.py", start=start, end=end, text=text)


def apply(edits: list[Edit]) -> str:
    text = TEXT
    for one in reversed(edits):
        text = text[: one.start] + one.text + text[one.end :]
    return text


@st.composite
def edit_lists(draw: st.DrawFn) -> list[Edit]:
    cuts = sorted(draw(st.lists(st.integers(0, len(TEXT)), min_size=2, max_size=4)))
    spans = list(zip(cuts[::2], cuts[1::2], strict=False))
    return [edit(start, end, draw(st.text("ab+ ", max_size=3))) for start, end in spans]


@given(edit_lists(), edit_lists())
def test_edits_have_one_form_exactly_when_they_give_one_text(one: list[Edit], other: list[Edit]) -> None:
    module = parse_module("m.py", TEXT)
    same = apply(one) == apply(other)
    assert (canonical(module, one) == canonical(module, other)) is same


def test_edits_that_change_nothing_have_no_form() -> None:
    module = parse_module("m.py", TEXT)
    assert canonical(module, [edit(0, 1, "a")]) is None
    assert canonical(module, [edit(0, 1, ""), edit(1, 1, "a")]) is None


def test_overlapping_edits_are_not_ordered() -> None:
    assert is_ordered([edit(0, 2, ""), edit(2, 3, "")])
    assert not is_ordered([edit(0, 2, ""), edit(1, 3, "")])
