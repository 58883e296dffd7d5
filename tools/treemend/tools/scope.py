"""Names that can stand at a place, and the shape that each seems to have.

Shapes are guessed from annotations, literals, calls and use; what can't be guessed has none. A guess only
orders replacements and never forbids one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from treemend.tools.syntax import DEFINITIONS, Module, Statement, walk

if TYPE_CHECKING:
    from tree_sitter import Node

Shape = Literal["number", "string", "list", "dict", "set", "tuple", "bool", "callable", "none"]

LITERALS: Mapping[str, Shape] = {
    "integer": "number", "float": "number", "string": "string", "concatenated_string": "string",
    "list": "list", "list_comprehension": "list", "dictionary": "dict", "dictionary_comprehension": "dict",
    "set": "set", "set_comprehension": "set", "tuple": "tuple", "true": "bool", "false": "bool",
    "none": "none", "comparison_operator": "bool", "not_operator": "bool", "lambda": "callable",
}  # fmt: skip
CONSTRUCTORS: Mapping[str, Shape] = {
    "int": "number", "float": "number", "len": "number", "sum": "number", "abs": "number", "ord": "number",
    "str": "string", "chr": "string", "repr": "string", "list": "list", "sorted": "list", "range": "list",
    "dict": "dict", "set": "set", "frozenset": "set", "tuple": "tuple", "bool": "bool", "any": "bool",
    "all": "bool", "isinstance": "bool", "defaultdict": "dict", "Counter": "dict", "deque": "list",
    "List": "list", "Dict": "dict", "Set": "set", "Tuple": "tuple", "Sequence": "list",
    "Callable": "callable",
}  # fmt: skip
METHODS: Mapping[str, Shape] = {
    "append": "list", "extend": "list", "insert": "list", "sort": "list", "reverse": "list",
    "add": "set", "issubset": "set", "issuperset": "set", "union": "set", "discard": "set",
    "keys": "dict", "values": "dict", "items": "dict", "get": "dict", "setdefault": "dict",
    "split": "string", "strip": "string", "lower": "string", "upper": "string", "startswith": "string",
    "endswith": "string", "join": "string", "replace": "string", "format": "string", "encode": "string",
    "lstrip": "string", "rstrip": "string", "isdigit": "string", "isalpha": "string", "splitlines": "string",
}  # fmt: skip
ARITHMETIC = frozenset({"-", "*", "/", "//", "%", "**", "&", "|", "^", "<<", ">>"})
NUMERIC = frozenset({"/", "//", "**", "<<", ">>"})
"""Operators that only numbers have; sets, strings and lists share the others."""


@dataclass(frozen=True, slots=True)
class Name:
    """A name in scope. `distance` counts scopes outwards: 0 own, 1 enclosing function, 2 module."""

    text: str
    shape: Shape | None
    distance: int
    line: int


@dataclass(frozen=True, slots=True)
class Scope:
    """What can be named at a statement.

    Attributes:
        names: Variables, nearest first and in order of first appearance; functions and classes too.
        attributes: Attribute names by receiver text, as seen in the module, in order of appearance.
        functions: Functions of the module by name, with their numbers of positional parameters.
    """

    names: tuple[Name, ...]
    attributes: Mapping[str, tuple[str, ...]]
    functions: Mapping[str, int]

    def shape_of(self, text: str) -> Shape | None:
        return next((name.shape for name in self.names if name.text == text), None)

    @property
    def variables(self) -> tuple[Name, ...]:
        """Names of the function and those around it, without what is called."""
        return tuple(n for n in self.names if n.distance < 2 and n.shape != "callable")


class ScopeIndex:
    """Scopes of one module; each function's is made once."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._by_function: dict[int, Scope] = {}
        self._attributes = _attributes(module)
        self._functions = dict(_functions(module))
        self._globals = _bindings(module, module.root)

    def at(self, statement: Statement) -> Scope:
        key = statement.definition.id if statement.definition is not None else 0
        if key not in self._by_function:
            self._by_function[key] = self._scope(statement.definition)
        return self._by_function[key]

    def at_module(self) -> Scope:
        return self._scope(None)

    def _scope(self, definition: Node | None) -> Scope:
        names: dict[str, Name] = {}
        distance, node = 0, definition
        while node is not None:
            bindings = {**_parameters(self._module, node), **_bindings(self._module, node)}
            shapes = _shapes(self._module, node)
            for text, line in bindings.items():
                names.setdefault(text, Name(text, shapes.get(text), distance, line))
            distance, node = 1, _enclosing_function(node)
        shapes = _shapes(self._module, self._module.root)
        for text, line in self._globals.items():
            shape: Shape | None = "callable" if text in self._functions else shapes.get(text)
            names.setdefault(text, Name(text, shape, 2, line))
        return Scope(tuple(names.values()), self._attributes, self._functions)


