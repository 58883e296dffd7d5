"""Wrong operators: comparison, boolean, arithmetic, bitwise, augmented, unary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from treemend.agents.templates.forms import conditions, values
from treemend.agents.templates.site import Draft, Site, Template, shown

COMPARISONS: Mapping[str, Mapping[str, float]] = {
    "<": {"<=": 4, ">": 1.2, ">=": 0.7, "!=": 0.5, "==": 0.3},
    "<=": {"<": 4, ">=": 1.2, ">": 0.7, "==": 0.5},
    ">": {">=": 4, "<": 1.2, "<=": 0.7, "!=": 0.5, "==": 0.3},
    ">=": {">": 4, "<=": 1.2, "<": 0.7, "==": 0.5},
    "==": {"!=": 2, "<=": 1, ">=": 1, "in": 0.7, "<": 0.5, ">": 0.5, "is": 0.3},
    "!=": {"==": 2, ">": 0.7, "<": 0.7, "not in": 0.5, "is not": 0.3},
    "in": {"not in": 3, "==": 1},
    "not in": {"in": 3, "!=": 1},
    "is": {"is not": 2, "==": 2},
    "is not": {"is": 2, "!=": 2},
}
ARITHMETIC: Mapping[str, Mapping[str, float]] = {
    "+": {"-": 3, "*": 1.5},
    "-": {"+": 3, "*": 0.7},
    "*": {"**": 1.5, "+": 1.5, "//": 0.7, "/": 0.7},
    "/": {"//": 3, "*": 2, "%": 1},
    "//": {"/": 3, "%": 2, "*": 1},
    "%": {"//": 3, "/": 1.5, "*": 0.5},
    "**": {"*": 3},
    "&": {"|": 3, "^": 2},
    "|": {"&": 3, "^": 2},
    "^": {"&": 3, "|": 3},
    "<<": {">>": 3},
    ">>": {"<<": 3},
}
CLAIMS = ("call", "comparison_operator", "boolean_operator")
UPDATES: Mapping[str, float] = {"+=": 2.0, "-=": 1.0, "*=": 0.4, "|=": 0.2}


def comparison(site: Site) -> Iterator[Draft]:
    """`<` for `<=` and the like: the classical slip at a bound."""
    for node in site.nodes("comparison_operator"):
        fault = f"The comparison `{shown(site.text(node))}` may use the wrong operator."
        for operator in node.children:
            for new, weight in COMPARISONS.get(" ".join(site.text(operator).split()), {}).items():
                yield site.swap(operator, new, fault, weight)


def boolean(site: Site) -> Iterator[Draft]:
    """`and` for `or`: negations make people take one for the other."""
    for node in site.nodes("boolean_operator"):
        operator = node.child_by_field_name("operator")
        if operator is not None:
            new = {"and": "or", "or": "and"}[operator.type]
            fault = f"The clauses of `{shown(site.text(node))}` may be joined the wrong way."
            yield site.swap(operator, new, fault)


def grouping(site: Site) -> Iterator[Draft]:
    """Parentheses that precedence called for: `a and b or c` for `a and (b or c)`."""
    for node in site.nodes("boolean_operator", "binary_operator"):
        inner, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if inner is None or right is None or inner.type != node.type:
            continue
        first, second = inner.child_by_field_name("left"), inner.child_by_field_name("right")
        if first is None or second is None:
            continue
        middle = site.module.text[site.module.end(first) : site.module.start(second)]
        start, end = site.module.start(second), site.module.end(right)
        new = f"{site.text(first)}{middle}({site.module.text[start:end]})"
        fault = f"`{shown(site.text(node))}` may be grouped the wrong way."
        yield site.compose(node, new, fault)


def arithmetic(site: Site) -> Iterator[Draft]:
    """`+` for `-` and the like, bitwise ones too: copied formulas keep the wrong sign."""
    for node in site.nodes("binary_operator"):
        operator, left = node.child_by_field_name("operator"), node.child_by_field_name("left")
        if operator is None or left is None or site.shape(left) in ("string", "list"):
            continue
        fault = f"`{shown(site.text(node))}` may use the wrong operator."
        for new, weight in ARITHMETIC.get(operator.type, {}).items():
            yield site.swap(operator, new, fault, weight)


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
        left = node.child_by_field_name("left")
        equals = next((child for child in node.children if child.type == "="), None)
        if equals is None or left is None or left.type not in ("identifier", "attribute", "subscript"):
            continue
        fault = f"`{shown(site.text(left))}` may be replaced where it should be updated."
        likely = 1.0 if site.in_loop else 0.3
        for new, weight in UPDATES.items():
            yield site.swap(equals, new, fault, weight * likely)


def unary(site: Site) -> Iterator[Draft]:
    """A `not` or a minus too many, or one too few: signs get lost when code is rearranged."""
    for node in site.nodes("not_operator", "unary_operator"):
        argument = node.child_by_field_name("argument")
        if argument is not None:
            operator = "not" if node.type == "not_operator" else site.text(node)[0]
            fault = f"The `{operator}` in `{shown(site.text(node))}` may be too much."
            yield site.swap(node, site.text(argument), fault, 2.0)
    for node in values(site):
        if site.shape(node) == "number" and node.type != "unary_operator":
            fault = f"`{shown(site.text(node))}` may have the wrong sign."
            yield site.compose(node, f"-{site.operand(node)}", fault, 0.4)
        elif node.type in CLAIMS and site.parent_type(node) == "return_statement":
            fault = f"`{shown(site.text(node))}` may be the opposite of the answer."
            yield site.swap(node, f"not ({site.text(node)})", fault, 0.7)


def negated_clause(site: Site) -> Iterator[Draft]:
    """One clause of a condition is the wrong way round."""
    for node in site.nodes("boolean_operator"):
        for side in (node.child_by_field_name("left"), node.child_by_field_name("right")):
            if side is None or side.type in ("boolean_operator", "not_operator"):
                continue
            fault = f"The clause `{shown(site.text(side))}` may be the wrong way round."
            yield site.swap(side, f"not {site.operand(side)}", fault)


def negated(site: Site) -> Iterator[Draft]:
    """The condition holds exactly when it should not."""
    for node in conditions(site):
        if node.type != "not_operator":
            text = site.text(node)
            fault = f"The condition `{shown(text)}` may be the wrong way round."
            yield site.swap(node, f"not ({text})", fault, 1.0, f"Negate `{shown(text)}`.")


TEMPLATES = (
    Template("comparison-operator", 24, comparison),
    Template("boolean-operator", 5, boolean),
    Template("grouping", 1.5, grouping),
    Template("arithmetic-operator", 9, arithmetic),
    Template("augmented-operator", 6, augmented),
    Template("lost-update", 4, forgetting),
    Template("unary-operator", 4, unary),
    Template("negated-clause", 1.5, negated_clause),
    Template("negated-condition", 3, negated),
)
