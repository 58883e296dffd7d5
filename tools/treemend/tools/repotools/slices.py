"""Which lines may decide what a line uses, through the functions that it calls."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from treemend.tools.index.facts import CALLABLES
from treemend.tools.index.lookup import FileRow, Located, find_file
from treemend.tools.index.repository import RepositoryIndex
from treemend.tools.repotools.conversion import shown_of, source_lines
from treemend.tools.repotools.references import callees_of
from treemend.tools.repotools.resolution import Resolver
from treemend.tools.repotools.results import Place, Slice, SliceLine
from treemend.tools.slicing import Scope, backward_slice, innermost_scope, result_lines
from treemend.tools.source import lines_of

DEPTH_MAX = 3
"""Calls that are followed, one inside another."""
FUNCTIONS_MAX = 30
_TEXT_CHARS_MAX = 200


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A function of a file to be sliced from `lines`; none of them: from what it gives back."""

    path: str
    line: int
    lines: tuple[int, ...] = ()
    depth: int = 0


@dataclass
class _File:
    row: FileRow
    lines: list[str]
    tree: ast.Module
    definitions: list[Located] = field(default_factory=list)


def get_slice(index: RepositoryIndex, place: str, limit: int = 60) -> Slice:
    """The lines that may decide the values which the line at `place`, "path:line", uses: of its own function,
    and of those of the repository that it calls, three deep."""
    path, _, number = place.rpartition(":")
    if not path or not number.isdecimal():
        return Slice(found=False, notes=(f"{place} is no place: give path:line.",))
    slicer = _Slicer(index)
    file = slicer.file(path)
    if isinstance(file, str):
        return Slice(found=False, notes=(file,))
    line = int(number)
    if not 1 <= line <= len(file.lines):
        return Slice(found=False, notes=(f"{file.row.path} has {len(file.lines)} lines.",))
    found = list(slicer.slices(_Wanted(file.row.path, line, (line,))))
    return Slice(
        found=bool(found),
        notes=(*shown_of(min(limit, len(found)), len(found), "lines"), "By names only, without aliases."),
        lines=tuple(found[:limit]),
    )


class _Slicer:
    def __init__(self, index: RepositoryIndex) -> None:
        self._index = index
        self._resolver = Resolver(index.connection)
        self._files: dict[str, _File | str] = {}

    def file(self, path: str) -> _File | str:
        """A file that can be sliced, or why it can't be."""
        if path not in self._files:
            self._files[path] = self._read(path)
        return self._files[path]

    def _read(self, path: str) -> _File | str:
        rows = find_file(self._index.connection, path)
        if not rows:
            return f"There is no file {path}."
        row = rows[0]
        if row.language != "python":
            return f"{row.path} is no Python."
        lines = lines_of("\n".join(source_lines(self._index.root, row.path)))
        try:
            tree = ast.parse("\n".join(lines))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            return f"{row.path} can't be parsed: {error}."
        return _File(row, lines, tree, self._resolver.definitions(row.id))

    def slices(self, first: _Wanted) -> Iterator[SliceLine]:
        """The lines of the first function, then those of the functions that they call, and so on."""
        waiting, seen = [first], set[tuple[str, int]]()
        while waiting and len(seen) < FUNCTIONS_MAX:
            wanted = waiting.pop(0)
            file = self.file(wanted.path)
            if isinstance(file, str):
                continue
            scope = innermost_scope(file.tree, wanted.line)
            key = (wanted.path, getattr(scope, "lineno", 0))
            if key in seen:
                continue
            seen.add(key)
            found = backward_slice(scope, wanted.lines or result_lines(scope))
            inside = self._definition(file, scope)
            lines = {one.line: one.names for one in found.lines}
            for line, names in sorted(lines.items(), reverse=True):
                yield _slice_line(file, line, inside.definition.qualified or inside.module, names)
            yield from _module_lines(file, scope, found.free)
            if wanted.depth < DEPTH_MAX:
                waiting += self._called(inside, set(lines), wanted.depth + 1)

    def _called(self, inside: Located, lines: set[int], depth: int) -> Iterator[_Wanted]:
        for target, seen in callees_of(self._resolver, inside):
            definition = target.definition
            if seen.is_sure and seen.occurrence.line in lines and definition.kind in CALLABLES:
                yield _Wanted(target.path, definition.line, depth=depth)

    def _definition(self, file: _File, scope: Scope) -> Located:
        """The index's own entry of a function; the module's where it has none."""
        if isinstance(scope, ast.Module):
            return file.definitions[0]
        of_line = (one for one in file.definitions[1:] if one.definition.line == scope.lineno)
        return next((one for one in of_line if one.definition.kind in CALLABLES), file.definitions[0])


def _module_lines(file: _File, scope: Scope, free: frozenset[str]) -> Iterator[SliceLine]:
    """Where the module gives values to names that a function has from there."""
    if isinstance(scope, ast.Module):
        return
    for node in file.tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            stored = (one for one in ast.walk(node) if isinstance(one, ast.Name))
            names = tuple(sorted({one.id for one in stored if isinstance(one.ctx, ast.Store)} & free))
            if names:
                yield _slice_line(file, node.lineno, file.definitions[0].module, names)


def _slice_line(file: _File, line: int, inside: str, names: tuple[str, ...]) -> SliceLine:
    text = file.lines[line - 1].strip()[:_TEXT_CHARS_MAX]
    return SliceLine(place=Place(path=file.row.path, line=line), inside=inside, text=text, gives=names)
