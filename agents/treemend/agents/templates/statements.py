"""Statements to delete, to move, or to put in or out of a block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from treemend.agents.templates.site import CLAUSES, Draft, Site, Template, shown
from treemend.store.records import Edit
from treemend.tools.syntax import DEFINITIONS, body_of

if TYPE_CHECKING:
    from tree_sitter import Node

DEFINING = (
    *DEFINITIONS,
    *CLAUSES,
    "decorated_definition",
    "import_statement",
    "import_from_statement",
)


def _position(site: Site) -> int:
    block = site.statement.block
    return next((i for i, node in enumerate(block) if node == site.node), -1)


def _line_start(site: Site, node: Node) -> int:
    return site.module.text.rfind("\n", 0, site.module.start(node)) + 1


def _line_end(site: Site, node: Node) -> int:
    """Behind the line end of a node's last line."""
    end = site.module.text.find("\n", site.module.end(node))
    return len(site.module.text) if end < 0 else end + 1


def _lines(site: Site, first: Node, last: Node) -> tuple[int, int, str]:
    """Span and text of the whole lines of neighbouring statements, the line end included."""
    start, end = _line_start(site, first), _line_end(site, last)
    text = site.module.text[start:end]
    return start, end, text if text.endswith("\n") else text + site.newline


def _cut(site: Site, start: int, end: int, text: str = "") -> Edit:
    return Edit(path=site.module.path, start=start, end=end, text=text)


def delete(site: Site) -> Iterator[Draft]:
    """A statement that should not be there; or two in a row."""
    if site.node.type in DEFINING or site.node.type == "pass_statement":
        return
    fault = f"`{site.head}` may be one too many."
    weight = 0.4 if site.statement.is_compound else 1.0
    yield site.swap(site.node, "pass", fault, weight, "Remove it.")
    position = _position(site)
    following = site.statement.block[position + 1 : position + 2] if position >= 0 else ()
    if following and following[0].type not in DEFINING and not site.statement.is_compound:
        end = site.module.end(following[0])
        edit = _cut(site, site.module.start(site.node), end, "pass")
        yield Draft(fault, "Remove it and the next statement.", (edit,), 0.3)


def duplicate(site: Site) -> Iterator[Draft]:
    """A statement that has to run twice: a step of two nodes, a second newline."""
    simple = site.node.type == "expression_statement" and site.owns_line
    if simple and "\n" not in site.text(site.node):
        fault = f"`{site.head}` may have to run twice."
        yield Draft(fault, "Repeat it.", (site.insert_after(site.text(site.node)),))


def order(site: Site) -> Iterator[Draft]:
    """Two neighbouring statements are in the wrong order."""
    position, block = _position(site), site.statement.block
    if position < 0 or site.node.type in DEFINING:
        return
    fault = f"`{site.head}` may come too early."
    for offset, weight in ((1, 1.0), (2, 0.3)):
        if position + offset < len(block) and block[position + offset].type not in DEFINING:
            between = block[position + 1 : position + offset + 1]
            start, end = site.module.start(site.node), site.module.end(between[-1])
            first = site.module.start(between[0])
            moved = site.module.text[first:end]
            gap = site.module.text[site.module.end(site.node) : first]
            edit = _cut(site, start, end, f"{moved}{gap}{site.text(site.node)}")
            told = shown(site.text(between[-1]).splitlines()[0])
            yield Draft(fault, f"Move it behind `{told}`.", (edit,), weight)


def out_of_block(site: Site) -> Iterator[Draft]:
    """The end of a block belongs behind that block, as a return after its loop does."""
    block, parent = site.statement.block, site.node.parent
    outer = parent.parent if parent is not None and parent.type == "block" else None
    position = _position(site)
    if outer is None or outer.type in DEFINITIONS or position < 0 or not site.owns_line:
        return
    if site.node.type in DEFINING or outer.type == "match_statement":
        return
    whole = _whole(outer)
    start, end, text = _lines(site, site.node, block[-1])
    moved = _shifted(text, site.indent, site.indent_of(whole))
    left = f"{site.indent}pass{site.newline}" if position == 0 else ""
    at = _line_end(site, whole)
    fault = f"`{site.head}` may belong behind the block it is in."
    alone = 2.0 if position == len(block) - 1 else 1.0
    exits = 2.0 if site.node.type == "return_statement" else 1.0
    edits: tuple[Edit, ...] = (_cut(site, start, end, left), _cut(site, at, at, moved))
    if at == end:
        edits = (_cut(site, start, end, left + moved),)
    yield Draft(fault, "Move it, and what follows it there, behind that block.", edits, alone * exits)
    if position > 0 and position < len(block) - 1:
        return
    top = _line_start(site, whole)
    if position == 0 and len(block) > 1 and not site.statement.is_compound and whole == outer:
        start, end, text = _lines(site, site.node, site.node)
        edits = (_cut(site, top, top, _shifted(text, site.indent, site.indent_of(whole))),
                 _cut(site, start, end))  # fmt: skip
        yield Draft(f"`{site.head}` may belong before the block it is in.", "Move it there.", edits)


def _whole(node: Node) -> Node:
    """The compound statement that a clause belongs to."""
    while node.type in CLAUSES and node.type != "case_clause" and node.parent is not None:
        node = node.parent
    return node


def _shifted(text: str, old: str, new: str) -> str:
    """Lines with one indentation put for another; lines that don't have it stay."""
    lines = text.splitlines(keepends=True)
    return "".join(new + line[len(old) :] if line.startswith(old) else line for line in lines)


def into_block(site: Site) -> Iterator[Draft]:
    """A statement belongs at the end of the block before it, or at its beginning if it stands behind."""
    position, block = _position(site), site.statement.block
    if position < 0 or not site.owns_line or site.node.type in DEFINING:
        return
    for neighbour, before in _neighbours(block, position):
        for body in _bodies(neighbour):
            if not body.named_children or body.start_point[0] == neighbour.start_point[0]:
                continue
            anchor = body.named_children[-1 if before else 0]
            deeper = site.indent_of(anchor)
            start, end, text = _lines(site, site.node, site.node)
            moved = _shifted(text, site.indent, deeper)
            at = _line_end(site, anchor) if before else _line_start(site, anchor)
            edits: tuple[Edit, ...] = (_cut(site, at, at, moved), _cut(site, start, end))
            if at in (start, end):
                edits = (_cut(site, start, end, moved),)
            where = "before" if before else "behind"
            fault = f"`{site.head}` may belong into the block {where} it."
            yield Draft(fault, "Move it into that block.", edits, 1.0 if before else 0.5)


def _neighbours(block: tuple[Node, ...], position: int) -> Iterator[tuple[Node, bool]]:
    if position > 0 and block[position - 1].type not in DEFINITIONS:
        yield block[position - 1], True
    if position + 1 < len(block) and block[position + 1].type not in DEFINITIONS:
        yield block[position + 1], False


def _bodies(node: Node) -> Iterator[Node]:
    """The last block of a compound statement and, one step further in, the last of that."""
    clauses = [child for child in node.named_children if child.type in CLAUSES]
    for holder in (node, *clauses):
        body = body_of(holder)
        if body is not None:
            yield body
            inner = body.named_children[-1] if body.named_children else None
            deeper = body_of(inner) if inner is not None and inner.type not in DEFINITIONS else None
            if deeper is not None:
                yield deeper


TEMPLATES = (
    Template("surplus-statement", 16, delete),
    Template("repeated-statement", 1.5, duplicate),
    Template("statement-order", 8, order),
    Template("statement-in-block", 8, out_of_block),
    Template("statement-out-of-block", 5, into_block),
)
