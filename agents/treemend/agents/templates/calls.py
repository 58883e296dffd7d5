"""The wrong function, or a function where its result was meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from treemend.agents.templates.forms import arguments_of, is_called, is_whole
from treemend.agents.templates.site import Draft, Site, Template, alike, shown, unique, words
from treemend.tools.scope import receiver_and_attribute

if TYPE_CHECKING:
    from tree_sitter import Node

FAMILIES = tuple(
    tuple(line.split())
    for line in """
    any all
    min max sum
    sorted reversed list tuple set
    int float str round bool
    floor ceil trunc
    append extend add update insert
    keys values items
    startswith endswith
    strip lstrip rstrip
    removeprefix removesuffix
    lower upper title capitalize casefold swapcase
    find rfind index rindex
    split rsplit splitlines partition rpartition
    isalpha isdigit isalnum isspace isupper islower isnumeric isdecimal isidentifier
    union intersection difference symmetric_difference
    issubset issuperset isdisjoint
    pop popleft remove discard popitem
    append appendleft insert
    sort reverse
    get pop setdefault
    range enumerate reversed
    encode decode
    isinstance issubclass
    getattr hasattr
    abs round int
    zip map enumerate filter
    read readline readlines
    search match fullmatch findall finditer
    ljust rjust center zfill
    ord chr
    count index
    dump dumps
    load loads
    sum len max
    bin hex oct
    exists isfile isdir
    heappush heappop heapify
    sin cos tan
    log log2 log10
    sqrt pow
    permutations combinations product
    debug info warning error
    """.strip().splitlines()
)


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
            yield site.swap(name, other, fault, weight)


def _others(site: Site, own: str, receiver: Node | None, count: int) -> list[tuple[str, float]]:
    family = unique(name for names in FAMILIES if own in names for name in names)
    found = {name: 3.0 for name in family if name != own}
    if receiver is None:
        for name, parameters in site.scope.functions.items():
            weight = (1.0 if parameters == count else 0.3) * (1 + 2 * alike(own, name))
            found.setdefault(name, weight)
    else:
        for name in site.scope.attributes.get(site.text(receiver), ()):
            found.setdefault(name, 1.0 + alike(own, name))
        if site.text(receiver) in ("self", "cls"):
            for name in site.scope.functions:
                found.setdefault(name, 0.5 + alike(own, name))
    found.pop(own, None)
    return sorted(found.items(), key=lambda pair: -pair[1])[:14]


def called(site: Site) -> Iterator[Draft]:
    """A function where its result was meant, or the other way round."""
    for node in site.nodes("attribute", "identifier"):
        if is_called(site, node) or not is_whole(site, node):
            continue
        text = site.text(node)
        attribute = receiver_and_attribute(node)[1]
        known = site.text(attribute) if attribute is not None else text
        likely = 2.0 if known in site.scope.functions else 0.5
        if node.type == "attribute" or known in site.scope.functions:
            yield site.swap(node, f"{text}()", f"`{shown(text)}` may have to be called.", likely)
    for call in site.nodes("call"):
        called_node = call.child_by_field_name("function")
        if called_node is not None and not arguments_of(call) and called_node.type == "attribute":
            fault = f"`{shown(site.text(call))}` may not have to be called."
            yield site.swap(call, site.text(called_node), fault)


def in_place(site: Site) -> Iterator[Draft]:
    """A method that changes its object and returns None, used for a value; or a value thrown away."""
    methods = {"sort": "sorted({})", "reverse": "list(reversed({}))"}
    for call in site.nodes("call"):
        called_node = call.child_by_field_name("function")
        holder, name = receiver_and_attribute(called_node) if called_node is not None else (None, None)
        if holder is None or name is None:
            continue
        text, method = site.text(holder), site.text(name)
        if method in methods and site.parent_type(call) != "expression_statement":
            fault = f"`{shown(site.text(call))}` gives None."
            yield site.swap(call, methods[method].format(text), fault, 3.0)
        elif method in PURE and site.parent_type(call) == "expression_statement":
            fault = f"The result of `{shown(site.text(call))}` is lost."
            yield site.swap(call, f"{text} = {site.text(call)}", fault, 4.0)


PURE = words(
    "strip lstrip rstrip lower upper replace split join title capitalize copy format encode decode "
    "union intersection difference"
)


def yielded(site: Site) -> Iterator[Draft]:
    """`yield` for `yield from`, or for `return`."""
    for node in site.nodes("yield"):
        text = site.text(node)
        fault = f"`{shown(text)}` may give the wrong thing."
        if text.startswith("yield from "):
            yield site.swap(node, "yield " + text.removeprefix("yield from "), fault, 2.0)
        elif text != "yield":
            yield site.swap(node, "yield from " + text.removeprefix("yield").strip(), fault, 2.0)
    if site.node.type == "return_statement" and site.ingredients.is_generator:
        value = site.text(site.node).removeprefix("return").strip()
        if value:
            fault = "A generator's `return` gives nothing to its reader."
            yield site.swap(site.node, f"yield {value}", fault)
            yield site.swap(site.node, f"yield from {value}", fault)


TEMPLATES = (
    Template("wrong-call", 39, function),
    Template("called-or-not", 5, called),
    Template("in-place", 4, in_place),
    Template("wrong-yield", 4, yielded),
)