def _enclosing_function(node: Node) -> Node | None:
    above = node.parent
    while above is not None and above.type != "function_definition":
        above = above.parent
    return above


def own_nodes(definition: Node) -> Iterator[Node]:
    """All nodes of a function or module but those of the functions and classes within it."""
    stack = [definition]
    while stack:
        node = stack.pop()
        yield node
        if node is definition or node.type not in DEFINITIONS:
            stack.extend(reversed(node.named_children))


def _parameters(module: Module, definition: Node) -> dict[str, int]:
    parameters = definition.child_by_field_name("parameters")
    found: dict[str, int] = {}
    for child in parameters.named_children if parameters is not None else ():
        name = child if child.type == "identifier" else child.child_by_field_name("name")
        if name is None:
            name = next((c for c in walk(child) if c.type == "identifier"), None)
        if name is not None:
            found.setdefault(module.source(name), name.start_point[0] + 1)
    return found


def _bindings(module: Module, definition: Node) -> dict[str, int]:
    """Names that this function or module binds, by the line of the first binding."""
    found: dict[str, int] = {}
    for node in own_nodes(definition):
        for name in _bound_by(node, definition):
            found.setdefault(module.source(name), name.start_point[0] + 1)
    return found


def _bound_by(node: Node, definition: Node) -> Iterator[Node]:
    if node.type in ("assignment", "augmented_assignment", "for_statement", "named_expression"):
        left = node.child_by_field_name("left") or node.child_by_field_name("name")
        if left is not None:
            yield from _targets(left)
    elif node.type == "as_pattern_target":
        yield from _targets(node)
    elif node.type in DEFINITIONS and node is not definition:
        name = node.child_by_field_name("name")
        if name is not None:
            yield name
    elif node.type in ("import_statement", "import_from_statement"):
        yield from _imported(node)


def _targets(node: Node) -> Iterator[Node]:
    if node.type == "identifier":
        yield node
    elif node.type in (
        "pattern_list",
        "tuple_pattern",
        "list_pattern",
        "as_pattern_target",
        "tuple",
    ):
        for child in node.named_children:
            yield from _targets(child)


def _imported(node: Node) -> Iterator[Node]:
    for child in node.children_by_field_name("name"):
        alias = child.child_by_field_name("alias")
        names = [c for c in walk(alias or child) if c.type == "identifier"]
        yield from names[:1]


def _functions(module: Module) -> Iterator[tuple[str, int]]:
    for node in walk(module.root, into_blocks=True):
        if node.type in DEFINITIONS:
            name = node.child_by_field_name("name")
            count = len(_parameters(module, node)) if node.type == "function_definition" else 0
            if name is not None:
                yield module.source(name), count


def _attributes(module: Module) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    for node in walk(module.root, into_blocks=True):
        receiver, attribute = receiver_and_attribute(node)
        if receiver is not None and attribute is not None:
            found.setdefault(module.source(receiver), {})[module.source(attribute)] = None
    return {receiver: tuple(names) for receiver, names in found.items()}


def receiver_and_attribute(node: Node) -> tuple[Node | None, Node | None]:
    """The two sides of an attribute access; (None, None) of any other node."""
    if node.type != "attribute":
        return None, None
    return node.child_by_field_name("object"), node.child_by_field_name("attribute")


def _shapes(module: Module, definition: Node) -> dict[str, Shape]:
    """Shapes by name: an assigned value or annotation first, then what is done with the name."""
    bound: dict[str, Shape] = {}
    used: dict[str, Shape] = {}
    for node in own_nodes(definition):
        for name, shape in _assigned_shapes(module, node):
            bound.setdefault(name, shape)
        for name, shape in _used_shapes(module, node):
            used.setdefault(name, shape)
    shapes = {**used, **bound}
    for name in _ordered_against_numbers(module, definition, shapes):
        shapes.setdefault(name, "number")
    return shapes


