"""The wrong variable, operand, attribute or target of the same shape."""

from __future__ import annotations

import builtins
import difflib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from treemend.agents.templates.site import Draft, Site, Template, is_read, shown, unique
from treemend.tools.scope import receiver_and_attribute

if TYPE_CHECKING:
    from tree_sitter import Node

OPERATORS = ("binary_operator", "comparison_operator", "boolean_operator", "augmented_assignment")
POOL_MAX = 10
BUILTINS = frozenset(dir(builtins))


def variable(site: Site) -> Iterator[Draft]:
    """Another variable than the one that was meant."""
    yield from _other_names(site, operands=False)


def operand(site: Site) -> Iterator[Draft]:
    """Another operand than the one that was meant; a constant too."""
    yield from _other_names(site, operands=True)


def _other_names(site: Site, operands: bool) -> Iterator[Draft]:
    for node in site.nodes("identifier"):
        is_operand = node.parent is not None and node.parent.type in OPERATORS
        if not is_read(node) or is_operand is not operands:
            continue
        fault = f"`{site.text(node)}` may be the wrong {'operand' if operands else 'variable'}."
        for name, weight in site.rivals(node):
            yield site.swap(node, name.text, fault, weight)
        if operands and site.shape(node) in ("number", None):
            for constant in ("0", "1"):
                yield site.swap(node, constant, fault, 0.5)


def attribute(site: Site) -> Iterator[Draft]:
    """Another attribute than the one that was meant, as seen on this receiver or on others."""
    for node in site.nodes("attribute"):
        receiver, name = receiver_and_attribute(node)
        if receiver is None or name is None or _is_called(node):
            continue
        fault = f"`{shown(site.text(node))}` may be the wrong attribute."
        for other, weight in _attributes_for(site, site.text(receiver)):
            if other != site.text(name):
                yield site.swap(name, other, fault, weight)


def _is_called(node: Node) -> bool:
    above = node.parent
    if above is None or above.type != "call":
        return False
    return above.child_by_field_name("function") == node


def _attributes_for(site: Site, receiver: str) -> list[tuple[str, float]]:
    own = site.scope.attributes.get(receiver, ())
    others = unique(name for names in site.scope.attributes.values() for name in names)
    pool = unique([*own, *others, *site.sibling_attributes])
    return [(name, 2.0 if name in own else 1.0) for name in pool[: POOL_MAX + len(own)]]


def missing_attribute(site: Site) -> Iterator[Draft]:
    """A value where one of its attributes was meant."""
    for node in site.nodes("identifier"):
        above = node.parent
        if not is_read(node) or (above is not None and above.type == "attribute"):
            continue
        seen = site.scope.attributes.get(site.text(node), ())
        fault = f"An attribute of `{site.text(node)}` may be meant."
        for name in [*seen, *(site.sibling_attributes[:3] if not seen else ())]:
            yield site.swap(node, f"{site.text(node)}.{name}", fault, 1.0 if name in seen else 0.4)


def surplus_attribute(site: Site) -> Iterator[Draft]:
    """An attribute where the value itself was meant."""
    for node in site.nodes("attribute"):
        receiver, _ = receiver_and_attribute(node)
        if receiver is not None and not _is_called(node):
            fault = f"`{shown(site.text(receiver))}` itself may be meant."
            yield site.swap(node, site.text(receiver), fault)


def missing_self(site: Site) -> Iterator[Draft]:
    """A bare name where an attribute of `self` was meant."""
    for node in site.nodes("identifier"):
        above = node.parent
        called = above is not None and above.type == "call"
        if site.text(node) in site.scope.attributes.get("self", ()) and (is_read(node) or called):
            fault = f"`{site.text(node)}` may be meant to be the object's own."
            yield site.swap(node, f"self.{site.text(node)}", fault)


def unbound(site: Site) -> Iterator[Draft]:
    """A name that nothing binds, a slip of the pen: the one in scope that is spelt most like it."""
    bound = {name.text for name in site.scope.names}
    for text in unique(site.text(n) for n in site.nodes("identifier") if _is_free(n)):
        if text in bound or text in BUILTINS:
            continue
        fault = f"Nothing binds the name `{text}`."
        everywhere = [n for n in site.function_nodes("identifier") if site.text(n) == text and _is_free(n)]
        for other in _spelt_like(text, [n.text for n in site.scope.names]):
            edits = tuple(site.edit(node, other) for node in everywhere)
            yield Draft(fault, f"Use `{other}` instead of `{text}`.", edits)


def _is_free(node: Node) -> bool:
    above = node.parent
    called = above is not None and above.type == "call"
    bound_by_update = above is not None and above.type == "augmented_assignment"
    return is_read(node) or (called and not is_read(node)) or bound_by_update


def _spelt_like(text: str, others: list[str]) -> list[str]:
    close = difflib.get_close_matches(text, others, n=3, cutoff=0.5)
    return [*close, *(other for other in others if other not in close)][:8]


def target(site: Site) -> Iterator[Draft]:
    """The result goes to the wrong variable, or to the wrong element."""
    for node in site.nodes("assignment", "augmented_assignment"):
        left = node.child_by_field_name("left")
        if left is None:
            continue
        fault = f"The result may belong somewhere else than in `{shown(site.text(left))}`."
        if left.type == "identifier":
            for name, weight in site.rivals(left, 8):
                yield site.swap(left, name.text, fault, weight)
        elif left.type in ("subscript", "attribute"):
            texts = [site.text(n) for n in site.function_nodes("subscript", "attribute")]
            for other in unique(texts):
                if other != site.text(left) and ":" not in other:
                    yield site.swap(left, other, fault, 1.0 if "[" in other else 0.5)


TEMPLATES = (
    Template("wrong-variable", 69, variable),
    Template("wrong-operand", 48, operand),
    Template("wrong-attribute", 30, attribute),
    Template("missing-attribute", 10, missing_attribute),
    Template("surplus-attribute", 5, surplus_attribute),
    Template("missing-self", 5, missing_self),
    Template("unbound-name", 40, unbound),
    Template("wrong-target", 10, target),
)
