"""Questions to the index whose answer is a definition, an occurrence or a file."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from treemend.tools.index.cache import INDEXED, definition_of, imports_of
from treemend.tools.index.facts import (
    DATA,
    IMPL,
    MODULE,
    Definition,
    Import,
    Occurrence,
    Occurrences,
    decode_occurrences,
)
from treemend.tools.index.words import folded

SUGGESTIONS_MAX = 5
_GRAMS_MAX = 40
_SEPARATOR = re.compile(r"::|->|[#/\\.]")
_COLUMNS = (
    "d.id, d.file, d.position, f.path, f.language, f.package, f.is_generated, f.is_vendored, f.is_test, "
    "d.name, d.qualified, d.kind, d.line, d.column, d.top_line, d.end_line, d.start, d.end, d.body, "
    "d.parent, d.parameters, d.signature, d.doc, d.bases, d.decorators"
)
_FROM = "FROM definition d JOIN file f ON f.id = d.file"
_NAME_COLUMN = 9


@dataclass(frozen=True, slots=True)
class Located:
    """A definition with its file. `position` is its index in the file's list, `id` its row."""

    id: int
    file: int
    position: int
    path: str
    language: str
    package: str
    is_generated: bool
    is_vendored: bool
    is_test: bool
    definition: Definition

    @property
    def name(self) -> str:
        return self.definition.name

    @property
    def module(self) -> str:
        """The dotted name of the module, package or folder that holds the file."""
        return module_name(self.path, self.language, self.package)

    @property
    def full_name(self) -> str:
        return ".".join(filter(None, (self.module, self.definition.qualified)))


@dataclass(frozen=True, slots=True)
class FileRow:
    """An indexed file."""

    id: int
    path: str
    language: str
    package: str
    is_test: bool
    has_errors: bool
    status: str


def module_name(path: str, language: str, package: str) -> str:
    """How code elsewhere names what a file defines: its package clause, else its path."""
    if package and language != "go":
        return package
    stem = path[: path.rfind(".")] if "." in path[path.rfind("/") + 1 :] else path
    if language == "go":
        stem = path.rpartition("/")[0]
    parts = [part for part in stem.split("/") if part]
    if parts and parts[-1] in ("__init__", "index", "mod", "lib", "main") and language in _INDEX_FILES:
        parts.pop()
    if parts and parts[0] in ("src", "lib"):
        parts = parts[1:]
    return ".".join(part for part in parts if part != "src")


_INDEX_FILES = frozenset({"python", "javascript", "typescript", "tsx", "rust"})


def dotted(name: str) -> str:
    """A name as any language writes it (`a::B`, `A#b`, `a/b.C`) with dots."""
    return ".".join(part for part in _SEPARATOR.split(name.strip().removesuffix("()")) if part)


def find_exact(connection: sqlite3.Connection, name: str) -> list[Located]:
    """The definitions that a simple, qualified or full name means, best first.

    Case and underscores are forgiven when nothing has the name as it is written.
    """
    wanted = dotted(name)
    last = wanted.rpartition(".")[2]
    if not last:
        return []
    rows = connection.execute(
        f"SELECT {_COLUMNS} {_FROM} WHERE d.folded = ? AND d.kind NOT IN (?, ?)", (folded(last), IMPL, MODULE)
    )
    found = [one for one in map(_located, rows) if _has_tail(folded_path(one.full_name), folded_path(wanted))]
    exact = [one for one in found if _has_tail(one.full_name, wanted)]
    return sorted(exact or found, key=_rank)


def suggest(connection: sqlite3.Connection, name: str, limit: int = SUGGESTIONS_MAX) -> list[str]:
    """Names that exist and look like this one, likest first."""
    wanted = folded(dotted(name).rpartition(".")[2])
    size = 3 if len(wanted) > 5 else 2
    grams = list(dict.fromkeys(wanted[at : at + size] for at in range(len(wanted) - size + 1)))[:_GRAMS_MAX]
    if not grams:
        return []
    shared = " + ".join(["(instr(folded, ?) > 0)"] * len(grams))
    statement = (
        f"SELECT name, {shared} AS shared FROM definition WHERE kind NOT IN (?, ?) "
        "AND length(folded) BETWEEN ? AND ? AND shared * 3 >= ? "
        "GROUP BY name ORDER BY shared * 2.0 / (? + length(folded)) DESC, name LIMIT 50"
    )
    bounds = (IMPL, MODULE, len(wanted) // 2, len(wanted) * 2 + 2, len(grams), len(grams))
    near = [row[0] for row in connection.execute(statement, (*grams, *bounds))]
    import difflib

    ratios = {one: difflib.SequenceMatcher(None, wanted, folded(one)).ratio() for one in near}
    return [one for one in sorted(ratios, key=lambda one: (-ratios[one], one)) if ratios[one] >= 0.6][:limit]


def definitions_by_id(connection: sqlite3.Connection, ids: Sequence[int]) -> dict[int, Located]:
    """Definitions by their rows."""
    marks = ", ".join("?" * len(ids))
    rows = connection.execute(f"SELECT {_COLUMNS} {_FROM} WHERE d.id IN ({marks})", list(ids))
    return {one.id: one for one in map(_located, rows)}


def definitions_in(connection: sqlite3.Connection, file: int) -> list[Located]:
    """The definitions of a file in source order, the module first."""
    return list(
        map(
            _located,
            connection.execute(f"SELECT {_COLUMNS} {_FROM} WHERE d.file = ? ORDER BY d.position", [file]),
        )
    )


def subclasses_named(connection: sqlite3.Connection, name: str) -> list[Located]:
    """The classes that name this one (its last part) among their bases."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} {_FROM} JOIN base b ON b.definition = d.id WHERE b.name = ? "
        "ORDER BY f.path, d.position",
        [name],
    )
    return list(map(_located, rows))


def scopes_named(connection: sqlite3.Connection, name: str) -> list[Located]:
    """Rust's `impl` blocks of the type with this name."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} {_FROM} WHERE d.folded = ? AND d.kind = ? AND d.name = ? "
        "ORDER BY f.path, d.position",
        (folded(name), IMPL, name),
    )
    return list(map(_located, rows))


