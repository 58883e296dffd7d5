"""The index of one repository: brought up to date, then asked."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from treemend.store.errors import StoreError, UsageError
from treemend.tools.git_data import find_repository
from treemend.tools.index import cache
from treemend.tools.index.content import Skip, Skipped, as_utf8, marks_of, read_regular
from treemend.tools.index.facts import EncodedFacts
from treemend.tools.index.listing import Listed, list_sources
from treemend.tools.index.schema import connect, remove, transaction

if TYPE_CHECKING:
    from treemend.tools.git_history import Revision
    from treemend.tools.index.history import History
    from treemend.tools.index.workers import Answer, Pool, Work

_RACY_NS = 20_000_000
_COARSE_NS = 2_000_000_000
_COMMIT_FILES = 1000


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What bringing the index up to date took: counts of files, and notes for people.

    `read` had their bytes looked at, `parsed` were parsed of these.
    """

    files: int
    read: int
    parsed: int
    removed: int
    notes: tuple[str, ...]


class RepositoryIndex:
    """The index of the tree at `root`, kept in the SQLite file `cache_path`.

    It answers from what `refresh` last saw. Workers stay for the next refresh until `close`. The tree is that
    of the commit `past`, or a change of it; by default of HEAD in the repository that it lies in.
    """

    def __init__(
        self, root: Path, cache_path: Path, *, workers: int | None = None, past: Revision | None = None
    ) -> None:
        try:
            if not root.is_dir():
                raise UsageError(f"There is no folder {root}.", mend="Give the top folder of a repository.")
        except OSError as error:
            raise UsageError(
                f"The folder {root} can't be read: {error.strerror}.",
                mend="Give the top folder of a repository.",
            ) from error
        self.root = root.resolve()
        self.cache_path = cache_path
        self._past = past
        self._workers = workers
        self.connection = connect(cache_path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @cached_property
    def pool(self) -> Pool:
        """The workers, none of which is started before there is something to parse."""
        from treemend.tools.index.workers import Pool

        return Pool(self._workers)

    def close(self) -> None:
        """End the workers and close the file."""
        if "pool" in self.__dict__:
            self.pool.close()
        self.connection.close()

    def history(self) -> History | None:
        """The commits before this tree, read as far as they aren't in the cache; None where there are few.

        Raises:
            StoreError: the cache can't be written.
        """
        from treemend.tools.git_history import Revision
        from treemend.tools.index.history import COMMITS_MIN, History

        past = self._past
        if past is None and (repository := find_repository(self.root)) is not None:
            past = Revision(repository)
        if past is None:
            return None
        history = History(self.connection, past)
        try:
            return history if history.refresh() >= COMMITS_MIN else None
        except sqlite3.OperationalError as error:
            raise self._unwritable(error) from error

    def refresh(self) -> Refreshed:
        """Bring the index up to date with the tree: only files whose `stat` changed are read.

        A file that was written so shortly before it was read that a later change could keep its
        time is read again the next time, as git does.

        Raises:
            UsageError: the tree has too many files.
            StoreError: the cache can't be written.
        """
        try:
            return self._refreshed()
        except sqlite3.OperationalError as error:
            raise self._unwritable(error) from error
        except sqlite3.DatabaseError:
            # Damaged: it is a cache, so it is made anew.
            self.connection.close()
            remove(self.cache_path)
            self.connection = connect(self.cache_path)
            return self._refreshed()

    def _unwritable(self, error: sqlite3.Error) -> StoreError:
        return StoreError(
            f"The index {self.cache_path} can't be written: {error}.",
            mend="Free some space, wait for the other process, or set TREEMEND_STATE to another folder.",
        )

    def _refreshed(self) -> Refreshed:
        begun_ns = time.time_ns()
        known = cache.known_stamps(self.connection)
        listed, notes = list_sources(self.root, self.cache_path.parent, known)
        changed = [one for one in listed if known.get(one.path) != one.stamp]
        gone = sorted(known.keys() - {one.path for one in listed})
        if not changed and not gone:
            return Refreshed(len(listed), 0, 0, 0, tuple(notes))
        update = _Update(self, begun_ns)
        update.add(changed)
        update.remove(gone)
        return Refreshed(len(listed), len(changed), update.parsed, len(gone), tuple(notes))


class _Update:
    """Changes to the cache on their way in."""

    def __init__(self, index: RepositoryIndex, begun_ns: int) -> None:
        self._root = index.root
        self._connection = index.connection
        self._pool = index.pool
        self._begun_ns = begun_ns
        self._digests = cache.known_digests(index.connection)
        self._contents = frozenset(self._digests.values())
        self._twins: list[cache.Source] = []
        self._skipped: list[tuple[Listed, Skip]] = []
        self._sources: dict[str, cache.Source] = {}
        self.parsed = 0

    def remove(self, paths: Iterable[str]) -> None:
        with transaction(self._connection):
            cache.remove_files(self._connection, paths)

    def add(self, changed: list[Listed]) -> None:
        with transaction(self._connection):
            for answer in self._pool.run(self._works(changed), len(EncodedFacts._fields)):
                self._take(answer)
            # What a file was a twin of may have been written over since.
            alone = [source for source in self._twins if not self._wrote_twin(source)]
            if alone:
                for answer in self._pool.run(map(self._work, alone), len(EncodedFacts._fields)):
                    self._take(answer)
            for listed, reason in self._skipped:
                cache.remove_files(self._connection, [listed.path])
                cache.add_skipped(self._connection, listed, reason, self._stamp(listed))

    def _works(self, changed: Iterable[Listed]) -> Iterator[Work]:
        """What must be parsed. Drawn by other threads: nothing here touches the database."""
        for listed in changed:
            try:
                source = self._read(listed)
            except Skipped as skipped:
                self._skipped.append((listed, skipped.reason))
                continue
            if source.digest in self._contents:
                self._twins.append(source)
            else:
                yield self._work(source)

    def _work(self, source: cache.Source) -> Work:
        from treemend.tools.index.workers import Work

        listed = source.listed
        self._sources[listed.path] = source
        return Work(listed.path, ("facts", listed.language.name), source.data)

    def _wrote_twin(self, source: cache.Source) -> bool:
        if self._digests.get(source.listed.path) == source.digest:
            # It was read again and holds what it held.
            cache.restamp(self._connection, source.listed.path, self._stamp(source.listed))
            return True
        encoded = cache.facts_of_twin(self._connection, source.digest)
        if encoded is None:
            return False
        self._write(source, encoded)
        return True

    def _read(self, listed: Listed) -> cache.Source:
        data = as_utf8(read_regular(self._root / listed.path))
        digest = hashlib.sha256(listed.language.name.encode() + b"\0" + data).digest()
        return cache.Source(listed, digest, data, marks_of(listed.path, data))

    def _take(self, answer: Answer) -> None:
        self.parsed += 1
        source = self._sources.pop(answer.key)
        if answer.failure is None:
            self._write(source, EncodedFacts(*answer.frames))
            if self.parsed % _COMMIT_FILES == 0:
                self._connection.execute("COMMIT")
                self._connection.execute("BEGIN IMMEDIATE")
        else:
            self._skipped.append((source.listed, answer.failure))

    def _write(self, source: cache.Source, encoded: EncodedFacts) -> None:
        cache.remove_files(self._connection, [source.listed.path])
        cache.add_facts(self._connection, source, encoded, self._stamp(source.listed))

    def _stamp(self, listed: Listed) -> str:
        """The stamp of a file; none for one that may still change within the tick of its clock."""
        tick_ns = _RACY_NS if listed.mtime_ns % 1_000_000_000 else _COARSE_NS
        return "" if listed.mtime_ns > self._begun_ns - tick_ns else listed.stamp


def default_cache_path(root: Path, state: Path) -> Path:
    """Where the index of a tree lies in the state folder."""
    name = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:20]
    return state / "index" / f"{name}.sqlite3"
