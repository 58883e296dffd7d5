"""Arguments that are missing, too many, or in the wrong order."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from treemend.agents.templates.site import Draft, Site, Template, arguments_of, shown

if TYPE_CHECKING:
    from tree_sitter import Node

ADDED_MAX = 6


def swapped(site: Site) -> Iterator[Draft]:
    """Two neighbouring arguments in the wrong order."""
    for call in site.nodes("call"):
        arguments = arguments_of(call)
        for first, second in pairwise(arguments):
            one, other = site.text(first), site.text(second)
            if one != other:
                fault = f"The arguments of `{shown(site.text(call))}` may be in the wrong order."
                edits = (site.edit(first, other), site.edit(second, one))
                weight = 3.0 if len(arguments) == 2 else 1.0
                yield Draft(fault, f"Swap `{shown(one)}` and `{shown(other)}`.", edits, weight)


def missing(site: Site) -> Iterator[Draft]:
    """An argument is missing; likelier where the function is known to take more."""
    for call in site.nodes("call"):
        function, arguments = call.child_by_field_name("function"), arguments_of(call)
        if function is None or call.child_by_field_name("arguments") is None:
            continue
        takes = site.scope.functions.get(site.text(function).rsplit(".", 1)[-1])
        known = 3.0 if takes is not None and takes > len(arguments) else 0.5
        fault = f"An argument of `{shown(site.text(call))}` may be missing."
        used = {site.text(argument) for argument in arguments}
        for name in [n for n in site.scope.variables if n.text not in used][:ADDED_MAX]:
            weight = known / (1 + name.distance)
            yield _added(site, call, name.text, fault, weight)


def _added(site: Site, call: Node, argument: str, fault: str, weight: float) -> Draft:
    """The call with the argument behind its positional ones; `call` has an argument list."""
    remedy = f"Pass `{argument}` too."
    positional = arguments_of(call)
    if positional:
        last = positional[-1]
        return site.swap(last, f"{site.text(last)}, {argument}", fault, weight, remedy)
    (arguments,) = call.children_by_field_name("arguments")
    inner = site.text(arguments)[1:].lstrip()
    separator = "" if inner.startswith(")") else ", "
    return site.swap(arguments, f"({argument}{separator}{inner}", fault, weight, remedy)


def surplus(site: Site) -> Iterator[Draft]:
    """An argument, or a keyword argument, too many."""
    for call in site.nodes("call"):
        arguments = call.child_by_field_name("arguments")
        if arguments is None or arguments.type != "argument_list":
            continue
        children = [c for c in arguments.named_children if c.type != "comment"]
        fault = f"An argument of `{shown(site.text(call))}` may be too many."
        for dropped in children:
            rest = ", ".join(site.text(child) for child in children if child != dropped)
            remedy = f"Leave out `{shown(site.text(dropped))}`."
            yield site.swap(arguments, f"({rest})", fault, 1.0, remedy)


def replaced(site: Site) -> Iterator[Draft]:
    """An argument that another expression of the call belongs to: `f(a, a)` for `f(a, b)`."""
    for call in site.nodes("call"):
        arguments = arguments_of(call)
        fault = f"An argument of `{shown(site.text(call))}` may be the wrong one."
        for argument in arguments:
            for other in arguments:
                if site.text(other) != site.text(argument):
                    yield site.swap(argument, site.text(other), fault, 0.5)


TEMPLATES = (
    Template("swapped-arguments", 6, swapped),
    Template("missing-argument", 20, missing),
    Template("surplus-argument", 14, surplus),
    Template("wrong-argument", 6, replaced),
)
