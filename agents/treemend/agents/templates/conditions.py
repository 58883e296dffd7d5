"""Conditions that are negated, too wide, too narrow, or not there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from treemend.agents.templates.site import Draft, Site, Template, condition_of, shown, unique
from treemend.store.records import Edit
from treemend.tools.scope import receiver_and_attribute
from treemend.tools.syntax import walk

if TYPE_CHECKING:
    from tree_sitter import Node

CLAUSES_MAX = 14
PRECEDES = (
    "boolean_operator",
    "not_operator",
    "conditional_expression",
    "lambda",
    "named_expression",
)


def _conditions(site: Site) -> list[Node]:
    own = condition_of(site.node)
    found = [] if own is None else [own]
    for node in site.nodes("conditional_expression"):
        found += node.named_children[1:2]
    for clause in site.nodes("if_clause"):
        found += clause.named_children[:1]
    return found


def negated(site: Site) -> Iterator[Draft]:
    """The condition holds exactly when it should not."""
    for node in _conditions(site):
        text = site.text(node)
        fault = f"The condition `{shown(text)}` may be the wrong way round."
        if node.type == "not_operator":
            continue
        yield site.swap(node, f"not ({text})", fault, 1.0, f"Negate `{shown(text)}`.")


def too_wide(site: Site) -> Iterator[Draft]:
    """A clause is missing that would hold back: `and c`."""
    for node in _conditions(site):
        fault = f"The condition `{shown(site.text(node))}` may hold too often."
        for clause, weight in _clauses(site, node, guards=("{} is not None", "{}")):
            yield _joined(site, node, clause, "and", fault, weight)


def too_narrow(site: Site) -> Iterator[Draft]:
    """A clause is missing that would let through: `or c`."""
    for node in _conditions(site):
        fault = f"The condition `{shown(site.text(node))}` may hold too rarely."
        for clause, weight in _clauses(site, node, guards=("{} is None", "not {}")):
            yield _joined(site, node, clause, "or", fault, weight)


def _joined(
    site: Site, node: Node, clause: tuple[str, bool], operator: str, fault: str, weight: float
) -> Draft:
    text, leads = clause
    own = f"({site.text(node)})" if node.type in PRECEDES else site.text(node)
    new = f"{text} {operator} {own}" if leads else f"{own} {operator} {text}"
    return site.swap(node, new, fault, weight, f"Add the clause `{operator} {shown(text)}`.")


def _clauses(site: Site, node: Node, guards: tuple[str, str]) -> list[tuple[tuple[str, bool], float]]:
    """Clauses of names in scope, with whether they must stand first, and their weights.

    What the condition takes attributes or elements of is likely to be None or empty first.
    """
    found: dict[tuple[str, bool], float] = {}
    for receiver in unique(_receivers(site, node)):
        found[guards[0].format(receiver), True] = 3.0
        found[guards[1].format(receiver), True] = 1.5
    used = {site.text(n) for n in walk(node) if n.type == "identifier"}
    for name in site.scope.variables:
        near = 1.0 if name.distance == 0 else 0.3
        sized = name.shape in ("list", "dict", "set", "string", "tuple")
        first, second = (1.0, 2.0) if sized else (0.7, 1.5)
        emphasis = near * (0.7 if name.text in used else 1.0)
        found.setdefault((guards[1].format(name.text), False), second * emphasis)
        found.setdefault((guards[0].format(name.text), False), first * emphasis * 0.5)
    for text in _other_conditions(site, node):
        found.setdefault((text, False), 0.5)
    ordered = sorted(found.items(), key=lambda pair: -pair[1])
    return ordered[:CLAUSES_MAX]


def _receivers(site: Site, node: Node) -> Iterator[str]:
    for inner in walk(node):
        receiver, _ = receiver_and_attribute(inner)
        if inner.type == "subscript":
            receiver = inner.child_by_field_name("value")
        if receiver is not None and receiver.type in ("identifier", "attribute"):
            yield site.text(receiver)


def _other_conditions(site: Site, node: Node) -> list[str]:
    found = [condition_of(n) for n in site.function_nodes("if_statement", "elif_clause", "while_statement")]
    texts = [site.text(n) for n in found if n is not None and n != node]
    return [text for text in unique(texts) if "\n" not in text][:5]


def surplus_clause(site: Site) -> Iterator[Draft]:
    """A condition that should not be asked: it always holds, or never."""
    for node in _conditions(site):
        fault = f"The condition `{shown(site.text(node))}` may be one too many."
        for new in ("True", "False"):
            if site.text(node) != new:
                yield site.swap(node, new, fault)


def guarded(site: Site) -> Iterator[Draft]:
    """A statement that should run only under a condition."""
    if site.statement.is_compound or site.node.type == "return_statement":
        return
    text = site.text(site.node)
    if "\n" in text:
        return
    fault = f"`{shown(text)}` may run when it should not."
    for name in site.scope.variables[:8]:
        forms = [(f"{name.text} is not None", 1.0), (name.text, 0.7), (f"not {name.text}", 0.4)]
        for condition, weight in forms:
            new = f"if {condition}:{site.newline}{site.indent}    {text}"
            remedy = f"Run it only if `{condition}`."
            yield site.swap(site.node, new, fault, weight / (1 + name.distance), remedy)


def branches(site: Site) -> Iterator[Draft]:
    """`elif` should be a question of its own, or the last one should not be asked."""
    node = site.node
    if node.type == "elif_clause":
        fault = f"`{shown(site.text(node).splitlines()[0])}` may have to be asked in any case."
        start = site.module.start(node)
        edit = site.edit(node, "if" + site.module.text[start + 4 : site.module.end(node)])
        yield Draft(fault, "Make it an `if` of its own.", (edit,))
        condition = condition_of(node)
        if condition is not None and node.next_named_sibling is None:
            start, end = site.module.start(node), site.module.end(condition)
            otherwise = Edit(path=site.module.path, start=start, end=end, text="else")
            yield Draft(fault, "Make it the `else`.", (otherwise,))


TEMPLATES = (
    Template("negated-condition", 4, negated),
    Template("condition-too-wide", 16, too_wide),
    Template("condition-too-narrow", 9, too_narrow),
    Template("surplus-condition", 3, surplus_clause),
    Template("missing-condition", 8, guarded),
    Template("wrong-branch", 2, branches),
)
