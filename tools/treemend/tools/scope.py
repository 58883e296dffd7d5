"""Names that can stand at a place, and what is known of them."""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from treemend.tools.shapes import Shape, guessed_shapes
from treemend.tools.syntax import DEFINITIONS, Module, Statement, walk

if TYPE_CHECKING:
    from tree_sitter import Node

BUILTINS = frozenset(dir(builtins)) | {"__file__", "__class__"}


@dataclass(frozen=True, slots=True)
class Name:
    """A name in scope.

    Attributes:
        distance: Scopes outwards: 0 own function, 1 enclosing function, 2 module.
        line: Where it is bound first.
        lines: Where it occurs in the function that the scope is of, ascending; `uses` is how often.
    """

    text: str
    shape: Shape | None
    distance: int
    line: int
    lines: tuple[int, ...] = ()
    uses: int = 0

    def gap(self, line: int) -> int:
        """Lines between a place and the nearest occurrence of the name."""
        return min((abs(line - other) for other in self.lines), default=99)


@dataclass(frozen=True, slots=True)
class Scope:
    """What can be named at a statement.

    Attributes:
        names: Nearest scope first, then in order of first appearance; functions and classes too.
        shapes: Guessed shapes, by name and by dotted name.
        attributes: Attribute names by receiver text, as seen in the module, in order of appearance.
        functions: Functions of the module by name, with their numbers of positional parameters
            (a method's without its receiver).
    """

    names: tuple[Name, ...]
    shapes: Mapping[str, Shape]
    attributes: Mapping[str, tuple[str, ...]]
    functions: Mapping[str, int]
    _by_text: Mapping[str, Name] = field(repr=False)

    def name(self, text: str) -> Name | None:
        return self._by_text.get(text)

    def shape_of(self, text: str) -> Shape | None:
        return self.shapes.get(text)

    def is_bound(self, text: str) -> bool:
        """Whether a bare name means anything here."""
        return text in self._by_text or text in BUILTINS

    @property
    def variables(self) -> tuple[Name, ...]:
        """Names of the function and those around it, without what is called or imported."""
        plain = (n for n in self.names if n.shape not in ("callable", "module"))
        return tuple(n for n in plain if n.distance < 2 and n.text not in ("self", "cls"))


class ScopeIndex:
    """Scopes of one module; each function's is made once."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._by_function: dict[int, Scope] = {}
        nodes = list(walk(module.root, into_blocks=True))
        self._attributes = _attributes(module, nodes)
        self._functions = dict(_functions(module, nodes))
        self._globals = _bindings(module, module.root)
        self._dotted: dict[str, Shape] = {
            name: shape for name, shape in guessed_shapes(module, nodes).items() if "." in name
        }
        self._global_shapes = guessed_shapes(module, own_nodes(module.root))

    def at(self, statement: Statement) -> Scope:
        """The scope of a statement's function, or of the module."""
        key = statement.definition.id if statement.definition is not None else 0
        if key not in self._by_function:
            self._by_function[key] = self._scope(statement.definition)
        return self._by_function[key]

    def _scope(self, definition: Node | None) -> Scope:
        names: dict[str, Name] = {}
        shapes: dict[str, Shape] = {}
        lines = _occurrences(self._module, definition or self._module.root)
        distance, node = 0, definition
        while node is not None:
            bindings = {**parameters_of(self._module, node), **_bindings(self._module, node)}
            for text, shape in guessed_shapes(self._module, own_nodes(node)).items():
                shapes.setdefault(text, shape)
            for text, (line, shape_bound) in bindings.items():
                found = shape_bound or shapes.get(text)
                names.setdefault(text, _name(text, found, distance, line, lines.get(text, ())))
            distance, node = 1, _enclosing_function(node)
        for text, (line, shape_bound) in self._globals.items():
            found = shape_bound or self._global_shapes.get(text)
            names.setdefault(text, _name(text, found, 2, line, lines.get(text, ())))
        by_name = {n.text: n.shape for n in names.values() if n.shape is not None}
        return Scope(
            tuple(names.values()),
            {**self._dotted, **shapes, **by_name},
            self._attributes,
            self._functions,
            names,
        )


