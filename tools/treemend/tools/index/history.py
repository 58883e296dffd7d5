"""The commits before a tree, kept in the index's cache: what they said, and what they changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from treemend.tools.git_history import (
    Revision,
    changed_functions,
    commit_named,
    commits_before,
    is_ancestor,
)
from treemend.tools.index.schema import transaction
from treemend.tools.index.words import counted_words

COMMITS_MAX = 20_000
COMMITS_MIN = 200
"""Fewer tell nothing."""
_TABLES = """
CREATE TABLE IF NOT EXISTS past_commit (id INTEGER PRIMARY KEY, name TEXT, functions TEXT);
CREATE VIRTUAL TABLE IF NOT EXISTS commit_message USING fts5 (
  message, content = '', tokenize = "porter ascii"
);
"""
_NEWEST = "newest commit"


class Changed(NamedTuple):
    """The full name of a commit, and the functions that it changed as (path, last name)."""

    commit: str
    functions: set[tuple[str, str]]


class History:
    """The commits up to one revision; later ones, other branches, tags and the reflog are never read.

    Each has an id, newer ones greater ones.
    """

    def __init__(self, connection: sqlite3.Connection, revision: Revision) -> None:
        self.connection = connection
        self._revision = revision

    def refresh(self) -> int:
        """Read the commits that aren't in the cache yet; the number of those in it, 0 without a past."""
        for statement in _TABLES.split(";\n"):
            self.connection.execute(statement)
        newest = commit_named(self._revision)
        if newest is None:
            return 0
        known = self._newest()
        if known != newest:
            after = known if known and is_ancestor(self._revision.repository, known, newest) else ""
            self._read(newest, after)
        return int(self.connection.execute("SELECT count(*) FROM past_commit").fetchone()[0])

    def _newest(self) -> str:
        row = self.connection.execute("SELECT value FROM meta WHERE key = ?", [_NEWEST]).fetchone()
        return row[0] if row else ""

    def _read(self, newest: str, after: str) -> None:
        commits = commits_before(self._revision.repository, newest, COMMITS_MAX, after=after) or []
        connection = self.connection
        with transaction(connection):
            if not after:
                connection.execute("DELETE FROM past_commit")
                connection.execute("INSERT INTO commit_message (commit_message) VALUES ('delete-all')")
            first = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM past_commit").fetchone()[0]
            numbered = list(enumerate(reversed(commits), first))
            connection.executemany(
                "INSERT INTO past_commit (id, name) VALUES (?, ?)",
                ((id_, commit.name) for id_, commit in numbered),
            )
            connection.executemany(
                "INSERT INTO commit_message (rowid, message) VALUES (?, ?)",
                ((id_, " ".join(counted_words(commit.message).elements())) for id_, commit in numbered),
            )
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [_NEWEST, newest])

    def changed_by(self, ids: Iterable[int]) -> dict[int, Changed]:
        """What commits changed; those that the cache doesn't know are left out."""
        wanted = list(ids)
        marks = ",".join("?" * len(wanted))
        rows = self.connection.execute(
            f"SELECT id, name, functions FROM past_commit WHERE id IN ({marks})", wanted
        ).fetchall()
        unknown = {name: id_ for id_, name, functions in rows if functions is None}
        read = changed_functions(self._revision.repository, unknown)
        texts = {
            name: "\n".join(f"{path}\t{function}" for path, function in sorted(functions))
            for name, functions in read.items()
        }
        if texts:
            with transaction(self.connection):
                self.connection.executemany(
                    "UPDATE past_commit SET functions = ? WHERE id = ?",
                    ((text, unknown[name]) for name, text in texts.items()),
                )
        return {
            id_: Changed(name, _decoded(functions or texts.get(name, ""))) for id_, name, functions in rows
        }


def _decoded(text: str) -> set[tuple[str, str]]:
    """The (path, name) of each line."""
    return {(path, name) for path, _, name in (line.rpartition("\t") for line in text.split("\n")) if name}
