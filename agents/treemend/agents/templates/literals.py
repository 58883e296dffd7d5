"""Wrong constants that are not numbers: booleans, None, strings, empty and short collections."""

from __future__ import annotations

from collections.abc import Iterator

from treemend.agents.templates.site import Draft, Site, Template, shown, unique

STRINGS_MAX = 6


def boolean(site: Site) -> Iterator[Draft]:
    """True for False, or for what a name holds."""
    for node in site.nodes("true", "false"):
        own = site.text(node)
        other = "False" if own == "True" else "True"
        fault = f"`{own}` may be wrong."
        yield site.swap(node, other, fault, 4.0)
        for name in site.scope.variables[:5]:
            yield site.swap(node, name.text, fault, 0.3)


def empty(site: Site) -> Iterator[Draft]:
    """An empty collection where one with an element was meant, or another kind of nothing."""
    for node in site.nodes("list", "dictionary", "tuple", "none"):
        if node.named_children:
            continue
        own = site.text(node)
        fault = f"`{own}` may be the wrong thing to give."
        for name in site.scope.variables[:6]:
            near = 1.0 / (1 + name.distance)
            yield site.swap(node, name.text, fault, near)
            if own == "[]":
                yield site.swap(node, f"[{name.text}]", fault, near)
        for other, weight in (("[[]]", 1.5 if own == "[]" else 0.0), ("None", 0.7), ("[]", 0.7), ("0", 0.7),
                              ("{}", 0.4), ("''", 0.4), ("set()", 0.4), ("False", 0.5), ("True", 0.3)):  # fmt: skip
            if other != own and weight:
                yield site.swap(node, other, fault, weight)


def answer(site: Site) -> Iterator[Draft]:
    """A constant is returned where a variable was meant, or nothing where something was."""
    for node in site.nodes("return_statement"):
        if not node.named_children:
            fault = "Nothing is returned where something may be meant."
            for name in site.scope.variables[:6]:
                yield site.swap(node, f"return {name.text}", fault)
            for constant in ("[]", "0", "False", "True"):
                yield site.swap(node, f"return {constant}", fault, 0.5)
            continue
        value = node.named_children[0]
        if value.type not in ("integer", "true", "false", "none", "string", "float"):
            continue
        fault = f"`{shown(site.text(value))}` may be the wrong answer."
        for name in site.scope.variables[:8]:
            yield site.swap(value, name.text, fault, 1.0 / (1 + name.distance))
        for constant in ("0", "1", "-1", "[]", "''", "None", "True", "False"):
            if constant != site.text(value):
                yield site.swap(value, constant, fault, 0.3)


def string(site: Site) -> Iterator[Draft]:
    """Another string: one of the function's, a separator, an empty one."""
    strings = unique(site.text(n) for n in site.function_nodes("string") if "\n" not in site.text(n))
    for node in site.nodes("string"):
        own = site.text(node)
        above = node.parent
        if "\n" in own or (above is not None and above.type == "expression_statement"):
            continue
        fault = f"The string `{shown(own)}` may be wrong."
        others = {text: 1.0 for text in strings[:STRINGS_MAX]}
        for text in ("''", "' '", "','", "', '", "'\\n'"):
            others.setdefault(text, 0.5 if len(own) <= 4 else 0.1)
        for text, weight in others.items():
            if text.strip("\"'") != own.strip("\"'"):
                yield site.swap(node, text, fault, weight)


TEMPLATES = (
    Template("wrong-boolean", 13, boolean),
    Template("wrong-empty", 10, empty),
    Template("wrong-answer", 10, answer),
    Template("wrong-string", 8, string),
)
