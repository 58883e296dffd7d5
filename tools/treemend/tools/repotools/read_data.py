"""The data that lines of code read: assignments at the top of modules and in classes.

No test executes them when it runs, so no spectrum shows them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from treemend.tools.index.facts import CALLABLES, DATA, Occurrences, Use
from treemend.tools.index.lookup import Located, enclosing, find_file, occurrences_in
from treemend.tools.index.repository import RepositoryIndex
from treemend.tools.repotools.resolution import Resolver

_READS = frozenset({Use.NAME, Use.ATTRIBUTE})
_INSTANCE = frozenset({"self", "cls"})


@dataclass(frozen=True, slots=True)
class Assignment:
    """A name that a module or a class gives to data, with its first and last line, from 1."""

    path: str
    name: str
    first: int
    last: int


def data_read(
    index: RepositoryIndex, lines: Mapping[str, Collection[int]]
) -> dict[tuple[str, int], tuple[Assignment, ...]]:
    """What each of these lines, by path, reads; lines that read nothing are left out.

    Names are resolved by scopes and imports: what a call returned or a parameter holds isn't followed.
    """
    resolver = Resolver(index.connection)
    marks = ", ".join("?" * len(DATA))
    statement = f"SELECT DISTINCT name FROM definition WHERE kind IN ({marks})"
    names = {name for (name,) in index.connection.execute(statement, sorted(DATA))}
    found: dict[tuple[str, int], tuple[Assignment, ...]] = {}
    for path in sorted(lines):
        for file in find_file(index.connection, path):
            if file.path == path and (definitions := resolver.definitions(file.id)):
                occurrences = occurrences_in(index.connection, file.id)
                aliases = {one.alias for one in resolver.imports(file.id)}
                readings = _Readings(resolver, definitions, occurrences, names | aliases)
                for line in sorted(lines[path]):
                    if read := tuple(dict.fromkeys(readings.at(line))):
                        found[path, line] = read
    return found


class _Readings:
    """What the lines of one file read."""

    def __init__(
        self, resolver: Resolver, definitions: list[Located], occurrences: Occurrences, names: Collection[str]
    ) -> None:
        self._resolver = resolver
        self._definitions = definitions
        self._occurrences = occurrences
        self._names = names
        self._known: dict[tuple[int, str, str], tuple[Assignment, ...]] = {}
        self._bound: dict[int, frozenset[str]] = {}

    def at(self, line: int) -> Iterator[Assignment]:
        near: Located | None = None
        for position in self._occurrences.on_line(line):
            occurrence = self._occurrences.at(position)
            if occurrence.use not in _READS or occurrence.name not in self._names:
                continue
            near = near or enclosing(self._definitions, occurrence)
            receiver = self._occurrences.receiver(position)
            if receiver == "" and (occurrence.is_member or occurrence.name in self._bound_in(near)):
                continue
            key = (near.position, receiver, occurrence.name)
            if key not in self._known:
                self._known[key] = tuple(self._assignments(near, receiver, occurrence.name))
            yield from self._known[key]

    def _bound_in(self, function: Located) -> frozenset[str]:
        """The parameters and local variables of a function; what a module binds is no local variable."""
        if function.position not in self._bound:
            inside = self._occurrences.between(function.definition.start, function.definition.end)
            found = map(self._occurrences.at, inside) if function.definition.kind in CALLABLES else ()
            self._bound[function.position] = frozenset(one.name for one in found if one.use is Use.BINDING)
        return self._bound[function.position]

    def _assignments(self, near: Located, receiver: str, name: str) -> Iterator[Assignment]:
        for one in self._named(near, receiver, name):
            definition = one.definition
            if definition.kind in DATA and not self._is_inside_a_function(one):
                yield Assignment(one.path, one.name, definition.top_line, definition.end_line)

    def _named(self, near: Located, receiver: str, name: str) -> list[Located]:
        if receiver not in _INSTANCE:
            return self._resolver.resolve(f"{receiver}.{name}" if receiver else name, near)
        around = self._resolver.enclosing_class(near)
        classes = [around, *self._resolver.ancestors(around)] if around else []
        owned = ([one for one in self._resolver.members(owner) if one.name == name] for owner in classes)
        return next(filter(None, owned), [])

    def _is_inside_a_function(self, one: Located) -> bool:
        return any(
            other.definition.kind in CALLABLES
            and other.definition.start < one.definition.start < other.definition.end
            for other in self._resolver.definitions(one.file)
        )
