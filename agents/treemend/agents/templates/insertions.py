"""Statements that are missing: an update, a collection, a return, a line that others have."""

from __future__ import annotations

import re
from collections.abc import Iterator

from treemend.agents.templates.site import Draft, Site, Template, shown
from treemend.tools.scope import Name
from treemend.tools.syntax import DEFINITIONS

INGREDIENTS_MAX = 18
EXITS = ("return_statement", "raise_statement", "break_statement", "continue_statement")
GROWS = {"list": "append", "set": "add"}
WORD = re.compile(r"[A-Za-z_]\w*")


def insert(site: Site) -> Iterator[Draft]:
    """A statement is missing behind this one or, at the start of a block, before it."""
    if site.statement.definition is None or site.is_clause or not site.owns_line:
        return
    if site.node.type in DEFINITIONS:
        return
    is_first = site.statement.block[0] == site.node
    is_exit = site.node.type in EXITS
    for code, weight in _ingredients(site):
        if not is_exit:
            fault = f"Something may be missing behind `{site.head}`."
            yield Draft(fault, f"Add `{shown(code)}`.", (site.insert_after(code),), weight)
        if is_first or is_exit:
            fault = f"Something may be missing before `{site.head}`."
            yield Draft(fault, f"Add `{shown(code)}`.", (site.insert_before(code),), weight)


def _ingredients(site: Site) -> list[tuple[str, float]]:
    """Statements made of names in scope, and those that the function has elsewhere."""
    found: dict[str, float] = {}
    for text in site.ingredients.statements:
        if text.line != site.line and not text.code.startswith(('"', "'")):
            near = 1.0 if abs(text.line - site.line) <= 6 else 0.5
            found[text.code] = 1.2 * near
            for code in _adapted(site, text.code):
                found.setdefault(code, 0.5 * near)
    for code, weight in _made(site):
        found[code] = max(weight, found.get(code, 0.0))
    last = site.statement.block[-1] == site.node
    usable = {
        code: weight * (0.2 if _exits(code) and not last else 1.0)
        for code, weight in found.items()
        if site.in_loop or code not in ("break", "continue")
    }
    return sorted(usable.items(), key=lambda pair: -pair[1])[:INGREDIENTS_MAX]


def _exits(code: str) -> bool:
    return code.startswith(("return", "break", "continue", "raise"))


def _adapted(site: Site, code: str) -> Iterator[str]:
    """A statement of the function with one of its arguments or values exchanged for a near name."""
    inner = re.search(r"(?<=\()\w+(?=\)$)|(?<== )\w+$", code)
    if inner is None:
        return
    for name, _ in site.variables(4):
        if name.text != inner.group() and name.text not in WORD.findall(code):
            yield code[: inner.start()] + name.text + code[inner.end() :]


def _made(site: Site) -> Iterator[tuple[str, float]]:
    names = site.variables(9)
    outermost = site.node.parent is not None and site.node.parent.parent == site.statement.definition
    ends = outermost and site.statement.block[-1] == site.node
    for name, near in names:
        returned = 2.5 if ends and not site.ingredients.returned else 1.0
        if not site.ingredients.is_generator:
            yield f"return {name.text}", (returned if ends else 0.4) * near
        if name.shape == "number":
            yield f"{name.text} += 1", near * (1.5 if site.in_loop else 0.4)
            yield f"{name.text} -= 1", near * (0.7 if site.in_loop else 0.2)
        yield from _collected(site, name, near, names)
    for one, near in names[:6]:
        for other, also in names[:6]:
            if one.text != other.text and (one.shape == other.shape or None in (one.shape, other.shape)):
                same = 1.0 if one.shape == other.shape else 0.5
                yield f"{one.text} = {other.text}", 0.8 * near * also * same
    if site.in_loop:
        yield "continue", 0.5
        yield "break", 0.5


def _collected(
    site: Site, holder: Name, near: float, names: tuple[tuple[Name, float], ...]
) -> Iterator[tuple[str, float]]:
    """The holder takes up a near name: `xs.append(x)`, `total += x`, `seen.add(x)`."""
    method = GROWS.get(holder.shape or "")
    counts = holder.shape == "number" and site.in_loop
    for name, also in names[:6] if method or counts else ():
        if name.text == holder.text:
            continue
        if method:
            yield f"{holder.text}.{method}({name.text})", 1.6 * near * also
            if name.shape in ("list", "tuple", "string") and not site.in_loop:
                yield f"{holder.text}.{method}({name.text}[-1])", 0.8 * near * also
                yield f"{holder.text}.{method}({name.text}[0])", 0.5 * near * also
        elif name.shape in ("number", None):
            yield f"{holder.text} += {name.text}", 0.8 * near * also


def lost_result(site: Site) -> Iterator[Draft]:
    """A value that is computed and thrown away, or printed, where it should be given back or kept."""
    if site.node.type != "expression_statement" or not site.node.named_children:
        return
    value = site.node.named_children[0]
    if value.type not in (
        "call",
        "binary_operator",
        "await",
        "subscript",
        "identifier",
        "attribute",
    ):
        return
    text = site.text(value)
    fault = f"The result of `{shown(text)}` is thrown away."
    if site.statement.definition is not None:
        yield site.swap(value, f"return {text}", fault, 2.0)
        yield site.swap(value, f"yield {text}", fault, 1.0 if site.ingredients.is_generator else 0.2)
        yield site.swap(value, f"yield from {text}", fault, 1.0 if site.ingredients.is_generator else 0.2)
        if text.startswith("print(") and text.count("(") == 1:
            yield site.swap(value, f"return {text[6:-1]}", fault, 3.0)
    for name, near in site.variables(5):
        yield site.swap(value, f"{name.text} = {text}", fault, near)
        yield site.swap(value, f"{name.text} += {text}", fault, 0.3 * near)


def kept_instead(site: Site) -> Iterator[Draft]:
    """Something is returned in the first round of a loop that should have been collected."""
    if site.node.type != "return_statement" or not site.in_loop or not site.node.named_children:
        return
    text = site.text(site.node.named_children[0])
    fault = f"`{site.head}` may end the loop too early."
    yield site.swap(site.node, f"yield {text}", fault)
    for name, near in site.variables(6):
        if name.shape in ("list", "set") and name.text != text:
            yield site.swap(site.node, f"{name.text}.{GROWS[name.shape]}({text})", fault, 2.0 * near)
        elif name.shape == "number" and name.text != text:
            yield site.swap(site.node, f"{name.text} += {text}", fault, near)


TEMPLATES = (
    Template("missing-statement", 26, insert),
    Template("lost-result", 6, lost_result),
    Template("returned-too-early", 3, kept_instead),
)
