"""A call, a method or a list that is missing around a value, or that is too much."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from treemend.agents.templates.forms import arguments_of, is_called, is_whole, values
from treemend.agents.templates.site import ATOMS, SAME_SHAPE, Draft, Site, Template, shown, words
from treemend.tools.scope import receiver_and_attribute
from treemend.tools.shapes import Shape

if TYPE_CHECKING:
    from tree_sitter import Node

WRAPPERS: Mapping[Shape | None, str] = {
    "number": "abs int str float round",
    "string": "int len list float set sorted",
    "list": "len sorted set tuple list sum max min reversed",
    "set": "len list sorted",
    "dict": "len list dict sorted",
    "tuple": "list set len sorted sum",
    "bool": "int not",
    None: "len list str int sorted abs set tuple",
}
METHODS: Mapping[Shape | None, str] = {
    "string": ".strip() .lower() .upper() .split() .rstrip() .lstrip() .encode() [::-1]",
    "list": ".copy() [1:] [:-1] [::-1] [0] [-1]",
    "dict": ".items() .values() .keys() .copy()",
    "set": ".copy()",
    "tuple": "[0] [1] [-1] [1:]",
    None: ".copy() .strip() .lower() .items() .values() .keys() [0] [1] [-1] [1:]",
}
WORDLESS = ("none", "true", "false", "lambda")
UNCALLED = ("none", "true", "false", "lambda", "integer", "string", "float", "comparison_operator")


def wrapped(site: Site) -> Iterator[Draft]:
    """A call is missing around a value: `max(best, x)` for `x`, `len(xs)` for `xs`."""
    for node in _wrappable(site):
        text = site.text(node)
        fault = f"A call may be missing around `{shown(text)}`."
        shape = site.shape(node)
        certain = 1.0 if shape is not None else 0.6
        for wrapper in WRAPPERS.get(shape, WRAPPERS[None]).split():
            if not text.startswith(f"{wrapper}(") and _enclosing_call(site, node) != wrapper:
                yield site.swap(node, f"{wrapper}({text})", fault, certain)


def _wrappable(site: Site) -> Iterator[Node]:
    """Whole values, operands of comparisons and operations, and what is iterated."""
    for node in site.header:
        if node.type in ATOMS or node.type == "binary_operator":
            operand = site.parent_type(node) in ("comparison_operator", "binary_operator")
            named = node.type in ("identifier", "attribute", "call", "subscript", "binary_operator")
            plain = named or node.type in ("generator_expression", "list_comprehension")
            if plain and (is_whole(site, node) or operand) and not is_called(site, node):
                yield node


def _enclosing_call(site: Site, node: Node) -> str:
    for above in site.above(node):
        if above.type == "call":
            function = above.child_by_field_name("function")
            return site.text(function) if function is not None else ""
        if above.type != "argument_list":
            break
    return ""


def bounded(site: Site) -> Iterator[Draft]:
    """A value that must not pass what it replaces, or zero: a running maximum that is overwritten."""
    for node in values(site):
        above = site.parent(node)
        if above is None or site.shape(node) not in ("number", None) or node.type in UNCALLED[:4]:
            continue
        text = site.text(node)
        fault = f"`{shown(text)}` may have to be bounded."
        left = above.child_by_field_name("left") if above.type == "assignment" else None
        if left is not None and left.type in ("identifier", "subscript", "attribute"):
            loop = 3.0 if site.in_loop else 1.0
            if site.text(left) != text:
                yield site.swap(node, f"max({site.text(left)}, {text})", fault, loop)
                yield site.swap(node, f"min({site.text(left)}, {text})", fault, loop * 0.7)
        if above.type in ("assignment", "return_statement"):
            rising = 1.0 if node.type == "binary_operator" else 0.5
            yield site.swap(node, f"max(0, {text})", fault, rising)
            yield site.swap(node, f"max({text}, 1)", fault, 0.3 * rising)
            yield site.swap(node, f"min(0, {text})", fault, 0.2 * rising)
            for name, near in site.variables(5):
                if name.shape == "number" and name.text not in text:
                    yield site.swap(node, f"max({text}, {name.text})", fault, 0.4 * near)
                    yield site.swap(node, f"min({text}, {name.text})", fault, 0.4 * near)


def unwrapped(site: Site) -> Iterator[Draft]:
    """A call around a value that should be taken as it is."""
    for call in site.nodes("call"):
        function, arguments = call.child_by_field_name("function"), arguments_of(call)
        if function is None:
            continue
        fault = f"The call in `{shown(site.text(call))}` may be too much."
        # A statement that is a value alone does nothing; that would be a removal in disguise.
        alone = site.parent_type(call) == "expression_statement"
        for argument in arguments[:3]:
            weight = 1.0 if len(arguments) == 1 else 0.4
            if not alone or argument.type == "call":
                yield site.compose(call, site.text(argument), fault, weight)
        receiver, _ = receiver_and_attribute(function)
        kept = receiver is not None and (not alone or receiver.type == "call")
        if receiver is not None and kept and site.text(receiver) not in ("self", "cls"):
            yield site.swap(call, site.text(receiver), fault, 0.8)


def element(site: Site) -> Iterator[Draft]:
    """A value that should stand in a list, or a list that should be its element."""
    for node in values(site):
        text = site.text(node)
        if node.type == "list" and len(node.named_children) == 1:
            fault = f"`{shown(text)}` may be wrapped once too often."
            yield site.swap(node, site.text(node.named_children[0]), fault, 1.5)
        if node.type not in WORDLESS and "\n" not in text:
            fault = f"`{shown(text)}` may have to be in a list."
            grown = site.parent_type(node) == "augmented_assignment"
            yield site.swap(node, f"[{text}]", fault, 3.0 if grown else 1.0)
            yield site.swap(node, f"({text},)", fault, 0.6 if grown else 0.1)
    for node in site.nodes("binary_operator"):
        for field in ("left", "right"):
            side = node.child_by_field_name(field)
            other = node.child_by_field_name("right" if field == "left" else "left")
            if side is None or other is None or site.shape(other) != "list":
                continue
            if side.type in ("identifier", "subscript", "attribute", "call"):
                fault = f"`{shown(site.text(side))}` may have to be in a list."
                yield site.swap(side, f"[{site.text(side)}]", fault, 2.0)


def method(site: Site) -> Iterator[Draft]:
    """A method call or an index is missing behind a value: `.copy()`, `.strip()`, `[1:]`."""
    behind = words("identifier attribute subscript call string list list_comprehension")
    for node in site.nodes(*behind):
        operand = site.parent_type(node) in ("comparison_operator", "binary_operator")
        holder = site.field(node) == "object" and node.type in ("identifier", "call")
        if not (is_whole(site, node) or operand or holder) or is_called(site, node):
            continue
        text, shape = site.text(node), site.shape(node)
        if shape in ("number", "bool", "callable", "module") or text in ("self", "cls"):
            continue
        fault = f"A part or a form of `{shown(text)}` may be meant."
        likely = (SAME_SHAPE if shape is not None else 0.5) * (0.4 if holder else 1.0)
        own = (f".{name}()" for name in site.scope.attributes.get(text, ()))
        known = [*METHODS.get(shape, METHODS[None]).split(), *site.ingredients.accessors[:4]]
        for new in dict.fromkeys(known):
            yield site.swap(node, f"{text}{new}", fault, likely)
        for new in own if shape is None else ():
            yield site.swap(node, f"{text}{new}", fault, 0.3)


def sliced(site: Site) -> Iterator[Draft]:
    """A part of a sequence was meant: up to, or from, a position that a variable holds."""
    for node in values(site):
        if node.type in ("identifier", "attribute", "call", "subscript") and not is_called(site, node):
            shape = site.shape(node)
            if shape not in ("list", "string", "tuple", None):
                continue
            text = site.text(node)
            fault = f"Only a part of `{shown(text)}` may be meant."
            iterated = 2.0 if site.field(node) == "right" else 1.0
            certain = iterated * (1.0 if shape else 0.4)
            for name, near in site.variables(8):
                if name.text != text and name.shape in ("number", None):
                    weight = certain * near * (1.0 if name.shape else 0.4)
                    yield site.swap(node, f"{text}[{name.text}:]", fault, weight)
                    yield site.swap(node, f"{text}[:{name.text}]", fault, weight)
                    yield site.swap(node, f"{text}[{name.text}]", fault, 0.7 * weight)


def whole(site: Site) -> Iterator[Draft]:
    """A part or an element where the whole was meant."""
    for node in site.nodes("subscript"):
        value = node.child_by_field_name("value")
        left = site.field(node) == "left" and site.parent_type(node) == "assignment"
        if value is not None and not left:
            fault = f"`{shown(site.text(value))}` as a whole may be meant."
            yield site.swap(node, site.text(value), fault)


TEMPLATES = (
    Template("missing-call", 26, wrapped),
    Template("missing-bound", 10, bounded),
    Template("surplus-call", 12, unwrapped),
    Template("wrong-nesting", 10, element),
    Template("missing-method-call", 17, method),
    Template("missing-slice", 8, sliced),
    Template("surplus-index", 6, whole),
)
