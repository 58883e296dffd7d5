"""What the cache keeps of each file, written and taken out again."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from treemend.tools.index.content import Marks, Skip
from treemend.tools.index.facts import (
    Definition,
    EncodedFacts,
    Import,
)
from treemend.tools.index.listing import Listed
from treemend.tools.index.words import words_of

INDEXED = "indexed"
_DEFINITION = f"INSERT INTO definition VALUES ({', '.join('?' * 20)})"
_UNIT = "INSERT INTO unit (rowid, name, scope, signature, doc, body, path) VALUES (?, ?, ?, ?, ?, ?, ?)"
_FOLDED, _BASES = 3, -2
"""Where these stand in a row of `definition`."""
_FILE = f"INSERT INTO file VALUES ({', '.join('?' * 15)})"


@dataclass(frozen=True, slots=True)
class Source:
    """A file's content as it was read: its digest, and the bytes that are parsed."""

    listed: Listed
    digest: bytes
    data: bytes
    marks: Marks


def known_stamps(connection: sqlite3.Connection) -> dict[str, str]:
    """The stamp with which each file was read."""
    return dict(connection.execute("SELECT path, stamp FROM file"))


def add_skipped(connection: sqlite3.Connection, listed: Listed, reason: Skip, stamp: str) -> None:
    """Remember a file that has no facts, so that it isn't looked at again before it changes."""
    row = (
        None,
        listed.path,
        listed.language.name,
        stamp,
        None,
        reason.value,
        "",
        0,
        0,
        0,
        0,
        listed.size,
        "",
        b"",
        "",
    )
    connection.execute(_FILE, row)


def add_facts(connection: sqlite3.Connection, source: Source, encoded: EncodedFacts, stamp: str) -> None:
    """Insert all that is known of a file that isn't in the cache."""
    package, has_errors, definitions, imports, units = json.loads(encoded.outline)
    names = encoded.names.decode("utf-8", "replace")
    marks, listed = source.marks, source.listed
    row = (
        None, listed.path, listed.language.name, stamp, source.digest, INDEXED, package, has_errors,
        marks.is_generated, marks.is_vendored, marks.is_test, len(source.data), names, encoded.occurrences,
        json.dumps(imports, separators=(",", ":")) if imports else "",
    )  # fmt: skip
    file = connection.execute(_FILE, row).lastrowid
    assert file is not None
    first = _next_definition(connection)
    _add_definitions(connection, file, first, definitions)
    path = words_of(listed.path.encode("utf-8", "replace"))
    connection.executemany(_UNIT, [(first + unit[0], *unit[1:], path) for unit in units])
    connection.execute("INSERT INTO word (rowid, names) VALUES (?, ?)", (file, names))


def _next_definition(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT coalesce(max(id), 0) + 1 FROM definition").fetchone()[0])


def _add_definitions(
    connection: sqlite3.Connection, file: int, first: int, rows: Sequence[list[Any]]
) -> None:
    connection.executemany(_DEFINITION, [(first + at, file, at, *row) for at, row in enumerate(rows)])
    bases = [
        (file, first + at, base.rpartition(".")[2])
        for at, row in enumerate(rows)
        if row[_BASES]
        for base in row[_BASES].split("\n")
    ]
    if bases:
        connection.executemany("INSERT INTO base VALUES (?, ?, ?)", bases)


def restamp(connection: sqlite3.Connection, path: str, stamp: str) -> None:
    """The file was read again and holds what it held."""
    connection.execute("UPDATE file SET stamp = ? WHERE path = ?", (stamp, path))


def known_digests(connection: sqlite3.Connection) -> dict[str, bytes]:
    """The digest of every indexed file by its path."""
    return dict(connection.execute("SELECT path, digest FROM file WHERE status = ?", [INDEXED]))


def facts_of_twin(connection: sqlite3.Connection, digest: bytes) -> EncodedFacts | None:
    """The facts of a file with this content as a worker would give them, if the cache has one."""
    found = connection.execute("SELECT id FROM file WHERE digest = ? LIMIT 1", [digest]).fetchone()
    if found is None:
        return None
    file = found[0]
    package, has_errors, names, occurrences, imports = connection.execute(
        "SELECT package, has_errors, names, occurrences, imports FROM file WHERE id = ?", [file]
    ).fetchone()
    rows = connection.execute("SELECT * FROM definition WHERE file = ? ORDER BY position", [file]).fetchall()
    definitions = [row[_FOLDED:] for row in rows]
    first = rows[0][0]
    units = connection.execute(
        "SELECT rowid, name, scope, signature, doc, body FROM unit WHERE rowid BETWEEN ? AND ?",
        (first, first + len(rows) - 1),
    )
    texts = [[unit[0] - first, *unit[1:]] for unit in units]
    outline = [package, bool(has_errors), definitions, json.loads(imports or "[]"), texts]
    return EncodedFacts(json.dumps(outline).encode(), names.encode(), occurrences)


def remove_files(connection: sqlite3.Connection, paths: Iterable[str]) -> None:
    """Take out all that is known of these files."""
    for path in paths:
        row = connection.execute("SELECT id, names, status FROM file WHERE path = ?", [path]).fetchone()
        if row is None:
            continue
        file, names, status = row
        if status == INDEXED:
            connection.execute("INSERT INTO word (word, rowid, names) VALUES ('delete', ?, ?)", (file, names))
            bounds = connection.execute(
                "SELECT min(id), max(id) FROM definition WHERE file = ?", [file]
            ).fetchone()
            connection.execute("DELETE FROM unit WHERE rowid BETWEEN ? AND ?", bounds)
            connection.execute("DELETE FROM definition WHERE file = ?", [file])
            connection.execute("DELETE FROM base WHERE file = ?", [file])
        connection.execute("DELETE FROM file WHERE id = ?", [file])


def imports_of(text: str) -> list[Import]:
    """The imports in the form in which the cache has them."""
    return [Import(*row) for row in json.loads(text or "[]")]


def definition_of(row: Sequence[Any]) -> Definition:
    """The columns from `name` on as a definition."""
    bases, decorators = (tuple(text.split("\n")) if text else () for text in row[-2:])
    return Definition._make((*row[:-2], bases, decorators))
