"""Operands in the wrong order, too many, too few, or taken from the wrong expression."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from treemend.agents.templates.site import (
    VALUES,
    Draft,
    Site,
    Template,
    is_expression_place,
    shown,
    unique,
    values,
)

if TYPE_CHECKING:
    from tree_sitter import Node

COMMUTES = ("*", "==", "!=", "&", "|", "^")
ADDED_MAX = 5
REUSED = ("subscript", "attribute", "call", "binary_operator")


def swapped(site: Site) -> Iterator[Draft]:
    """Operands, or the two sides of an index, in the wrong order."""
    kinds = ("binary_operator", "comparison_operator", "tuple", "expression_list", "subscript")
    for node in site.nodes(*kinds):
        sides = node.children_by_field_name("subscript") if node.type == "subscript" else node.named_children
        if len(sides) != 2 or (len(node.children) == 3 and node.children[1].type in COMMUTES):
            continue
        first, second = (site.text(side) for side in sides)
        if first != second:
            fault = f"The order in `{shown(site.text(node))}` may be wrong."
            edits = (site.edit(sides[0], second), site.edit(sides[1], first))
            yield Draft(fault, f"Swap `{shown(first)}` and `{shown(second)}`.", edits)


def surplus(site: Site) -> Iterator[Draft]:
    """An operand that should not be there: `1 + f(x)` for `f(x)`."""
    for node in site.nodes("binary_operator", "boolean_operator"):
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        for kept in (left, right):
            if kept is not None:
                fault = f"A part of `{shown(site.text(node))}` may be too much."
                yield site.swap(node, site.text(kept), fault)


def missing(site: Site) -> Iterator[Draft]:
    """An operand is missing: `k` for `k - n`."""
    for node in site.nodes("identifier", "call", "subscript", "attribute", "binary_operator"):
        in_index = node.parent is not None and node.parent.type in ("slice", "subscript")
        if not (is_expression_place(node) or in_index):
            continue
        shape = site.shape(node)
        if shape in ("none", "callable", "bool", "dict"):
            continue
        text = site.text(node)
        fault = f"Something may be missing in `{shown(text)}`."
        for name, weight in _addends(site, node):
            yield site.swap(node, f"{text} + {name}", fault, weight)
            if shape in ("number", "set", None):
                yield site.swap(node, f"{text} - {name}", fault, weight)
            if shape not in ("number", "set"):
                yield site.swap(node, f"{name} + {text}", fault, 0.8 * weight)


def _addends(site: Site, node: Node) -> list[tuple[str, float]]:
    rivals = site.rivals(node, 12)
    chosen = [(name.text, weight) for name, weight in rivals if name.distance == 0 and weight > 0.2]
    return chosen[:ADDED_MAX]


def other_expression(site: Site) -> Iterator[Draft]:
    """An expression that stands elsewhere in the function is the one that was meant."""
    ingredients = unique(site.text(n) for n in site.function_nodes(*REUSED) if "\n" not in site.text(n))
    for node in values(site):
        if node.type in ("string", "none", "true", "false"):
            continue
        fault = f"`{shown(site.text(node))}` may be the wrong expression."
        for text in ingredients[:15]:
            if text != site.text(node):
                weight = 1.0 if _looks_like(text, site.text(node)) else 0.3
                yield site.swap(node, text, fault, weight)


def _looks_like(one: str, other: str) -> bool:
    """Whether two expressions have the same form: both calls, both indexed, both plain."""
    return ("(" in one, "[" in one, "." in one) == ("(" in other, "[" in other, "." in other)


def combined(site: Site) -> Iterator[Draft]:
    """A returned or collected value lacks the part that another variable holds."""
    for node in site.nodes("return_statement"):
        for value in node.named_children:
            if value.type not in VALUES or value.type in ("none", "true", "false", "identifier"):
                continue
            text = site.text(value)
            fault = f"What is returned, `{shown(text)}`, may be only a part."
            for name, weight in _addends(site, value):
                if site.scope.shape_of(name) != "number" or site.shape(value) == "number":
                    yield site.swap(value, f"{name} + {text}", fault, weight)
                    yield site.swap(value, f"{text} + {name}", fault, weight)


TEMPLATES = (
    Template("swapped-operands", 6, swapped),
    Template("surplus-operand", 10, surplus),
    Template("missing-operand", 20, missing),
    Template("wrong-expression", 20, other_expression),
    Template("missing-part", 8, combined),
)
