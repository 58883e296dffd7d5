"""Branches: the wrong way round, of the wrong kind, or one too many."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from treemend.agents.templates.site import Draft, Site, Template, shown, words
from treemend.store.records import Edit
from treemend.tools.syntax import body_of

if TYPE_CHECKING:
    from tree_sitter import Node


def swapped(site: Site) -> Iterator[Draft]:
    """The bodies of two branches are in each other's place."""
    if site.node.type != "if_statement":
        return
    branches = [site.node, *site.node.children_by_field_name("alternative")]
    for first, second in pairwise(branches):
        one, other = body_of(first), body_of(second)
        if one is not None and other is not None and site.text(one) != site.text(other):
            head = shown(site.text(first).splitlines()[0])
            yield site.exchange(one, other, f"The branches at `{head}` may be swapped.")


def asked_anyway(site: Site) -> Iterator[Draft]:
    """`elif` for an `if` of its own."""
    if site.node.type == "elif_clause":
        start = site.module.start(site.node)
        edit = Edit(path=site.module.path, start=start, end=start + 4, text="if")
        yield Draft(f"`{site.head}` may have to be asked in any case.", "Make it `if`.", (edit,))


def asked_otherwise(site: Site) -> Iterator[Draft]:
    """An `if` behind another that should be its `elif`."""
    block = site.statement.block
    position = next((i for i, node in enumerate(block) if node == site.node), 0)
    if site.node.type != "if_statement" or not position or not site.owns_line:
        return
    before = block[position - 1]
    if before.type == "if_statement" and not _has_else(before):
        start = site.module.start(site.node)
        edit = Edit(path=site.module.path, start=start, end=start + 2, text="elif")
        yield Draft(f"`{site.head}` may have to be asked otherwise only.", "Make it `elif`.", (edit,))


def _has_else(node: Node) -> bool:
    return any(c.type == "else_clause" for c in node.children_by_field_name("alternative"))


def last_branch(site: Site) -> Iterator[Draft]:
    """The last `elif` should take whatever is left."""
    parent = site.node.parent
    if site.node.type != "elif_clause" or parent is None:
        return
    alternatives = parent.children_by_field_name("alternative")
    condition = site.node.child_by_field_name("condition")
    position = next((i for i, node in enumerate(alternatives) if node == site.node), -1)
    if condition is None or position < 0:
        return
    edits = [Edit(path=site.module.path, start=site.module.start(site.node),
                  end=site.module.end(condition), text="else")]  # fmt: skip
    later = alternatives[position + 1 :]
    if later:
        edits.append(Edit(path=site.module.path, start=site.module.end(site.node),
                          end=site.module.end(later[-1]), text=""))  # fmt: skip
    yield Draft(f"`{site.head}` may leave cases out.", "Make it the `else`.", tuple(edits))


def dropped(site: Site) -> Iterator[Draft]:
    """A branch or a handler that should not be there."""
    if site.node.type not in ("elif_clause", "else_clause"):
        return
    start, end = site.module.start(site.node), site.module.end(site.node)
    line = site.module.text.rfind("\n", 0, start)
    if line >= 0 and not site.module.text[line:start].strip():
        edit = Edit(path=site.module.path, start=line, end=end, text="")
        yield Draft(f"`{site.head}` may be one branch too many.", "Remove it.", (edit,))


def unwrapped(site: Site) -> Iterator[Draft]:
    """A condition or a loop around statements that should run in any case, once."""
    plain = words("if_statement for_statement while_statement with_statement else_clause")
    body = body_of(site.node)
    if body is None or site.node.type not in plain or not body.named_children:
        return
    if site.node.child_by_field_name("alternative") is not None:
        return
    inner, outer = site.indent_of(body.named_children[0]), site.indent
    code = site.module.text[site.module.start(body) : site.module.end(site.node)]
    code = code.replace(site.newline + inner, site.newline + outer)
    if len(inner) > len(outer):
        fault = f"`{site.head}` may be too much."
        yield Draft(fault, "Run its body in any case.", (site.edit(site.node, code),))


def conditional_values(site: Site) -> Iterator[Draft]:
    """A conditional value: one branch of `a if c else b` taken for the other, or alone."""
    for node in site.nodes("conditional_expression"):
        parts = node.named_children
        if len(parts) == 3:
            fault = f"`{shown(site.text(node))}` may give the wrong value."
            yield site.exchange(parts[0], parts[2], fault)
            yield site.swap(node, site.text(parts[0]), fault, 0.5)
            yield site.swap(node, site.text(parts[2]), fault, 0.5)


def loop_exit(site: Site) -> Iterator[Draft]:
    """`break` for `continue`, or for doing nothing."""
    kinds = {"break_statement": "break", "continue_statement": "continue", "pass_statement": "pass"}
    word = kinds.get(site.node.type)
    if word is None:
        return
    for other in ("break", "continue") if site.in_loop else ():
        if other != word:
            yield site.swap(site.node, other, f"`{word}` may leave the wrong way.")


def kind(site: Site) -> Iterator[Draft]:
    """`if` for `while`, and back: a step that has to be repeated."""
    words = {"if_statement": "while", "while_statement": "if"}
    if site.node.type in words and site.node.child_by_field_name("alternative") is None:
        fault = f"`{site.head}` may be the wrong kind of statement."
        yield site.swap(site.node.children[0], words[site.node.type], fault)


TEMPLATES = (
    Template("swapped-branches", 5, swapped),
    Template("elif-for-if", 2, asked_anyway),
    Template("if-for-elif", 2, asked_otherwise),
    Template("last-branch", 2, last_branch),
    Template("surplus-branch", 3, dropped),
    Template("surplus-block", 4, unwrapped),
    Template("swapped-values", 2, conditional_values),
    Template("wrong-exit", 3, loop_exit),
    Template("wrong-loop-kind", 3, kind),
)
