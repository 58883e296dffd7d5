"""Loops over the wrong things, too often, or only once."""

from __future__ import annotations

from collections.abc import Iterator

from treemend.agents.templates.site import Draft, Site, Template, arguments_of, shown, values

FORMS = (
    ("reversed({})", 1.5),
    ("sorted({})", 1.0),
    ("{}[1:]", 1.0),
    ("{}[:-1]", 1.0),
    ("list({})", 0.7),
    ("set({})", 0.5),
    ("enumerate({})", 0.4),
    ("{}[::-1]", 0.3),
)
RANGES = {
    1: (
        ("range(1, {0})", 2.0),
        ("range(1, {0} + 1)", 2.0),
        ("range({0} + 1)", 1.0),
        ("range({0} - 1, -1, -1)", 0.7),
        ("range(2, {0})", 0.5),
        ("range(0, {0}, 2)", 0.3),
    ),
    2: (
        ("range({1})", 1.0),
        ("range({0} + 1, {1} + 1)", 1.0),
        ("range(0, {1})", 0.7),
        ("range({0}, {1}, -1)", 0.7),
        ("range({1}, {0})", 0.5),
        ("range({0}, {1}, 2)", 0.4),
    ),
    3: (("range({0}, {1})", 1.0), ("range({1}, {0}, {2})", 0.5)),
}
"""Other ranges by the number of arguments."""


def kind(site: Site) -> Iterator[Draft]:
    """`if` for `while`, and back."""
    words = {"if_statement": "while", "while_statement": "if"}
    if site.node.type in words and site.node.child_by_field_name("alternative") is None:
        keyword = site.node.children[0]
        fault = f"`{shown(site.text(site.node).splitlines()[0])}` may be the wrong kind of statement."
        yield site.swap(keyword, words[site.node.type], fault)


def iterated(site: Site) -> Iterator[Draft]:
    """Another order, or another part, of what is iterated."""
    for node in site.nodes("for_statement", "for_in_clause"):
        right = node.child_by_field_name("right")
        if right is None:
            continue
        text = site.text(right)
        fault = f"The loop over `{shown(text)}` may take the wrong elements."
        for form, weight in FORMS:
            new = form.format(text)
            is_range = right.type == "call" and text.startswith("range(")
            if not (is_range and new.startswith(("set", "list", "enumerate", "sorted"))):
                yield site.swap(right, new, fault, weight)


def bounds(site: Site) -> Iterator[Draft]:
    """A range that begins or steps in another way."""
    for call in site.nodes("call"):
        function, arguments = call.child_by_field_name("function"), arguments_of(call)
        if function is None or site.text(function) != "range" or not arguments:
            continue
        texts = [site.text(argument) for argument in arguments]
        fault = f"`{shown(site.text(call))}` may have the wrong bounds."
        for form, weight in RANGES.get(len(texts), ()):
            yield site.swap(call, form.format(*texts), fault, weight)


def part(site: Site) -> Iterator[Draft]:
    """All of a sequence where only the part up to, or from, a number was meant."""
    numbers = [n.text for n in site.scope.variables if n.shape in ("number", None) and n.distance == 0][:4]
    iterated = [n.child_by_field_name("right") for n in site.nodes("for_statement", "for_in_clause")]
    for node in [*(n for n in iterated if n is not None), *values(site)]:
        text = site.text(node)
        if node.type not in ("identifier", "attribute", "list_comprehension", "call") or text in numbers:
            continue
        if site.shape(node) not in ("list", "string", "tuple", None):
            continue
        fault = f"Only a part of `{shown(text)}` may be meant."
        for form, weight in (("[1:]", 1.0), ("[:-1]", 1.0), *((f"[:{n}]", 1.0) for n in numbers)):
            yield site.swap(node, text + form, fault, weight)
        for number in numbers:
            yield site.swap(node, f"{text}[{number}:]", fault, 0.7)


TEMPLATES = (
    Template("wrong-loop", 3, kind),
    Template("wrong-iteration", 8, iterated),
    Template("wrong-range", 10, bounds),
    Template("missing-slice", 8, part),
)
