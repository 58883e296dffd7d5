"""Docstrings and comments that stand before a definition, without their markers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node

DOC_CHARS_MAX = 1200
_MARKERS = re.compile(r"^\s*(?:/\*\*?!?|\*/|\*(?!\w)|///?!?|#+!?)\s?|\s*\*/\s*$", re.MULTILINE)
_QUOTES = re.compile(r"^[rRuUbBfF]{0,2}(\"\"\"|'''|\"|')(.*)\1$", re.DOTALL)
_TAGS = re.compile(r"</?[a-zA-Z][^<>\n]{0,80}>")
_LICENSE = re.compile(r"copyright|licen[cs]e|SPDX-|coding[:=]|^!", re.IGNORECASE)


def docstring(body: Node) -> str:
    """Python's docstring in the body of a function, a class or a module."""
    first = _first_statement(body)
    if first is None or first.type != "expression_statement":
        return ""
    string = first.named_child(0) if first.named_child_count else None
    if string is None or string.type != "string":
        return ""
    text = (string.text or b"").decode("utf-8", "replace")
    match = _QUOTES.match(text)
    return tidy(match[2]) if match else ""


def _first_statement(body: Node) -> Node | None:
    for position in range(min(body.named_child_count, 50)):
        child = body.named_child(position)
        if child is not None and child.type != "comment":
            return child
    return None


def comment_before(line: int, ends: Mapping[int, tuple[int, str]]) -> str:
    """The comments that end right above `line`, as one text.

    `ends` has for the last line of each comment its first line and its text.
    """
    parts = []
    size = 0
    while line - 1 in ends and size < DOC_CHARS_MAX:
        line, text = ends[line - 1]
        parts.append(text)
        size += len(text)
    return plain_comment("\n".join(reversed(parts)))


def plain_comment(text: str) -> str:
    """A comment without its markers and markup."""
    return tidy(_TAGS.sub("", _MARKERS.sub("", text)))


def is_license(text: str) -> bool:
    return bool(_LICENSE.search(text[:400]))


def tidy(text: str) -> str:
    text = text.strip()
    if "\n" not in text:
        return text[:DOC_CHARS_MAX]
    lines = [line.strip() for line in text.splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines))[:DOC_CHARS_MAX]
