"""What a template sees: one statement with its surroundings, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from treemend.store.records import Edit
from treemend.tools.scope import Name, Scope, Shape, expression_shape, receiver_and_attribute
from treemend.tools.syntax import Module, Statement, walk

if TYPE_CHECKING:
    from tree_sitter import Node

SHOWN_CHARS_MAX = 60
SAME_SHAPE, UNKNOWN_SHAPE, OTHER_SHAPE = 2.0, 1.0, 0.15


class Draft(NamedTuple):
    """One change: what is wrong, what to do, the edits, and how plausible it is beside its like."""

    fault: str
    remedy: str
    edits: tuple[Edit, ...]
    weight: float = 1.0


Make = Callable[["Site"], Iterator[Draft]]


class Template(NamedTuple):
    """A kind of mend. `frequency` is how often people mend so: thousands among one-statement fixes."""

    name: str
    frequency: float
    make: Make


@dataclass(frozen=True, slots=True)
class Site:
    """A statement of a module, what can be named there, and what the neighbouring files have."""

    module: Module
    statement: Statement
    scope: Scope
    sibling_attributes: tuple[str, ...]

    @property
    def node(self) -> Node:
        return self.statement.node

    @property
    def indent(self) -> str:
        """The white space before the statement."""
        return self.indent_of(self.node)

    def indent_of(self, node: Node) -> str:
        start = self.module.start(node)
        line = self.module.text.rfind("\n", 0, start) + 1
        before = self.module.text[line:start]
        return before if not before.strip() else before[: len(before) - len(before.lstrip())]

    @property
    def newline(self) -> str:
        return "\r\n" if "\r\n" in self.module.text else "\n"

    def text(self, node: Node) -> str:
        return self.module.source(node)

    def nodes(self, *types: str) -> list[Node]:
        """Nodes of these types in the statement (its header alone where it has a body)."""
        return [node for node in walk(self.node) if node.type in types]

    def function_nodes(self, *types: str) -> list[Node]:
        """Nodes of these types in the enclosing function (or the module), bodies included."""
        root = self.statement.definition or self.module.root
        return [node for node in walk(root, into_blocks=True) if node.type in types]

    def edit(self, node: Node, new: str) -> Edit:
        start, end = self.module.start(node), self.module.end(node)
        return Edit(path=self.module.path, start=start, end=end, text=new)

    def insert_before(self, code: str) -> Edit:
        """Put a line of code before the statement, at its indentation."""
        at = self.module.start(self.node)
        text = f"{code}{self.newline}{self.indent}"
        return Edit(path=self.module.path, start=at, end=at, text=text)

    def insert_after(self, node: Node, code: str) -> Edit:
        """Put a line of code behind a statement, at that statement's indentation."""
        at = self.module.end(node)
        text = f"{self.newline}{self.indent_of(node)}{code}"
        return Edit(path=self.module.path, start=at, end=at, text=text)

    def swap(self, node: Node, new: str, fault: str, weight: float = 1.0, remedy: str = "") -> Draft:
        """Replace one node's text."""
        told = remedy or f"Use `{shown(new)}` instead of `{shown(self.text(node))}`."
        return Draft(fault, told, (self.edit(node, new),), weight)

    def shape(self, node: Node) -> Shape | None:
        """The shape of an expression, as its form or its name shows it."""
        if node.type == "identifier":
            return self.scope.shape_of(self.text(node))
        return expression_shape(self.module, node)

    def rivals(self, node: Node, count_max: int = 12) -> list[tuple[Name, float]]:
        """Other variables that could stand in a node's place, likeliest first, with their weights."""
        shape, own = self.shape(node), self.text(node)
        weighted = [
            (name, fit(shape, name.shape) * (1.0 if name.distance < 2 else 0.4))
            for name in self.scope.names
            if name.text != own and (name.shape != "callable" or shape == "callable")
        ]
        return sorted(weighted, key=lambda pair: -pair[1])[:count_max]


def fit(wanted: Shape | None, offered: Shape | None) -> float:
    """How well one shape stands in for another."""
    if wanted is None or offered is None:
        return UNKNOWN_SHAPE
    return SAME_SHAPE if wanted == offered else OTHER_SHAPE


def shown(text: str) -> str:
    """Code as a sentence quotes it: one line, cut, without backticks of its own."""
    line = " ".join(text.replace("`", "'").split())
    return line if len(line) <= SHOWN_CHARS_MAX else line[: SHOWN_CHARS_MAX - 1] + "…"


def is_read(node: Node) -> bool:
    """Whether an identifier is read as a value: not called, bound, or a name of an argument."""
    above = node.parent
    if above is None:
        return False
    if above.type == "call" and above.child_by_field_name("function") == node:
        return False
    if above.type in ("keyword_argument", "default_parameter", "typed_default_parameter"):
        return above.child_by_field_name("value") == node
    if above.type == "attribute":
        return receiver_and_attribute(above)[0] == node
    if above.type in ("assignment", "augmented_assignment", "for_statement", "for_in_clause"):
        return above.child_by_field_name("left") != node
    bound = (
        "parameters", "lambda_parameters", "typed_parameter", "pattern_list", "tuple_pattern", "dotted_name",
        "aliased_import", "function_definition", "class_definition", "as_pattern_target", "global_statement",
        "type", "list_splat_pattern", "dictionary_splat_pattern", "nonlocal_statement",
    )  # fmt: skip
    return above.type not in bound


def unique(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def arguments_of(call: Node) -> list[Node]:
    """The positional arguments of a call."""
    arguments = call.child_by_field_name("arguments")
    if arguments is None or arguments.type != "argument_list":
        return []
    plain = ("keyword_argument", "list_splat", "dictionary_splat", "comment")
    return [child for child in arguments.named_children if child.type not in plain]


def condition_of(node: Node) -> Node | None:
    """The condition of an if, elif, while, assert or conditional expression."""
    if node.type in ("if_statement", "elif_clause", "while_statement"):
        return node.child_by_field_name("condition")
    if node.type == "assert_statement" and node.named_children:
        return node.named_children[0]
    return None


def is_expression_place(node: Node) -> bool:
    """Whether a node stands where a whole value is given: assigned, returned, passed, yielded."""
    above = node.parent
    if above is None:
        return False
    if above.type in ("assignment", "augmented_assignment"):
        return above.child_by_field_name("right") == node
    if above.type in ("keyword_argument", "pair"):
        return above.child_by_field_name("value") == node
    return above.type in (
        "return_statement", "argument_list", "yield", "list", "expression_list", "parenthesized_expression",
    )  # fmt: skip


VALUES = (
    "identifier", "attribute", "call", "subscript", "binary_operator", "integer", "list", "string",
    "parenthesized_expression", "tuple", "conditional_expression", "list_comprehension", "unary_operator",
    "boolean_operator", "comparison_operator", "dictionary", "none", "true", "false",
)  # fmt: skip


def values(site: Site) -> Sequence[Node]:
    """Whole values of the statement, outermost first."""
    return [node for node in site.nodes(*VALUES) if is_expression_place(node)]
