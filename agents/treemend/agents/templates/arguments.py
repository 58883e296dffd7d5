"""Arguments that are missing, too many, in the wrong order, or the wrong ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from treemend.agents.templates.forms import arguments_of
from treemend.agents.templates.site import Draft, Site, Template, shown
from treemend.tools.scope import receiver_and_attribute

if TYPE_CHECKING:
    from tree_sitter import Node

ADDED_MAX = 6
KEYWORDS = {
    "sorted": ("reverse=True", "key=len", "key=str.lower", "key=lambda x: x[1]", "key=lambda x: x[0]",
               "key=lambda x: (len(x), x)", "key=lambda x: -x"),
    "sort": ("reverse=True", "key=len", "key=lambda x: x[1]", "key=lambda x: x[0]"),
    "max": ("key=len", "default=0", "default=None", "key=lambda x: x[1]"),
    "min": ("key=len", "default=0", "default=None", "key=lambda x: x[1]"),
    "split": ("' '", "','", "'\\n'", "maxsplit=1"),
    "rsplit": ("maxsplit=1",),
    "round": ("1", "2", "4"),
    "enumerate": ("1", "start=1"),
    "open": ("encoding='utf-8'", "newline=''"),
    "read_text": ("encoding='utf-8'",),
    "write_text": ("encoding='utf-8'",),
    "encode": ("'utf-8'",),
    "decode": ("'utf-8'", "errors='replace'"),
    "get": ("0", "''", "[]", "None", "False"),
    "pop": ("0", "-1", "None"),
    "next": ("None",),
    "getattr": ("None",),
    "int": ("2", "10", "16", "0"),
    "sum": ("[]", "0"),
    "replace": ("1",),
    "zip": ("strict=True",),
    "join": (),
}  # fmt: skip


def swapped(site: Site) -> Iterator[Draft]:
    """Two arguments in the wrong order."""
    for call in site.nodes("call"):
        arguments = arguments_of(call)
        fault = f"The arguments of `{shown(site.text(call))}` may be in the wrong order."
        for position, first in enumerate(arguments):
            for second in arguments[position + 1 : position + 3]:
                if site.text(first) != site.text(second):
                    same = site.shape(first) == site.shape(second)
                    yield site.exchange(first, second, fault, 1.5 if same else 1.0)


def rotated(site: Site) -> Iterator[Draft]:
    """Three arguments or more, each one place off."""
    for call in site.nodes("call"):
        arguments = arguments_of(call)
        texts = [site.text(argument) for argument in arguments]
        if not 3 <= len(arguments) <= 5 or len(set(texts)) == 1:
            continue
        fault = f"The arguments of `{shown(site.text(call))}` may be each one place off."
        for turned in (texts[1:] + texts[:1], texts[-1:] + texts[:-1]):
            edits = tuple(site.edit(a, t) for a, t in zip(arguments, turned, strict=True))
            yield Draft(fault, f"Pass `{shown(', '.join(turned))}`.", edits)


def receiver_swapped(site: Site) -> Iterator[Draft]:
    """The object and the argument of a method in each other's place."""
    for call in site.nodes("call"):
        function, arguments = call.child_by_field_name("function"), arguments_of(call)
        holder = receiver_and_attribute(function)[0] if function is not None else None
        if holder is None or len(arguments) != 1 or site.text(holder) in ("self", "cls"):
            continue
        fault = f"`{shown(site.text(call))}` may ask the wrong one of the two."
        argument = arguments[0]
        edits = (site.edit(holder, site.operand(argument)), site.edit(argument, site.text(holder)))
        yield Draft(fault, f"Swap `{shown(site.text(holder))}` and its argument.", edits)


