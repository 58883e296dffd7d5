"""From drafts to changes: one form for every change, and a check that it is still Python."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from treemend.agents.templates.site import Site
from treemend.store.records import Edit
from treemend.tools.syntax import Module, body_of

if TYPE_CHECKING:
    from tree_sitter import Node

CLAUSE_LEADS = {
    "elif_clause": "if 1:\n{0} pass\n{0}",
    "except_clause": "try:\n{0} pass\n{0}",
    "case_clause": "match 1:\n{0}",
}
BRACKETS = {"list": "[]", "tuple": "[]", "dictionary": "{}", "set": "{}"}
HUGE_CHARS = 1000
Key = tuple[int, int, str]


def canonical(module: Module, edits: Sequence[Edit]) -> Key | None:
    """(start, end, text) of the smallest single replacement that does what the edits do.

    Equal for edits that give the same text; None where they change nothing.
    """
    text, start, end = module.text, edits[0].start, max(edit.end for edit in edits)
    new = spliced(text, start, end, edits)
    old = text[start:end]
    if new == old:
        return None
    shared = _shared_prefix(old, new)
    old, new, start = old[shared:], new[shared:], start + shared
    tail = _shared_prefix(old[::-1], new[::-1])
    end -= tail
    new = new[: len(new) - tail]
    while end == start and new and start < len(text) and text[start] == new[0]:
        new, start, end = new[1:] + new[0], start + 1, end + 1
    while not new and end < len(text) and start < end and text[start] == text[end]:
        start, end = start + 1, end + 1
    return start, end, new


def _shared_prefix(one: str, other: str) -> int:
    count = 0
    for first, second in zip(one, other, strict=False):
        if first != second:
            break
        count += 1
    return count


def spliced(text: str, start: int, end: int, edits: Sequence[Edit]) -> str:
    """The part of a text from `start` to `end`, with edits in order of their positions made."""
    pieces, at = [], start
    for edit in edits:
        pieces += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join([*pieces, text[at:end]])


def is_ordered(edits: Sequence[Edit]) -> bool:
    """Whether edits in order of their positions don't overlap."""
    return all(one.end <= other.start for one, other in pairwise(edits))


def is_python(site: Site, edits: Sequence[Edit]) -> bool:
    """Whether the smallest piece of code around the edits is still Python when they are made."""
    if site.module.end(site.node) - site.module.start(site.node) > HUGE_CHARS:
        element = _element(site, edits)
        if element is not None:
            return _parses(element)
    joins = edits[0].start == site.module.start(site.node) and edits[0].text.startswith("el")
    header = None if joins else _header(site, edits)
    if header is not None:
        return _parses(header)
    node: Node | None = site.node.parent if joins else site.node
    while node is not None and not _holds(site.module, node, edits):
        node = node.parent
    node = node if node is None or node.parent is None else _whole(node)
    if node is None or node.parent is None:
        return _parses(spliced(site.module.text, 0, len(site.module.text), edits))
    return _parses(_wrapped(site, node, edits))


def _header(site: Site, edits: Sequence[Edit]) -> str | None:
    """The statement alone, a compound one with an empty body, if the edits are all in it."""
    start = site.module.start(site.node)
    body = body_of(site.node)
    end = site.module.start(body) if body is not None else site.module.end(site.node)
    text = site.module.text
    if body is not None:
        end = text.rfind(":", start, end) + 1
    lead = CLAUSE_LEADS.get(site.node.type, "")
    if site.is_clause and not lead:
        return None
    if site.node.type in ("try_statement", "match_statement") or not site.owns_line:
        return None
    if any(edit.start < start or edit.end > end for edit in edits):
        return None
    indent = site.indent
    code = spliced(text, start, end, edits) + (" pass" if body is not None else "")
    outer = f"if 1:\n{indent}" if indent else ""
    return f"{outer}{lead.format(indent + ' ' if site.node.type == 'case_clause' else indent)}{code}"


def _element(site: Site, edits: Sequence[Edit]) -> str | None:
    """The smallest element of a literal around the edits, in a literal of its own."""
    start, end = edits[0].start, max(edit.end for edit in edits)
    for node in reversed(site.header):
        first, last = site.module.start(node), site.module.end(node)
        brackets = BRACKETS.get(site.parent_type(node))
        if brackets is not None and first <= start and end <= last:
            return f"{brackets[0]}{spliced(site.module.text, first, last, edits)}{brackets[1]}"
    return None


def _holds(module: Module, node: Node, edits: Sequence[Edit]) -> bool:
    """Whether a statement holds the edits with nothing of its block's other lines in them."""
    if not node.type.endswith(("_statement", "_definition", "module")):
        return False
    start, end = module.start(node), module.end(node)
    return start <= edits[0].start and max(edit.end for edit in edits) <= end


def _whole(node: Node) -> Node:
    above = node.parent
    return above if above is not None and above.type == "decorated_definition" else node


def _wrapped(site: Site, node: Node, edits: Sequence[Edit]) -> str:
    text = site.module.text
    start, end = site.module.start(node), site.module.end(node)
    line = text.rfind("\n", 0, start) + 1
    indent = text[line:start]
    if indent.strip():
        return spliced(text, 0, len(text), edits)
    code = spliced(text, start, end, edits)
    return f"if 1:\n{indent}{code}" if indent else code


def _parses(code: str) -> bool:
    try:
        ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
