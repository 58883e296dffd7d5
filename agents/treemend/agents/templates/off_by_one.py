"""One too many, one too few: bounds, slices, indices, range arguments, numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from treemend.agents.templates.site import Draft, Site, Template, shown

if TYPE_CHECKING:
    from tree_sitter import Node

NOT_NUMBERS = ("string", "list", "dict", "set", "tuple", "bool", "callable", "none")
PLACES = {
    "subscript": 2.5,
    "slice": 2.5,
    "tuple": 1.2,
    "argument_list": 1.5,
    "comparison_operator": 1.0,
    "return_statement": 0.7,
    "assignment": 0.8,
    "augmented_assignment": 0.6,
    "parenthesized_expression": 0.3,
}


def bound(site: Site) -> Iterator[Draft]:
    """A bound, an index or an argument that is one off: `n` for `n - 1` or `n + 1`."""
    for node in site.nodes("identifier", "attribute", "call", "subscript", "binary_operator"):
        weight = _place_weight(site, node)
        if not weight or site.shape(node) in NOT_NUMBERS:
            continue
        text = site.text(node)
        fault = f"`{shown(text)}` may be one off."
        for step in ("+ 1", "- 1"):
            if text.endswith((" + 1", " - 1")):
                continue
            yield site.swap(node, f"{text} {step}", fault, weight)


def _place_weight(site: Site, node: Node) -> float:
    """How usual a slip by one is where the node stands; 0 where it makes no sense."""
    above = node.parent
    if above is None or not _is_value_side(node, above):
        return 0.0
    if above.type == "tuple" and (above.parent is None or above.parent.type != "subscript"):
        return 0.3
    if above.type == "argument_list" and above.parent is not None:
        function = above.parent.child_by_field_name("function")
        name = site.text(function) if function is not None else ""
        return {"range": 3.0, "len": 0.0, "print": 0.1}.get(name, PLACES["argument_list"])
    return PLACES.get(above.type, 0.0)


def _is_value_side(node: Node, above: Node) -> bool:
    if above.type == "subscript":
        return above.child_by_field_name("value") != node
    if above.type in ("assignment", "augmented_assignment"):
        return above.child_by_field_name("right") == node
    return True


def number(site: Site) -> Iterator[Draft]:
    """A wrong constant: one off, 0 for 1, another small number."""
    for node in site.nodes("integer", "float"):
        try:
            value = int(site.text(node)) if node.type == "integer" else float(site.text(node))
        except ValueError:
            continue
        fault = f"The number `{site.text(node)}` may be wrong."
        for new, weight in _other_numbers(value):
            yield site.swap(node, new, fault, weight)


def _other_numbers(value: float) -> list[tuple[str, float]]:
    if isinstance(value, float):
        return [("0.0", 0.5), ("1.0", 0.5)] if value not in (0.0, 1.0) else [(str(1.0 - value), 1.0)]
    wanted = {value + 1: 3.0, value - 1: 3.0, 0: 1.0, 1: 1.0, 2: 0.6, -1: 0.5, -value: 0.4, 10: 0.2}
    return [(str(new), weight) for new, weight in wanted.items() if new != value]


def slice_bounds(site: Site) -> Iterator[Draft]:
    """A slice that takes one element too many or too few, or an element where a part was meant."""
    for node in site.nodes("subscript"):
        index, value = node.child_by_field_name("subscript"), node.child_by_field_name("value")
        if index is None or value is None:
            continue
        fault = f"`{shown(site.text(node))}` may take the wrong part of `{shown(site.text(value))}`."
        text = site.text(index)
        others = _other_slices(text) if index.type == "slice" else _other_indices(text, index.type)
        for new, weight in others:
            if new != text:
                yield site.swap(index, new, fault, weight)


def _other_slices(text: str) -> list[tuple[str, float]]:
    others = [(":", 1.0), ("1:", 1.0), (":-1", 1.0), ("::-1", 0.5)]
    low, _, high = text.partition(":")
    if ":" not in high and bool(low.strip()) is not bool(high.strip()):
        others.append((f"{high}:{low}", 1.0))
    return others


def _other_indices(text: str, kind: str) -> list[tuple[str, float]]:
    if kind not in ("integer", "identifier", "binary_operator", "unary_operator"):
        return []
    return [(f"{text}:", 0.5), (f":{text}", 0.5), ("-1", 1.0), (f"-{text}", 0.3)]


TEMPLATES = (
    Template("off-by-one", 30, bound),
    Template("wrong-number", 33, number),
    Template("slice-bounds", 8, slice_bounds),
)
