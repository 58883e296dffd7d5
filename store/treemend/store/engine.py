"""Opening a database: settings of each connection, the schema number, and errors with their mend."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlmodel import Session

from treemend.store.copying import copy_database
from treemend.store.errors import StoreError
from treemend.store.tables import SCHEMA_VERSION, SchemaRow, StoreRow

BUSY_TIMEOUT_MS = 10_000
_URL_MEND = "Give --store a file, or a URL such as postgresql://user@host/database."
READS_ONLY = "treemend_reads_only"
"""The execution option of transactions that need not wait for a writer."""

INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
"""The databases that are known to work, and their INSERT that can ignore what is there already."""

PRAGMAS = (
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
)


def open_engine(where: str | Path) -> tuple[Engine, str]:
    """An engine for a file or a URL, its schema checked, and its name in messages (no password).

    An older schema is upgraded; of a file, `<file>.schema-<number>` keeps the state before. On SQLite every
    write transaction is BEGIN IMMEDIATE.

    Raises:
        StoreError: the database can't be opened, isn't one, or has a newer schema.
    """
    url, name = _url_of(where)
    with named_errors(name):
        engine = _engine(url, name)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _set_up_sqlite)
            event.listen(engine, "begin", _begin_immediate)
        _check_schema(engine, name)
    return engine, name


def _url_of(where: str | Path) -> tuple[URL, str]:
    if isinstance(where, Path) or "://" not in where:
        path = str(Path(where).absolute())
        # Not by way of a string: `?` and `#` are letters of a file's name like others.
        return URL.create("sqlite", database=path), path
    try:
        url = make_url(where)
    except (ArgumentError, ValueError) as error:
        raise StoreError("--store is no database URL.", mend=_URL_MEND) from error
    return url, url.render_as_string(hide_password=True)


def _engine(url: URL, name: str) -> Engine:
    try:
        engine = create_engine(url)
    except ModuleNotFoundError as error:
        raise StoreError(
            f"{name} needs the driver {error.name}, which is not installed.",
            mend=f"Install {error.name} beside treemend, or name another driver in the URL.",
        ) from error
    except (ArgumentError, NoSuchModuleError, TypeError, ValueError) as error:
        raise StoreError(f"{name} is no database URL.", mend=_URL_MEND) from error
    if engine.dialect.name not in INSERTS:
        raise StoreError(f"{name}: {engine.dialect.name} can't hold the store.", mend=_URL_MEND)
    return engine


def _set_up_sqlite(connection: sqlite3.Connection, record: object) -> None:
    # The driver would begin by itself, and too late: BEGIN IMMEDIATE is ours to say.
    connection.isolation_level = None
    try:
        for pragma in PRAGMAS:
            connection.execute(pragma)
    except UnicodeDecodeError as error:
        # The driver can't read SQLite's own message, which quotes the damaged part.
        raise sqlite3.DatabaseError("the file's schema is damaged") from error


def _begin_immediate(connection: Any) -> None:
    reads = connection.get_execution_options().get(READS_ONLY, False)
    # Straight to the driver: SQLAlchemy's own way takes as long as the statement that follows.
    connection.connection.driver_connection.execute("BEGIN" if reads else "BEGIN IMMEDIATE")


def _check_schema(engine: Engine, name: str) -> None:
    readers = engine.execution_options(**{READS_ONLY: True})
    with readers.connect() as connection:
        made = inspect(connection).has_table(SchemaRow.__tablename__)
    if not made:
        _create(engine, name)
    with Session(readers) as session:
        row = session.get(SchemaRow, 1)
    if row is None:
        raise _not_ours(name)
    if row.version > SCHEMA_VERSION:
        raise StoreError(
            f"{name} has schema {row.version}, of treemend {row.treemend}; this is {SCHEMA_VERSION}.",
            mend=f"Use treemend {row.treemend} or newer, or give --store another file.",
        )
    if row.version < SCHEMA_VERSION:
        _upgrade(engine)


def _upgrade(engine: Engine) -> None:
    """Bring the tables to this schema in one transaction; of a file, a copy is kept beside it first."""
    # Only now: most stores are of this schema, and the import costs more than opening one.
    from treemend.store.migrations import migrate

    with engine.begin() as connection, Session(connection) as session:
        row = session.get_one(SchemaRow, 1, with_for_update=True)
        # Another process may have done it since.
        if row.version < SCHEMA_VERSION:
            if engine.dialect.name == "sqlite":
                database = Path(engine.url.database or "")
                # Nobody can write to it meanwhile.
                copy_database(database, database.with_name(f"{database.name}.schema-{row.version}"))
            migrate(connection, row.version)
            row.version, row.treemend = SCHEMA_VERSION, version("treemend")
            session.add(row)
            session.commit()


def _create(engine: Engine, name: str) -> None:
    """Make all tables and the schema row in one transaction, in an empty database."""
    with engine.begin() as connection:
        tables = inspect(connection).get_table_names()
        if not tables:
            _create_tables(connection)
        elif SchemaRow.__tablename__ not in tables:
            raise _not_ours(name)


def _create_tables(connection: Connection) -> None:
    StoreRow.metadata.create_all(connection)
    with Session(connection) as session:
        session.add(SchemaRow(version=SCHEMA_VERSION, treemend=version("treemend")))
        session.commit()


def _not_ours(name: str) -> StoreError:
    return StoreError(f"{name} is a database of something else.", mend="Give --store one of its own.")


@contextmanager
def named_errors(what: str) -> Iterator[None]:
    """Turn what the driver says of the database `what` into a StoreError with its mend."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        message = str(error.orig if isinstance(error, DBAPIError) else error)
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
