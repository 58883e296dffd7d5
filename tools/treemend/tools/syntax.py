"""Python's concrete syntax: statements, the functions they are in, and digests that ignore form.

Positions handed out are offsets into the decoded text, in characters, as `records.Edit` wants them.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

DEFINITIONS = ("function_definition", "class_definition")
COMPOUND = (
    "if_statement", "elif_clause", "else_clause", "for_statement", "while_statement", "try_statement",
    "except_clause", "finally_clause", "with_statement", "match_statement", "case_clause", *DEFINITIONS,
)  # fmt: skip
BLOCK_DEPTH_MAX = 100
"""Python itself refuses more levels of indentation."""
SIMPLE = (
    "expression_statement", "return_statement", "raise_statement", "assert_statement", "pass_statement",
    "break_statement", "continue_statement", "delete_statement", "global_statement",
    "nonlocal_statement", "import_statement", "import_from_statement", "future_import_statement",
)  # fmt: skip


@cache
def _parser() -> Parser:
    import tree_sitter_python
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_python.language()))


@dataclass(frozen=True, slots=True)
class Statement:
    """A simple statement, or the header of a compound one.

    Attributes:
        node: The whole statement, of a compound one with its body.
        line: First line, from 1; `end_line` is the last of the header where there is a body.
        function: Qualified name of the enclosing function ("Class.method"), "" at module level.
        definition: The node of that function, None at module level.
        class_name: Name of the enclosing class, "" outside of any.
        block: The statements it stands among, in order, itself included.
    """

    node: Node
    line: int
    end_line: int
    function: str
    definition: Node | None
    class_name: str
    block: tuple[Node, ...]

    @property
    def is_compound(self) -> bool:
        return self.node.type in COMPOUND


@dataclass(frozen=True)
class Module:
    """One parsed file."""

    path: str
    text: str
    root: Node
    statements: tuple[Statement, ...]
    _characters: tuple[int, ...] | None = field(repr=False)

    @property
    def has_errors(self) -> bool:
        return self.root.has_error

    @cached_property
    def newline(self) -> str:
        return "\r\n" if "\r\n" in self.text else "\n"

    @cached_property
    def step(self) -> str:
        """One step of indentation, as the first indented line of code has it; four blanks without one."""
        for line in self.text.splitlines():
            inner = line[: len(line) - len(line.lstrip())]
            if inner and not line.lstrip().startswith(("#", '"', "'")) and line.strip():
                return inner
        return "    "

    def start(self, node: Node) -> int:
        """The offset of a node's first character."""
        return self.offset(node.start_byte)

    def end(self, node: Node) -> int:
        """The offset behind a node's last character."""
        return self.offset(node.end_byte)

    def offset(self, byte: int) -> int:
        return byte if self._characters is None else self._characters[byte]

    def source(self, node: Node) -> str:
        """The text of a node."""
        return self.text[self.start(node) : self.end(node)]

    def functions_by_line(self) -> dict[int, str]:
        """The innermost function of every line, "" at module level."""
        names = dict.fromkeys(range(1, self.text.count("\n") + 2), "")
        for name, node in functions_of(self.root):
            names.update(dict.fromkeys(range(node.start_point[0] + 1, node.end_point[0] + 2), name))
        return names


def parse_module(path: str, text: str) -> Module:
    """Parse Python; never fails: what can't be parsed shows in `has_errors`."""
    data = text.encode("utf-8", "surrogatepass")
    root = _parser().parse(data).root_node
    characters = None if len(data) == len(text) else tuple(_character_offsets(text))
    return Module(path, text, root, tuple(_statements(root, _Around())), characters)


def _character_offsets(text: str) -> Iterator[int]:
    """The character offset of every byte offset of the UTF-8 form, the end included."""
    widths = (len(character.encode("utf-8", "surrogatepass")) for character in text)
    for number, width in enumerate(widths):
        yield from [number] * width
    yield len(text)


