"""A copy of an SQLite database, whoever has it open."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path


def copy_database(source: Path, target: Path) -> None:
    """Copy a database as it is at one moment; `target` is replaced by the whole of it, or left alone.

    Raises:
        OSError, sqlite3.Error: one of them can't be read or written.
    """
    unfinished = target.with_name(f"{target.name}.copy-{os.getpid()}-{threading.get_ident()}")
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as known,
            closing(sqlite3.connect(unfinished)) as copy,
        ):
            known.backup(copy)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
