"""Which files of a tree could hold source: their paths and what `stat` says of them."""

from __future__ import annotations

import os
import stat
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from treemend.store.errors import UsageError
from treemend.tools.folders import DEPTH_MAX, SKIPPED_FOLDERS
from treemend.tools.git_data import GitRepository, UnreadableIndex, find_repository
from treemend.tools.index.languages import Language, language_of

FILES_MAX = 200_000
_NESTED_MAX = 5


class Listed(NamedTuple):
    """A file with a name that some language has. `stamp` changes when its content may have."""

    path: str
    language: Language
    size: int
    mtime_ns: int
    stamp: str


def list_sources(root: Path, but: Path, expected: Iterable[str] = ()) -> tuple[list[Listed], list[str]]:
    """The source files below `root` (resolved) in the order of their paths, and notes on what was left out.

    Ignored files and what lies in `but` are not listed; links and special files are not either.
    `expected` are paths that are likely there: they are looked at while git lists the others.

    Raises:
        UsageError: more than FILES_MAX files.
    """
    listing = _Listing(root, str(but))
    looking = threading.Thread(target=listing.look_at, args=(expected,))
    looking.start()
    try:
        listing.add("", 0)
    finally:
        looking.join()
    return [listing.found[path] for path in sorted(listing.found)], listing.notes


class _Listing:
    """The source files of a tree, in the making."""

    def __init__(self, root: Path, but: str) -> None:
        self._root = root
        self._but = but
        self.found: dict[str, Listed] = {}
        self.notes: list[str] = []
        self._seen: dict[str, os.stat_result] = {}

    def look_at(self, paths: Iterable[str]) -> None:
        """Keep what `lstat` says of these paths, relative to the root."""
        for path in paths:
            with suppress(OSError):
                self._seen[path] = os.lstat(f"{self._root}/{path}")

    def add(self, folder: str, depth: int) -> None:
        """Add what lies below a folder: as git lists it where git is installed, else all of it."""
        if depth > _NESTED_MAX:
            self.notes.append(f"{shown(folder)} was left out: repositories nested too deep.")
            return
        place = self._root / folder
        with tempfile.TemporaryDirectory(prefix="treemend-none-") as empty:
            # Without a repository of its own a tree is listed by its .gitignore files all the same.
            nothing = Path(empty)
            repository = find_repository(place) or GitRepository(place, place, nothing, nothing)
            paths = self._listed(repository)
        # A submodule may have a name like a file's; only where there are any is each path looked at.
        may_be_folders = any(path.endswith("/.gitmodules") or path == ".gitmodules" for path in paths)
        for path in paths:
            language = language_of(path)
            if language is not None or may_be_folders or path.endswith("/"):
                self._add_path(f"{folder}/{path}" if folder else path, language, depth)

    def _listed(self, repository: GitRepository) -> list[str]:
        for by_git in (repository.listed, repository.listed_without_index):
            try:
                listed = by_git(SKIPPED_FOLDERS)
            except UnreadableIndex as error:
                self.notes.append(f"git can't read the index ({error}): tracked files went unheard.")
                continue
            except UsageError:
                self.notes.append("git is not installed: .gitignore files went unheard.")
                break
            if listed:
                return _without_environments(listed)
        return list(self._walked(repository.folder))

    def _add_path(self, path: str, language: Language | None, depth: int) -> None:
        try:
            status = self._seen.get(path) or os.lstat(f"{self._root}/{path}")
        except OSError:
            return
        if stat.S_ISDIR(status.st_mode):
            # A submodule or a nested repository: git lists it as its folder.
            if self._is_open(path):
                self.add(path.rstrip("/"), depth + 1)
        elif language is not None and stat.S_ISREG(status.st_mode):
            self._add_file(path, language, status)

    def _add_file(self, path: str, language: Language, status: os.stat_result) -> None:
        if len(self.found) >= FILES_MAX:
            raise UsageError(
                f"There are more than {FILES_MAX} source files in {self._root}.",
                mend="Give the folder of one project, or let .gitignore name what isn't source.",
            )
        stamp = f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"
        self.found[path] = Listed(path, language, status.st_size, status.st_mtime_ns, stamp)

    def _is_open(self, path: str) -> bool:
        place = os.path.join(self._root, path).rstrip("/")
        return os.path.basename(place) not in SKIPPED_FOLDERS and place != self._but

    def _walked(self, top: Path) -> Iterator[str]:
        pending = [("", 0)]
        while pending:
            folder, depth = pending.pop()
            try:
                entries = sorted(os.scandir(os.path.join(top, folder)), key=lambda entry: entry.name)
            except OSError as error:
                self.notes.append(f"{shown(folder)} was left out: {error.strerror}.")
                continue
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if not entry.is_dir(follow_symlinks=False):
                    yield path
                elif self._is_open(entry.path) and not _is_environment(entry.path):
                    if depth < DEPTH_MAX:
                        pending.append((path, depth + 1))
                    else:
                        self.notes.append(f"{shown(path)} was left out: more than {DEPTH_MAX} folders deep.")


def _without_environments(listed: list[str]) -> list[str]:
    """Without virtual environments that no .gitignore names."""
    folders = tuple(f"{path[:-11]}/" for path in listed if path.endswith("/pyvenv.cfg"))
    return [path for path in listed if not path.startswith(folders)] if folders else listed


def _is_environment(folder: str) -> bool:
    return os.path.lexists(os.path.join(folder, "pyvenv.cfg"))


def shown(path: str) -> str:
    """A path that no terminal or log can take for anything else."""
    return path if path.isprintable() and path.isascii() else ascii(path)
