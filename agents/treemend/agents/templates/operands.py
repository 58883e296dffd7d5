"""Operands in the wrong order, too many, too few, or taken from the wrong expression."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from treemend.agents.templates.forms import is_whole, values
from treemend.agents.templates.site import Draft, Site, Template, alike, shown, words
from treemend.store.records import Edit

if TYPE_CHECKING:
    from tree_sitter import Node

COMMUTES = ("*", "==", "!=", "&", "|", "^", "is", "is not", "<>")
ADDED_MAX = 5
GROWING = words("identifier call subscript attribute binary_operator list parenthesized_expression")
FIXED = ("none", "callable", "bool", "dict", "module")


def swapped(site: Site) -> Iterator[Draft]:
    """Operands, or the two sides of an index or a pair, in the wrong order."""
    kinds = "binary_operator comparison_operator tuple expression_list pattern_list subscript"
    for node in site.nodes(*kinds.split()):
        sides = node.named_children
        if node.type == "subscript":
            sides = node.children_by_field_name("subscript")
        operator = node.children[1].type if len(node.children) == 3 else ""
        if len(sides) < 2 or len(sides) > 4:
            continue
        commutes = operator in COMMUTES or (operator == "+" and site.shape(node) == "number")
        fault = f"The order in `{shown(site.text(node))}` may be wrong."
        for first, second in pairwise(sides):
            if site.text(first) != site.text(second):
                yield site.exchange(first, second, fault, 0.05 if commutes else 1.0)


def crossed(site: Site) -> Iterator[Draft]:
    """Operands exchanged across an expression: `(a - b) / c` for `(c - b) / a`."""
    for node in site.nodes("binary_operator", "comparison_operator", "subscript", "tuple"):
        leaves = [n for n in site.nodes("identifier", "integer") if _within(n, node)]
        if 2 < len(leaves) <= 5:
            fault = f"Two names in `{shown(site.text(node))}` may be in each other's place."
            for position, first in enumerate(leaves):
                for second in leaves[position + 1 :]:
                    if site.text(first) != site.text(second) and not _are_members(site, first, second):
                        yield site.exchange(first, second, fault)


def _are_members(site: Site, first: Node, second: Node) -> bool:
    """Whether both stand in a literal that is only asked what it holds, so that their order is nothing."""
    inside = site.parent(first)
    if inside is None or inside != site.parent(second) or inside.type not in ("list", "set", "tuple"):
        return False
    above = site.parent(inside)
    return above is not None and any(child.type in ("in", "not in") for child in above.children)


def _within(inner: Node, outer: Node) -> bool:
    return outer.start_byte <= inner.start_byte and inner.end_byte <= outer.end_byte


def surplus(site: Site) -> Iterator[Draft]:
    """An operand that should not be there: `1 + f(x)` for `f(x)`."""
    for node in site.nodes("binary_operator"):
        fault = f"A part of `{shown(site.text(node))}` may be too much."
        for field in ("left", "right"):
            kept = node.child_by_field_name(field)
            if kept is not None:
                outer = 1.5 if is_whole(site, node) else 1.0
                yield site.compose(node, site.text(kept), fault, outer)
        yield from _without_middle(site, node, fault)


def _without_middle(site: Site, node: Node, fault: str) -> Iterator[Draft]:
    """`a + b + c` without `b`: the right operand of the inner operation."""
    inner, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    if inner is None or right is None or inner.type != node.type:
        return
    first = inner.child_by_field_name("left")
    operator = node.child_by_field_name("operator")
    if first is not None and operator is not None:
        new = f"{site.text(first)} {operator.type} {site.text(right)}"
        yield site.compose(node, new, fault)


def surplus_clause(site: Site) -> Iterator[Draft]:
    """A clause of a condition that should not be there."""
    for node in site.nodes("boolean_operator"):
        fault = f"A clause of `{shown(site.text(node))}` may be too much."
        for field in ("left", "right"):
            kept = node.child_by_field_name(field)
            if kept is not None:
                yield site.swap(node, site.text(kept), fault)


def missing(site: Site) -> Iterator[Draft]:
    """An operand is missing: `k` for `k - n`."""
    for node in site.nodes(*GROWING):
        in_index = site.parent_type(node) in ("slice", "subscript") and site.field(node) != "value"
        compared = site.parent_type(node) == "comparison_operator"
        if not (is_whole(site, node) or in_index or compared):
            continue
        shape = site.shape(node)
        if shape in FIXED:
            continue
        text = site.operand(node)
        fault = f"Something may be missing in `{shown(text)}`."
        scale = (0.5 if compared else 1.0) * (1.0 if node.type == "identifier" else 0.5)
        for new, weight in _grown(site, node, text):
            yield site.compose(node, new, fault, scale * weight)


def _grown(site: Site, node: Node, text: str) -> Iterator[tuple[str, float]]:
    shape = site.shape(node)
    for name, weight in _addends(site, node):
        yield f"{text} + {name}", weight
        if shape in ("number", "set", None):
            yield f"{text} - {name}", weight
        if shape not in ("number", "set"):
            yield f"{name} + {text}", 0.7 * weight
        if shape == "number":
            yield f"{text} * {name}", 0.3 * weight
            yield f"{text} // {name}", 0.15 * weight
            yield f"{text} % {name}", 0.15 * weight
    if shape == "number" and node.type == "identifier":
        yield f"{text} ** 2", 0.15
        yield f"{text} * 2", 0.15
        yield f"{text} // 2", 0.15


def _addends(site: Site, node: Node) -> list[tuple[str, float]]:
    """Names that can be added to a node's value: of its shape and near first."""
    chosen = [(name, weight) for name, weight in site.rivals(node, 12) if weight > 0.2]
    return chosen[:ADDED_MAX]


