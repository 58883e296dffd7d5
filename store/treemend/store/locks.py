"""One process at a time works on a run. The kernel frees the lock of a process that dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from treemend.store.errors import StoreError


@contextmanager
def exclusive(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file while the block runs; it is removed at the end.

    Raises:
        StoreError: another living process holds it, or the file can't be made.
    """
    descriptor = _locked(path, what)
    try:
        yield
    finally:
        # Removed while it is held: whoever opened it before then finds that it is gone.
        with suppress(OSError):
            os.unlink(path)
        os.close(descriptor)


def _locked(path: Path, what: str) -> int:
    while True:
        descriptor = _opened(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise StoreError(
                f"Another process works on {what} right now.", mend="Wait for it, or end it first."
            ) from error
        except OSError as error:
            os.close(descriptor)
            raise _unusable(path, error) from error
        if _is_at(descriptor, path):
            return descriptor
        os.close(descriptor)


def _opened(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable(path, error) from error


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the file locked is the one that others will find, not one that was just removed."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _unusable(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"The lock file {path} can't be used: {error.strerror}.",
        mend="Set TREEMEND_STATE to a local folder that can be written to.",
    )
