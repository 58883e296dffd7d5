"""What a function says already, from which changes are made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from treemend.tools.syntax import Module, walk

if TYPE_CHECKING:
    from tree_sitter import Node

SIMPLE = ("expression_statement", "return_statement", "continue_statement", "break_statement")
CONDITIONS = ("if_statement", "elif_clause", "while_statement")
EXPRESSIONS = ("subscript", "attribute", "call", "binary_operator")
FIXED = ("integer", "string", "unary_operator")
EXPRESSION_CHARS_MAX = 60


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of code with the line it was first seen on."""

    code: str
    kind: str
    line: int


@dataclass(frozen=True, slots=True)
class Ingredients:
    """Pieces of one function (or of a module's top level), each text once, in source order.

    Attributes:
        accessors: What is put behind names: "[1]", ".name", "[0]".
        is_generator: Whether the function yields, `is_async` whether it may await.
    """

    statements: tuple[Text, ...] = ()
    conditions: tuple[Text, ...] = ()
    expressions: tuple[Text, ...] = ()
    strings: tuple[Text, ...] = ()
    returned: tuple[Text, ...] = ()
    accessors: tuple[str, ...] = ()
    is_generator: bool = False
    is_async: bool = False


def gather(module: Module, root: Node) -> Ingredients:
    """The ingredients below a definition or the module's root."""
    nodes = list(walk(root, into_blocks=True))
    return Ingredients(
        _texts(module, (n for n in nodes if n.type in SIMPLE)),
        _texts(module, _conditions(nodes)),
        _texts(module, (n for n in nodes if n.type in EXPRESSIONS)),
        _texts(module, (n for n in nodes if n.type == "string")),
        _texts(module, (n.named_children[0] for n in _returns(nodes) if n.named_children)),
        tuple(dict.fromkeys(_accessors(module, nodes))),
        any(n.type == "yield" for n in nodes),
        root.type == "function_definition" and module.source(root).startswith("async"),
    )


def _returns(nodes: Iterable[Node]) -> Iterable[Node]:
    return (node for node in nodes if node.type == "return_statement")


def _conditions(nodes: Iterable[Node]) -> Iterable[Node]:
    for node in nodes:
        if node.type in CONDITIONS:
            condition = node.child_by_field_name("condition")
            if condition is not None:
                yield condition
        elif node.type == "if_clause":
            yield from node.named_children[:1]


def _texts(module: Module, nodes: Iterable[Node]) -> tuple[Text, ...]:
    found: dict[str, Text] = {}
    for node in nodes:
        code = module.source(node)
        if "\n" not in code and len(code) <= EXPRESSION_CHARS_MAX:
            found.setdefault(code, Text(code, node.type, node.start_point[0] + 1))
    return tuple(found.values())


def _accessors(module: Module, nodes: Iterable[Node]) -> Iterable[str]:
    for node in nodes:
        if node.type == "subscript":
            value, index = node.child_by_field_name("value"), node.child_by_field_name("subscript")
            plain = value is not None and value.type == "identifier"
            if plain and index is not None and index.type in FIXED:
                yield f"[{module.source(index)}]"
