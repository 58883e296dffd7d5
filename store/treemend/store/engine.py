"""Opening a database: settings of each connection, the schema number, and errors with their mend."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event, inspect
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlmodel import Session, SQLModel, create_engine

from treemend.store.errors import StoreError
from treemend.store.tables import SCHEMA_VERSION, SchemaRow

BUSY_TIMEOUT_MS = 10_000
READS_ONLY = "treemend_reads_only"
"""The execution option of transactions that need not wait for a writer."""

PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA foreign_keys=ON",
)


def open_engine(url: str) -> Engine:
    """An engine whose write transactions are BEGIN IMMEDIATE on SQLite, with its schema checked.

    Raises:
        StoreError: the database can't be opened, isn't one, or has another schema.
    """
    with named_errors(url):
        try:
            engine = create_engine(url)
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
            raise StoreError(
                f"{url!r} is no database URL: {error}.",
                mend="Give --store a file, or a URL such as sqlite:////path/to/file.db.",
            ) from error
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _set_up_sqlite)
            event.listen(engine, "begin", _begin_immediate)
        _check_schema(engine, url)
    return engine


def _set_up_sqlite(connection: sqlite3.Connection, record: object) -> None:
    # The driver would begin by itself, and too late: BEGIN IMMEDIATE is ours to say.
    connection.isolation_level = None
    for pragma in PRAGMAS:
        connection.execute(pragma)


def _begin_immediate(connection: Any) -> None:
    reads = connection.get_execution_options().get(READS_ONLY, False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _check_schema(engine: Engine, url: str) -> None:
    if not inspect(engine).has_table(SchemaRow.__tablename__):
        _create(engine)
    with Session(engine) as session:
        row = session.get(SchemaRow, 1)
    if row is None:
        raise StoreError(f"{url} is a database of something else.", mend="Give --store a file of its own.")
    if row.version > SCHEMA_VERSION:
        raise StoreError(
            f"{url} has schema {row.version}, of treemend {row.treemend}; this is {SCHEMA_VERSION}.",
            mend=f"Use treemend {row.treemend} or newer, or give --store another file.",
        )
    if row.version < SCHEMA_VERSION:
        raise StoreError(
            f"{url} has schema {row.version}, which this treemend no longer reads.",
            mend="Give --store another file.",
        )


def _create(engine: Engine) -> None:
    """Make all tables and the schema row in one transaction; another process may do so meanwhile."""
    with engine.begin() as connection:
        SQLModel.metadata.create_all(connection)
        with Session(connection) as session:
            if session.get(SchemaRow, 1) is None:
                session.add(SchemaRow(version=SCHEMA_VERSION, treemend=version("treemend")))
                session.commit()


@contextmanager
def named_errors(what: str) -> Iterator[None]:
    """Turn what the driver says into a StoreError with its mend."""
    try:
        yield
    except DBAPIError as error:
        message = str(error.orig)
        raise StoreError(f"The store {what} can't be used: {message}.", mend=_mend(message)) from error


def _mend(message: str) -> str:
    mends = {
        "readonly": "Set TREEMEND_STATE to a folder that can be written to.",
        "unable to open": "Set TREEMEND_STATE to a folder that can be written to.",
        "disk is full": "Free some space, then go on with `treemend resume`; nothing is lost.",
        "disk I/O": "Free some space, then go on with `treemend resume`; nothing is lost.",
        "locked": "Another treemend is writing; try again when it has ended.",
        "not a database": "Move that file away, or give --store another one.",
        "malformed": "Move that file away, or give --store another one.",
    }
    found = [mend for part, mend in mends.items() if part in message]
    return found[0] if found else "Check that the database is there and can be written to."


def url_of(store: str | Path) -> str:
    """A database URL, of a file's path where it isn't one already."""
    return str(store) if "://" in str(store) else f"sqlite:///{Path(store).absolute()}"
