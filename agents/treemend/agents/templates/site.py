"""What a template sees: one statement with its surroundings; and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from treemend.agents.templates.ingredients import Ingredients
from treemend.store.records import Edit
from treemend.tools.scope import Name, Scope
from treemend.tools.shapes import Shape, expression_shape
from treemend.tools.syntax import DEFINITIONS, Module, Statement, body_of, walk

if TYPE_CHECKING:
    from tree_sitter import Node


def words(line: str) -> tuple[str, ...]:
    """The words of a line, for tables of names."""
    return tuple(line.split())


SHOWN_CHARS_MAX = 60
SAME_SHAPE, UNKNOWN_SHAPE, OTHER_SHAPE = 2.0, 1.0, 0.15
UNBOUND = 20.0
NODES_MAX = 250
HEADER_NODES_MAX = 8000
UNUSED = 2.5
CLAUSES = words("elif_clause else_clause except_clause finally_clause case_clause")
LOOPS = words("for_statement while_statement")
ATOMS = frozenset(
    words(
        "identifier attribute call subscript integer float string list dictionary set tuple none true "
        "false parenthesized_expression list_comprehension dictionary_comprehension set_comprehension "
        "generator_expression"
    )
)
OPERATIONS = frozenset(
    words("binary_operator unary_operator comparison_operator not_operator boolean_operator await")
)
VALUES = frozenset(
    words(
        "identifier attribute call subscript binary_operator integer float list string tuple none true "
        "parenthesized_expression conditional_expression list_comprehension unary_operator false "
        "boolean_operator comparison_operator dictionary not_operator set lambda"
    )
)


class Draft(NamedTuple):
    """One change: what is wrong, what to do, the edits, and how plausible it is beside its like."""

    fault: str
    remedy: str
    edits: tuple[Edit, ...]
    weight: float = 1.0


Make = Callable[["Site"], Iterator[Draft]]


class Template(NamedTuple):
    """A kind of mend. `frequency` is how often people mend so: thousands of one-statement fixes."""

    name: str
    frequency: float
    make: Make


class Link(NamedTuple):
    """Where a node hangs: its parent, and its field there ("" without one)."""

    parent: Node
    field: str


@dataclass(frozen=True, slots=True)
class Site:
    """A statement of a module and what can be said there.

    Attributes:
        header: The named nodes of the statement, of a compound one without its body, in order.
        links: Parent and field by node id, for the nodes of the header.
        loop: The innermost loop around the statement in its function.
        ranked: Variables of the function and those around it, nearest first, with their weights.
        sibling_attributes: Attributes that neighbouring files give their objects.
    """

    module: Module
    statement: Statement
    scope: Scope
    ingredients: Ingredients
    sibling_attributes: tuple[str, ...]
    header: tuple[Node, ...]
    links: Mapping[int, Link]
    loop: Node | None
    ranked: tuple[tuple[Name, float], ...]

    @property
    def node(self) -> Node:
        return self.statement.node

    @property
    def line(self) -> int:
        return self.statement.line

    @property
    def is_clause(self) -> bool:
        """Whether the statement only continues another: `else`, `except`."""
        return self.node.type in CLAUSES

    @property
    def owns_line(self) -> bool:
        """Whether nothing but white space stands before the statement on its line."""
        start = self.module.start(self.node)
        line = self.module.text.rfind("\n", 0, start) + 1
        return not self.module.text[line:start].strip()

    @property
    def head(self) -> str:
        """The statement's first line, as a sentence quotes it."""
        return shown(self.text(self.node).splitlines()[0])

    @property
    def newline(self) -> str:
        return self.module.newline

    @property
    def indent(self) -> str:
        """The white space before the statement."""
        return self.indent_of(self.node)

    @property
    def deeper(self) -> str:
        """The white space of a block below the statement, one step in as the file steps."""
        body = body_of(self.node)
        inner = self.indent_of(body.named_children[0]) if body and body.named_children else ""
        return inner if len(inner) > len(self.indent) else self.indent + self.module.step

    def indent_of(self, node: Node) -> str:
        start = self.module.start(node)
        before = self.module.text[self.module.text.rfind("\n", 0, start) + 1 : start]
        return before[: len(before) - len(before.lstrip())]

    def text(self, node: Node) -> str:
        return self.module.source(node)

    def nodes(self, *types: str) -> list[Node]:
        return [node for node in self.header if node.type in types]

    def parent(self, node: Node) -> Node | None:
        link = self.links.get(node.id)
        return link.parent if link is not None else None

    def field(self, node: Node) -> str:
        link = self.links.get(node.id)
        return link.field if link is not None else ""

    def parent_type(self, node: Node) -> str:
        above = self.parent(node)
        return above.type if above is not None else ""

    def above(self, node: Node) -> Iterator[Node]:
        """What a node of the header is in, innermost first, up to the statement."""
        link = self.links.get(node.id)
        while link is not None:
            yield link.parent
            link = self.links.get(link.parent.id)

    def operand(self, node: Node) -> str:
        """A node's text, fit to be an operand."""
        return self.text(node) if node.type in ATOMS else f"({self.text(node)})"

    def edit(self, node: Node, new: str) -> Edit:
        start, end = self.module.start(node), self.module.end(node)
        return Edit(path=self.module.path, start=start, end=end, text=new)

    def swap(self, node: Node, new: str, fault: str, weight: float = 1.0, remedy: str = "") -> Draft:
        """Replace one node's text."""
        told = remedy or f"Use `{shown(new)}` instead of `{shown(self.text(node))}`."
        return Draft(fault, told, (self.edit(node, new),), weight)

    def exchange(self, one: Node, other: Node, fault: str, weight: float = 1.0) -> Draft:
        """Swap the texts of two nodes that don't overlap."""
        first, second = self.text(one), self.text(other)
        told = f"Swap `{shown(first)}` and `{shown(second)}`."
        return Draft(fault, told, (self.edit(one, second), self.edit(other, first)), weight)

    def compose(self, node: Node, new: str, fault: str, weight: float = 1.0, remedy: str = "") -> Draft:
        """Replace a node by an expression with operators, in parentheses where it needs them."""
        above = self.parent(node)
        inside = above is not None and (
            above.type in OPERATIONS or (above.type == "attribute" and self.field(node) == "object")
        )
        told = remedy or f"Use `{shown(new)}` instead of `{shown(self.text(node))}`."
        return self.swap(node, f"({new})" if inside else new, fault, weight, told)

    def insert_before(self, *code: str) -> Edit:
        """Put lines of code before the statement, at its indentation."""
        at = self.module.start(self.node)
        text = "".join(f"{line}{self.newline}{self.indent}" for line in code)
        return Edit(path=self.module.path, start=at, end=at, text=text)

    def insert_after(self, *code: str) -> Edit:
        """Put lines of code behind the statement, at its indentation."""
        at = self.module.end(self.node)
        text = "".join(f"{self.newline}{self.indent}{line}" for line in code)
        return Edit(path=self.module.path, start=at, end=at, text=text)

    def shape(self, node: Node) -> Shape | None:
        return expression_shape(self.module, node, self.scope.shapes)

    @property
    def in_loop(self) -> bool:
        return self.loop is not None

    def variables(self, count_max: int) -> tuple[tuple[Name, float], ...]:
        """Variables of the function and those around it, likeliest first, with their weights."""
        return self.ranked[:count_max]

    def rivals(self, node: Node, count_max: int = 12) -> list[tuple[str, float]]:
        """Other names that could stand in a node's place, likeliest first, with their weights."""
        shape, own = self.shape(node), self.text(node)
        called = shape in ("callable", "module")
        unbound = node.type == "identifier" and not self.is_bound(node)
        weighted = {local: UNKNOWN_SHAPE for local in self.locals_at(node) if local != own}
        for name in self.scope.names:
            if name.text == own or (name.shape in ("callable", "module")) is not called:
                continue
            weight = (
                fit(shape, name.shape)
                * nearness(name, self.statement, self.in_loop)
                * (1 + alike(own, name.text))
            )
            weighted.setdefault(name.text, weight * (0.1 if name.text in ("self", "cls") else 1.0))
        if unbound:
            weighted = {t: w * UNBOUND * (0.1 + alike(own, t)) for t, w in weighted.items()}
        return sorted(weighted.items(), key=lambda pair: -pair[1])[:count_max]

    def is_bound(self, node: Node) -> bool:
        text = self.text(node)
        return self.scope.is_bound(text) or text in self.locals_at(node)

    def locals_at(self, node: Node) -> list[str]:
        """Names that comprehensions and lambdas around a node bind."""
        found: list[str] = []
        for above in self.above(node):
            if above.type.endswith("comprehension") or above.type == "generator_expression":
                clauses = [c for c in above.named_children if c.type == "for_in_clause"]
                targets = [clause.child_by_field_name("left") for clause in clauses]
            elif above.type == "lambda":
                targets = [above.child_by_field_name("parameters")]
            else:
                continue
            for target in targets:
                inner = walk(target) if target is not None else ()
                found += [self.text(n) for n in inner if n.type == "identifier"]
        return unique(found)


