"""The wrong function, a call that is missing around a value, or one too many."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from treemend.agents.templates.site import (
    SAME_SHAPE,
    Draft,
    Site,
    Template,
    arguments_of,
    is_expression_place,
    shown,
    unique,
    values,
)
from treemend.tools.scope import Shape, receiver_and_attribute

if TYPE_CHECKING:
    from tree_sitter import Node

FAMILIES = tuple(
    tuple(line.split())
    for line in """
    any all
    min max sum
    sorted reversed list tuple set
    int float str round bool
    abs round int
    floor ceil
    ord chr
    zip map enumerate
    range enumerate reversed
    isinstance issubclass
    getattr hasattr
    append extend add update
    append appendleft insert
    pop popleft remove discard
    sort reverse
    keys values items
    get pop setdefault
    union intersection difference symmetric_difference
    issubset issuperset isdisjoint
    startswith endswith
    strip lstrip rstrip
    lower upper title capitalize casefold swapcase
    find rfind index rindex
    count index
    split rsplit splitlines partition rpartition
    isalpha isdigit isalnum isspace isupper islower isnumeric isdecimal
    ljust rjust center
    encode decode
    search match fullmatch
    read readline readlines
    """.strip().splitlines()
)
"""Functions and methods that are taken for one another, a family a line."""

WRAPPERS: dict[Shape | None, tuple[str, ...]] = {
    "number": ("abs", "int", "str", "float", "round"),
    "string": ("int", "len", "list", "float"),
    "list": ("len", "sorted", "set", "tuple", "list", "sum", "max", "min", "reversed"),
    "set": ("len", "list", "sorted"),
    "dict": ("len", "list", "dict", "sorted"),
    "tuple": ("list", "set", "len"),
    None: ("len", "list", "str", "int", "sorted", "abs", "set", "tuple"),
}
METHODS: dict[Shape | None, tuple[str, ...]] = {
    "string": ("strip()", "lower()", "upper()", "split()", "rstrip()", "lstrip()"),
    "list": ("copy()", "[:]"),
    "dict": ("items()", "values()", "keys()", "copy()"),
    "set": ("copy()",),
    None: ("copy()", "strip()", "lower()", "items()"),
}


def function(site: Site) -> Iterator[Draft]:
    """Another function than the one that was meant: of its family, or of the module."""
    for call in site.nodes("call"):
        called = call.child_by_field_name("function")
        if called is None:
            continue
        receiver, attribute = receiver_and_attribute(called)
        name = attribute if attribute is not None else called
        if name.type != "identifier":
            continue
        own = site.text(name)
        fault = f"`{shown(site.text(call))}` may call the wrong function."
        for other, weight in _others(site, own, receiver, len(arguments_of(call))):
            if other != own:
                yield site.swap(name, other, fault, weight)


def _others(site: Site, own: str, receiver: Node | None, count: int) -> list[tuple[str, float]]:
    family = unique(name for names in FAMILIES if own in names for name in names)
    found = dict.fromkeys(family, 3.0)
    if receiver is None:
        for name, parameters in site.scope.functions.items():
            found.setdefault(name, 1.0 if parameters == count else 0.3)
    else:
        for name in site.scope.attributes.get(site.text(receiver), ()):
            found.setdefault(name, 1.0)
    return list(found.items())[:15]


def wrapped(site: Site) -> Iterator[Draft]:
    """A call is missing around a value: `max(best, x)` for `x`, `len(xs)` for `xs`."""
    for node in values(site):
        if node.type in ("none", "true", "false"):
            continue
        text = site.text(node)
        fault = f"A call may be missing around `{shown(text)}`."
        for new, weight in _bounded(site, node, text):
            yield site.swap(node, new, fault, weight)
        for wrapper in WRAPPERS.get(site.shape(node), WRAPPERS[None]):
            if not text.startswith(f"{wrapper}("):
                yield site.swap(node, f"{wrapper}({text})", fault, 0.6)


def _bounded(site: Site, node: Node, text: str) -> Iterator[tuple[str, float]]:
    """The value bounded by what it is assigned to, or by zero."""
    above = node.parent
    if site.shape(node) not in ("number", None) or above is None:
        return
    left = above.child_by_field_name("left") if above.type == "assignment" else None
    if left is not None and left.type in ("identifier", "subscript", "attribute"):
        yield f"max({site.text(left)}, {text})", 3.0
        yield f"min({site.text(left)}, {text})", 2.0
    if above.type in ("assignment", "return_statement"):
        yield f"max(0, {text})", 1.5
        yield f"max({text}, 1)", 0.4
        yield f"min(0, {text})", 0.4


def unwrapped(site: Site) -> Iterator[Draft]:
    """A call around a value that should be taken as it is."""
    for call in site.nodes("call"):
        called, arguments = call.child_by_field_name("function"), arguments_of(call)
        if called is None:
            continue
        fault = f"The call in `{shown(site.text(call))}` may be too much."
        for argument in arguments[:2]:
            yield site.swap(call, site.text(argument), fault, 1.0 if len(arguments) == 1 else 0.4)
        receiver, _ = receiver_and_attribute(called)
        if receiver is not None:
            yield site.swap(call, site.text(receiver), fault, 0.6)


def element(site: Site) -> Iterator[Draft]:
    """A value that should stand in a list, or a list that should be its element."""
    for node in values(site):
        text = site.text(node)
        if node.type == "list" and len(node.named_children) == 1:
            fault = f"`{shown(text)}` may be wrapped once too often."
            yield site.swap(node, site.text(node.named_children[0]), fault, 2.0)
        if node.type not in ("none", "true", "false"):
            fault = f"`{shown(text)}` may have to be in a list."
            yield site.swap(node, f"[{text}]", fault)


def method(site: Site) -> Iterator[Draft]:
    """A method call is missing behind a value: `.copy()`, `.strip()`, `.items()`."""
    iterated = [n.child_by_field_name("right") for n in site.nodes("for_statement", "for_in_clause")]
    plain = [n for n in values(site) if n.type in ("identifier", "attribute", "subscript", "call")]
    for node in [*(n for n in iterated if n is not None), *plain]:
        text = site.text(node)
        fault = f"A method call may be missing behind `{shown(text)}`."
        shape = site.shape(node)
        for call in METHODS.get(shape, METHODS[None]):
            new = f"{text}{call}" if call.startswith("[") else f"{text}.{call}"
            weight = SAME_SHAPE if shape is not None else 0.5
            yield site.swap(node, new, fault, weight)


def called(site: Site) -> Iterator[Draft]:
    """A function where its result was meant, or the other way round."""
    for node in site.nodes("attribute"):
        above = node.parent
        is_called = above is not None and above.type == "call"
        if not is_called and is_expression_place(node):
            yield site.swap(
                node, f"{site.text(node)}()", f"`{shown(site.text(node))}` may have to be called."
            )
    for call in site.nodes("call"):
        function = call.child_by_field_name("function")
        if function is not None and not arguments_of(call) and function.type == "attribute":
            fault = f"`{shown(site.text(call))}` may not have to be called."
            yield site.swap(call, site.text(function), fault)


def yielded(site: Site) -> Iterator[Draft]:
    """`yield` for `yield from`, or for `return`."""
    for node in site.nodes("yield"):
        text = site.text(node)
        fault = f"`{shown(text)}` may give the wrong thing."
        if text.startswith("yield from "):
            yield site.swap(node, "yield " + text.removeprefix("yield from "), fault)
        else:
            yield site.swap(node, "yield from " + text.removeprefix("yield").strip(), fault)
        yield site.swap(
            node, "return " + text.removeprefix("yield").removeprefix(" from").strip(), fault, 0.5
        )


TEMPLATES = (
    Template("wrong-call", 39, function),
    Template("missing-call", 32, wrapped),
    Template("surplus-call", 12, unwrapped),
    Template("wrong-nesting", 8, element),
    Template("missing-method-call", 17, method),
    Template("called-or-not", 5, called),
    Template("wrong-yield", 4, yielded),
)
