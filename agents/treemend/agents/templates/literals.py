"""Wrong constants that are not numbers: booleans, None, empty and short collections, answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from treemend.agents.templates.site import Draft, Site, Template, shown, words

if TYPE_CHECKING:
    from tree_sitter import Node

EMPTIES = {
    "None": 0.6,
    "[]": 0.8,
    "0": 0.6,
    "{}": 0.4,
    "''": 0.5,
    "set()": 0.4,
    "()": 0.3,
    "False": 0.5,
}
ANSWERS = {
    "0": 0.5,
    "1": 0.4,
    "-1": 0.4,
    "[]": 0.4,
    "''": 0.3,
    "None": 0.6,
    "True": 0.6,
    "False": 0.6,
}


def boolean(site: Site) -> Iterator[Draft]:
    """True for False, or for what a name holds."""
    for node in site.nodes("true", "false"):
        own = site.text(node)
        other = "False" if own == "True" else "True"
        fault = f"`{own}` may be wrong."
        yield site.swap(node, other, fault, 4.0)
        for name, near in site.variables(5):
            if name.shape in (None, "bool"):
                yield site.swap(node, name.text, fault, 0.3 * near)


def empty(site: Site) -> Iterator[Draft]:
    """An empty collection where one with an element was meant, or another kind of nothing."""
    for node in site.nodes("list", "dictionary", "tuple", "none", "set", "string", "call"):
        own = site.text(node)
        if node.type not in ("string", "call") and node.named_children:
            continue
        if node.type in ("string", "call") and own not in ("''", '""', "set()", "list()", "dict()"):
            continue
        if site.parent_type(node) in ("comparison_operator", "expression_statement"):
            continue
        fault = f"`{own}` may be the wrong thing to start from or to give."
        for new, weight in _fillings(site, own).items():
            if new != own:
                yield site.swap(node, new, fault, weight)


def _fillings(site: Site, own: str) -> dict[str, float]:
    """Values that stand for an empty one: with an element, of another kind, or a variable."""
    found = dict(EMPTIES)
    if own == "[]":
        found |= {"[[]]": 1.2, "[0]": 0.5, "[1]": 0.3, "[None]": 0.2, "['']": 0.3}
    for name, near in site.variables(6):
        found[name.text] = 0.8 * near
        if own in ("[]", "()"):
            found[f"[{name.text}]"] = near
            found[f"({name.text},)"] = 0.2 * near
        if own == "set()":
            found[f"{{{name.text}}}"] = near
        if name.shape in ("list", "tuple", "string", None) and own in ("[]", "None", "0"):
            found[f"{name.text}[0]"] = 0.3 * near
    return found


def answer(site: Site) -> Iterator[Draft]:
    """A constant is returned where a variable was meant, or nothing where something was."""
    if site.node.type != "return_statement":
        return
    if not site.node.named_children:
        fault = "Nothing is returned where something may be meant."
        known = [(text.code, 1.5) for text in site.ingredients.returned if len(text.code) < 30]
        plain = [(name.text, near) for name, near in site.variables(6)]
        for new, weight in dict([*ANSWERS.items(), *plain, *known]).items():
            yield site.swap(site.node, f"return {new}", fault, weight)
        return
    value = site.node.named_children[0]
    if value.type in ("binary_operator", "call", "subscript"):
        yield from _sizes(site, value)
    constant = words("integer true false none string float identifier list unary_operator")
    if value.type not in constant or (value.type == "list" and value.named_children):
        return
    fault = f"`{shown(site.text(value))}` may be the wrong answer."
    for new, weight in _answers(site, value.type).items():
        if new != site.text(value):
            yield site.swap(value, new, fault, weight)


def _sizes(site: Site, value: Node) -> Iterator[Draft]:
    """The number of all elements as the answer when a search came to nothing."""
    fault = f"`{shown(site.text(value))}` may be the wrong answer."
    for name, near in site.variables(6):
        if name.shape in ("list", "string", "tuple", "dict", "set", None):
            yield site.swap(value, f"len({name.text})", fault, 0.4 * near)


def _answers(site: Site, kind: str) -> dict[str, float]:
    found = dict(ANSWERS) if kind != "identifier" else {}
    for text in site.ingredients.returned[:5]:
        found[text.code] = 0.8
    for name, near in site.variables(8):
        if kind in ("true", "false"):
            shape_forms = (
                ("{} == 0", "not {}", "{} > 0") if name.shape == "number" else ("not {}", "bool({})")
            )
            for form in shape_forms:
                found[form.format(name.text)] = 0.8 * near
        elif name.shape in ("list", "string", "tuple", "dict", "set", None):
            found[f"len({name.text})"] = 0.6 * near
        if kind != "identifier":
            found[name.text] = near
    return found


def list_element(site: Site) -> Iterator[Draft]:
    """A list, tuple or set with an element too many or too few."""
    for node in site.nodes("list", "tuple", "set"):
        inner = [child for child in node.named_children if child.type != "comment"]
        text = site.text(node)
        if not inner or "\n" in text:
            continue
        fault = f"`{shown(text)}` may have the wrong elements."
        for position in range(len(inner)) if 1 < len(inner) <= 4 else ():
            kept = [site.text(c) for i, c in enumerate(inner) if i != position]
            tail = "," if node.type == "tuple" and len(kept) == 1 else ""
            new = f"{text[0]}{', '.join(kept)}{tail}{text[-1]}" if text[0] in "([{" else ", ".join(kept)
            yield site.swap(node, new, fault)
        if node.type == "list":
            yield site.swap(node, "[]", fault, 0.7)
        for name, near in site.variables(4):
            if text[0] in "[{(":
                body = text[1:-1].rstrip().rstrip(",")
                yield site.swap(node, f"{text[0]}{body}, {name.text}{text[-1]}", fault, 0.6 * near)


TEMPLATES = (
    Template("wrong-boolean", 13, boolean),
    Template("wrong-empty", 10, empty),
    Template("wrong-answer", 10, answer),
    Template("wrong-elements", 8, list_element),
)
