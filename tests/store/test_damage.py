"""Hostile values and damaged files: stored and read back, or refused by name, never a traceback."""

from __future__ import annotations

import random
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treemend.store.database import Store, open_store
from treemend.store.errors import StoreError, TreemendError, UsageError
from treemend.store.records import (
    Candidate,
    Edit,
    Execution,
    Outcome,
    Place,
    Run,
    RunId,
    Spend,
    Symptom,
    Task,
    TestOutcome,
    Thought,
    Verdict,
)

RUN = RunId("first")
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=40)


def opened(where: str | Path, issue: str = "") -> Store:
    store = open_store(where)
    task = Task(repo="/r", symptom=Symptom(issue=issue))
    created = datetime(2026, 1, 2, tzinfo=UTC)
    store.create_run(Run(id=RUN, task=task, created_at=created, graph_version=1, treemend_version="0"))
    return store


def fill(store: Store, text: str) -> None:
    execution = Execution(
        candidate=1, attempt=1, test=text, outcome=TestOutcome.FAILED, duration_s=0.5, message=text
    )
    verdict = Verdict(
        candidate=1,
        targets_passed=0,
        targets=1,
        regressions=(text,),
        not_run=0,
        plausible=False,
        reward=0.0,
    )
    place = Place(path=text, line=1, end_line=1, function=text)
    store.add_thoughts(RUN, [Thought(seq=1, parent=0, depth=1, text=text, prior=1, key=text, place=place)])
    edits = (Edit(path=text, start=0, end=0, text=text),)
    store.add_candidate(
        RUN, Candidate(seq=1, thought=1, edits=edits, patch=text.encode("utf-32", "surrogatepass"), prior=1)
    )
    store.record_evaluation(RUN, verdict, [execution], Spend(step=text, purpose=text, wall_s=1))
    store.put_blob(RUN, text, b"x")
    store.finish_run(RUN, Outcome.FAILED, text)


def read(store: Store) -> list[object]:
    return [
        store.get_run(RUN),
        store.runs(3),
        store.thoughts(RUN),
        store.candidates(RUN),
        store.executions(RUN),
        store.verdicts(RUN),
        store.spend(RUN),
    ]


@settings(deadline=None, max_examples=25)
@given(text=ANY_TEXT | st.sampled_from(["\0", "\x1a", '\x1a"x"', "\udcff", "\ud800\udc00", "\x1a\0\ud800"]))
def test_I15_any_text_comes_back(text: str) -> None:
    store = opened("sqlite://", issue=text)
    fill(store, text)
    assert store.get_run(RUN).task.symptom.issue == text
    assert store.get_run(RUN).reason == text
    (thought,), (candidate,) = store.thoughts(RUN), store.candidates(RUN)
    assert thought.place == Place(path=text, line=1, end_line=1, function=text)
    assert (thought.text, candidate.edits[0].path) == (text, text)
    (execution,) = store.executions(RUN)
    assert (execution.test, execution.message) == (text, text)
    assert store.verdicts(RUN)[0].regressions == (text,)
    assert store.spend(RUN)[0].step == text
    assert store.get_blob(RUN, text) == b"x"


@pytest.mark.slow
def test_S05_a_damaged_file_gives_no_traceback(tmp_path: Path) -> None:
    fill(opened(tmp_path / "whole.db"), "some text" * 20)
    with sqlite3.connect(tmp_path / "whole.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = (tmp_path / "whole.db").read_bytes()
    used = [at for at, byte in enumerate(whole) if byte]
    choice = random.Random(0)
    refused = 0
    for number in range(60):
        data = bytearray(whole)
        data[choice.choice(used)] ^= 1 << choice.randrange(8)
        path = tmp_path / f"{number}.db"
        path.write_bytes(data)
        try:
            read(open_store(path))
        except TreemendError:
            refused += 1
    assert refused > 5


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE thoughts SET place = '{\"path\": 1'",
        "UPDATE candidates SET edits = '[[[[['",
        "UPDATE candidates SET patch = 'text'",
        "UPDATE verdicts SET regressions = '[1]'",
        "UPDATE executions SET outcome = 'pa'",
        "UPDATE runs SET created_at = 'never'",
        "UPDATE runs SET task = '{}'",
    ],
)
def test_S05_a_row_that_was_never_written_is_said(tmp_path: Path, damage: str) -> None:
    fill(opened(tmp_path / "x.db"), "text")
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute(damage)
    with pytest.raises(StoreError, match=r"damaged: .* of run first"):
        read(open_store(tmp_path / "x.db"))


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE users (name)")
    with pytest.raises(StoreError, match="something else"):
        open_store(path)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("users",)]


def test_a_file_name_is_taken_letter_by_letter(tmp_path: Path) -> None:
    opened(tmp_path / "a?b#c%20 é.db")
    assert (tmp_path / "a?b#c%20 é.db").exists()


@pytest.mark.parametrize("url", ["nosuch://me:secret@host/x", "mysql://me:secret@host/x"])
def test_no_password_is_shown(url: str) -> None:
    with pytest.raises(StoreError) as caught:
        open_store(url)
    assert "secret" not in str(caught.value)


def test_finishing_an_unknown_run_is_refused(tmp_path: Path) -> None:
    store = opened(tmp_path / "x.db")
    with pytest.raises(UsageError, match=r"no run zzzz\. The last one is first"):
        store.finish_run(RunId("zzzz"), Outcome.FAILED, "")


def test_a_program_with_tables_of_its_own_keeps_them_apart(tmp_path: Path) -> None:
    from sqlmodel import Field, SQLModel

    class TheirRun(SQLModel, table=True):
        __tablename__ = "runs"
        id: int = Field(primary_key=True)

    try:
        store = opened(tmp_path / "x.db")
        assert store.get_run(RUN).id == RUN
    finally:
        SQLModel.metadata.remove(SQLModel.metadata.tables["runs"])
