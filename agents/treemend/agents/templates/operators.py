"""Wrong operators: comparison, boolean, arithmetic, bitwise, augmented, unary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from treemend.agents.templates.site import Draft, Site, Template, shown

COMPARISONS: Mapping[str, Mapping[str, float]] = {
    "<": {"<=": 4, ">": 1, ">=": 1, "!=": 0.7, "==": 0.3},
    "<=": {"<": 4, ">": 1, ">=": 1, "==": 0.5},
    ">": {">=": 4, "<": 1, "<=": 1, "!=": 0.7, "==": 0.3},
    ">=": {">": 4, "<": 1, "<=": 1, "==": 0.5},
    "==": {"!=": 2, "<=": 1, ">=": 1, "in": 0.7, "<": 0.5, ">": 0.5, "is": 0.3},
    "!=": {"==": 2, ">": 1, "<": 1, "not in": 0.7, "is not": 0.3},
    "in": {"not in": 3, "==": 1},
    "not in": {"in": 3, "!=": 1},
    "is": {"is not": 2, "==": 2},
    "is not": {"is": 2, "!=": 2},
}
ARITHMETIC: Mapping[str, Mapping[str, float]] = {
    "+": {"-": 3, "*": 1.5},
    "-": {"+": 3, "*": 0.7},
    "*": {"**": 1.5, "+": 1.5, "//": 1, "/": 1},
    "/": {"//": 3, "*": 2, "%": 1},
    "//": {"/": 3, "%": 2, "*": 1},
    "%": {"//": 3, "/": 1.5, "*": 0.5},
    "**": {"*": 3},
    "&": {"|": 3, "^": 2, "&~": 0.3},
    "|": {"&": 3, "^": 2},
    "^": {"&": 3, "|": 3},
    "<<": {">>": 3},
    ">>": {"<<": 3},
}


def comparison(site: Site) -> Iterator[Draft]:
    """`<` for `<=` and the like."""
    for node in site.nodes("comparison_operator"):
        fault = f"The comparison `{shown(site.text(node))}` may use the wrong operator."
        for operator in node.children:
            for new, weight in COMPARISONS.get(" ".join(site.text(operator).split()), {}).items():
                yield site.swap(operator, new, fault, weight)


def boolean(site: Site) -> Iterator[Draft]:
    """`and` for `or`."""
    for node in site.nodes("boolean_operator"):
        operator = node.child_by_field_name("operator")
        if operator is not None:
            new = {"and": "or", "or": "and"}[operator.type]
            fault = f"The clauses of `{shown(site.text(node))}` may be joined the wrong way."
            yield site.swap(operator, new, fault)


def arithmetic(site: Site) -> Iterator[Draft]:
    """`+` for `-` and the like, bitwise ones too."""
    for node in site.nodes("binary_operator"):
        operator = node.child_by_field_name("operator")
        if operator is not None and not _is_formatting(site, node.named_children[0].type, operator.type):
            fault = f"`{shown(site.text(node))}` may use the wrong operator."
            for new, weight in ARITHMETIC.get(operator.type, {}).items():
                yield site.swap(operator, new, fault, weight)


def _is_formatting(site: Site, left: str, operator: str) -> bool:
    return operator == "%" and left in ("string", "concatenated_string")


def augmented(site: Site) -> Iterator[Draft]:
    """`+=` for `-=` and the like, and `+=` where `=` was meant."""
    for node in site.nodes("augmented_assignment"):
        operator = node.child_by_field_name("operator")
        if operator is not None:
            fault = f"`{shown(site.text(node))}` may update with the wrong operator."
            for new, weight in ARITHMETIC.get(operator.type[:-1], {}).items():
                yield site.swap(operator, f"{new}=", fault, weight)
            yield site.swap(operator, "=", fault, 1.0)


def forgetting(site: Site) -> Iterator[Draft]:
    """`=` for `+=`: an accumulator that forgets."""
    for node in site.nodes("assignment"):
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        equals = next((child for child in node.children if child.type == "="), None)
        if equals is None or left is None or right is None or left.type == "pattern_list":
            continue
        fault = f"`{shown(site.text(left))}` may be replaced where it should be updated."
        for new, weight in (("+=", 2.0), ("-=", 1.0), ("*=", 0.4)):
            yield site.swap(equals, new, fault, weight)


def unary(site: Site) -> Iterator[Draft]:
    """A `not` or a minus too many."""
    for node in site.nodes("not_operator", "unary_operator"):
        argument = node.child_by_field_name("argument")
        if argument is not None:
            operator = "not" if node.type == "not_operator" else site.text(node)[0]
            fault = f"The `{operator}` in `{shown(site.text(node))}` may be too much."
            yield site.swap(node, site.text(argument), fault)


TEMPLATES = (
    Template("comparison-operator", 12, comparison),
    Template("boolean-operator", 5, boolean),
    Template("arithmetic-operator", 9, arithmetic),
    Template("augmented-operator", 6, augmented),
    Template("lost-update", 4, forgetting),
    Template("unary-operator", 4, unary),
)
