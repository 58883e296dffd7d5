"""Who calls whom, as far as names, classes and files tell, for the files that matter to a query."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping

from treemend.tools.index.facts import Use
from treemend.tools.index.lookup import definitions_in, find_file, occurrences_in
from treemend.tools.localization.units import Unit, Units

_DEFINITIONS_MAX = 6
_USE = 7
_SELF = frozenset({"self", "cls", "this", "super"})
_OF_CONTAINERS = frozenset(
    name for kind in (str, list, dict, set, bytes, int) for name in dir(kind) if not name.startswith("__")
) | {"search", "match", "sub", "compile", "close", "read", "write", "open", "print", "len", "isinstance"}
"""Methods of built-in types: a call of one is no sign of a method of that name here."""

Edges = dict[int, dict[int, float]]
"""For a caller's row the rows that it may call, each with the share of a call that it gets."""


def call_edges(connection: sqlite3.Connection, units: Units, files: Iterable[int]) -> Edges:
    """The calls that begin in these files."""
    edges: Edges = {}
    for file in files:
        functions = units.functions_in.get(file)
        if not functions:
            continue
        occurrences = occurrences_in(connection, units.files[file].row)
        for unit in functions:
            called: dict[int, float] = {}
            seen: set[tuple[str, bool]] = set()
            for position in occurrences.between(unit.start, unit.end):
                use = occurrences.uses[position] & _USE
                if use not in (Use.CALL, Use.ATTRIBUTE):
                    continue
                name = occurrences.names[occurrences.indices[position]]
                on_self = occurrences.receiver(position) in _SELF
                if (name, on_self) in seen:
                    continue
                seen.add((name, on_self))
                for row, share in _targets(units, unit, name, on_self=on_self):
                    if row != unit.id:
                        called[row] = max(called.get(row, 0.0), share)
            edges[unit.id] = called
    return edges


def _targets(units: Units, caller: Unit, name: str, *, on_self: bool) -> Iterator[tuple[int, float]]:
    found = units.functions_named.get(name)
    if not found:
        for one in units.classes_named.get(name, ())[:_DEFINITIONS_MAX]:
            for member in units.members.get(one.id, ()):
                if member.name in ("__init__", "__new__", "constructor", name):
                    yield member.id, 1.0
        return
    if on_self and caller.owner:
        own = [one for one in found if one.owner == caller.owner]
        if own:
            yield from ((one.id, 1.0) for one in own)
            return
        inherited = [one for one in found if one.owner in set(ancestors(units, caller.owner))]
        if inherited:
            yield from ((one.id, 1.0) for one in inherited)
            return
    elif name in _OF_CONTAINERS:
        return
    near = [one for one in found if one.file == caller.file] or [
        one for one in found if not units.files[one.file].is_test
    ]
    if len(near) <= _DEFINITIONS_MAX:
        yield from ((one.id, 1.0 / len(near)) for one in near)


def reversed_edges(edges: Edges) -> Edges:
    callers: Edges = {}
    for caller, called in edges.items():
        for row, share in called.items():
            callers.setdefault(row, {})[caller] = share
    return callers


def ancestors(units: Units, owner: int, depth: int = 4) -> dict[int, int]:
    """The types that a type inherits from, by name, each with its distance."""
    found: dict[int, int] = {}
    level = [owner]
    for distance in range(1, depth + 1):
        following: list[int] = []
        for row in level:
            for name in units.bases.get(row, ()):
                near = units.classes_named.get(name, ())
                here = (
                    [one for one in near if one.file == units.by_id[row].file] if row in units.by_id else []
                )
                for one in (here or near)[:_DEFINITIONS_MAX]:
                    if one.id not in found and one.id != owner:
                        found[one.id] = distance
                        following.append(one.id)
        level = following
    return found


def spread(edges: Edges, seeds: Mapping[int, float]) -> tuple[dict[int, float], dict[int, int]]:
    """For each row the best of score x share over the seeds with an edge to it, and which seed that is."""
    found: dict[int, float] = {}
    origins: dict[int, int] = {}
    for seed, score in seeds.items():
        for row, share in edges.get(seed, {}).items():
            value = score * share
            if value > found.get(row, 0.0):
                found[row] = value
                origins[row] = seed
    return found, origins


def called_names(connection: sqlite3.Connection, test: str) -> list[str]:
    """What a test calls, given its id (`tests/test_x.py::TestC::test_y[1]`); nothing if it isn't indexed."""
    path, *scopes = test.partition("[")[0].replace("\\", "/").split("::")
    wanted = ".".join(scopes)
    names: dict[str, None] = {}
    for file in find_file(connection, path)[:1]:
        for one in definitions_in(connection, file.id):
            if one.definition.qualified != wanted or not wanted:
                continue
            occurrences = occurrences_in(connection, file.id)
            for position in occurrences.between(one.definition.start, one.definition.end):
                name = occurrences.names[occurrences.indices[position]]
                if occurrences.uses[position] & _USE == Use.CALL and name not in _OF_CONTAINERS:
                    names[name] = None
    return list(names)
