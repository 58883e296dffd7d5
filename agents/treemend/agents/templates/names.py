"""The wrong variable, operand, attribute or target of the same shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from treemend.agents.templates.forms import is_called, is_read
from treemend.agents.templates.site import (
    UNBOUND,
    Draft,
    Site,
    Template,
    alike,
    shown,
    unique,
    words,
)
from treemend.tools.scope import receiver_and_attribute
from treemend.tools.syntax import walk

if TYPE_CHECKING:
    from tree_sitter import Node

OPERATORS = words("binary_operator comparison_operator boolean_operator augmented_assignment")
POOL_MAX = 12
TYPO_MIN = 0.7
BUILTIN_METHODS = unique(
    name for kind in (str, list, dict, set, bytes, int) for name in dir(kind) if name[0] != "_"
)


def variable(site: Site) -> Iterator[Draft]:
    """Another variable than the one that was meant: the commonest slip of all."""
    for node in site.nodes("identifier"):
        if site.parent_type(node) not in OPERATORS:
            yield from _others(site, node, "variable")


def operand(site: Site) -> Iterator[Draft]:
    """Another operand than the one that was meant; a constant too."""
    for node in site.nodes("identifier"):
        if site.parent_type(node) in OPERATORS:
            yield from _others(site, node, "operand")
            if is_read(site, node) and site.shape(node) in ("number", None):
                fault = f"`{site.text(node)}` may be the wrong operand."
                for constant in ("0", "1"):
                    yield site.swap(node, constant, fault, 0.3)


def _others(site: Site, node: Node, role: str) -> Iterator[Draft]:
    if is_read(site, node):
        fault = f"`{site.text(node)}` may be the wrong {role}."
        for name, weight in site.rivals(node):
            yield site.swap(node, name, fault, weight)


def operand_expression(site: Site) -> Iterator[Draft]:
    """An operand that is an expression where a plain name was meant, or the other way round."""
    for node in site.header:
        if site.parent_type(node) not in OPERATORS or site.field(node) == "operator":
            continue
        if node.type in ("call", "attribute", "subscript"):
            fault = f"`{shown(site.text(node))}` may be the wrong operand."
            for name, weight in site.rivals(node, 6):
                yield site.swap(node, name, fault, weight)


def misspelt(site: Site) -> Iterator[Draft]:
    """A name that nothing binds: it was renamed in one place and not in the others."""
    definition = site.statement.definition
    if definition is None:
        return
    every = [n for n in walk(definition, into_blocks=True) if n.type == "identifier"]
    for node in site.nodes("identifier"):
        own = site.text(node)
        if site.is_bound(node) or not (is_read(site, node) or is_called(site, node)):
            continue
        uses = [n for n in every if site.text(n) == own and _is_bare(n)]
        fault = f"`{own}` isn't bound anywhere in sight."
        for name, weight in site.rivals(node, 6):
            edits = tuple(site.edit(use, name) for use in uses)
            remedy = f"Use `{name}` instead of `{own}` throughout the function."
            yield Draft(fault, remedy, edits, weight)


def all_unbound(site: Site) -> Iterator[Draft]:
    """Several names that nothing binds, in one function: each becomes the bound name most like it."""
    definition = site.statement.definition
    own = [n for n in site.nodes("identifier") if not site.is_bound(n) and is_read(site, n)]
    if definition is None or not own:
        return
    best: dict[str, str] = {}
    uses = []
    for node in walk(definition, into_blocks=True):
        text = site.text(node) if node.type == "identifier" and _is_bare(node) else ""
        if text and not site.scope.is_bound(text) and _is_plain(node):
            likeness = {name.text: alike(text, name.text) for name in site.scope.variables}
            name = max(likeness, key=lambda other: likeness[other], default="")
            if name and likeness[name] > 0.0:
                best[text] = name
                uses.append(site.edit(node, name))
    if len(best) > 1:
        fault = f"{', '.join(f'`{text}`' for text in best)} aren't bound anywhere in sight."
        remedy = f"Use {', '.join(f'`{name}`' for name in best.values())} instead."
        yield Draft(fault, remedy, tuple(uses), 1.0)


def _is_plain(node: Node) -> bool:
    """Whether no comprehension, lambda or keyword around an identifier may be what binds it."""
    above = node.parent
    if above is not None and above.type == "keyword_argument":
        return above.child_by_field_name("name") != node
    while above is not None and not above.type.endswith("_statement"):
        if above.type.endswith("comprehension") or above.type in ("lambda", "generator_expression"):
            return False
        above = above.parent
    return True


def _is_bare(node: Node) -> bool:
    above = node.parent
    return above is None or receiver_and_attribute(above)[1] != node


def renamed(site: Site) -> Iterator[Draft]:
    """One name of a statement is wrong wherever it stands: a copied line was adapted by half."""
    by_text: dict[str, list[Node]] = {}
    for node in site.nodes("identifier"):
        if is_read(site, node) or site.field(node) == "left":
            by_text.setdefault(site.text(node), []).append(node)
    for own, nodes in by_text.items():
        fault = f"`{own}` may be the wrong variable in all of this statement."
        for name, weight in site.rivals(nodes[0], 6) if len(nodes) > 1 else ():
            edits = tuple(site.edit(node, name) for node in nodes)
            yield Draft(fault, f"Use `{name}` instead of `{own}`.", edits, weight)
    pairs = [(a, b) for a in by_text for b in by_text if a < b]
    for one, other in pairs if len(pairs) <= 6 else ():
        if len(by_text[one]) + len(by_text[other]) > 2:
            fault = f"`{one}` and `{other}` may be taken for each other."
            edits = tuple(site.edit(n, other) for n in by_text[one])
            edits += tuple(site.edit(n, one) for n in by_text[other])
            yield Draft(fault, f"Swap `{one}` and `{other}`.", edits)


def attribute(site: Site) -> Iterator[Draft]:
    """Another attribute than the one that was meant, as seen on this receiver or on others."""
    for node in site.nodes("attribute"):
        receiver, name = receiver_and_attribute(node)
        if receiver is None or name is None or is_called(site, node):
            continue
        fault = f"`{shown(site.text(node))}` may be the wrong attribute."
        for other, weight in _attributes_for(site, site.text(receiver), site.text(name)):
            yield site.swap(name, other, fault, weight)


def _attributes_for(site: Site, receiver: str, own: str) -> list[tuple[str, float]]:
    near = site.scope.attributes.get(receiver, ())
    others = unique(name for names in site.scope.attributes.values() for name in names)
    weighted = {}
    for name in unique([*near, *others, *site.sibling_attributes]):
        if name != own and not name.startswith("__"):
            likeness = 1 + 2 * alike(own, name)
            weighted[name] = likeness * (2.0 if name in near else 1.0)
    return sorted(weighted.items(), key=lambda pair: -pair[1])[:POOL_MAX]


def misspelt_attribute(site: Site) -> Iterator[Draft]:
    """A method that no builtin type has, though one is called nearly so."""
    known = {*BUILTIN_METHODS, *site.scope.functions}
    for node in site.nodes("attribute"):
        _, name = receiver_and_attribute(node)
        if name is None or not is_called(site, node) or site.text(name) in known:
            continue
        own = site.text(name)
        fault = f"`{own}` may be misspelt."
        likeness = {other: alike(own, other) for other in [*BUILTIN_METHODS, *site.scope.functions]}
        for other in sorted(likeness, key=lambda text: -likeness[text])[:2]:
            if likeness[other] < TYPO_MIN:
                continue
            weight = 1.0 + UNBOUND * (likeness[other] - TYPO_MIN)
            yield site.swap(name, other, fault, weight)
            every = [n for n in walk(site.module.root, into_blocks=True) if _is_attribute(site, n, own)]
            if len(every) > 1:
                edits = tuple(site.edit(n, other) for n in every)
                # A slip that was made twice is one slip: what is wrong here is wrong there.
                yield Draft(fault, f"Use `{other}` throughout the file.", edits, 2.0 * weight)


def _is_attribute(site: Site, node: Node, text: str) -> bool:
    if node.type != "identifier" or site.text(node) != text or node.parent is None:
        return False
    return receiver_and_attribute(node.parent)[1] == node


def missing_attribute(site: Site) -> Iterator[Draft]:
    """A value where one of its attributes was meant."""
    for node in site.nodes("identifier"):
        if not is_read(site, node) or site.parent_type(node) == "attribute":
            continue
        if site.shape(node) in ("number", "string", "bool", "module", "callable"):
            continue
        own = site.text(node)
        seen = site.scope.attributes.get(own, ())
        fault = f"An attribute of `{own}` may be meant."
        for name in [*seen[:6], *(site.sibling_attributes[:3] if not seen else ())]:
            yield site.swap(node, f"{own}.{name}", fault, 1.0 if name in seen else 0.3)


def surplus_attribute(site: Site) -> Iterator[Draft]:
    """An attribute where the value itself was meant."""
    for node in site.nodes("attribute"):
        receiver, _ = receiver_and_attribute(node)
        if receiver is None or is_called(site, node) or site.text(receiver) in ("self", "cls"):
            continue
        fault = f"`{shown(site.text(receiver))}` itself may be meant."
        yield site.swap(node, site.text(receiver), fault)


def receiver(site: Site) -> Iterator[Draft]:
    """The right method or attribute of the wrong object."""
    for node in site.nodes("attribute"):
        holder, name = receiver_and_attribute(node)
        if holder is None or name is None or holder.type != "attribute":
            continue
        fault = f"`{shown(site.text(node))}` may be taken of the wrong object."
        for other, near in site.variables(5):
            yield site.swap(holder, other.text, fault, near)


def missing_self(site: Site) -> Iterator[Draft]:
    """A bare name where an attribute of `self` was meant."""
    if site.scope.name("self") is None:
        return
    for node in site.nodes("identifier"):
        own = site.text(node)
        usable = is_read(site, node) or is_called(site, node) or site.field(node) == "left"
        known = site.scope.attributes.get("self", ())
        if own in known and usable:
            fault = f"`{own}` may be meant to be the object's own."
            yield site.swap(node, f"self.{own}", fault, 1.0 if site.is_bound(node) else UNBOUND)


def target(site: Site) -> Iterator[Draft]:
    """The result goes to the wrong variable, or to the wrong element."""
    for node in site.nodes("assignment", "augmented_assignment"):
        left = node.child_by_field_name("left")
        if left is None:
            continue
        fault = f"The result may belong somewhere else than in `{shown(site.text(left))}`."
        if left.type == "identifier":
            for name, weight in site.rivals(left, 8):
                yield site.swap(left, name, fault, weight)
        elif left.type in ("subscript", "attribute"):
            places = [t for t in site.ingredients.expressions if t.kind in ("subscript", "attribute")]
            for other in places[:12]:
                if other.code != site.text(left) and ":" not in other.code:
                    same = other.kind == left.type
                    near = 1.0 if abs(other.line - site.line) <= 3 else 0.5
                    yield site.swap(left, other.code, fault, near * (1.0 if same else 0.3))


def swapped_assignment(site: Site) -> Iterator[Draft]:
    """An assignment the wrong way round: `last = x` for `x = last`."""
    for node in site.nodes("assignment"):
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        targets = ("identifier", "attribute", "subscript")
        if left is not None and right is not None and left.type in targets and right.type in targets:
            yield site.exchange(left, right, f"`{shown(site.text(node))}` may assign backwards.")


TEMPLATES = (
    Template("wrong-variable", 69, variable),
    Template("wrong-operand", 48, operand),
    Template("operand-expression", 5, operand_expression),
    Template("unbound-name", 40, misspelt),
    Template("unbound-names", 20, all_unbound),
    Template("renamed-variable", 6, renamed),
    Template("wrong-attribute", 30, attribute),
    Template("misspelt-attribute", 6, misspelt_attribute),
    Template("missing-attribute", 10, missing_attribute),
    Template("surplus-attribute", 4, surplus_attribute),
    Template("wrong-receiver", 8, receiver),
    Template("missing-self", 5, missing_self),
    Template("wrong-target", 10, target),
    Template("swapped-assignment", 3, swapped_assignment),
)
