"""The store: what was written is what is read, once, and nothing that was acknowledged is lost."""

from __future__ import annotations

import itertools
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treemend.store.database import Store, open_store
from treemend.store.errors import StoreError, UsageError
from treemend.store.records import (
    Budget,
    Candidate,
    Edit,
    Execution,
    Frame,
    Outcome,
    Place,
    RankedCandidate,
    Rollout,
    Run,
    RunId,
    Spend,
    Symptom,
    Task,
    TestCase,
    TestOrigin,
    TestOutcome,
    TestRole,
    Thought,
    Verdict,
)

RUN = RunId("first")
SPEND = Spend(step="candidate-1", purpose="candidate", wall_s=0.5, tests_run=3)


def make_run(run_id: RunId = RUN) -> Run:
    task = Task(
        repo="/somewhere",
        symptom=Symptom(issue="é\n'x'", failing_tests=("a",), frames=(Frame(path="a.py", line=3),)),
        budget=Budget(time_s=None, candidates=7),
        command=("treemend", "fix"),
    )
    return Run(
        id=run_id,
        task=task,
        created_at=datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
        graph_version=1,
        treemend_version="0.1.0",
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    opened = open_store(tmp_path / "treemend.db")
    opened.create_run(make_run())
    return opened


def thought(seq: int, place: Place | None = None) -> Thought:
    return Thought(seq=seq, parent=0, depth=1, text="t", prior=0.5, key=str(seq), place=place)


def verdict(candidate: int) -> Verdict:
    return Verdict(
        candidate=candidate,
        targets_passed=1,
        targets=2,
        regressions=("x", "y"),
        not_run=1,
        plausible=False,
        reward=0.2,
    )


def execution(candidate: int, test: str) -> Execution:
    return Execution(
        candidate=candidate, attempt=1, test=test, outcome=TestOutcome.FAILED, duration_s=0.25, message="é"
    )


def test_a_run_comes_back_as_it_was(store: Store) -> None:
    assert store.get_run(RUN) == make_run()


def test_runs_are_listed_newest_first(store: Store) -> None:
    store.create_run(make_run(RunId("second")))
    assert [run.id for run in store.runs(5)] == ["second", "first"]
    assert [run.id for run in store.runs(1)] == ["second"]


def test_a_finished_run_keeps_its_outcome_and_reason(store: Store) -> None:
    store.finish_run(RUN, Outcome.NOTHING_PLAUSIBLE, "why")
    ended = store.get_run(RUN)
    assert (ended.outcome, ended.reason) == (Outcome.NOTHING_PLAUSIBLE, "why")


def test_an_unknown_run_names_the_one_that_may_be_meant(store: Store) -> None:
    with pytest.raises(UsageError, match="Did you mean first"):
        store.get_run(RunId("frist"))


def test_the_beginning_of_an_id_is_enough_where_only_one_run_has_it(store: Store) -> None:
    assert store.get_run(RunId("fir")).id == RUN
    store.create_run(make_run(RunId("fire")))
    with pytest.raises(UsageError, match="no run fir"):
        store.get_run(RunId("fir"))


def test_every_record_comes_back_as_it_was(store: Store) -> None:
    thoughts = [thought(1, Place(path="a.py", line=1, end_line=2, function="f")), thought(2)]
    candidate = Candidate(
        seq=1,
        thought=2,
        edits=(Edit(path="a.py", start=0, end=3, text="ü"),),
        patch=b"\xff\x00diff",
        prior=0.25,
        duplicate_of=0,
    )
    cases = [TestCase(id="t", origin=TestOrigin.USER, role=TestRole.TARGET)]
    rollout = Rollout(iteration=1, thought=2, candidate=1, reward=0.2)
    ranked = RankedCandidate(
        rank=1,
        candidate=1,
        group=1,
        group_size=1,
        score=-1.5,
        prior=0.25,
        medoid_distance=0.0,
        confirmed=True,
    )
    store.add_thoughts(RUN, thoughts)
    store.add_candidate(RUN, candidate)
    store.add_test_cases(RUN, cases)
    store.record_evaluation(RUN, verdict(1), [execution(1, "t"), execution(1, "u")], SPEND)
    store.add_rollout(RUN, rollout)
    store.set_ranking(RUN, [ranked])
    assert store.thoughts(RUN) == thoughts
    assert store.candidates(RUN) == [candidate]
    assert store.test_cases(RUN) == cases
    assert store.verdicts(RUN) == [verdict(1)]
    assert store.executions(RUN, candidate=1) == [execution(1, "t"), execution(1, "u")]
    assert store.rollouts(RUN) == [rollout]
    assert store.ranking(RUN) == [ranked]
    assert store.spend(RUN) == [SPEND]


def test_adding_again_changes_nothing_and_the_first_stays(store: Store) -> None:
    store.add_thoughts(RUN, [thought(1)])
    store.add_thoughts(RUN, [thought(1).model_copy(update={"text": "other"}), thought(2)])
    assert [t.text for t in store.thoughts(RUN)] == ["t", "t"]
    for _ in range(2):
        store.record_evaluation(RUN, verdict(1), [execution(1, "t")], SPEND)
    assert len(store.executions(RUN)) == len(store.verdicts(RUN)) == len(store.spend(RUN)) == 1


def test_a_ranking_is_replaced_as_a_whole(store: Store) -> None:
    entry = RankedCandidate(rank=1, candidate=1, group=1, group_size=2, score=0, prior=0.5, medoid_distance=0)
    other = entry.model_copy(update={"candidate": 2, "rank": 2})
    store.set_ranking(RUN, [entry, other])
    store.set_ranking(RUN, [other.model_copy(update={"rank": 1})])
    assert [(e.rank, e.candidate) for e in store.ranking(RUN)] == [(1, 2)]


@pytest.fixture(scope="module")
def in_memory() -> Store:
    opened = open_store("sqlite://")
    opened.create_run(make_run())
    return opened


NUMBERS = itertools.count()


@settings(deadline=None)
@given(data=st.binary(max_size=2000))
def test_blobs_of_any_bytes_come_back(in_memory: Store, data: bytes) -> None:
    name = f"blob-{next(NUMBERS)}"
    in_memory.put_blob(RUN, name, data)
    assert in_memory.get_blob(RUN, name) == data


def test_a_blob_that_is_not_there_is_none(store: Store) -> None:
    assert store.get_blob(RUN, "nothing") is None


@pytest.mark.parametrize("table, column", [("blobs", "data"), ("candidates", "patch")])
def test_S05_a_flipped_bit_in_bytes_is_noticed(store: Store, tmp_path: Path, table: str, column: str) -> None:
    store.put_blob(RUN, "report", b"what was written")
    store.add_candidate(RUN, Candidate(seq=1, thought=1, edits=(), patch=b"diff", prior=1.0))
    with sqlite3.connect(tmp_path / "treemend.db") as connection:
        connection.execute(f"UPDATE {table} SET {column} = x'00'")
    with pytest.raises(StoreError, match="damaged"):
        if table == "blobs":
            store.get_blob(RUN, "report")
        else:
            store.candidates(RUN)


def test_S07_a_newer_schema_is_refused(tmp_path: Path) -> None:
    open_store(tmp_path / "treemend.db")
    with sqlite3.connect(tmp_path / "treemend.db") as connection:
        connection.execute("UPDATE schema SET version = 99, treemend = '9.9'")
    with pytest.raises(StoreError, match=r"schema 99, of treemend 9.9"):
        open_store(tmp_path / "treemend.db")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "treemend.db").write_text("this is not a database, " * 50)
    with pytest.raises(StoreError, match="not a database") as caught:
        open_store(tmp_path / "treemend.db")
    assert "--store" in caught.value.mend


