"""One process at a time works on a run. The kernel frees the lock of a process that dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from treemend.store.errors import StoreError


@contextmanager
def exclusive(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file while the block runs; it is removed at the end.

    Raises:
        StoreError: another living process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreError(
                f"Another process works on {what} right now.", mend="Wait for it, or end it first."
            ) from error
        try:
            yield
        finally:
            os.unlink(path)
