"""Strings: the wrong text, separator, placeholder or form."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from treemend.agents.templates.site import Draft, Site, Template, alike, shown

if TYPE_CHECKING:
    from tree_sitter import Node

STRINGS_MAX = 6
SEPARATORS: Mapping[str, float] = {
    "''": 1.5, "' '": 2.0, "','": 1.0, "', '": 1.0, "'\\n'": 0.7, "'-'": 0.4, "'_'": 0.4, "'.'": 0.4,
    "'/'": 0.3, "'0'": 0.3, "'\\t'": 0.3,
}  # fmt: skip
PERCENT: Mapping[str, tuple[str, ...]] = {
    "%s": ("%r", "%d"), "%d": ("%s", "%i"), "%r": ("%s",), "%f": ("%s", "%g", "%.2f"), "%i": ("%s",),
}  # fmt: skip
PLACEHOLDER = re.compile(r"%[sdrfi]")


def string(site: Site) -> Iterator[Draft]:
    """Another string: one of the function's, a separator, an empty one."""
    for node in _strings(site):
        own = site.text(node)
        if own[-1] not in "\"'" or own[0] not in "\"'":
            continue
        fault = f"The string `{shown(own)}` may be wrong."
        short = len(own) <= 4
        near = [t for t in site.ingredients.strings if abs(t.line - site.line) <= 20][:STRINGS_MAX]
        others = {t.code: 1.0 + 2 * alike(own, t.code) for t in near}
        for text, usual in SEPARATORS.items() if short else [("''", 0.1)]:
            others[text] = max(usual, others.get(text, 0.0))
        for text, weight in others.items():
            if text.strip("\"'") != own.strip("\"'"):
                yield site.swap(node, text, fault, weight)


def _strings(site: Site) -> Iterator[Node]:
    for node in site.nodes("string"):
        if "\n" not in site.text(node) and site.parent_type(node) != "expression_statement":
            yield node


def string_name(site: Site) -> Iterator[Draft]:
    """A fixed string where the value of a variable was meant: a parameter that was forgotten."""
    for node in _strings(site):
        own = site.text(node)
        fault = f"The string `{shown(own)}` may have to be a variable."
        for name, near in site.variables(10):
            if name.shape in ("string", None):
                likely = 2.0 if name.shape == "string" else 1.0
                yield site.swap(node, name.text, fault, near * likely)


def letter_case(site: Site) -> Iterator[Draft]:
    """The same text in another case, or without the blanks or punctuation at its ends."""
    for node in _strings(site):
        own = site.text(node)
        quote = own[-1]
        start = own.find(quote)
        prefix, body = own[: start + 1], own[start + 1 : -1]
        if own.endswith(quote * 3) or "{" in prefix or not body:
            continue
        fault = f"The text of `{shown(own)}` may be slightly wrong."
        forms = (body.lower(), body.upper(), body.title(), body.capitalize(), body.strip(), body + " ",
                 " " + body, body.rstrip(".,;:!?"), body[1:], body[:-1], body + "\\n")  # fmt: skip
        for new in dict.fromkeys(forms):
            if new != body and not new.endswith("\\") and (new or len(body) == 1):
                yield site.swap(node, f"{prefix}{new}{quote}", fault, 0.3)


def placeholder(site: Site) -> Iterator[Draft]:
    """`%d` for `%s` and the like; a conversion or a format that is missing in an f-string."""
    for node in site.nodes("string"):
        text = site.text(node)
        start = site.module.start(node)
        fault = f"A placeholder in `{shown(text)}` may be of the wrong kind."
        for match in PLACEHOLDER.finditer(text):
            for new in PERCENT[match.group()]:
                edit = site.edit(node, text[: match.start()] + new + text[match.end() :])
                yield Draft(fault, f"Use `{new}` instead of `{match.group()}`.", (edit,))
        if not text.lstrip("rRbB").startswith(("f", "F")) and re.search(r"\{\w+\}", text):
            yield site.swap(node, f"f{text}", f"`{shown(text)}` may have to be an f-string.", 2.0)
        if text.startswith(("f'", 'f"')) and start >= 0 and "{" not in text:
            yield site.swap(node, text[1:], fault, 0.3)
    for node in site.nodes("interpolation"):
        text = site.text(node)
        if text.endswith("}") and "!" not in text and ":" not in text:
            fault = f"`{shown(text)}` may be shown in the wrong form."
            for new in ("!r", "!s", ":.2f"):
                yield site.swap(node, f"{text[:-1]}{new}}}", fault)
        if "!r}" in text:
            yield site.swap(node, text.replace("!r}", "}"), f"`{shown(text)}` may be quoted.", 2.0)


TEMPLATES = (
    Template("wrong-string", 10, string),
    Template("string-for-name", 5, string_name),
    Template("wrong-letters", 5, letter_case),
    Template("wrong-placeholder", 4, placeholder),
)
