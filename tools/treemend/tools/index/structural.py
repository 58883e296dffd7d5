"""Patterns of code, matched on syntax trees.

A pattern is code of the language with holes: `$X` stands for any one node, twice the same for equal
text, `$_` for any; `$$$` or `$$$ARGS` stands for any number of neighbours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING

from treemend.tools.index.languages import grammar, parser

if TYPE_CHECKING:
    from tree_sitter import Node

MATCHES_MAX = 1000
_TEXT_CHARS_MAX = 200
_HOLE = re.compile(r"\$\$\$([A-Z_][A-Z0-9_]*)?|\$([A-Z_][A-Z0-9_]*)")
_ONE, _MANY = "Hole1_", "HoleN_"
_IS_ONE = re.compile(rb"Hole1_(\w+)")
_IS_MANY = re.compile(rb"HoleN_(\w*);?")
_SEPARATORS = frozenset({",", ";", "\n"})
_CONTEXTS: dict[str, tuple[tuple[str, str], ...]] = {
    "javascript": (("", ""), ("(", ")"), ("class A { ", " }")),
    "typescript": (("", ""), ("(", ")"), ("class A { ", " }")),
    "tsx": (("", ""), ("(", ")"), ("class A { ", " }")),
    "java": (
        ("class A { void f() { ", "; } }"),
        ("class A { void f() { ", " } }"),
        ("class A { ", " }"),
        ("", ""),
    ),
    "csharp": (
        ("class A { void F() { ", "; } }"),
        ("class A { void F() { ", " } }"),
        ("class A { ", " }"),
        ("", ""),
    ),
    "go": (("package a\nfunc f() { ", " }"), ("package a\n", "")),
    "rust": (("fn f() { ", "; }"), ("fn f() { ", " }"), ("", ""), ("impl A { ", " }")),
    "c": (("void f() { ", "; }"), ("void f() { ", " }"), ("", "")),
    "cpp": (("void f() { ", "; }"), ("void f() { ", " }"), ("", ""), ("class A { ", " };")),
    "php": (("<?php ", ";"), ("<?php ", ""), ("<?php class A { ", " }")),
}
"""What a piece of code may have to stand in, before and behind it."""


class PatternError(ValueError):
    """The pattern can't be read as one piece of code in the language."""


@dataclass(frozen=True, slots=True)
class Match:
    """Where a pattern matched: lines and byte columns from 1, the end behind the last byte."""

    line: int
    column: int
    end_line: int
    end_column: int
    holes: dict[str, str]


@lru_cache(maxsize=16)
def compile_pattern(language: str, pattern: str) -> Node:
    """The syntax tree of a pattern, its holes as identifiers.

    Raises:
        PatternError: it is no single expression, statement or definition, or nothing but a hole.
    """
    if not pattern.strip():
        raise PatternError("the pattern is empty")
    code = _HOLE.sub(_as_identifier, pattern.strip())
    # Where statements end with a semicolon, neighbours in a block need one.
    spellings = (code, re.sub(rf"({_MANY}\w*)", r"\1;", code)) if language in _CONTEXTS else (code,)
    contexts = _CONTEXTS.get(language, (("", ""),))
    for spelling, (before, behind) in product(spellings, contexts):
        found = _piece(language, before, spelling, behind)
        if found is None:
            continue
        if _hole(found) or _IS_MANY.fullmatch(found.text or b""):
            raise PatternError("a hole alone would match everything")
        return found
    raise PatternError(f"it is not one piece of {language}")


def pattern_names(language: str, pattern: str) -> list[str]:
    """The identifiers that every match has. Raises PatternError."""
    leaves = (node for node in _walk(compile_pattern(language, pattern)) if not node.child_count)
    texts = [_text(node) for node in leaves if "identifier" in node.type or node.type in ("name", "constant")]
    return list(dict.fromkeys(text for text in texts if not text.startswith((_ONE, _MANY))))