def make_site(
    module: Module,
    statement: Statement,
    scope: Scope,
    ingredients: Ingredients,
    sibling_attributes: tuple[str, ...],
    wanted: frozenset[int],
) -> Site:
    """The site of a statement; of a huge one only the nodes on wanted lines are offered for change."""
    header, links = _linked(statement.node)
    if len(header) > NODES_MAX:
        header = tuple(n for n in header if n.start_point[0] + 1 in wanted)[:NODES_MAX]
    loop = enclosing_loop(statement.node)
    weighted = [(name, nearness(name, statement, loop is not None)) for name in scope.variables]
    ranked = tuple(sorted(weighted, key=lambda pair: -pair[1]))
    return Site(module, statement, scope, ingredients, sibling_attributes, header, links, loop, ranked)


def enclosing_loop(node: Node) -> Node | None:
    """The innermost loop around a statement in the same function."""
    above = node.parent
    while above is not None and above.type not in DEFINITIONS:
        if above.type in LOOPS:
            return above
        above = above.parent
    return None


def nearness(name: Name, statement: Statement, in_loop: bool) -> float:
    """How likely a name is meant at a statement: by its scope, its distance, and whether it is bound yet.

    A name that nothing reads was bound for something, which may be what is missing here.
    """
    outwards = (1.0, 0.5, 0.25)[name.distance]
    gap = name.gap(statement.line)
    near = 1.0 if gap <= 3 else 0.8 if gap <= 10 else 0.5
    forgotten = UNUSED if name.distance == 0 and name.uses <= 1 else 1.0
    late = name.distance == 0 and name.line > statement.end_line and not in_loop
    return outwards * near * forgotten * (0.2 if late else 1.0)


