"""What is known of one file's content, and the form in which it travels and rests.

A worker makes `FileFacts` of a file's bytes; `encode_facts` turns them into the four texts that the
cache keeps, so that nothing has to be parsed again while the bytes are the same.
"""

from __future__ import annotations

import json
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import accumulate
from operator import sub
from typing import NamedTuple

from treemend.tools.index.words import folded

MODULE = "module"
CALLABLES = frozenset({"function", "method"})
CLASSES = frozenset({"class", "interface", "struct", "enum", "trait"})
DATA = frozenset({"constant", "variable", "field"})
KINDS = (
    "class", "interface", "struct", "enum", "trait", "type", "function", "method", "macro", "namespace",
    "constant", "variable", "field", "module",
)  # fmt: skip
IMPL = "impl"
"""Rust's `impl`: no definition of its own, but a scope, and an edge of inheritance."""


MEMBER, LONG_SEPARATOR = 8, 16
"""Set in a use where ".", "::", "->" or "?." stands right before the name; the second for those of two."""
_USE = 7


class Use(IntEnum):
    """How an identifier stands where it stands."""

    NAME = 0
    ATTRIBUTE = 1
    TYPE = 2
    CALL = 3
    DEFINITION = 4
    IMPORT = 5
    BINDING = 6
    """A parameter, a local variable, or the name of an argument or a field in a literal."""


class Definition(NamedTuple):
    """A definition. Lines and columns count from 1, columns and offsets in bytes of UTF-8.

    Attributes:
        name: Its last name; `qualified` has the scopes inside its file before it, joined by dots.
        line: Where its name stands, with `column`; `top_line` to `end_line` is all of it, decorators
            included.
        start: Offset of its first byte without decorators; `end` is behind its last, `body` is where
            its body begins (0 if it has none).
        parent: The index of the enclosing definition in the file's list, -1 at the top.
        parameters: How many parameters it declares.
        bases: What it inherits from, as written.
    """

    name: str
    qualified: str
    kind: str
    line: int
    column: int
    top_line: int
    end_line: int
    start: int
    end: int
    body: int
    parent: int
    parameters: int
    signature: str
    doc: str
    bases: tuple[str, ...] = ()
    decorators: tuple[str, ...] = ()


class Import(NamedTuple):
    """One name that a file brings in: `name` ("*" for all, "" for the module itself) of `module`."""

    module: str
    name: str
    alias: str
    line: int

    @property
    def local(self) -> str:
        """The name under which the file knows it."""
        return self.alias or self.name or self.module.replace("/", ".").rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An identifier in the text; `column` counts bytes from 1."""

    name: str
    use: Use
    line: int
    column: int
    start: int
    is_member: bool


@dataclass(frozen=True, slots=True)
class Occurrences:
    """Every identifier of a file in source order: offsets, indices into `names`, and uses."""

    names: tuple[str, ...]
    starts: tuple[int, ...]
    indices: tuple[int, ...]
    uses: bytes
    line_starts: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.starts)

    def at(self, position: int) -> Occurrence:
        start = self.starts[position]
        row = bisect_right(self.line_starts, start)
        return Occurrence(
            self.names[self.indices[position]],
            Use(self.uses[position] & _USE),
            row,
            start - self.line_starts[row - 1] + 1,
            start,
            bool(self.uses[position] & MEMBER),
        )

    def positions_of(self, name: str) -> list[int]:
        """Where `name` occurs, in source order."""
        try:
            wanted = self.names.index(name)
        except ValueError:
            return []
        return [position for position, index in enumerate(self.indices) if index == wanted]

    def on_line(self, line: int) -> range:
        """The positions of what begins on a line, from 1; none on one that the file hasn't got."""
        first, behind = (
            bisect_left(self.starts, self.line_starts[row]) if row < len(self.line_starts) else len(self)
            for row in (line - 1, line)
        )
        return range(first, behind)

    def between(self, start: int, end: int) -> Iterator[int]:
        """The positions of what begins in these offsets."""
        return iter(range(bisect_left(self.starts, start), bisect_left(self.starts, end)))

    def receiver(self, position: int) -> str:
        """The name before the dot (or "::", "->", "?.") in front of this one.

        "" if there is no dot, or an expression before it that is no name, such as a call; Python's `super()`
        is "super".
        """
        if position == 0 or not self.uses[position] & MEMBER:
            return ""
        before = self.names[self.indices[position - 1]]
        gap = self.starts[position] - self.starts[position - 1] - len(before.encode())
        if before == "super" and gap == len("()."):
            return before
        return before if gap == 1 + bool(self.uses[position] & LONG_SEPARATOR) else ""


class Unit(NamedTuple):
    """The words by which a definition is found: of its name, scope, signature, comment and body."""

    definition: int
    name: str
    scope: str
    signature: str
    doc: str
    body: str


@dataclass(frozen=True, slots=True)
class FileFacts:
    """All that is kept of a file. The definition at index 0 is the file as a module."""

    package: str
    has_errors: bool
    definitions: tuple[Definition, ...]
    imports: tuple[Import, ...]
    occurrences: Occurrences
    units: tuple[Unit, ...]


class EncodedFacts(NamedTuple):
    """`outline` as JSON, `names` separated by line ends, `occurrences` packed.

    The outline is the package, whether there are errors, definitions, imports and units; a definition is
    a row as the cache has it, from its folded name on, with bases and decorators separated by line ends.
    """

    outline: bytes
    names: bytes
    occurrences: bytes


def encode_facts(facts: FileFacts) -> EncodedFacts:
    rows = [
        (folded(row.name), *row[:-2], "\n".join(row.bases), "\n".join(row.decorators))
        for row in facts.definitions
    ]
    outline = [facts.package, facts.has_errors, rows, facts.imports, facts.units]
    text = json.dumps(outline, ensure_ascii=False, separators=(",", ":"), check_circular=False)
    found = facts.occurrences
    return EncodedFacts(
        text.encode("utf-8", "replace"),
        "\n".join(found.names).encode("utf-8", "replace"),
        encode_occurrences(found),
    )


def encode_occurrences(found: Occurrences) -> bytes:
    """Differences of the offsets, since these compress well."""
    return zlib.compress(
        array("I", [len(found.line_starts), len(found.starts)]).tobytes()
        + array("I", _differences(found.line_starts)).tobytes()
        + array("I", _differences(found.starts)).tobytes()
        + array("I", found.indices).tobytes()
        + found.uses,
        1,
    )


def decode_occurrences(names: str, data: bytes) -> Occurrences:
    """Raises ValueError where the data was not made by `encode_occurrences`."""
    raw = memoryview(zlib.decompress(data))
    lines, count = raw[:8].cast("I")
    ends = [8, 8 + 4 * lines, 8 + 4 * (lines + count), 8 + 4 * (lines + 2 * count)]
    return Occurrences(
        tuple(names.split("\n")),
        tuple(accumulate(raw[ends[1] : ends[2]].cast("I"))),
        tuple(raw[ends[2] : ends[3]].cast("I")),
        bytes(raw[ends[3] :]),
        tuple(accumulate(raw[ends[0] : ends[1]].cast("I"))),
    )


def _differences(offsets: tuple[int, ...]) -> map[int]:
    return map(sub, offsets, (0, *offsets))