def find_matches(language: str, pattern: str, data: bytes) -> list[list[object]]:
    """The matches in a file, in source order, as rows of `Match`. Raises PatternError."""
    from tree_sitter import Query, QueryCursor

    wanted = compile_pattern(language, pattern)
    kind = wanted.type if wanted.is_named else f'"{wanted.type}"'
    root = parser(language).parse(data).root_node
    captured = QueryCursor(Query(grammar(language), f"({kind}) @m")).captures(root)
    nodes = sorted(captured.get("m", ()), key=lambda node: (node.start_byte, -node.end_byte))
    rows: list[list[object]] = []
    for node in nodes:
        holes: dict[str, str] = {}
        if _matches(wanted, node, holes) is not None and len(rows) < MATCHES_MAX:
            rows.append([*_place(node), {name: text[:_TEXT_CHARS_MAX] for name, text in holes.items()}])
    return rows


def _as_identifier(hole: re.Match[str]) -> str:
    return f"{_ONE}{hole[2]}" if hole[2] else f"{_MANY}{hole[1] or ''}"


def _piece(language: str, before: str, code: str, behind: str) -> Node | None:
    """The node that is exactly `code`, if it parses without errors in this context."""
    text = f"{before}{code}{behind}".encode()
    root = parser(language).parse(text).root_node
    if root.has_error:
        return None
    start, end = len(before.encode()), len(before.encode()) + len(code.encode())
    node = root.descendant_for_byte_range(start, end)
    # A statement's own semicolon may be the context's.
    if node is None or node.start_byte != start or node.end_byte not in (end, end + 1):
        return None
    if node.type in ("program", "module", "source_file", "translation_unit", "compilation_unit"):
        inner = [child for child in node.named_children if child.start_byte == start]
        return inner[0] if len(node.named_children) == 1 and inner else None
    return node


def _matches(wanted: Node, node: Node, holes: dict[str, str]) -> dict[str, str] | None:
    """The holes filled so far and by this match; None if there is none. `holes` is changed."""
    if hole := _hole(wanted):
        return _filled(hole, node, holes)
    if wanted.type != node.type:
        return None
    if not wanted.child_count:
        return holes if not node.child_count and wanted.text == node.text else None
    return _lists_match(_parts(wanted), _parts(node), holes)


def _filled(hole: str, node: Node, holes: dict[str, str]) -> dict[str, str] | None:
    if not node.is_named:
        return None
    text = _text(node)
    if hole != "_" and holes.setdefault(hole, text) != text:
        return None
    return holes


def _lists_match(
    wanted: Sequence[Node], nodes: Sequence[Node], holes: dict[str, str]
) -> dict[str, str] | None:
    if not wanted:
        return holes if not nodes else None
    many = _IS_MANY.fullmatch(wanted[0].text or b"")
    if many is None:
        if not nodes or _matches(wanted[0], nodes[0], holes) is None:
            return None
        return _lists_match(wanted[1:], nodes[1:], holes)
    for taken in range(len(nodes) - _least(wanted[1:]), -1, -1):
        attempt = dict(holes)
        if many[1]:
            attempt[many[1].decode()] = _span(nodes[:taken])
        if _lists_match(wanted[1:], nodes[taken:], attempt) is not None:
            holes.update(attempt)
            return holes
    return None


def _least(wanted: Sequence[Node]) -> int:
    return sum(_IS_MANY.fullmatch(node.text or b"") is None for node in wanted)


def _span(nodes: Sequence[Node]) -> str:
    return ", ".join(map(_text, nodes))


def _parts(node: Node) -> list[Node]:
    """The children that count: neither comments nor separators, which a list may have or not."""
    return [child for child in node.children if "comment" not in child.type and child.type not in _SEPARATORS]


def _hole(node: Node) -> str:
    found = _IS_ONE.fullmatch(node.text or b"")
    return found[1].decode() if found else ""


def _place(node: Node) -> list[int]:
    (line, column), (end_line, end_column) = node.start_point, node.end_point
    return [line + 1, column + 1, end_line + 1, end_column + 1]


def _walk(node: Node) -> Iterator[Node]:
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(reversed(current.children))


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")