def test_S09_a_place_that_can_not_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="can't be used"):
        open_store(tmp_path / "file" / "treemend.db")


def test_a_url_of_an_unknown_database_is_refused() -> None:
    with pytest.raises(StoreError, match="no database URL"):
        open_store("nosuch://host/name")


def test_the_connection_is_set_up_to_lose_nothing(store: Store) -> None:
    with store._engine.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_two_processes_do_not_work_on_one_run(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TREEMEND_STATE", str(tmp_path))
    with store.claim(RUN), pytest.raises(StoreError, match="Another process"), store.claim(RUN):
        pass
    with store.claim(RUN):
        pass


WRITER = """
import sys
from treemend.store.database import open_store
from treemend.store.records import Rollout, RunId
store = open_store(sys.argv[1])
first, count = int(sys.argv[2]), int(sys.argv[3])
for number in range(first, first + count):
    store.add_rollout(RunId("first"), Rollout(iteration=number, thought=1, candidate=1, reward=0.5))
    print(number, flush=True)
"""


def writer(database: Path, first: int, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(database), str(first), str(count)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
    )


@pytest.mark.slow
def test_S01_kill_9_loses_no_acknowledged_row(store: Store, tmp_path: Path) -> None:
    acknowledged: set[int] = set()
    for round_number in range(3):
        process = writer(tmp_path / "treemend.db", 1000 * round_number + 1, 1000)
        assert process.stdout is not None
        for _ in range(5 * (round_number + 1)):
            acknowledged.add(int(process.stdout.readline()))
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
        acknowledged |= {int(line) for line in rest.split()}
    assert acknowledged <= {rollout.iteration for rollout in store.rollouts(RUN)}


@pytest.mark.slow
def test_S03_writers_at_once_wait_for_each_other(store: Store, tmp_path: Path) -> None:
    writers = [writer(tmp_path / "treemend.db", 100 * n + 1, 25) for n in range(3)]
    assert [process.wait() for process in writers] == [0, 0, 0]
    for process in writers:
        process.communicate()
    assert len(store.rollouts(RUN)) == 75


def limit_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))


FILLER = """
import sys
from treemend.store.database import open_store
from treemend.store.errors import StoreError
from treemend.store.records import RunId
store = open_store(sys.argv[1])
written = 0
try:
    while True:
        store.put_blob(RunId("first"), f"blob-{written}", bytes(20_000))
        written += 1
except StoreError as error:
    print(written, error)
"""


@pytest.mark.slow
def test_S04_a_full_disk_is_named_and_what_was_written_stays(store: Store, tmp_path: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-c", FILLER, str(tmp_path / "treemend.db")],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
        preexec_fn=limit_files,
    )
    written, told = process.stdout.split(" ", 1)
    assert "Free some space" in told
    assert int(written) > 0
    again = open_store(tmp_path / "treemend.db")
    assert all(again.get_blob(RUN, f"blob-{n}") == bytes(20_000) for n in range(int(written)))