def _name(text: str, shape: Shape | None, distance: int, line: int, lines: Sequence[int]) -> Name:
    return Name(text, shape, distance, line, tuple(dict.fromkeys(lines)), len(lines))


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


def _occurrences(module: Module, root: Node) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for node in walk(root, into_blocks=True):
        if node.type == "identifier":
            found.setdefault(module.source(node), []).append(node.start_point[0] + 1)
    return found


Bindings = dict[str, tuple[int, Shape | None]]


def parameters_of(module: Module, definition: Node) -> Bindings:
    """Parameters of a function by name, in order."""
    parameters = definition.child_by_field_name("parameters")
    found: Bindings = {}
    for child in parameters.named_children if parameters is not None else ():
        name = child if child.type == "identifier" else child.child_by_field_name("name")
        if name is None:
            name = next((c for c in walk(child) if c.type == "identifier"), None)
        if name is not None:
            shape: Shape | None = {"list_splat_pattern": "list", "dictionary_splat_pattern": "dict"}.get(
                child.type
            )  # type: ignore[assignment]
            found.setdefault(module.source(name), (name.start_point[0] + 1, shape))
    return found


def _bindings(module: Module, definition: Node) -> Bindings:
    """Names that this function or module binds, by the line of the first binding."""
    found: Bindings = {}
    for node in own_nodes(definition):
        for name, shape in _bound_by(node, definition):
            found.setdefault(module.source(name), (name.start_point[0] + 1, shape))
    return found


def _bound_by(node: Node, definition: Node) -> Iterator[tuple[Node, Shape | None]]:
    if node.type in ("assignment", "for_statement", "named_expression"):
        left = node.child_by_field_name("left") or node.child_by_field_name("name")
        if left is not None:
            yield from ((name, None) for name in _targets(left))
    elif node.type == "as_pattern_target":
        yield from ((name, None) for name in _targets(node))
    elif node.type in DEFINITIONS and node != definition:
        name = node.child_by_field_name("name")
        if name is not None:
            yield name, "callable"
    elif node.type in ("import_statement", "import_from_statement"):
        yield from ((name, "module") for name in _imported(node))


def _targets(root: Node) -> Iterator[Node]:
    """The names that a target binds, in order."""
    stack = [root]
    while stack:
        node = stack.pop()
        if node.type == "identifier":
            yield node
        elif node.type in TARGETS:
            stack.extend(reversed(node.named_children))


TARGETS = (
    "pattern_list", "tuple_pattern", "list_pattern", "as_pattern_target", "tuple", "list_splat_pattern"
)  # fmt: skip


def _imported(node: Node) -> Iterator[Node]:
    for child in node.children_by_field_name("name"):
        alias = child.child_by_field_name("alias")
        names = [c for c in walk(alias or child) if c.type == "identifier"]
        yield from names[:1]


def _functions(module: Module, nodes: list[Node]) -> Iterator[tuple[str, int]]:
    for node in nodes:
        if node.type in DEFINITIONS:
            name = node.child_by_field_name("name")
            parameters = parameters_of(module, node) if node.type == "function_definition" else {}
            if name is not None:
                yield module.source(name), sum(text not in ("self", "cls") for text in parameters)


def _attributes(module: Module, nodes: list[Node]) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    for node in nodes:
        receiver, attribute = receiver_and_attribute(node)
        if receiver is not None and attribute is not None:
            found.setdefault(module.source(receiver), {})[module.source(attribute)] = None
    return {receiver: tuple(names) for receiver, names in found.items()}


def receiver_and_attribute(node: Node) -> tuple[Node | None, Node | None]:
    """The two sides of an attribute access; (None, None) of any other node."""
    if node.type != "attribute":
        return None, None
    return node.child_by_field_name("object"), node.child_by_field_name("attribute")
