"""A file's text to its facts. Pure: bytes of UTF-8 in, `FileFacts` out."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from treemend.tools.index.comments import comment_before, docstring, is_license
from treemend.tools.index.facts import (
    CALLABLES,
    CLASSES,
    DATA,
    IMPL,
    MODULE,
    Definition,
    FileFacts,
    Import,
)
from treemend.tools.index.identifiers import find_identifiers
from treemend.tools.index.imports import imported_names
from treemend.tools.index.languages import facts_query, parser
from treemend.tools.index.naming import BARE, Name, name_of, without_arguments
from treemend.tools.index.units import units_of

if TYPE_CHECKING:
    from tree_sitter import Node

SIGNATURE_CHARS_MAX = 400
_FIELD_CHARS_MAX = 160
_DECORATORS_MAX = 20
_PRIORITY = ("field", "variable", "type", "constant", "method", "function")
"""Where two patterns capture one node, the later one here names it; all others come after these."""
_SHARING = BARE | {"variable_declarator"}
"""Nodes whose declaration says more than they do themselves."""
_GO_TYPES = frozenset({"type_spec", "type_alias"})
_WITH_PARAMETERS = CALLABLES | {"macro", "class"}
_SCOPES = CLASSES | {IMPL, "namespace"}
_BLANK = re.compile(r"\s+")
_ANNOTATED = frozenset({"java", "csharp", "php", "typescript", "tsx"})
_ANNOTATIONS = re.compile(
    r"^(?:(?:@(?!interface\b)[\w.]+(?:\([^()]*\))?|#?\[[^\]]*\]|//[^\n]*\n|/\*.*?\*/)\s*)+", re.DOTALL
)
_TRAILING_COMMENT = re.compile(r"(?:(?<=[:\n])|(?<=\s))[ \t]*#[^\n]*(?:\n\s*#[^\n]*)*\s*$")
_MAY_BE_STRING = re.compile(rb"#|[rRuUbBfF]{0,2}[\"']")
_IN_ORDER = {"base", "comment", "decorator", "import", "mixin", "package"}
"""Captures whose order in the file matters; tree-sitter gives them in that of their addresses."""
_start_of = attrgetter("start_byte")
_Captures = dict[str, list["Node"]]


def extract_facts(language: str, data: bytes) -> FileFacts:
    """Definitions, imports, identifiers and words of a file in one of `languages.LANGUAGES`.

    `data` is UTF-8; what the grammar can't parse is left out, the rest of the file isn't.
    """
    from tree_sitter import QueryCursor

    root = parser(language).parse(data).root_node
    captures = QueryCursor(facts_query(language)).captures(root)
    for capture in _IN_ORDER & captures.keys():
        captures[capture].sort(key=_start_of)
    outline = _Outline(language, data, root, captures)
    definitions = outline.definitions()
    imports = tuple(_imports(language, captures.get("import", ())))
    occurrences = find_identifiers(language, data, captures, outline.name_starts, outline.line_starts)
    package = outline.package()
    return FileFacts(
        package,
        root.has_error,
        definitions,
        imports,
        occurrences,
        tuple(units_of(definitions, data)),
    )


class _Found(NamedTuple):
    node: Node
    kind: str
    name: Name


class _Outline:
    """The definitions of one file in the making."""

    def __init__(self, language: str, data: bytes, root: Node, captures: _Captures) -> None:
        self._language = language
        self._data = data
        self._root = root
        self._captures = captures
        self.line_starts = (0, *accumulate(map(len, data.splitlines(keepends=True))))
        if b"\r" in data or b"\x0c" in data or b"\x0b" in data:
            # tree-sitter counts "\n" alone.
            self.line_starts = (0, *(at.end() for at in re.finditer(rb"\n", data)))
        self.name_starts: set[int] = set()
        self._rows_begun: set[int] = set()
        self._comments = self._spans("comment")
        self._decorators = self._spans("decorator")

    def definitions(self) -> tuple[Definition, ...]:
        rows = [self._module()]
        seen: set[tuple[int, str]] = set()
        open_rows: list[int] = [0]
        for found in self._found():
            while len(open_rows) > 1 and rows[open_rows[-1]].end <= found.node.start_byte:
                open_rows.pop()
            parent = self._parent(found, open_rows, rows)
            row = None if parent is None else self._definition(found, parent, rows)
            if row is None or self._is_repeated(row, seen):
                continue
            self.name_starts.add(found.name.node.start_byte)
            rows.append(row)
            open_rows.append(len(rows) - 1)
        return tuple(self._with_bases(rows))

    def package(self) -> str:
        for node in self._captures.get("package", ())[:1]:
            text = _text(node).split("{")[0]
            text = re.sub(r"^.*?\b(package|namespace)\b|[;\s]", "", text.split(";")[0], flags=re.DOTALL)
            return text.replace("\\", ".").strip(".")
        return ""

    def _found(self) -> list[_Found]:
        kinds: dict[tuple[int, int], tuple[int, str, Node]] = {}
        for capture, nodes in self._captures.items():
            if not capture.startswith("def."):
                continue
            kind = capture[4:]
            rank = _PRIORITY.index(kind) if kind in _PRIORITY else len(_PRIORITY)
            for node in nodes:
                place = (node.start_byte, -node.end_byte)
                if place not in kinds or kinds[place][0] < rank:
                    kinds[place] = (rank, kind, node)
        ordered = [kinds[place] for place in sorted(kinds)]
        named = [(node, kind, name_of(node)) for _, kind, node in ordered]
        return [_Found(node, kind, name) for node, kind, name in named if name is not None]

    def _parent(self, found: _Found, open_rows: list[int], rows: list[Definition]) -> int | None:
        """The enclosing definition; an instance's field belongs to the class, or nowhere."""
        if not found.name.is_instance:
            return open_rows[-1]
        return next((row for row in reversed(open_rows) if rows[row].kind in _SCOPES), None)

    def _definition(self, found: _Found, parent: int, rows: list[Definition]) -> Definition | None:
        node, name = found.node, found.name
        kind = self._kind(found, rows[parent])
        if kind in ("variable", "constant") and rows[parent].kind in CALLABLES:
            return None
        function = _function_node(node)
        body = None if kind in DATA else function.child_by_field_name("body")
        starts, at = self.line_starts, name.node.start_byte
        line = bisect_right(starts, at) - 1
        begin, end = node.start_byte, node.end_byte
        top = line if begin == at else bisect_right(starts, begin, 0, line + 1) - 1
        end_row = bisect_right(starts, end, line) - 1
        decorators: tuple[str, ...] = ()
        doc = self._docstring(body) if body is not None and self._language == "python" else ""
        if top not in self._rows_begun:
            self._rows_begun.add(top)
            top, decorators = self._decorated(top, line)
            doc = doc or self._comment_above(top)
        scope = ".".join(filter(None, (rows[parent].qualified if parent else "", name.owner)))
        return Definition(
            name=name.text,
            qualified=f"{scope}.{name.text}" if scope else name.text,
            kind=kind,
            line=line + 1,
            column=at - starts[line] + 1,
            top_line=top + 1,
            end_line=end_row + 1 - (end == starts[end_row] and end_row > line),
            start=begin,
            end=end,
            body=body.start_byte if body is not None else 0,
            parent=parent if parent else -1,
            parameters=_parameter_count(function) if kind in _WITH_PARAMETERS else 0,
            signature=self._signature(node, kind, body),
            doc=doc,
            decorators=decorators,
        )

    def _docstring(self, body: Node) -> str:
        """Most bodies begin with something that can be seen to be no string."""
        return docstring(body) if _MAY_BE_STRING.match(self._data, body.start_byte) else ""

    def _kind(self, found: _Found, parent: Definition) -> str:
        if found.kind == "function" and (parent.kind in _SCOPES - {"namespace"} or found.name.owner):
            return "method"
        if found.kind == "function" and found.name.is_instance:
            return "method"
        if found.kind == "method" and parent.kind not in _SCOPES and not found.name.owner:
            return "function" if self._language not in ("go", "ruby") else "method"
        if found.kind == "variable" and found.name.text.isupper() and self._language != "go":
            return "constant"
        if found.kind == "variable" and parent.kind in CLASSES:
            return "field"
        return found.kind

    def _is_repeated(self, row: Definition, seen: set[tuple[int, str]]) -> bool:
        """A field or variable that is set again."""
        if row.kind not in DATA:
            return False
        key = (row.parent, row.qualified)
        if key in seen:
            return True
        seen.add(key)
        return False

    def _comment_above(self, top: int) -> str:
        """Python's comments above a definition say what they say about the code, too, but seldom that."""
        return "" if self._language == "python" else comment_before(top + 1, self._comments)

    def _decorated(self, top: int, line: int) -> tuple[int, tuple[str, ...]]:
        """The first row with decorators, attributes or annotations, and what they say.

        They stand above the definition (Python, Rust) or at its beginning (Java, C#, PHP).
        """
        texts: list[str] = []
        if not self._decorators:
            return top, ()
        for row in range(top, line + 1):
            if row + 1 in self._decorators:
                texts.append(self._decorators[row + 1][1])
        while top in self._decorators and len(texts) < _DECORATORS_MAX:
            first, text = self._decorators[top]
            texts.insert(0, text)
            top = first - 1
        return top, tuple(_BLANK.sub(" ", text)[:_FIELD_CHARS_MAX] for text in texts[:_DECORATORS_MAX])

    def _signature(self, node: Node, kind: str, body: Node | None) -> str:
        whole = (node.parent or node) if node.type in _SHARING else node
        start = whole.start_byte
        end = body.start_byte if body is not None else whole.end_byte
        limit = _FIELD_CHARS_MAX if kind in DATA else SIGNATURE_CHARS_MAX
        text = self._data[start : min(end, start + 8 * limit)].decode("utf-8", "replace")
        if kind not in DATA:
            text = self._header(text, is_bare=body is None and kind not in CALLABLES)
            if node.type in _GO_TYPES:
                text = f"type {text}"
        text = (" ".join(text.split()) if "\n" in text or "  " in text else text).strip(" ;,")
        return text if len(text) <= limit else f"{text[:limit]}…"

    def _header(self, text: str, *, is_bare: bool) -> str:
        """What stands before the body, without what leads over to it."""
        if is_bare:
            text = text.split("{", 1)[0]
        if text[:1] in "@[#/" and self._language in _ANNOTATED:
            text = _ANNOTATIONS.sub("", text)
        if "#" in text and self._language in ("python", "ruby"):
            text = _TRAILING_COMMENT.sub("", text)
        return text.rstrip().removesuffix("=>").rstrip(" {:;=\\\n\t")

    def _module(self) -> Definition:
        doc = docstring(self._root) if self._language == "python" else self._first_comment()
        last = max(1, self._data.count(b"\n") + (not self._data.endswith(b"\n")))
        return Definition("", "", MODULE, 1, 1, 1, last, 0, len(self._data), 0, -1, 0, "", doc)

    def _first_comment(self) -> str:
        """What a comment at the top of the file says about it, unless it is a licence."""
        for node in self._captures.get("comment", ())[:1]:
            if node.start_point[0] <= 2 and not is_license(_text(node)):
                first = node.end_point[0] + 1
                while first + 1 in self._comments and self._comments[first + 1][0] == first + 1:
                    first += 1
                return comment_before(first + 1, self._comments)
        return ""

    def _with_bases(self, rows: list[Definition]) -> Iterator[Definition]:
        """Hand each captured base to the innermost definition around it."""
        bases: dict[int, list[str]] = {}
        starts = [row.start for row in rows]
        for node in self._captures.get("base", ()):
            if (row := _innermost(rows, starts, node.start_byte)) > 0:
                bases.setdefault(row, []).append(base_name(_text(node)))
        for node in self._captures.get("mixin", ()):
            words = re.split(r"[\s(),]+", _text(node))
            row = _innermost(rows, starts, node.start_byte)
            if row > 0 and words[0] in ("include", "extend", "prepend"):
                bases.setdefault(row, []).extend(base_name(word) for word in words[1:] if word)
        for number, definition in enumerate(rows):
            found = tuple(dict.fromkeys(bases.get(number, ())))
            yield definition._replace(bases=found) if found else definition

    def _spans(self, capture: str) -> dict[int, tuple[int, str]]:
        """For the last line of each node its first line and its text."""
        found, starts = {}, self.line_starts
        for node in self._captures.get(capture, ()):
            start, end = node.start_byte, node.end_byte
            row = bisect_right(starts, end)
            last = row - (end == starts[row - 1])
            found[last] = (bisect_right(starts, start), self._slice(start, end))
        return found

    def _slice(self, start: int, end: int) -> str:
        return self._data[start:end].decode("utf-8", "replace")


