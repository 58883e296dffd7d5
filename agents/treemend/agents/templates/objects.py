"""Slips around objects: lookups, exceptions, defaults, awaiting."""

from __future__ import annotations

from collections.abc import Iterator

from treemend.agents.templates.site import Draft, Site, Template, shown

BROADER = (
    "Exception",
    "ValueError",
    "TypeError",
    "KeyError",
    "IndexError",
    "AttributeError",
    "StopIteration",
    "OSError",
)


def lookup(site: Site) -> Iterator[Draft]:
    """`d[k]` where the key may be missing: `d.get(k)`."""
    for node in site.nodes("subscript"):
        value, index = node.child_by_field_name("value"), node.child_by_field_name("subscript")
        above = node.parent
        if value is None or index is None or index.type in ("slice", "integer") or above is None:
            continue
        if above.type in ("assignment", "augmented_assignment") and above.child_by_field_name("left") == node:
            continue
        fault = f"`{shown(site.text(index))}` may be missing from `{shown(site.text(value))}`."
        weight = 2.0 if site.shape(value) == "dict" else 0.4
        yield site.swap(node, f"{site.text(value)}.get({site.text(index)})", fault, weight)
        yield site.swap(node, f"{site.text(value)}.get({site.text(index)}, 0)", fault, weight)


def caught(site: Site) -> Iterator[Draft]:
    """The wrong exception is caught or raised."""
    if site.node.type not in ("except_clause", "raise_statement"):
        return
    seen = [n for n in site.nodes("identifier") if site.text(n).endswith(("Error", "Exception", "Iteration"))]
    for node in seen[:2]:
        fault = f"`{site.text(node)}` may be the wrong exception."
        for other in BROADER:
            if other != site.text(node):
                yield site.swap(node, other, fault, 1.0)
        if site.node.type == "except_clause":
            for other in BROADER[1:5]:
                yield site.swap(node, f"({site.text(node)}, {other})", fault, 0.7)


def shared_default(site: Site) -> Iterator[Draft]:
    """A mutable default argument, which all calls share."""
    if site.node.type != "function_definition":
        return
    body = site.node.child_by_field_name("body")
    for node in site.nodes("default_parameter", "typed_default_parameter"):
        name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        if name is None or value is None or body is None or value.type not in ("list", "dictionary", "set"):
            continue
        text, inner = site.text(name), site.indent_of(body.named_children[0])
        fault = f"All calls share the default `{shown(site.text(node))}`."
        code = f"if {text} is None:{site.newline}{inner}    {text} = {site.text(value)}{site.newline}{inner}"
        first = body.named_children[0]
        edits = (site.edit(value, "None"), site.edit(first, code + site.text(first)))
        yield Draft(fault, "Make a new one in each call.", edits)


def awaited(site: Site) -> Iterator[Draft]:
    """A coroutine that is not awaited."""
    definition = site.statement.definition
    if definition is None or not site.text(definition).startswith("async"):
        return
    for call in site.nodes("call"):
        if call.parent is not None and call.parent.type != "await":
            yield site.swap(
                call,
                f"await {site.text(call)}",
                f"`{shown(site.text(call))}` may have to be awaited.",
            )


def swapped_values(site: Site) -> Iterator[Draft]:
    """A conditional value: one branch of `a if c else b` taken for the other."""
    for node in site.nodes("conditional_expression"):
        parts = node.named_children
        if len(parts) == 3:
            fault = f"The branches of `{shown(site.text(node))}` may be the wrong way round."
            edits = (
                site.edit(parts[0], site.text(parts[2])),
                site.edit(parts[2], site.text(parts[0])),
            )
            yield Draft(fault, "Swap its two values.", edits)


TEMPLATES = (
    Template("missing-key", 6, lookup),
    Template("wrong-exception", 4, caught),
    Template("shared-default", 6, shared_default),
    Template("missing-await", 3, awaited),
    Template("swapped-values", 2, swapped_values),
)