def _linked(root: Node) -> tuple[tuple[Node, ...], dict[int, Link]]:
    """The header's nodes in order, and where each hangs."""
    header: list[Node] = []
    links: dict[int, Link] = {}
    stack = [root]
    while stack and len(header) < HEADER_NODES_MAX:
        node = stack.pop()
        header.append(node)
        inner = []
        for position, child in enumerate(node.children):
            if child.is_named and not (len(header) == 1 and _is_body(child)):
                links[child.id] = Link(node, node.field_name_for_child(position) or "")
                inner.append(child)
        stack.extend(reversed(inner))
    return tuple(header), links


def _is_body(node: Node) -> bool:
    return node.type == "block" or node.type in CLAUSES


def fit(wanted: Shape | None, offered: Shape | None) -> float:
    """How well one shape stands in for another."""
    if wanted is None or offered is None:
        return UNKNOWN_SHAPE
    return SAME_SHAPE if wanted == offered else OTHER_SHAPE


@lru_cache(maxsize=1 << 16)
def alike(one: str, other: str) -> float:
    """How much two names look alike, 0 to 1; only likenesses of a slip count."""
    if len(one) + len(other) > 120 or 2 * min(len(one), len(other)) < 0.6 * len(one + other):
        return 0.0
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    ratio = matcher.ratio() if matcher.quick_ratio() >= 0.6 else 0.0
    return ratio if ratio >= 0.6 else 0.0


def shown(text: str) -> str:
    """Code as a sentence quotes it: one line, cut, without backticks of its own."""
    line = " ".join(text.replace("`", "'").split())
    return line if len(line) <= SHOWN_CHARS_MAX else line[: SHOWN_CHARS_MAX - 1] + "…"


def unique(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))
