"""One too many, one too few: bounds, slices, indices, range arguments, numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from treemend.agents.templates.site import Draft, Site, Template, shown, words
from treemend.tools.scope import receiver_and_attribute

if TYPE_CHECKING:
    from tree_sitter import Node

NOT_NUMBERS = ("string", "list", "dict", "set", "tuple", "bool", "callable", "module", "none")
COUNTING = words("identifier attribute call subscript binary_operator")
PLACES = {
    "slice": 2.5,
    "comparison_operator": 1.0,
    "return_statement": 0.7,
    "assignment": 0.7,
    "augmented_assignment": 0.4,
    "binary_operator": 0.2,
    "keyword_argument": 0.4,
    "conditional_expression": 0.4,
}
CALLED = {"range": 3.0, "len": 0.0, "print": 0.0, "isinstance": 0.0, "append": 0.4, "int": 0.3}


def bound(site: Site) -> Iterator[Draft]:
    """A bound, an index or an argument that is one off: `n` for `n - 1` or `n + 1`."""
    for node in site.nodes(*COUNTING):
        weight = _place_weight(site, node)
        shape = site.shape(node)
        if not weight or shape in NOT_NUMBERS:
            continue
        text = site.text(node)
        fault = f"`{shown(text)}` may be one off."
        certain = 1.0 if shape == "number" else 0.5
        for step in ("+ 1", "- 1"):
            if not text.endswith((" + 1", " - 1", "+1", "-1")):
                yield site.compose(node, f"{text} {step}", fault, weight * certain)


def _place_weight(site: Site, node: Node) -> float:
    """How usual a slip by one is where the node stands; 0 where it makes no sense."""
    above, field = site.parent_type(node), site.field(node)
    if above == "subscript":
        return 2.5 if field != "value" else 0.0
    if above in ("assignment", "augmented_assignment"):
        return PLACES[above] if field == "right" else 0.0
    if above == "keyword_argument" and field != "value":
        return 0.0
    if above == "tuple":
        in_index = any(outer.type == "subscript" for outer in site.above(node))
        return 2.0 if in_index else 0.3
    if above == "argument_list":
        return CALLED.get(_called_name(site, node), 1.5)
    return PLACES.get(above, 0.0)


def _called_name(site: Site, argument: Node) -> str:
    """The last part of the name of the function that an argument is passed to."""
    for outer in site.above(argument):
        if outer.type == "call":
            function = outer.child_by_field_name("function")
            if function is None:
                return ""
            _, attribute = receiver_and_attribute(function)
            return site.text(attribute if attribute is not None else function)
    return ""


def surplus_step(site: Site) -> Iterator[Draft]:
    """A correction by one that is one too much: `len(xs) - 1` for `len(xs)`."""
    for node in site.nodes("binary_operator"):
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        operator = node.child_by_field_name("operator")
        if left is None or right is None or operator is None or site.text(right) != "1":
            continue
        if operator.type in ("+", "-"):
            fault = f"`{shown(site.text(node))}` may be one off."
            yield site.swap(node, site.text(left), fault, 2.0)


def number(site: Site) -> Iterator[Draft]:
    """A wrong constant: one off, 0 for 1, another small number."""
    for node in site.nodes("integer", "float"):
        try:
            value = int(site.text(node)) if node.type == "integer" else float(site.text(node))
        except ValueError:
            continue
        fault = f"The number `{site.text(node)}` may be wrong."
        for new, weight in _other_numbers(value):
            yield (
                site.compose(node, new, fault, weight)
                if new[0] == "-"
                else site.swap(node, new, fault, weight)
            )


def _other_numbers(value: float) -> list[tuple[str, float]]:
    if isinstance(value, float):
        near = {
            0.0: 0.5,
            1.0: 0.5,
            value + 1: 1.0,
            value - 1: 1.0,
            value * 10: 0.3,
            value / 10: 0.3,
        }
        return [(repr(new), weight) for new, weight in near.items() if new != value]
    small = abs(value) <= 3
    wanted = {value + 1: 3.0, value - 1: 3.0} | ({0: 1.5, 1: 1.5, 2: 1.0} if small else {})
    for new, weight in ((0, 0.5), (1, 0.5), (-1, 0.5), (-value, 0.3), (value + 2, 0.3), (10, 0.1)):
        wanted.setdefault(new, weight)
    return [(str(new), weight) for new, weight in wanted.items() if new != value]


def number_name(site: Site) -> Iterator[Draft]:
    """A constant where a variable was meant: the example's value stayed in the code."""
    for node in site.nodes("integer"):
        above = site.parent_type(node)
        fault = f"The number `{site.text(node)}` may have to be a variable."
        for name, near in site.variables(6):
            if name.shape in ("number", None):
                weight = near * (1.0 if name.shape == "number" else 0.4)
                yield site.swap(node, name.text, fault, weight * (0.4 if above == "subscript" else 1))


def slice_bounds(site: Site) -> Iterator[Draft]:
    """A slice that takes one element too many or too few, or an element where a part was meant."""
    for node in site.nodes("subscript"):
        value, indices = node.child_by_field_name("value"), node.children_by_field_name("subscript")
        if value is None or len(indices) != 1:
            continue
        part, whole = shown(site.text(node)), shown(site.text(value))
        fault = f"`{part}` may take the wrong part of `{whole}`."
        text = site.text(indices[0])
        is_slice = indices[0].type == "slice"
        for new, weight in _other_slices(text) if is_slice else _other_indices(text, indices[0].type):
            if new != text:
                yield site.swap(indices[0], new, fault, weight)


def _other_slices(text: str) -> list[tuple[str, float]]:
    others = [(":", 1.0), ("1:", 0.7), (":-1", 0.7), ("::-1", 0.3)]
    low, _, high = text.partition(":")
    low, high = low.strip(), high.strip()
    if ":" in high:
        return others
    if low and not high:
        others += [(f":{low}", 1.0), (f"{low} + 1:", 2.0), (f"{low} - 1:", 1.0), (f"{low}:-1", 0.5)]
        others += [(f"-{low}:", 0.4)]
    if high and not low:
        others += [
            (f"{high}:", 1.0),
            (f"1:{high}", 0.7),
            (f":{high} + 1", 2.0),
            (f":{high} - 1", 1.0),
        ]
        others += [(f":-{high}", 0.4)]
    if low and high:
        others += [(f"{low}:", 1.5), (f":{high}", 1.5), (f"{low}:{high} + 1", 2.0)]
        others += [(f"{low} + 1:{high}", 1.5), (f"{low}:{high} - 1", 1.0), (f"{high}:{low}", 0.3)]
    return others


def _other_indices(text: str, kind: str) -> list[tuple[str, float]]:
    if kind not in ("integer", "identifier", "binary_operator", "unary_operator"):
        return []
    others = [(f"{text}:", 0.5), (f":{text}", 0.5), ("-1", 1.0), ("0", 0.7)]
    if kind in ("identifier", "integer") and text != "0":
        others.append((f"-{text}", 0.4))
    return others


TEMPLATES = (
    Template("off-by-one", 30, bound),
    Template("surplus-step", 5, surplus_step),
    Template("wrong-number", 33, number),
    Template("number-for-name", 6, number_name),
    Template("slice-bounds", 8, slice_bounds),
)