def base_name(text: str) -> str:
    """A base class as a dotted name without type arguments."""
    return without_arguments(text[:500]).replace("::", ".").replace("\\", ".").lstrip(".")


_HOLDERS = {
    "variable_declarator": "value",
    "assignment_expression": "right",
    "pair": "value",
    "field_definition": "value",
    "public_field_definition": "value",
}
"""What a function may be assigned to, and the field that then holds it."""


def _function_node(node: Node) -> Node:
    """The node with the parameters and the body: that of the function which is assigned to a name."""
    field = _HOLDERS.get(node.type)
    return (node.child_by_field_name(field) if field else None) or node


def _parameter_count(node: Node) -> int:
    for _ in range(6):
        parameters = node.child_by_field_name("parameters")
        if parameters is not None:
            first = parameters.named_child(0) if parameters.named_child_count else None
            return parameters.named_child_count - (first is not None and first.type == "self_parameter")
        inner = node.child_by_field_name("declarator")
        if inner is None:
            return 0
        node = inner
    return 0


def _innermost(rows: Sequence[Definition], starts: Sequence[int], offset: int) -> int:
    """The index of the definition around an offset. `starts` has their beginnings in order."""
    row = bisect_right(starts, offset) - 1
    while row > 0 and rows[row].end <= offset:
        row = rows[row].parent if rows[row].parent >= 0 else 0
    return max(row, 0)


def _imports(language: str, nodes: Iterable[Node]) -> Iterator[Import]:
    for node in nodes:
        for module, name, alias in imported_names(language, _text(node)):
            yield Import(module, name, alias, node.start_point[0] + 1)


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")