@dataclass(frozen=True, slots=True)
class _Around:
    """What encloses a statement: qualified name of the innermost definition, function and class."""

    prefix: str = ""
    function: str = ""
    definition: Node | None = None
    class_name: str = ""
    depth: int = 0

    def inside(self, node: Node) -> _Around:
        """What encloses the statements of a compound one."""
        around = replace(self, depth=self.depth + 1)
        name = node.child_by_field_name("name") if node.type in DEFINITIONS else None
        if name is None:
            return around
        qualified = _qualified(self.prefix, _text(name))
        if node.type == "class_definition":
            return replace(around, prefix=qualified, class_name=qualified)
        return replace(around, prefix=qualified, function=qualified, definition=node)


def _statements(node: Node, around: _Around) -> Iterator[Statement]:
    block = tuple(child for child in node.named_children if child.type != "comment")
    for child in block:
        target = _undecorated(child)
        if target.type in COMPOUND:
            yield _statement(target, around, block)
            yield from _inside(target, around.inside(target))
        elif target.type in SIMPLE:
            yield _statement(target, around, block)


def _inside(node: Node, around: _Around) -> Iterator[Statement]:
    if around.depth > BLOCK_DEPTH_MAX:
        return
    for child in node.named_children:
        if child.type == "block":
            yield from _statements(child, around)
        elif child.type in COMPOUND:
            yield _statement(child, around, (child,))
            yield from _inside(child, around.inside(child))


def _statement(node: Node, around: _Around, block: tuple[Node, ...]) -> Statement:
    body = body_of(node)
    last = node.end_point[0] if body is None else max(node.start_point[0], _header_end(node, body))
    return Statement(
        node,
        node.start_point[0] + 1,
        last + 1,
        around.function,
        around.definition,
        around.class_name,
        block,
    )


def _header_end(node: Node, body: Node) -> int:
    colon = body.prev_sibling
    while colon is not None and colon.type != ":":
        colon = colon.prev_sibling
    return colon.end_point[0] if colon is not None else node.start_point[0]


def body_of(node: Node) -> Node | None:
    """The block of a compound statement."""
    return next((child for child in node.children if child.type == "block"), None)


def _undecorated(node: Node) -> Node:
    if node.type != "decorated_definition":
        return node
    return node.child_by_field_name("definition") or node


def functions_of(root: Node) -> Iterator[tuple[str, Node]]:
    """All functions with their qualified names, outer ones first."""
    stack = [(root, "")]
    while stack:
        node, prefix = stack.pop()
        name = node.child_by_field_name("name") if node.type in DEFINITIONS else None
        if name is not None:
            prefix = _qualified(prefix, _text(name))
            if node.type == "function_definition":
                yield prefix, node
        stack.extend((child, prefix) for child in reversed(node.named_children))


def _qualified(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")


def walk(node: Node, *, into_blocks: bool = False) -> Iterator[Node]:
    """A node and all below it in source order; without blocks, the header of a compound statement."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        children = current.named_children
        if not into_blocks:
            children = [c for c in children if c.type != "block" and c.type not in COMPOUND]
        stack.extend(reversed(children))


def syntax_digest(text: str) -> str:
    """A digest of the syntax tree: comments, layout and needless parentheses don't change it.

    Of text that this Python can't parse, a digest of the tokens that tree-sitter sees.
    """
    try:
        form = ast.dump(ast.parse(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        form = "\n".join(_tokens(text))
    return hashlib.sha256(form.encode("utf-8", "surrogatepass")).hexdigest()


def _tokens(text: str) -> Iterator[str]:
    """Every token; the first of a line with its column."""
    root = _parser().parse(text.encode("utf-8", "surrogatepass")).root_node
    row = -1
    stack = [root]
    while stack:
        node = stack.pop()
        stack.extend(reversed(node.children))
        if node.child_count == 0 and node.type != "comment":
            column = node.start_point[1] if node.start_point[0] != row else ""
            row = node.start_point[0]
            yield f"{column} {_text(node)}"
