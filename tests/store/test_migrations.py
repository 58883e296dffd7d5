"""A store of an older treemend: upgraded when it is opened, nothing lost, and a copy of it kept."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from treemend.store.database import open_store
from treemend.store.errors import StoreError
from treemend.store.records import RunId, Thought
from treemend.store.tables import SCHEMA_VERSION, StoreRow

DUMPS = sorted(Path(__file__).parent.glob("schema_*.sql"))
RUN = RunId("first")


def number_of(dump: Path) -> int:
    return int(dump.stem.partition("_")[2])


def old_store(dump: Path, folder: Path) -> Path:
    path = folder / "treemend.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(dump.read_text())
    return path


def test_every_older_schema_has_a_dump() -> None:
    assert [number_of(dump) for dump in DUMPS] == list(range(1, SCHEMA_VERSION))


@pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: dump.stem)
def test_an_upgraded_store_is_like_a_new_one_and_keeps_its_rows(dump: Path, tmp_path: Path) -> None:
    path = old_store(dump, tmp_path)
    store = open_store(path)
    assert store.get_run(RUN).task.repo == "/somewhere"
    assert store.get_blob(RUN, "report") == b"{}"
    assert [candidate.patch for candidate in store.candidates(RUN)] == [b"--- a\n"]
    assert [verdict.plausible for verdict in store.verdicts(RUN)] == [True]
    store.add_thoughts(RUN, [Thought(seq=2, parent=1, depth=2, text="new", prior=0.5, key="k")])
    assert [thought.text for thought in open_store(path).thoughts(RUN)] == ["< may be <=", "new"]
    with create_engine(f"sqlite:///{path}").connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), StoreRow.metadata) == []


@pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: dump.stem)
def test_the_store_before_its_upgrade_is_kept_beside_it(dump: Path, tmp_path: Path) -> None:
    path = old_store(dump, tmp_path)
    open_store(path)
    kept = tmp_path / f"treemend.db.schema-{number_of(dump)}"
    assert sorted(tmp_path.glob("*copy*")) == [] and sorted(tmp_path.glob("*.schema-*")) == [kept]
    with sqlite3.connect(kept) as connection:
        assert "\n".join(connection.iterdump()) == dump.read_text().strip()


def test_S07_an_upgrade_that_fails_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    path = old_store(DUMPS[0], tmp_path)
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE model_calls (id INTEGER)")
        before = list(connection.iterdump())
    with pytest.raises(StoreError, match="already exists"):
        open_store(path)
    with sqlite3.connect(path) as connection:
        assert list(connection.iterdump()) == before


def test_S07_stores_opened_at_once_are_upgraded_once(tmp_path: Path) -> None:
    path = old_store(DUMPS[0], tmp_path)
    failures: list[BaseException] = []

    def open_it() -> None:
        try:
            open_store(path).get_run(RUN)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
