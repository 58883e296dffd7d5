"""Statements to delete, to move, or to insert from what the file has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from treemend.agents.templates.site import Draft, Site, Template, shown, unique
from treemend.store.records import Edit
from treemend.tools.syntax import body_of

if TYPE_CHECKING:
    from tree_sitter import Node

INGREDIENTS_MAX = 8


def _whole_lines(site: Site, node: Node) -> tuple[int, int]:
    """The span of a statement with its indentation and its line end."""
    text = site.module.text
    start = text.rfind("\n", 0, site.module.start(node)) + 1
    end = text.find("\n", site.module.end(node))
    return start, len(text) if end < 0 else end + 1


def delete(site: Site) -> Iterator[Draft]:
    """A statement that should not be there."""
    if site.node.type in ("function_definition", "class_definition", "else_clause", "elif_clause"):
        return
    head = shown(site.text(site.node).splitlines()[0])
    yield site.swap(site.node, "pass", f"`{head}` may be one too many.", 1.0, "Remove it.")


def unwrap(site: Site) -> Iterator[Draft]:
    """A condition or a loop around statements that should run in any case, once."""
    body = body_of(site.node)
    plain = site.node.type in ("if_statement", "for_statement", "while_statement", "with_statement")
    if body is None or not plain or site.node.child_by_field_name("alternative") is not None:
        return
    head = shown(site.text(site.node).splitlines()[0])
    start, end = site.module.start(site.node), site.module.end(site.node)
    inner = site.module.text[site.module.start(body) : end]
    deeper = site.indent_of(body.named_children[0]) if body.named_children else ""
    code = inner.replace(site.newline + deeper, site.newline + site.indent)
    edit = site.edit(site.node, code)
    if end > start:
        yield Draft(f"`{head}` may be too much.", "Run its body in any case.", (edit,))


def move(site: Site) -> Iterator[Draft]:
    """Two neighbouring statements are in the wrong order."""
    block = site.statement.block
    position = next((i for i, node in enumerate(block) if node == site.node), None)
    if position is None or position + 1 >= len(block):
        return
    following = block[position + 1]
    if site.node.type in ("function_definition", "class_definition"):
        return
    first, second = site.text(site.node), site.text(following)
    fault = f"`{shown(first.splitlines()[0])}` may come too early."
    edits = (site.edit(site.node, second), site.edit(following, first))
    yield Draft(fault, f"Move it behind `{shown(second.splitlines()[0])}`.", edits)


def dedent(site: Site) -> Iterator[Draft]:
    """The last statement of a block belongs behind that block, as a return after its loop does."""
    block, node = site.statement.block, site.node
    outer = node.parent.parent if node.parent is not None and node.parent.type == "block" else None
    if (
        outer is None
        or not block
        or block[-1] != node
        or outer.type in ("function_definition", "class_definition", "module")
    ):
        return
    if site.statement.is_compound:
        return
    text = site.text(node)
    outermost = _statement_of_clause(outer)
    fault = f"`{shown(text)}` may belong behind the block it ends."
    start, end = _whole_lines(site, node)
    removed = "" if len(block) > 1 else f"{site.indent}pass{site.newline}"
    cut = Edit(path=site.module.path, start=start, end=end, text=removed)
    at = _whole_lines(site, outermost)[1]
    indent = site.indent_of(outermost)
    put = Edit(path=site.module.path, start=at, end=at, text=f"{indent}{text}{site.newline}")
    yield Draft(fault, "Move it behind that block.", (cut, put))


def _statement_of_clause(node: Node) -> Node:
    while node.type in ("else_clause", "elif_clause", "except_clause", "finally_clause") and node.parent:
        node = node.parent
    return node


def indent(site: Site) -> Iterator[Draft]:
    """A statement belongs at the end of the block before it."""
    block = site.statement.block
    position = next((i for i, node in enumerate(block) if node == site.node), None)
    if not position or site.statement.is_compound:
        return
    before = block[position - 1]
    body = body_of(before)
    if body is None or not body.named_children or "\n" in site.text(site.node):
        return
    fault = f"`{shown(site.text(site.node))}` may belong into the block before it."
    deeper = site.indent_of(body.named_children[-1])
    start, _ = _whole_lines(site, site.node)
    at = start
    edit = Edit(path=site.module.path, start=at, end=at, text=deeper[len(site.indent) :])
    yield Draft(fault, "Move it into that block.", (edit,))


def insert(site: Site) -> Iterator[Draft]:
    """A statement is missing behind this one: an update, a collection, a return."""
    if site.statement.definition is None or site.node.type in (
        "return_statement",
        "raise_statement",
    ):
        return
    place, after = _insertion_place(site)
    if place is None:
        return
    fault = f"Something may be missing behind `{shown(site.text(site.node).splitlines()[0])}`."
    for code, weight in _ingredients(site):
        edit = site.insert_after(place, code) if after else site.insert_before(code)
        yield Draft(fault, f"Add `{shown(code)}`.", (edit,), weight)


def _insertion_place(site: Site) -> tuple[Node | None, bool]:
    if site.node.type in ("elif_clause", "else_clause", "except_clause", "finally_clause"):
        return None, False
    if site.node.type in ("function_definition", "class_definition"):
        return None, False
    return site.node, True


def _ingredients(site: Site) -> list[tuple[str, float]]:
    """Statements made of names in scope, and those that the function has elsewhere."""
    near = [name for name in site.scope.variables if name.distance == 0]
    found: dict[str, float] = {}
    own = site.text(site.node)
    for node in site.function_nodes(
        "expression_statement", "continue_statement", "break_statement", "return_statement"
    ):
        text = site.text(node)
        if "\n" not in text and text != own and not text.startswith(('"', "'")):
            found[text] = 1.0
    for name in near:
        found.setdefault(f"return {name.text}", 1.0)
        if name.shape == "number":
            found.setdefault(f"{name.text} += 1", 1.5)
            found.setdefault(f"{name.text} -= 1", 0.7)
    collections = [name for name in near if name.shape in ("list", "set")]
    for collection in collections[:3]:
        method = "append" if collection.shape == "list" else "add"
        for name in near[:6]:
            if name.text != collection.text:
                found.setdefault(f"{collection.text}.{method}({name.text})", 1.5)
            if name.shape in ("list", None) and name.text != collection.text:
                found.setdefault(f"{collection.text}.{method}({name.text}[-1])", 0.7)
    ordered = sorted(found.items(), key=lambda pair: -pair[1])
    return ordered[: 3 * INGREDIENTS_MAX]


def loop_exit(site: Site) -> Iterator[Draft]:
    """`break` for `continue`, or one of them for a return."""
    kinds = {"break_statement": "break", "continue_statement": "continue"}
    if site.node.type in kinds:
        word = kinds[site.node.type]
        other = "continue" if word == "break" else "break"
        yield site.swap(site.node, other, f"`{word}` may leave the wrong way.")


def lost_result(site: Site) -> Iterator[Draft]:
    """A value that is computed and thrown away, or returned where it should be kept."""
    if site.node.type != "expression_statement" or not site.node.named_children:
        return
    value = site.node.named_children[0]
    if value.type not in ("call", "binary_operator", "await", "subscript"):
        return
    fault = f"The result of `{shown(site.text(value))}` is thrown away."
    yield site.swap(value, f"return {site.text(value)}", fault, 2.0)
    yield site.swap(value, f"yield from {site.text(value)}", fault, 0.5)
    for text in unique(name.text for name in site.scope.variables if name.distance == 0)[:5]:
        yield site.swap(value, f"{text} = {site.text(value)}", fault)


TEMPLATES = (
    Template("surplus-statement", 20, delete),
    Template("surplus-block", 4, unwrap),
    Template("statement-order", 6, move),
    Template("statement-in-block", 10, dedent),
    Template("statement-out-of-block", 6, indent),
    Template("missing-statement", 30, insert),
    Template("wrong-exit", 4, loop_exit),
    Template("lost-result", 10, lost_result),
)
