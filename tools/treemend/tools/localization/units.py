"""The functions of an index, each with its file and its class, as localization ranks them."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from treemend.tools.index.cache import INDEXED
from treemend.tools.index.facts import CALLABLES, CLASSES, IMPL, MODULE

_SCOPES = CLASSES | {IMPL, "namespace"}


class File(NamedTuple):
    """An indexed file. `id` counts files by their paths, `row` is the index's own."""

    id: int
    row: int
    path: str
    language: str
    package: str
    is_generated: bool
    is_vendored: bool
    is_test: bool


class Unit(NamedTuple):
    """A document of the index: a module, a type, or a function that is in no other function.

    `id` counts units by path and place, so that no order depends on when a file was indexed; `row` is the
    index's own. `owner` is the id of the enclosing type (0 if there is none), `top` that of the module.
    """

    id: int
    row: int
    file: int
    position: int
    parent: int
    name: str
    qualified: str
    kind: str
    line: int
    column: int
    top_line: int
    end_line: int
    start: int
    end: int
    parameters: int
    owner: int
    top: int

    @property
    def is_function(self) -> bool:
        return self.kind in CALLABLES


@dataclass(frozen=True)
class Units:
    """All units by id, and the ways from one to others."""

    files: dict[int, File]
    by_id: dict[int, Unit]
    bases: dict[int, tuple[str, ...]] = field(repr=False)

    @cached_property
    def id_of(self) -> dict[int, int]:
        """The id of a unit by its row."""
        return {unit.row: unit.id for unit in self.by_id.values()}

    @cached_property
    def functions(self) -> list[Unit]:
        return [unit for unit in self.by_id.values() if unit.is_function]

    @cached_property
    def functions_named(self) -> dict[str, list[Unit]]:
        return _grouped(self.functions)

    @cached_property
    def classes_named(self) -> dict[str, list[Unit]]:
        return _grouped([unit for unit in self.by_id.values() if unit.kind in CLASSES])

    @cached_property
    def functions_in(self) -> dict[int, list[Unit]]:
        """The functions of each file."""
        found: dict[int, list[Unit]] = defaultdict(list)
        for unit in self.functions:
            found[unit.file].append(unit)
        return found

    @cached_property
    def members(self) -> dict[int, list[Unit]]:
        """The functions of each type."""
        found: dict[int, list[Unit]] = defaultdict(list)
        for unit in self.functions:
            if unit.owner:
                found[unit.owner].append(unit)
        return found

    @cached_property
    def subclasses(self) -> dict[str, list[int]]:
        """The types that name this one among their bases."""
        found: dict[str, list[int]] = defaultdict(list)
        for row, names in self.bases.items():
            for name in names:
                found[name].append(row)
        return found


def _grouped(units: list[Unit]) -> dict[str, list[Unit]]:
    found: dict[str, list[Unit]] = defaultdict(list)
    for unit in units:
        found[unit.name].append(unit)
    return found


_DEFINITIONS = (
    "SELECT id, file, position, parent, name, qualified, kind, line, column, top_line, end_line, start, end, "
    "parameters FROM definition WHERE kind != 'field' ORDER BY file, position"
)


def load_units(connection: sqlite3.Connection) -> Units:
    """Read the units of an index, in the order of paths and places."""
    rows = connection.execute(
        "SELECT id, path, language, package, is_generated, is_vendored, is_test FROM file "
        "WHERE status = ? ORDER BY path",
        [INDEXED],
    )
    files = {row[0]: File(at, *row) for at, row in enumerate(rows, 1)}
    by_file: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for row in connection.execute(_DEFINITIONS):
        by_file[row[1]].append(row)
    by_id: dict[int, Unit] = {}
    of_row: dict[int, int] = {}
    top = 1
    for file_row, file in files.items():
        definitions = by_file.get(file_row, ())
        for unit in _units_of(file.id, top, definitions):
            by_id[unit.id] = unit
        of_row.update((row[0], top + row[2]) for row in definitions if row[6] in _SCOPES)
        top += definitions[-1][2] + 1 if definitions else 0
    bases: dict[int, list[str]] = defaultdict(list)
    for definition, name in connection.execute("SELECT definition, name FROM base ORDER BY definition, name"):
        if definition in of_row:
            bases[of_row[definition]].append(name)
    return Units(
        {file.id: file for file in files.values()}, by_id, {id_: tuple(bases[id_]) for id_ in sorted(bases)}
    )


def _units_of(file: int, top: int, definitions: Iterable[tuple[Any, ...]]) -> Iterator[Unit]:
    """The units of a file; what is inside of a function is none."""
    hidden: set[int] = set()
    owners: dict[int, int] = {}
    for row in definitions:
        position, kind = row[2], row[6]
        id_ = top + position
        parent = top + row[3] if row[3] > 0 else 0
        if parent in hidden:
            hidden.add(id_)
            continue
        if kind in CALLABLES:
            hidden.add(id_)
        owner = owners.get(parent, 0)
        if kind in _SCOPES:
            owners[id_] = id_
        elif owner:
            owners[id_] = owner
        if kind != IMPL:
            yield Unit._make((id_, row[0], file, position, parent, *row[4:], owner, top))


def owner_name(unit: Unit) -> str:
    """The last name of the scope around a unit, "" at the top."""
    return unit.qualified.rpartition(".")[0].rpartition(".")[2]


def is_module(unit: Unit) -> bool:
    return unit.kind == MODULE
