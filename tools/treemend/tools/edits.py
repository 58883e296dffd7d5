"""Edits applied to a text: offsets in, text out."""

from __future__ import annotations

from collections.abc import Sequence

from treemend.store.records import Edit


def apply_edits(text: str, edits: Sequence[Edit]) -> str:
    """`text` with every edit made; all offsets count characters of the text as given.

    The order of edits that don't touch doesn't matter; insertions at one place keep theirs, and
    stand before what replaces the text that begins there.

    Raises:
        ValueError: an edit lies outside the text, ends before it starts, or overlaps another.
    """
    pieces: list[str] = []
    done = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if not edit.start <= edit.end <= len(text):
            raise ValueError(f"edit {edit.start}:{edit.end} is outside 0:{len(text)} ({edit.path})")
        if edit.start < done:
            raise ValueError(f"edit {edit.start}:{edit.end} overlaps another ({edit.path})")
        pieces += (text[done : edit.start], edit.text)
        done = edit.end
    pieces.append(text[done:])
    return "".join(pieces)
