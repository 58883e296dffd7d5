"""Slips around objects: lookups, shared values, exceptions, awaiting."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from treemend.agents.templates.forms import values
from treemend.agents.templates.site import Draft, Site, Template, shown

if TYPE_CHECKING:
    pass

DEFAULTS = ("0", "[]", "''", "False", "{}")


def lookup(site: Site) -> Iterator[Draft]:
    """`d[k]` where the key may be missing: `d.get(k)`; or the other way round."""
    for node in site.nodes("subscript"):
        value, index = node.child_by_field_name("value"), node.child_by_field_name("subscript")
        if value is None or index is None or index.type in ("slice", "integer", "unary_operator"):
            continue
        above = site.parent_type(node)
        if site.field(node) == "left" and above in ("assignment", "augmented_assignment"):
            continue
        fault = f"`{shown(site.text(index))}` may be missing from `{shown(site.text(value))}`."
        weight = 2.0 if site.shape(value) == "dict" or index.type == "string" else 0.3
        yield site.swap(node, f"{site.text(value)}.get({site.text(index)})", fault, weight)
        for default in DEFAULTS:
            new = f"{site.text(value)}.get({site.text(index)}, {default})"
            yield site.swap(node, new, fault, weight * 0.6)
    yield from _lookups_by_get(site)


def _lookups_by_get(site: Site) -> Iterator[Draft]:
    for node in site.nodes("call"):
        text = site.text(node)
        function = node.child_by_field_name("function")
        arguments = node.child_by_field_name("arguments")
        if function is None or arguments is None or not site.text(function).endswith(".get"):
            continue
        inner = [child for child in arguments.named_children if child.type != "comment"]
        holder = site.text(function).removesuffix(".get")
        fault = f"`{shown(text)}` may hide a missing key."
        if inner:
            yield site.swap(node, f"{holder}[{site.text(inner[0])}]", fault)


def updated_count(site: Site) -> Iterator[Draft]:
    """`d[k] += 1` where nothing may be there yet; `d[k] = [x]` that forgets what was."""
    for node in site.nodes("augmented_assignment", "assignment"):
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is None or right is None or left.type != "subscript":
            continue
        value, index = left.child_by_field_name("value"), left.child_by_field_name("subscript")
        if value is None or index is None or index.type in ("slice", "integer"):
            continue
        holder, key, new = site.text(value), site.text(index), site.text(right)
        fault = f"`{shown(site.text(left))}` may not be there yet, or may be there already."
        if node.type == "augmented_assignment":
            operator = node.child_by_field_name("operator")
            sign = site.text(operator)[:-1] if operator is not None else "+"
            for default in ("0", "[]", "''"):
                text = f"{holder}[{key}] = {holder}.get({key}, {default}) {sign} {new}"
                yield site.swap(node, text, fault)
        else:
            yield site.swap(node, f"{holder}[{key}] = {holder}.get({key}, 0) + {new}", fault, 0.5)
            yield site.swap(node, f"{holder}[{key}].append({new})", fault, 0.5)
            yield site.swap(node, f"{holder}[{key}].update({new})", fault, 0.5)
            yield site.swap(node, f"{holder}.setdefault({key}, []).append({new})", fault, 0.5)
            yield site.swap(node, f"{holder}.setdefault({key}, {new})", fault, 0.5)


def shared_default(site: Site) -> Iterator[Draft]:
    """A mutable default argument, which all calls share."""
    body = site.node.child_by_field_name("body")
    if site.node.type != "function_definition" or body is None or not body.named_children:
        return
    first = body.named_children[0]
    if first.start_point[0] == site.node.start_point[0]:
        return
    inner = site.indent_of(first)
    step = inner[len(site.indent) :]
    for node in site.nodes("default_parameter", "typed_default_parameter"):
        name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        if name is None or value is None or value.type not in ("list", "dictionary", "set", "call"):
            continue
        text = site.text(name)
        fault = f"All calls share the default `{shown(site.text(node))}`."
        lines = (f"if {text} is None:", f"{step}{text} = {site.text(value)}")
        code = "".join(f"{line}{site.newline}{inner}" for line in lines)
        edits = (site.edit(value, "None"), site.edit(first, code + site.text(first)))
        yield Draft(fault, "Make a new one in each call.", edits, 1.0)


def default_value(site: Site) -> Iterator[Draft]:
    """Another default of a parameter."""
    if site.node.type != "function_definition":
        return
    for node in site.nodes("default_parameter", "typed_default_parameter"):
        value = node.child_by_field_name("value")
        if value is not None:
            fault = f"The default in `{shown(site.text(node))}` may be wrong."
            for new in ("None", "0", "1", "True", "False", "''", "()"):
                if new != site.text(value):
                    yield site.swap(value, new, fault)


def shared_value(site: Site) -> Iterator[Draft]:
    """A list or dict that two names share where one should have had a copy."""
    for node in values(site):
        if node.type not in ("identifier", "attribute", "subscript"):
            continue
        shape, text = site.shape(node), site.text(node)
        if shape not in ("list", "dict", "set", None):
            continue
        fault = f"`{shown(text)}` may be shared where a copy was meant."
        forms = {"list({})": 1.0, "{}[:]": 1.0} if shape == "list" else {}
        forms |= {"dict({})": 0.7} if shape == "dict" else {}
        forms |= {"{}.copy()": 1.0, "list({})": 0.7}
        for form, weight in forms.items():
            passed = 1.0 if site.parent_type(node) in ("argument_list", "assignment") else 0.4
            yield site.swap(node, form.format(text), fault, weight * passed * (1.0 if shape else 0.4))


def awaited(site: Site) -> Iterator[Draft]:
    """A coroutine that is not awaited."""
    for call in site.nodes("call") if site.ingredients.is_async else ():
        if site.parent_type(call) != "await":
            fault = f"`{shown(site.text(call))}` may have to be awaited."
            yield site.compose(call, f"await {site.text(call)}", fault)


TEMPLATES = (
    Template("missing-key", 6, lookup),
    Template("wrong-update", 3, updated_count),
    Template("shared-default", 4, shared_default),
    Template("default-value", 4, default_value),
    Template("shared-value", 4, shared_value),
    Template("missing-await", 3, awaited),
)
