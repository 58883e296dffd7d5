"""Conditions that are too wide, too narrow, or not there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from treemend.agents.templates.forms import conditions, receivers
from treemend.agents.templates.site import Draft, Site, Template, shown, unique
from treemend.tools.syntax import walk

if TYPE_CHECKING:
    from tree_sitter import Node

CLAUSES_MAX = 14
LOOSE = ("boolean_operator", "not_operator", "conditional_expression", "lambda", "named_expression")
NOTHING = ("[]", "()", "''", '""', "None", "{}")
SIZED = ("list", "dict", "set", "string", "tuple")


def too_wide(site: Site) -> Iterator[Draft]:
    """A clause is missing that would hold back: `and c`."""
    for node in conditions(site):
        fault = f"The condition `{shown(site.text(node))}` may hold too often."
        for clause, weight in _clauses(site, node, ("{} is not None", "{}")):
            yield _joined(site, node, clause, "and", fault, weight)


def too_narrow(site: Site) -> Iterator[Draft]:
    """A clause is missing that would let through: `or c`."""
    for node in conditions(site):
        fault = f"The condition `{shown(site.text(node))}` may hold too rarely."
        for clause, weight in _clauses(site, node, ("{} is None", "not {}")):
            yield _joined(site, node, clause, "or", fault, weight)


def _joined(
    site: Site, node: Node, clause: tuple[str, bool], operator: str, fault: str, weight: float
) -> Draft:
    text, leads = clause
    own = f"({site.text(node)})" if node.type in LOOSE else site.text(node)
    new = f"{text} {operator} {own}" if leads else f"{own} {operator} {text}"
    return site.swap(node, new, fault, weight, f"Add the clause `{operator} {shown(text)}`.")


def _clauses(site: Site, node: Node, guards: tuple[str, str]) -> list[tuple[tuple[str, bool], float]]:
    """Clauses of names in scope, with whether they must stand first, and their weights.

    What the condition takes attributes or elements of is likely to be None or empty first.
    """
    found: dict[tuple[str, bool], float] = {}
    own = site.text(node)
    for receiver in unique(receivers(site, node)):
        if receiver not in ("self", "cls") and guards[0].format(receiver) not in own:
            found[guards[0].format(receiver), True] = 3.0
            found[guards[1].format(receiver), True] = 2.0
    used = {site.text(n) for n in walk(node) if n.type == "identifier"}
    for name, near in site.variables(10):
        emphasis = near * (0.7 if name.text in used else 1.0)
        if name.shape == "number":
            found.setdefault((f"{name.text} {'>' if 'not' in guards[0] else '<='} 0", False), emphasis)
            found.setdefault((f"{name.text} == 0", False), 0.5 * emphasis)
            continue
        empty, none = (2.0, 0.5) if name.shape in SIZED else (1.5, 1.0)
        found.setdefault((guards[1].format(name.text), False), empty * emphasis)
        found.setdefault((guards[0].format(name.text), False), none * emphasis * 0.7)
    for other in site.ingredients.conditions:
        if other.code != own and own not in other.code and other.code not in own:
            near = 1.0 if abs(other.line - site.line) <= 5 else 0.4
            found.setdefault((other.code, False), 0.5 * near)
    ordered = sorted(found.items(), key=lambda pair: -pair[1])
    return [pair for pair in ordered if pair[0][0] != own][:CLAUSES_MAX]


def other_emptiness(site: Site) -> Iterator[Draft]:
    """One kind of nothing is asked for where another comes too: `x == ()` for `x == () or x == []`."""
    for node in site.nodes("comparison_operator"):
        if len(node.named_children) != 2 or site.text(node.named_children[1]) not in NOTHING:
            continue
        left, right = (site.text(child) for child in node.named_children)
        fault = f"`{shown(site.text(node))}` may miss another kind of nothing."
        yield site.compose(node, f"not {left}", fault)
        for new in NOTHING:
            if new != right:
                joined = f"{left} == {right} or {left} == {new}"
                yield site.swap(node, joined if _is_alternative(site, node) else f"({joined})", fault)


def _is_alternative(site: Site, node: Node) -> bool:
    """Whether a condition stands alone or among others joined by `or`."""
    above = site.parent(node)
    operator = above.child_by_field_name("operator") if above is not None else None
    return operator is None or operator.type == "or"


def lost_comparison(site: Site) -> Iterator[Draft]:
    """`x == a or b` for `x == a or x == b`: people write it as they say it."""
    for node in site.nodes("boolean_operator"):
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is None or right is None or left.type != "comparison_operator":
            continue
        operator = " ".join(site.text(child) for child in left.children if not child.is_named)
        subject = site.text(left.named_children[0])
        if right.type not in ("comparison_operator", "boolean_operator", "not_operator") and operator:
            new = f"{subject} {operator} {site.text(right)}"
            yield site.swap(right, new, f"`{shown(site.text(right))}` is a condition on its own.", 2.0)


def surplus_condition(site: Site) -> Iterator[Draft]:
    """A condition that should not be asked: it always holds, or never."""
    for node in conditions(site):
        fault = f"The condition `{shown(site.text(node))}` may be one too many."
        for new in ("True", "False"):
            if site.text(node) != new:
                yield site.swap(node, new, fault)


def other_condition(site: Site) -> Iterator[Draft]:
    """The condition of another branch, or of membership: `x not in seen` for a count."""
    for node in conditions(site):
        own = site.text(node)
        fault = f"The condition `{shown(own)}` may be the wrong one."
        for other in site.ingredients.conditions[:8]:
            if other.code != own:
                yield site.swap(node, other.code, fault, 0.5)
        variables = site.variables(8)
        holders = [(n, w) for n, w in variables if n.shape in ("list", "set", "dict", "tuple")]
        for holder, near in holders[:4]:
            for name, also in [pair for pair in variables if pair[0] != holder][:4]:
                if name.shape in (None, "number", "string"):
                    weight = 0.5 * near * also * (1.0 if name.text in own else 0.5)
                    yield site.swap(node, f"{name.text} not in {holder.text}", fault, weight)
                    yield site.swap(node, f"{name.text} in {holder.text}", fault, 0.6 * weight)


def guarded(site: Site) -> Iterator[Draft]:
    """A statement that should run only under a condition."""
    if site.statement.is_compound or not site.owns_line:
        return
    text = site.text(site.node)
    if "\n" in text or site.node.type.startswith(("import", "pass", "global", "nonlocal")):
        return
    fault = f"`{shown(text)}` may run when it should not."
    for condition, weight in _reasons(site):
        new = f"if {condition}:{site.newline}{site.deeper}{text}"
        yield site.swap(site.node, new, fault, weight, f"Run it only if `{shown(condition)}`.")


def _reasons(site: Site) -> list[tuple[str, float]]:
    found: dict[str, float] = {}
    for receiver in unique(receivers(site, site.node)):
        if receiver not in ("self", "cls"):
            found[receiver] = 1.5
            found[f"{receiver} is not None"] = 1.5
    for name, near in site.variables(6):
        found.setdefault(name.text, 0.7 * near)
        found.setdefault(f"{name.text} is not None", 0.7 * near)
        found.setdefault(f"not {name.text}", 0.4 * near)
    for other in site.ingredients.conditions[:5]:
        found.setdefault(other.code, 0.4)
    return sorted(found.items(), key=lambda pair: -pair[1])[:14]


TEMPLATES = (
    Template("condition-too-wide", 16, too_wide),
    Template("condition-too-narrow", 12, too_narrow),
    Template("other-emptiness", 1.5, other_emptiness),
    Template("lost-comparison", 3, lost_comparison),
    Template("surplus-condition", 3, surplus_condition),
    Template("wrong-condition", 5, other_condition),
    Template("missing-condition", 8, guarded),
)
