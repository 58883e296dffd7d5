"""The shape that an expression or a name seems to have.

Shapes are guessed from annotations, literals, calls and use; what can't be guessed has none. A guess
only orders replacements and never forbids one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from treemend.tools.syntax import Module

if TYPE_CHECKING:
    from tree_sitter import Node

Shape = Literal["number", "string", "list", "dict", "set", "tuple", "bool", "callable", "module", "none"]


def _table(words: Mapping[Shape, str]) -> dict[str, Shape]:
    return {word: shape for shape, line in words.items() for word in line.split()}


LITERALS = _table(
    {
        "number": "integer float unary_operator",
        "string": "string concatenated_string",
        "list": "list list_comprehension",
        "dict": "dictionary dictionary_comprehension",
        "set": "set set_comprehension",
        "tuple": "tuple expression_list",
        "bool": "true false comparison_operator not_operator",
        "callable": "lambda",
        "none": "none",
    }
)
CONSTRUCTORS = _table(
    {
        "number": "int float len sum abs ord round complex Decimal Fraction hash id pow",
        "string": "str chr repr input format hex bin bytes ascii",
        "list": "list sorted range List Sequence Iterable Iterator deque reversed enumerate zip map filter",
        "dict": "dict defaultdict Counter OrderedDict Dict Mapping MutableMapping",
        "set": "set frozenset Set FrozenSet",
        "tuple": "tuple Tuple divmod",
        "bool": "bool any all isinstance issubclass hasattr callable",
        "callable": "Callable",
    }
)
RESULTS = _table(
    {
        "number": "find rfind index rindex count bit_length total_seconds",
        "string": "strip lstrip rstrip lower upper replace join format capitalize title encode decode "
        "zfill ljust rjust center swapcase casefold read readline removeprefix removesuffix expandtabs",
        "list": "split rsplit splitlines keys values items readlines",
        "set": "union intersection difference symmetric_difference",
        "tuple": "partition rpartition",
        "bool": "startswith endswith isdigit isalpha isalnum isspace isupper islower isnumeric "
        "issubset issuperset isdisjoint",
    }
)
RECEIVERS = _table(
    {
        "list": "append extend insert sort reverse popleft appendleft",
        "set": "add issubset issuperset union discard intersection difference",
        "dict": "keys values items get setdefault",
        "string": "split strip lower upper startswith endswith join replace format encode lstrip rstrip "
        "isdigit isalpha isalnum isupper islower splitlines rsplit capitalize title zfill",
    }
)
NESTING_MAX = 20
ARITHMETIC = frozenset(("-", "*", "/", "//", "%", "**", "&", "|", "^", "<<", ">>"))
NUMERIC = frozenset(("-", "/", "//", "**", "<<", ">>"))


def expression_shape(module: Module, node: Node, known: Mapping[str, Shape] | None = None) -> Shape | None:
    """The shape of an expression, as its form or the shape of its names shows it."""
    for _ in range(NESTING_MAX):
        inner = node.named_children[:1] if node.type == "parenthesized_expression" else []
        if not inner:
            break
        node = inner[0]
    kind = node.type
    if kind in ("identifier", "attribute"):
        return known.get(module.source(node)) if known else None
    if kind in LITERALS:
        return LITERALS[kind]
    if kind == "call":
        return _call_shape(module, node)
    if kind == "binary_operator":
        return _binary_shape(module, node, known)
    if kind == "subscript":
        return _part_shape(module, node, known)
    return None


def _call_shape(module: Module, node: Node) -> Shape | None:
    function = node.child_by_field_name("function")
    if function is None:
        return None
    if function.type == "attribute":
        attribute = function.child_by_field_name("attribute")
        return RESULTS.get(module.source(attribute)) if attribute is not None else None
    return CONSTRUCTORS.get(module.source(function))


def _binary_shape(module: Module, node: Node, known: Mapping[str, Shape] | None) -> Shape | None:
    """The shape of the first operand that is certain; of long chains only the last operands are asked."""
    shapes: list[Shape | None] = []
    operator = node.child_by_field_name("operator")
    side: Node | None = node
    for _ in range(NESTING_MAX):
        if side is None or side.type != "binary_operator":
            break
        right = side.child_by_field_name("right")
        if right is not None and right.type not in ("binary_operator", "parenthesized_expression"):
            shapes.append(expression_shape(module, right, known))
        side = side.child_by_field_name("left")
    if side is not None and side.type not in ("binary_operator", "parenthesized_expression", "subscript"):
        shapes.append(expression_shape(module, side, known))
    certain = [shape for shape in shapes if shape not in (None, "number")]
    if certain:
        return certain[-1]
    if "number" in shapes or (operator is not None and operator.type in ARITHMETIC):
        return "number"
    return None


def _part_shape(module: Module, node: Node, known: Mapping[str, Shape] | None) -> Shape | None:
    """A slice has the shape of the whole; so has a character of a string."""
    value, index = node.child_by_field_name("value"), node.child_by_field_name("subscript")
    if value is None or index is None:
        return None
    plain = value.type in ("identifier", "attribute", "call", "string", "list")
    whole = expression_shape(module, value, known) if plain else None
    return whole if index.type == "slice" or whole == "string" else None


def guessed_shapes(module: Module, nodes: Iterable[Node]) -> dict[str, Shape]:
    """Shapes by name or dotted name: an assigned value or annotation first, then what is done with it."""
    bound: dict[str, Shape] = {}
    used: dict[str, Shape] = {}
    compared: list[Node] = []
    for node in nodes:
        for name, shape in _assigned(module, node, bound):
            bound.setdefault(name, shape)
        for name, shape in _used(module, node):
            used.setdefault(name, shape)
        if node.type == "comparison_operator":
            compared.append(node)
    shapes = {**used, **bound}
    for node in compared:
        sides = [expression_shape(module, side, shapes) for side in node.named_children]
        if "number" in sides:
            for side in node.named_children:
                if side.type == "identifier":
                    shapes.setdefault(module.source(side), "number")
    return shapes


def _assigned(module: Module, node: Node, known: Mapping[str, Shape]) -> Iterator[tuple[str, Shape]]:
    if node.type in ("for_statement", "for_in_clause"):
        yield from _counted(module, node)
    elif node.type in ("typed_parameter", "typed_default_parameter", "default_parameter"):
        name = node.child_by_field_name("name") or node.named_children[0]
        yield from _declared(module, node, module.source(name), known)
    elif node.type == "assignment":
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is not None and left.type in ("identifier", "attribute"):
            yield from _declared(module, node, module.source(left), known)
        elif left is not None and right is not None and right.type == "expression_list":
            for name, value in zip(left.named_children, right.named_children, strict=False):
                shape = expression_shape(module, value, known)
                if shape is not None and shape != "none":
                    yield module.source(name), shape


def _declared(
    module: Module, node: Node, name: str, known: Mapping[str, Shape]
) -> Iterator[tuple[str, Shape]]:
    kind = node.child_by_field_name("type")
    root = module.source(kind).split("[")[0].strip() if kind is not None else ""
    if root in CONSTRUCTORS:
        yield name, CONSTRUCTORS[root]
    value = node.child_by_field_name("right") or node.child_by_field_name("value")
    shape = expression_shape(module, value, known) if value is not None else None
    if shape is not None and shape != "none":
        yield name, shape


def _counted(module: Module, node: Node) -> Iterator[tuple[str, Shape]]:
    """The variables of loops that count: over `range`, and the first over `enumerate`."""
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    function = right.child_by_field_name("function") if right is not None else None
    called = module.source(function) if function is not None else ""
    if left is not None and called == "range" and left.type == "identifier":
        yield module.source(left), "number"
    if left is not None and called == "enumerate" and left.named_children:
        yield module.source(left.named_children[0]), "number"
    if right is not None and right.type in ("identifier", "attribute"):
        yield module.source(right), "list"


def _used(module: Module, node: Node) -> Iterator[tuple[str, Shape]]:
    if node.type == "call":
        yield from _called(module, node)
    elif node.type == "binary_operator":
        operator = node.child_by_field_name("operator")
        numbers = any(child.type in ("integer", "float") for child in node.named_children)
        if operator is not None and (operator.type in NUMERIC or (numbers and operator.type != "*")):
            for side in node.named_children:
                if side.type == "identifier":
                    yield module.source(side), "number"
    elif node.type == "subscript":
        value, index = node.child_by_field_name("value"), node.child_by_field_name("subscript")
        if value is not None and value.type in ("identifier", "attribute") and index is not None:
            yield module.source(value), "dict" if index.type == "string" else "list"


def _called(module: Module, node: Node) -> Iterator[tuple[str, Shape]]:
    function, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
    if function is None or arguments is None:
        return
    called = module.source(function)
    names = [c for c in arguments.named_children if c.type in ("identifier", "attribute")]
    if function.type == "identifier":
        yield called, "callable"
        shape: Shape | None = {"range": "number", "len": "list", "int": "string", "sum": "list"}.get(called)  # type: ignore[assignment]
        for name in names if shape is not None else ():
            yield module.source(name), shape  # type: ignore[misc]
    elif function.type == "attribute":
        receiver = function.child_by_field_name("object")
        attribute = function.child_by_field_name("attribute")
        shape = RECEIVERS.get(module.source(attribute)) if attribute is not None else None
        if receiver is not None and shape is not None:
            yield module.source(receiver), shape