def other_expression(site: Site) -> Iterator[Draft]:
    """An expression that stands elsewhere in the function is the one that was meant."""
    for node in values(site):
        own = site.text(node)
        if node.type in ("string", "none", "true", "false", "integer"):
            continue
        fault = f"`{shown(own)}` may be the wrong expression."
        found = {}
        for other in site.ingredients.expressions:
            if other.code not in (own, f"({own})"):
                near = 1.0 if abs(other.line - site.line) <= 4 else 0.5
                same = 2.0 if other.kind == node.type else 0.6
                found[other.code] = near * same * (0.5 + alike(own, other.code))
        for text, weight in sorted(found.items(), key=lambda pair: -pair[1])[:8]:
            yield site.swap(node, text, fault, weight)


def combined(site: Site) -> Iterator[Draft]:
    """A returned or collected value lacks the part that another variable holds."""
    for node in site.nodes("return_statement", "yield"):
        for value in node.named_children:
            plain = ("none", "true", "false", "string", "integer")
            if value.type in plain or site.shape(value) in FIXED:
                continue
            text = site.text(value)
            fault = f"What is given back, `{shown(text)}`, may be only a part."
            for name, weight in _addends(site, value):
                if site.scope.shape_of(name) != "number" or site.shape(value) == "number":
                    yield site.swap(value, f"{name} + {text}", fault, weight)
                    yield site.swap(value, f"{text} + {name}", fault, weight)


def both_sides(site: Site) -> Iterator[Draft]:
    """Two things are compared by themselves where a part or a form of them was meant, or back."""
    for node in site.nodes("comparison_operator"):
        sides = node.named_children
        if len(sides) != 2 or any(side.type not in VALUES_COMPARED for side in sides):
            continue
        first, second = (site.text(side) for side in sides)
        fault = f"`{shown(site.text(node))}` may compare the wrong aspect."
        accessors = [*site.ingredients.accessors[:4], "[0]", "[1]", ".lower()"]
        forms = {f"{{}}{accessor}": 1.0 for accessor in accessors} | {
            "len({})": 1.0,
            "abs({})": 0.4,
        }
        for form, weight in forms.items():
            edits: tuple[Edit, ...] = (
                site.edit(sides[0], form.format(first)),
                site.edit(sides[1], form.format(second)),
            )
            yield Draft(fault, f"Compare `{shown(form.format(first))}`.", edits, weight)
        inner = [side.child_by_field_name("value") for side in sides if side.type == "subscript"]
        if len(inner) == 2 and inner[0] is not None and inner[1] is not None:
            edits = tuple(
                site.edit(side, site.text(kept))
                for side, kept in zip(sides, inner, strict=True)
                if kept is not None
            )
            yield Draft(fault, "Compare the whole values.", edits, 2.0)


VALUES_COMPARED = ("identifier", "attribute", "subscript")

TEMPLATES = (
    Template("swapped-operands", 10, swapped),
    Template("crossed-operands", 2, crossed),
    Template("surplus-operand", 14, surplus),
    Template("surplus-clause", 5, surplus_clause),
    Template("missing-operand", 20, missing),
    Template("wrong-expression", 16, other_expression),
    Template("missing-part", 8, combined),
    Template("wrong-aspect", 4, both_sides),
)
