"""Accumulators: how a loop gathers its result."""

from __future__ import annotations

from collections.abc import Iterator

from treemend.agents.templates.site import Draft, Site, Template, shown


def taken_up(site: Site) -> Iterator[Draft]:
    """`xs += x` for `xs.append(x)`, `xs.append(ys)` for `xs += ys`, `x + 1` that is never kept."""
    for node in site.nodes("augmented_assignment"):
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        operator = node.child_by_field_name("operator")
        if left is None or right is None or operator is None or operator.type != "+=":
            continue
        holder, value = site.text(left), site.text(right)
        fault = f"`{shown(holder)}` may be taking up `{shown(value)}` the wrong way."
        shape = site.shape(left)
        for method in ("append", "add") if shape != "number" else ():
            yield site.swap(node, f"{holder}.{method}({value})", fault, 1.0 if method == "append" else 0.4)
        if shape in ("number", None):
            for form in (
                "{0} = max({0}, {1})",
                "{0} = min({0}, {1})",
                "{0} += 1",
                "{0} = {0} * {1}",
            ):
                if form.format(holder, value) != site.text(node):
                    yield site.swap(node, form.format(holder, value), fault, 0.4)
        if shape in ("string", "list", "tuple", None):
            yield site.swap(node, f"{holder} = {site.operand(right)} + {holder}", fault, 0.7)


def self_contained(site: Site) -> Iterator[Draft]:
    """`x += x + y` for `x += y`: the update counts what was there twice."""
    for node in site.nodes("augmented_assignment", "assignment"):
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is None or right is None or left.type not in ("identifier", "attribute", "subscript"):
            continue
        own = site.text(left)
        if right.type == "binary_operator" and node.type == "augmented_assignment":
            text = site.text(right)
            if text.startswith(own):
                rest = text[len(own) :].lstrip(" +-*/")
                fault = f"`{shown(site.text(node))}` may count `{shown(own)}` twice."
                yield site.swap(right, rest, fault, 2.0)
                yield site.swap(node, f"{own} = {text}", fault, 2.0)


def started(site: Site) -> Iterator[Draft]:
    """An accumulator that starts from the wrong value: from nothing, the first element, infinity."""
    for node in site.nodes("assignment"):
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is None or right is None or left.type != "identifier" or site.in_loop:
            continue
        own = site.text(right)
        fault = f"`{site.text(left)}` may start from the wrong value."
        if right.type in ("integer", "float", "unary_operator", "none"):
            for new in ("float('inf')", "float('-inf')", "None"):
                if new != own:
                    yield site.swap(right, new, fault)
            for name, near in site.variables(5):
                if name.shape in ("list", "tuple", "string"):
                    yield site.swap(right, f"{name.text}[0]", fault, near)
                    yield site.swap(right, f"len({name.text})", fault, 0.5 * near)


TEMPLATES = (
    Template("wrong-gathering", 4, taken_up),
    Template("counted-twice", 2, self_contained),
    Template("wrong-start", 4, started),
)
