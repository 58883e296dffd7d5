"""Wrong constants that are not numbers: booleans, None, strings, empty and short collections."""

from __future__ import annotations

from collections.abc import Iterator

from treemend.agents.templates.site import Draft, Site, Template, shown, unique

STRINGS_MAX = 6
SIZED = ("list", "string", "tuple", "set", "dict", None)


def boolean(site: Site) -> Iterator[Draft]:
    """True for False, or for what a name holds."""
    for node in site.nodes("true", "false"):
        own = site.text(node)
        other = "False" if own == "True" else "True"
        fault = f"`{own}` may be wrong."
        yield site.swap(node, other, fault, 4.0)
        for name in site.scope.variables[:5]:
            yield site.swap(node, name.text, fault, 0.3)


OTHER_NOTHINGS = (
    ("None", 0.7),
    ("[]", 0.7),
    ("0", 0.7),
    ("False", 0.5),
    ("{}", 0.4),
    ("''", 0.4),
    ("set()", 0.4),
    ("True", 0.3),
)


def empty(site: Site) -> Iterator[Draft]:
    """An empty collection where one with an element was meant, or another kind of nothing."""
    for node in site.nodes("list", "dictionary", "tuple", "none"):
        if node.named_children:
            continue
        own = site.text(node)
        fault = f"`{own}` may be the wrong thing to give."
        for new, weight in _instead_of(own, site):
            yield site.swap(node, new, fault, weight)


def _instead_of(own: str, site: Site) -> Iterator[tuple[str, float]]:
    for name in site.scope.variables[:6]:
        near = 1.0 / (1 + name.distance)
        yield name.text, near
        if own == "[]":
            yield f"[{name.text}]", near
    if own == "[]":
        yield "[[]]", 1.5
    yield from (pair for pair in OTHER_NOTHINGS if pair[0] != own)


def answer(site: Site) -> Iterator[Draft]:
    """Something else was to be returned: a variable, its length, a constant; or anything at all."""
    for node in site.nodes("return_statement"):
        names = [(n.text, 1.0 / (1 + n.distance)) for n in site.scope.variables[:8]]
        lengths = [(f"len({n.text})", 0.4) for n in site.scope.variables[:8] if n.shape in SIZED]
        constants = [(text, 0.3) for text in ("0", "1", "-1", "[]", "''", "None", "True", "False")]
        if not node.named_children:
            fault = "Nothing is returned where something may be meant."
            for text, weight in (*names, *constants):
                yield site.swap(node, f"return {text}", fault, weight)
            continue
        value = node.named_children[0]
        plain = value.type in ("integer", "true", "false", "none", "string", "float")
        fault = f"`{shown(site.text(value))}` may be the wrong answer."
        for text, weight in (*names, *lengths, *(constants if plain else ())):
            if text != site.text(value):
                yield site.swap(value, text, fault, weight if plain else 0.5 * weight)


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
