"""The user's own tree, written only here: all files or none, and never through a link."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from treemend.store.errors import UsageError
from treemend.tools.paths import check_relative

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MEND = "Nothing was written. Run treemend again, or apply the patch by hand: git apply --3way."


def read_in_checkout(repo: Path, path: str) -> bytes:
    """The content of a regular file below `repo`, no link followed on the way.

    Raises:
        UsageError: the path leaves the repository, or no regular file lies there.
    """
    check_relative(path)
    with _parent(repo, path) as folder:
        return _read(folder, path)[0]


def apply_to_checkout(repo: Path, before: Mapping[str, bytes], after: Mapping[str, bytes]) -> None:
    """Write `after` over files that hold `before`: all of them, or none.

    Every new content is on disk beside its file before the first one is renamed into place, and so
    is every old one, so that going back needs no space. Mode bits are kept.

    Raises:
        UsageError: a path leaves the repository, goes through a link, or a file changed since.
        ValueError: the two don't name the same files.
    """
    if before.keys() != after.keys():
        raise ValueError("before and after name different files")
    with ExitStack() as stack:
        staged = [
            stack.enter_context(_staged(repo, path, before[path], after[path]))
            for path in sorted(after)
            if before[path] != after[path]
        ]
        _replace(staged)


@dataclass(frozen=True, slots=True)
class _Staged:
    """A file's folder (descriptor), its name, and where its new and old contents lie beside it."""

    folder: int
    name: str
    new: str
    old: str


def _replace(staged: list[_Staged]) -> None:
    replaced: list[_Staged] = []
    try:
        for file in staged:
            replaced.append(file)
            os.rename(file.new, file.name, src_dir_fd=file.folder, dst_dir_fd=file.folder)
        for file in staged:
            os.fsync(file.folder)
    except BaseException as error:
        for file in replaced:
            with suppress(OSError):
                os.rename(file.old, file.name, src_dir_fd=file.folder, dst_dir_fd=file.folder)
        if isinstance(error, OSError):
            raise UsageError(f"The patch can't be written: {error.strerror}.", mend=_MEND) from error
        raise


@contextmanager
def _staged(repo: Path, path: str, before: bytes, after: bytes) -> Iterator[_Staged]:
    check_relative(path)
    token = secrets.token_hex(8)
    with _parent(repo, path) as folder:
        content, status = _read(folder, path)
        if content != before:
            raise UsageError(f"{path} changed since the run started.", mend=_MEND)
        name = path.rsplit("/", 1)[-1]
        file = _Staged(folder, name, f".treemend-{token}.new", f".treemend-{token}.old")
        try:
            for beside, data in ((file.new, after), (file.old, before)):
                _write(folder, beside, data, status)
            yield file
        except OSError as error:
            raise UsageError(f"{path} can't be written: {error.strerror}.", mend=_MEND) from error
        finally:
            for beside in (file.new, file.old):
                with suppress(FileNotFoundError):
                    os.unlink(beside, dir_fd=folder)


def _write(folder: int, name: str, data: bytes, like: os.stat_result) -> None:
    descriptor = os.open(name, _CREATE, 0o600, dir_fd=folder)
    with open(descriptor, "wb") as file:
        file.write(data)
        # Under sudo the file stays its owner's; anybody else can only write as himself.
        with suppress(PermissionError):
            os.fchown(descriptor, like.st_uid, like.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(like.st_mode))
        file.flush()
        os.fsync(descriptor)


@contextmanager
def _parent(repo: Path, path: str) -> Iterator[int]:
    """The file's folder, opened one step at a time: below `repo` no link is followed."""
    folder = os.open(repo, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in path.split("/")[:-1]:
            try:
                below = os.open(part, _FOLDER, dir_fd=folder)
            except OSError as error:
                raise UsageError(
                    f"{path} changed since the run started: {part} is no folder (or a link).",
                    mend=_MEND,
                ) from error
            os.close(folder)
            folder = below
        yield folder
    finally:
        os.close(folder)


def _read(folder: int, path: str) -> tuple[bytes, os.stat_result]:
    try:
        descriptor = os.open(path.rsplit("/", 1)[-1], _READ, dir_fd=folder)
    except OSError as error:
        raise UsageError(f"{path} changed since the run started: {error.strerror}.", mend=_MEND) from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise UsageError(f"{path} changed since the run started: it is no file any more.", mend=_MEND)
    with open(descriptor, "rb") as file:
        return file.read(), status
