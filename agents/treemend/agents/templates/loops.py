"""Loops over the wrong things, too often, or only once."""

from __future__ import annotations

from collections.abc import Iterator

from treemend.agents.templates.site import Draft, Site, Template, arguments_of, shown


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
        forms = (
            (f"reversed({text})", 1.5), (f"sorted({text})", 1.0), (f"{text}[1:]", 1.0), (f"{text}[:-1]", 1.0),
            (f"list({text})", 0.7), (f"set({text})", 0.5), (f"enumerate({text})", 0.4), (f"{text}[::-1]", 0.3),
        )  # fmt: skip
        for new, weight in forms:
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
        for new, weight in _other_ranges(texts):
            yield site.swap(call, new, fault, weight)


def _other_ranges(texts: list[str]) -> list[tuple[str, float]]:
    if len(texts) == 1:
        (stop,) = texts
        return [
            (f"range(1, {stop})", 2.0), (f"range(1, {stop} + 1)", 2.0), (f"range({stop} + 1)", 1.0),
            (f"range(2, {stop})", 0.5), (f"range({stop} - 1, -1, -1)", 0.7), (f"range(0, {stop}, 2)", 0.3),
        ]  # fmt: skip
    start, stop = texts[:2]
    if len(texts) == 2:
        return [
            (f"range({stop})", 1.0), (f"range(0, {stop})", 0.7), (f"range({start} + 1, {stop} + 1)", 1.0),
            (f"range({start}, {stop}, -1)", 0.7), (f"range({stop}, {start})", 0.5), (f"range({start}, {stop}, 2)", 0.4),
        ]  # fmt: skip
    return [(f"range({start}, {stop})", 1.0), (f"range({stop}, {start}, {texts[2]})", 0.5)]


TEMPLATES = (
    Template("wrong-loop", 3, kind),
    Template("wrong-iteration", 8, iterated),
    Template("wrong-range", 10, bounds),
)