def missing(site: Site) -> Iterator[Draft]:
    """An argument is missing; likelier where the function is known to take more."""
    for call in site.nodes("call"):
        arguments, text = arguments_of(call), site.text(call)
        name = _name_of(site, call)
        if site.parent_type(call) == "decorator" or name in ("super", "print", "len"):
            continue
        takes = site.scope.functions.get(name)
        known = 4.0 if takes is not None and takes > len(arguments) else 0.4
        fault = f"An argument of `{shown(text)}` may be missing."
        used = {site.text(argument) for argument in arguments}
        for option in KEYWORDS.get(name, ()):
            if option.partition("=")[0] + "=" not in text.partition("(")[2]:
                yield from _added(site, call, option, fault, 1.0)
        fresh = [(n, near) for n, near in site.variables(10) if n.text not in used]
        for variable, near in fresh[:ADDED_MAX]:
            yield from _added(site, call, variable.text, fault, known * near)


def _name_of(site: Site, call: Node) -> str:
    function = call.child_by_field_name("function")
    return site.text(function).rsplit(".", 1)[-1] if function is not None else ""


def _added(site: Site, call: Node, new: str, fault: str, weight: float) -> Iterator[Draft]:
    """Put an argument behind the positional ones, and a last one before them at low weight."""
    listed = call.child_by_field_name("arguments")
    if listed is None or listed.type != "argument_list":
        return
    remedy = f"Pass `{new}` too."
    inner = [child for child in listed.named_children if child.type != "comment"]
    positional = arguments_of(call)
    if not inner:
        yield site.swap(listed, f"({new})", fault, weight, remedy)
    elif "=" in new.partition(":")[0] or len(positional) == len(inner):
        last = inner[-1]
        yield site.swap(last, f"{site.text(last)}, {new}", fault, weight, remedy)
    elif positional:
        last = positional[-1]
        yield site.swap(last, f"{site.text(last)}, {new}", fault, weight, remedy)
    if inner and "=" not in new:
        first = inner[0]
        yield site.swap(first, f"{new}, {site.text(first)}", fault, 0.3 * weight, remedy)


def surplus(site: Site) -> Iterator[Draft]:
    """An argument, or a keyword argument, too many."""
    for call in site.nodes("call"):
        arguments = call.child_by_field_name("arguments")
        if arguments is None or arguments.type != "argument_list":
            continue
        children = [c for c in arguments.named_children if c.type != "comment"]
        fault = f"An argument of `{shown(site.text(call))}` may be too many."
        takes = site.scope.functions.get(_name_of(site, call))
        known = 3.0 if takes is not None and takes < len(children) else 1.0
        for dropped in children:
            rest = ", ".join(site.text(child) for child in children if child != dropped)
            weight = known * (0.3 if len(children) == 1 else 1.0)
            remedy = f"Leave out `{shown(site.text(dropped))}`."
            yield site.swap(arguments, f"({rest})", fault, weight, remedy)


def replaced(site: Site) -> Iterator[Draft]:
    """An argument that another expression of the call belongs to: `f(a, a)` for `f(a, b)`."""
    for call in site.nodes("call"):
        arguments = arguments_of(call)
        fault = f"An argument of `{shown(site.text(call))}` may be the wrong one."
        for argument in arguments:
            for other in arguments:
                if site.text(other) != site.text(argument):
                    yield site.swap(argument, site.text(other), fault, 0.5)


def sort_order(site: Site) -> Iterator[Draft]:
    """A key or an order that is the wrong way round: `x[0]` for `-x[0]`."""
    for node in site.nodes("keyword_argument"):
        name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        if name is None or value is None:
            continue
        fault = f"`{shown(site.text(node))}` may order the wrong way."
        if site.text(name) == "key" and value.type == "lambda":
            body = value.child_by_field_name("body")
            if body is not None:
                yield site.swap(body, f"-{site.operand(body)}", fault)
                for part in ("[0]", "[1]"):
                    yield site.swap(body, f"{site.operand(body)}{part}", fault, 0.5)
        elif site.text(name) == "reverse" and value.type not in ("true", "false"):
            yield site.swap(value, f"not ({site.text(value)})", fault)


TEMPLATES = (
    Template("swapped-arguments", 8, swapped),
    Template("rotated-arguments", 1, rotated),
    Template("swapped-receiver", 2, receiver_swapped),
    Template("missing-argument", 24, missing),
    Template("surplus-argument", 14, surplus),
    Template("wrong-argument", 5, replaced),
    Template("wrong-order", 2, sort_order),
)
