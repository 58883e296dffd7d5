"""The cache's file: one SQLite database for each repository, made anew whenever it can't be trusted."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from treemend.store.copying import copy_database
from treemend.store.errors import StoreError

FORMAT = 3
"""Raised when tables, queries or words change: caches of other formats are made anew."""

_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE file (
  id INTEGER PRIMARY KEY, path TEXT UNIQUE, language TEXT, stamp TEXT, digest BLOB, status TEXT,
  package TEXT, has_errors INTEGER, is_generated INTEGER, is_vendored INTEGER, is_test INTEGER,
  bytes INTEGER, names TEXT, occurrences BLOB, imports TEXT
);
CREATE INDEX file_digest ON file (digest);
CREATE TABLE definition (
  id INTEGER PRIMARY KEY, file INTEGER, position INTEGER, folded TEXT,
  name TEXT, qualified TEXT, kind TEXT, line INTEGER, column INTEGER, top_line INTEGER, end_line INTEGER,
  start INTEGER, end INTEGER, body INTEGER, parent INTEGER, parameters INTEGER, signature TEXT, doc TEXT,
  bases TEXT, decorators TEXT
);
CREATE INDEX definition_file ON definition (file);
CREATE INDEX definition_folded ON definition (folded);
CREATE TABLE base (file INTEGER, definition INTEGER, name TEXT);
CREATE INDEX base_name ON base (name);
CREATE INDEX base_file ON base (file);
CREATE VIRTUAL TABLE unit USING fts5 (
  name, scope, signature, doc, body, path, tokenize = "porter ascii"
);
CREATE VIRTUAL TABLE word USING fts5 (
  names, content = '', detail = none, tokenize = "ascii tokenchars '_$@?!'"
);
CREATE VIRTUAL TABLE word_count USING fts5vocab ('word', 'row');
"""


def connect(path: Path) -> sqlite3.Connection:
    """A connection to the cache at `path`, made where it is missing, old or damaged.

    Raises:
        StoreError: the file can't be made or written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            return _opened(path)
        except (sqlite3.DatabaseError, _Outdated) as error:
            if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
                raise
            remove(path)
            return _opened(path)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(
            f"The index {path} can't be used: {error}.",
            mend="Free some space, or set TREEMEND_STATE to a folder that can be written to.",
        ) from error


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Write all of a block or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def remove(path: Path) -> None:
    """Delete a cache with what SQLite keeps beside it."""
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


def copy_cache(source: Path, target: Path) -> None:
    """Let a new cache begin with what another knows; without one that can be copied, nothing happens."""
    with suppress(OSError, sqlite3.Error):
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        copy_database(source, target)


class _Outdated(Exception):
    pass


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=120, isolation_level=None, check_same_thread=False)
    try:
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "cache_size=-32768", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
        _check_format(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_format(connection: sqlite3.Connection) -> None:
    known = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'meta'").fetchone()[0]
    if not known:
        connection.execute("BEGIN IMMEDIATE")
        try:
            if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                for statement in _TABLES.split(";\n"):
                    connection.execute(statement)
                connection.execute("INSERT INTO meta VALUES ('format', ?)", [_format()])
        finally:
            connection.execute("COMMIT")
    row = connection.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
    if row is None or row[0] != _format():
        raise _Outdated


def _format() -> str:
    """Caches depend on our own form and on the versions of the grammars, which their folders' names give.

    (importlib.metadata would say the same after a tenth of a second.)
    """
    found = find_spec("tree_sitter")
    place = Path(found.origin).parent.parent if found and found.origin else Path()
    grammars = sorted(one for one in os.listdir(place) if one.startswith("tree_sitter") and "-" in one)
    return " ".join((str(FORMAT), *grammars))