def find_file(connection: sqlite3.Connection, path: str) -> list[FileRow]:
    """The files with this path, else those whose path ends like it."""
    columns = "SELECT id, path, language, package, is_test, has_errors, status FROM file"
    wanted = path.strip().removeprefix("./").strip("/")
    exact = connection.execute(f"{columns} WHERE path = ?", [wanted]).fetchall()
    if not exact and wanted:
        rows = connection.execute(f"{columns} WHERE instr(path, ?) ORDER BY path", [wanted]).fetchall()
        exact = [row for row in rows if row[1].endswith(f"/{wanted}")]
    return [FileRow(*row) for row in exact]


def imports_in(connection: sqlite3.Connection, file: int) -> list[Import]:
    return imports_of(connection.execute("SELECT imports FROM file WHERE id = ?", [file]).fetchone()[0])


def files_naming(connection: sqlite3.Connection, names: Iterable[str]) -> list[FileRow]:
    """The indexed files in which all these identifiers occur, by path."""
    wanted = " ".join(f'"{name}"' for name in names if '"' not in name)
    columns = "f.id, f.path, f.language, f.package, f.is_test, f.has_errors, f.status"
    if not wanted:
        statement = f"SELECT {columns} FROM file f WHERE f.status = ? ORDER BY f.path"
        return [FileRow(*row) for row in connection.execute(statement, [INDEXED])]
    statement = (
        f"SELECT {columns} FROM word JOIN file f ON f.id = word.rowid WHERE word MATCH ? ORDER BY f.path"
    )
    return [FileRow(*row) for row in connection.execute(statement, [wanted])]


def occurrences_in(connection: sqlite3.Connection, file: int) -> Occurrences:
    """Every identifier of a file."""
    names, data = connection.execute("SELECT names, occurrences FROM file WHERE id = ?", [file]).fetchone()
    return decode_occurrences(names, data)


def occurrences_of(
    connection: sqlite3.Connection, name: str
) -> Iterator[tuple[FileRow, Occurrences, list[int]]]:
    """The files in which a name occurs, with all identifiers of each and the positions of this one."""
    for file in files_naming(connection, [name]):
        found = occurrences_in(connection, file.id)
        if positions := found.positions_of(name):
            yield file, found, positions


def enclosing(definitions: Sequence[Located], occurrence: Occurrence) -> Located:
    """The innermost definition around an occurrence; the module if there is none."""
    inner = definitions[0]
    for one in definitions[1:]:
        if one.definition.start > occurrence.start:
            break
        if occurrence.start < one.definition.end and one.definition.kind not in DATA:
            inner = one
    return inner


def skipped_files(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """The files that have no facts, with the reason."""
    return connection.execute(
        "SELECT path, status FROM file WHERE status != ? ORDER BY path", [INDEXED]
    ).fetchall()


def path_matches(path: str, patterns: Sequence[str]) -> bool:
    """Whether a path is one of these, lies below one, or has the form of one (`*.py`, `src/**`)."""
    if not patterns:
        return True
    return any(
        path == pattern or path.startswith(pattern.rstrip("/") + "/") or fnmatchcase(path, pattern)
        for pattern in (pattern.removeprefix("./") or "*" for pattern in patterns)
    )


def folded_path(name: str) -> str:
    return name.replace("_", "").lower()


def _has_tail(name: str, tail: str) -> bool:
    return name == tail or name.endswith(f".{tail}")


def _rank(one: Located) -> tuple[bool, bool, bool, bool, int, str, int]:
    definition = one.definition
    is_plain_declaration = definition.kind in ("function", "method") and not definition.body
    return (
        one.is_vendored or one.is_generated,
        one.is_test,
        definition.kind in ("field", "variable"),
        is_plain_declaration,
        definition.qualified.count("."),
        one.path,
        one.position,
    )


def _located(row: Sequence[object]) -> Located:
    head, rest = row[:_NAME_COLUMN], row[_NAME_COLUMN:]
    id_, file, position, path, language, package, generated, vendored, test = head
    return Located(
        int(str(id_)),
        int(str(file)),
        int(str(position)),
        str(path),
        str(language),
        str(package),
        bool(generated),
        bool(vendored),
        bool(test),
        definition_of(rest),
    )
