"""The user's tree, copied as it lies: no history, no links followed, no code of its own run."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from treemend.store.errors import StoreError, UsageError
from treemend.tools.folders import DEPTH_MAX, SKIPPED_FOLDERS
from treemend.tools.git_data import Entry, GitRepository, UnreadableIndex, find_repository

FILES_MAX = 200_000
NOTES_MAX = 50
TREE_BYTES_MAX = 1 << 30
_CHUNK_BYTES = 1 << 20
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})
_MEND = "Give the top folder of a Python project."
_TOO_DEEP = f"{{}} was left out: more than {DEPTH_MAX} folders deep."
_NOT_A_FILE = "{} was left out: it is no file, folder or link."


@dataclass(frozen=True, slots=True)
class PrivateTree:
    """A copy: its files and links, sorted, relative to `root`; what was left out, and its digest.

    `digest` is the SHA-256 over each path, mode (link, executable or plain) and content.
    """

    root: Path
    files: tuple[str, ...]
    notes: tuple[str, ...]
    digest: str


def make_private_tree(repo: Path, into: Path, *, commit: str = "") -> PrivateTree:
    """Copy `repo` into the folder `into`: as it lies, or as it was at `commit`.

    As it lies: what git tracks or wouldn't ignore, with uncommitted changes; without git, all but
    environments and caches. `repo` is only read, its index included, and none of its configuration
    is obeyed: hooks, filters, fsmonitor and the like don't run.

    Raises:
        UsageError: `repo` is missing or too large, `commit` unknown, or git not installed.
        StoreError: `into` can't be written, or its disk is full.
    """
    repo = _existing(repo)
    try:
        return _made(repo, into, commit)
    except OSError as error:
        raise StoreError(
            f"The copy of {repo} can't be made in {into}: {error.strerror}.",
            mend="Free some space there, or set TREEMEND_STATE to another folder.",
        ) from error


def _existing(repo: Path) -> Path:
    try:
        if repo.is_dir():
            return repo.resolve()
    except OSError as error:
        raise UsageError(f"The folder {repo} can't be read: {error.strerror}.", mend=_MEND) from error
    raise UsageError(f"There is no folder {repo}.", mend=_MEND)


def _made(repo: Path, into: Path, commit: str) -> PrivateTree:
    found = find_repository(repo)
    if commit and found is None:
        raise UsageError(
            f"{repo} is in no git repository, so it has no commit {commit!r}.",
            mend="Leave --commit out to work on the files as they are.",
        )
    _make_empty(into, repo)
    copy = _Copy(repo, into)
    if found is not None and commit:
        copy.add_entries(found.files_at(commit))
    else:
        copy.add_paths(_paths_as_they_lie(repo, found, copy.notes, into.resolve()))
    return copy.finished()


def _make_empty(into: Path, repo: Path) -> None:
    """What an interrupted copy left behind goes."""
    if repo.is_relative_to(into.resolve()):
        raise ValueError(f"the copy of {repo} would replace it")
    if into.exists():
        shutil.rmtree(into)
    into.mkdir(parents=True)


def _paths_as_they_lie(
    repo: Path, found: GitRepository | None, notes: list[str], into: Path
) -> Iterable[str]:
    listed = _listed(found, notes) if found is not None else []
    if not listed:
        # No git, or a folder that the repository around it ignores.
        return _walk(repo, "", notes, into)
    return _with_nested(repo, listed, notes, into)


def _listed(found: GitRepository, notes: list[str]) -> list[str]:
    try:
        return found.listed(SKIPPED_FOLDERS)
    except UnreadableIndex as error:
        notes.append(f"git can't read the index here ({error}): files were listed without it.")
    try:
        return found.listed_without_index(SKIPPED_FOLDERS)
    except UnreadableIndex as error:
        notes.append(f"git can't list the files here ({error}): its ignore rules went unheard.")
    return []


def _with_nested(repo: Path, listed: Sequence[str], notes: list[str], into: Path) -> Iterator[str]:
    """The listed files; a nested repository or submodule is listed as its folder, and is walked."""
    markers = (path for path in listed if path.endswith("/pyvenv.cfg"))
    environments = {os.path.dirname(path) for path in markers}
    environments = {folder for folder in environments if _is_environment(str(repo / folder))}
    for path in listed:
        if environments and any(str(parent) in environments for parent in PurePosixPath(path).parents):
            continue
        folder = path.rstrip("/")
        place = repo / folder
        if place.is_dir() and not place.is_symlink():
            yield from _walk(repo, folder, notes, into)
        else:
            yield path


def _walk(repo: Path, folder: str, notes: list[str], into: Path) -> Iterator[str]:
    pending = [(folder, 0)]
    while pending:
        current, depth = pending.pop()
        place = repo / current
        if place == into:
            continue
        if depth > DEPTH_MAX:
            notes.append(_TOO_DEEP.format(_shown(current)))
            continue
        try:
            entries = sorted(os.scandir(place), key=lambda entry: entry.name)
        except OSError as error:
            notes.append(f"{_shown(current)} was left out: {error.strerror}.")
            continue
        for entry in entries:
            path = f"{current}/{entry.name}" if current else entry.name
            if not entry.is_dir(follow_symlinks=False):
                if entry.name != ".git":
                    yield path
            elif entry.name not in SKIPPED_FOLDERS and not _is_environment(entry.path):
                pending.append((path, depth + 1))


def _is_environment(folder: str) -> bool:
    return all(os.path.lexists(os.path.join(folder, name)) for name in ("pyvenv.cfg", "bin"))


def _shown(path: str) -> str:
    """A path that no terminal or log can take for anything else."""
    return path if path.isprintable() and path.isascii() else ascii(path)


@contextmanager
def _parent_opened(root: Path, path: str) -> Iterator[tuple[int, str]]:
    """The folder that holds a file, opened one name after the other, and the file's own name: a folder that
    is swapped for a link meanwhile is refused."""
    *folders, name = path.split("/")
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    parent = os.open(root, flags)
    try:
        for folder in folders:
            above, parent = parent, os.open(folder, flags | os.O_NOFOLLOW, dir_fd=parent)
            os.close(above)
        yield parent, name
    finally:
        os.close(parent)


class _Copy:
    """A tree in the making."""

    def __init__(self, repo: Path, into: Path) -> None:
        self._repo = repo
        self._into = into
        self._digests: dict[str, bytes] = {}
        self._bytes = 0
        self.notes: list[str] = []

    def add_paths(self, paths: Iterable[str]) -> None:
        """Copy these files of the repository; those that are gone from the disk are skipped."""
        for path in paths:
            self._check_count()
            try:
                if path not in self._digests and not self._too_deep(path) and not self._through_link(path):
                    self._add_from_disk(path)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                self._left_out(path, error)

    def add_entries(self, entries: Iterable[Entry]) -> None:
        """Write these files of a commit."""
        for entry in entries:
            self._check_count()
            try:
                if not self._too_deep(entry.path):
                    self._add_entry(entry)
            except OSError as error:
                self._left_out(entry.path, error)

    def finished(self) -> PrivateTree:
        paths = sorted(self._digests)
        digest = hashlib.sha256(b"".join(self._digests[path] for path in paths)).hexdigest()
        notes = self.notes[:NOTES_MAX]
        if len(self.notes) > NOTES_MAX:
            notes.append(f"{len(self.notes) - NOTES_MAX} more were left out.")
        return PrivateTree(self._into, tuple(paths), tuple(notes), digest)

    def _left_out(self, path: str, error: OSError) -> None:
        """Do without a file that can't be read or named here, but not without room for it."""
        if error.errno in _NO_ROOM:
            raise error
        self.notes.append(f"{_shown(path)} was left out: {error.strerror}.")

    def _add_entry(self, entry: Entry) -> None:
        target = self._target(entry.path)
        if entry.is_link:
            self._link(entry.path, os.fsdecode(entry.content), target)
            return
        self._check_size(len(entry.content))
        target.write_bytes(entry.content)
        self._note_file(entry.path, target, entry.executable, hashlib.sha256(entry.content))

    def _add_from_disk(self, path: str) -> None:
        with _parent_opened(self._repo, path) as (parent, name):
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if stat.S_ISLNK(status.st_mode):
                self._link(path, os.readlink(name, dir_fd=parent), self._target(path))
            elif stat.S_ISREG(status.st_mode):
                self._check_size(status.st_size)
                self._copy_file(path, name, parent)
            else:
                self.notes.append(_NOT_A_FILE.format(_shown(path)))

    def _copy_file(self, path: str, name: str, parent: int) -> None:
        # Something else may lie there by now: a link is refused, a pipe doesn't block.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(name, flags, dir_fd=parent)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            self.notes.append(_NOT_A_FILE.format(_shown(path)))
            return
        content = hashlib.sha256()
        target = self._target(path)
        with open(descriptor, "rb") as source, target.open("wb") as copy:
            while chunk := source.read(_CHUNK_BYTES):
                content.update(chunk)
                copy.write(chunk)
        # The modification time is kept for build tools that compare it.
        os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
        self._note_file(path, target, bool(status.st_mode & stat.S_IXUSR), content)

    def _note_file(self, path: str, target: Path, executable: bool, content: hashlib._Hash) -> None:
        target.chmod(0o755 if executable else 0o644)
        self._note(path, b"755" if executable else b"644", content.digest())

    def _link(self, path: str, leads_to: str, target: Path) -> None:
        target.symlink_to(leads_to)
        self._note(path, b"link", hashlib.sha256(os.fsencode(leads_to)).digest())

    def _note(self, path: str, mode: bytes, content: bytes) -> None:
        self._digests[path] = hashlib.sha256(b"\0".join((os.fsencode(path), mode, content))).digest()

    def _target(self, path: str) -> Path:
        target = self._into / path
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def _through_link(self, path: str) -> bool:
        """Whether a folder on the way is a link by now (git listed it as a folder)."""
        parents = Path(path).parents
        return any((self._repo / parent).is_symlink() for parent in list(parents)[:-1])

    def _too_deep(self, path: str) -> bool:
        deep = path.count("/") > DEPTH_MAX
        if deep:
            self.notes.append(_TOO_DEEP.format(_shown(path)))
        return deep

    def _check_count(self) -> None:
        if len(self._digests) >= FILES_MAX:
            raise UsageError(
                f"There are more than {FILES_MAX} files in {self._repo}.",
                mend="Give the folder of one project, or let .gitignore name what isn't source.",
            )

    def _check_size(self, more: int) -> None:
        self._bytes += more
        if self._bytes > TREE_BYTES_MAX:
            raise UsageError(
                f"The files of {self._repo} are more than {TREE_BYTES_MAX >> 20} MiB; no sandbox takes them.",
                mend="Give the folder of one project, or let .gitignore name what isn't source.",
            )
