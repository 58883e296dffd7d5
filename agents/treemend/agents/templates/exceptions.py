"""Exceptions: the wrong one, one that is let through, one that is swallowed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from treemend.agents.templates.site import Draft, Site, Template, shown, words
from treemend.tools.syntax import body_of

if TYPE_CHECKING:
    from tree_sitter import Node

KNOWN = words(
    "ValueError TypeError KeyError IndexError AttributeError LookupError OSError RuntimeError "
    "StopIteration ZeroDivisionError NotImplementedError OverflowError UnicodeError Exception"
)
RAISED_BY = {
    "subscript": ("KeyError", "IndexError"),
    "call": ("ValueError", "TypeError", "AttributeError"),
}


def wrong(site: Site) -> Iterator[Draft]:
    """The wrong exception is caught or raised, or one too few."""
    if site.node.type not in ("except_clause", "raise_statement"):
        return
    fault = f"`{site.head}` may name the wrong exception."
    for node in [n for n in site.nodes("identifier") if _is_exception(site.text(n))][:2]:
        own = site.text(node)
        for other in KNOWN:
            if other != own:
                yield site.swap(node, other, fault, 2.0 if other == "Exception" else 1.0)
        if site.node.type == "except_clause" and site.parent_type(node) != "tuple":
            for other in KNOWN[:6]:
                if other != own:
                    yield site.swap(node, f"({own}, {other})", fault, 1.0)


def uncaught(site: Site) -> Iterator[Draft]:
    """One exception too few in a tuple of those that are caught."""
    for node in site.nodes("tuple") if site.node.type == "except_clause" else ():
        fault = f"`{site.head}` may let an exception through."
        for other in KNOWN[:8]:
            if other not in site.text(node):
                new = f"{site.text(node)[:-1].rstrip().rstrip(',')}, {other})"
                yield site.swap(node, new, fault)


def _is_exception(text: str) -> bool:
    return text.endswith(("Error", "Exception", "Iteration", "Exit", "Warning"))


def swallowed(site: Site) -> Iterator[Draft]:
    """An exception that should go on to the caller."""
    body = body_of(site.node)
    if site.node.type != "except_clause" or body is None or not body.named_children:
        return
    last = body.named_children[-1]
    fault = f"`{site.head}` may swallow what the caller should see."
    if last.type != "raise_statement":
        yield site.swap(last, "raise", fault, 1.0, "Raise it again.")
        indent = site.indent_of(last)
        if last.type not in ("return_statement", "continue_statement", "break_statement"):
            new = f"{site.text(last)}{site.newline}{indent}raise"
            yield site.swap(last, new, fault, 1.0, "Raise it again in the end.")


def unguarded(site: Site) -> Iterator[Draft]:
    """A statement whose failure should have been caught."""
    if site.statement.is_compound or not site.owns_line or "\n" in site.text(site.node):
        return
    if not site.nodes("call", "subscript"):
        return
    text, newline, indent, deeper = site.text(site.node), site.newline, site.indent, site.deeper
    kinds = [error for kind in ("subscript", "call") if site.nodes(kind) for error in RAISED_BY[kind]]
    fault = f"`{shown(text)}` may fail where nothing catches it."
    for error in kinds[:3]:
        for reaction, weight in _reactions(site):
            new = f"try:{newline}{deeper}{text}{newline}{indent}except {error}:{newline}{deeper}{reaction}"
            yield site.swap(site.node, new, fault, weight, f"Catch `{error}` with `{reaction}`.")


def _reactions(site: Site) -> Iterator[tuple[str, float]]:
    yield "pass", 1.0
    if site.in_loop:
        yield "continue", 1.0
    if site.statement.definition is not None:
        yield "return None", 0.7
        yield "return False", 0.5
    targets: list[Node | None] = [n.child_by_field_name("left") for n in site.nodes("assignment")]
    for target in targets:
        if target is not None and target.type == "identifier":
            yield f"{site.text(target)} = None", 0.5


TEMPLATES = (
    Template("wrong-exception", 4, wrong),
    Template("uncaught-exception", 2, uncaught),
    Template("swallowed-exception", 2, swallowed),
    Template("missing-handler", 3, unguarded),
)