def _ordered_against_numbers(module: Module, definition: Node, shapes: Mapping[str, Shape]) -> Iterator[str]:
    """Names that stand in one comparison with a number: they are numbers too."""
    for node in own_nodes(definition):
        if node.type == "comparison_operator":
            names = [module.source(c) for c in node.named_children if c.type == "identifier"]
            others = [expression_shape(module, c) for c in node.named_children]
            if "number" in [*others, *(shapes.get(name) for name in names)]:
                yield from names


def _assigned_shapes(module: Module, node: Node) -> Iterator[tuple[str, Shape]]:
    if node.type in ("for_statement", "for_in_clause"):
        yield from _counted(module, node)
        return
    annotated = node.type in ("typed_parameter", "typed_default_parameter", "assignment")
    kind = node.child_by_field_name("type") if annotated else None
    name = node.child_by_field_name("left") or node.child_by_field_name("name")
    if name is None and node.type == "typed_parameter" and node.named_children:
        name = node.named_children[0]
    if name is None or name.type != "identifier":
        return
    if kind is not None:
        root = module.source(kind).split("[")[0].strip()
        if root in CONSTRUCTORS:
            yield module.source(name), CONSTRUCTORS[root]
    value = node.child_by_field_name("right") or node.child_by_field_name("value")
    shape = expression_shape(module, value) if value is not None else None
    if shape is not None and shape != "none" and node.type != "augmented_assignment":
        yield module.source(name), shape


def _counted(module: Module, node: Node) -> Iterator[tuple[str, Shape]]:
    """The variables of loops that count: over `range`, and the first over `enumerate`."""
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    function = right.child_by_field_name("function") if right is not None else None
    called = module.source(function) if function is not None else ""
    if left is not None and called == "range" and left.type == "identifier":
        yield module.source(left), "number"
    if left is not None and called == "enumerate" and left.named_children:
        yield module.source(left.named_children[0]), "number"


def expression_shape(module: Module, node: Node) -> Shape | None:
    """The shape of an expression as its own form shows it."""
    if node.type in LITERALS:
        return LITERALS[node.type]
    if node.type == "parenthesized_expression" and node.named_children:
        return expression_shape(module, node.named_children[0])
    if node.type == "unary_operator":
        return "number"
    if node.type == "call":
        function = node.child_by_field_name("function")
        return CONSTRUCTORS.get(module.source(function)) if function is not None else None
    if node.type == "binary_operator":
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        shapes = [expression_shape(module, side) for side in (left, right) if side is not None]
        known = [shape for shape in shapes if shape is not None]
        return known[0] if known else _operator_shape(module, node)
    return None


def _operator_shape(module: Module, node: Node) -> Shape | None:
    operator = node.child_by_field_name("operator")
    return "number" if operator is not None and operator.type in ARITHMETIC else None


def _used_shapes(module: Module, node: Node) -> Iterator[tuple[str, Shape]]:
    if node.type == "call":
        yield from _called_shapes(module, node)
        return
    for used, shape in _shaping_uses(node):
        if used is not None and used.type == "identifier":
            yield module.source(used), shape


def _shaping_uses(node: Node) -> Iterator[tuple[Node | None, Shape]]:
    """The parts of a node whose shape its own kind gives away."""
    if node.type == "binary_operator":
        operator = node.child_by_field_name("operator")
        if operator is not None and operator.type in NUMERIC:
            yield from ((node.child_by_field_name(side), "number") for side in ("left", "right"))
    if node.type in ("comparison_operator", "binary_operator"):
        numbers = any(child.type in ("integer", "float") for child in node.named_children)
        yield from ((child, "number") for child in node.named_children if numbers)
    elif node.type in ("for_statement", "for_in_clause"):
        yield node.child_by_field_name("right"), "list"
    elif node.type == "subscript":
        index = node.child_by_field_name("subscript")
        if index is not None and index.type == "slice":
            yield node.child_by_field_name("value"), "list"


def _called_shapes(module: Module, node: Node) -> Iterator[tuple[str, Shape]]:
    function = node.child_by_field_name("function")
    if function is None:
        return
    if function.type == "identifier":
        yield module.source(function), "callable"
        arguments = node.child_by_field_name("arguments")
        if module.source(function) == "range" and arguments is not None:
            for child in arguments.named_children:
                if child.type == "identifier":
                    yield module.source(child), "number"
        return
    receiver, attribute = receiver_and_attribute(function)
    if receiver is not None and attribute is not None and receiver.type == "identifier":
        shape = METHODS.get(module.source(attribute))
        if shape is not None:
            yield module.source(receiver), shape
