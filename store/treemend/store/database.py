"""The store: records in, records out.

Each call is one transaction, durable when it returns. Adding a row whose key is there already changes
nothing, so a step that runs again may add its rows again.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Table, bindparam, delete, func, insert, select, update
from sqlmodel import SQLModel, col

from treemend.store.columns import as_text, damaged, from_columns, to_columns
from treemend.store.engine import INSERTS, READS_ONLY, named_errors, open_engine
from treemend.store.errors import UsageError
from treemend.store.locks import exclusive
from treemend.store.records import (
    Candidate,
    Execution,
    ModelCall,
    Outcome,
    RankedCandidate,
    Record,
    Rollout,
    Run,
    RunId,
    Spend,
    TestCase,
    TestOrigin,
    Thought,
    Verdict,
)
from treemend.store.state import state_folder
from treemend.store.tables import (
    BlobRow,
    CandidateRow,
    ExecutionRow,
    ModelCallRow,
    RankingRow,
    RolloutRow,
    RunRow,
    SpendRow,
    TestCaseRow,
    ThoughtRow,
    VerdictRow,
)

ROWS_AT_ONCE = 500

Row = TypeVar("Row", bound=SQLModel)
R = TypeVar("R", bound=Record)


def open_store(where: str | Path | None = None) -> Store:
    """The store at a file or a SQLAlchemy URL; None is `treemend.db` in the user's state folder.

    Raises:
        StoreError: the folder or the database can't be used.
    """
    return Store(*open_engine(where if where is not None else state_folder() / "treemend.db"))


class Store:
    """Typed access to one database. Every method raises StoreError where the database fails.

    `name` is the database's in messages.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self._readers = engine.execution_options(**{READS_ONLY: True})
        self.name = name

    def create_run(self, run: Run) -> None:
        with self._transaction() as connection:
            last = connection.execute(select(func.max(RunRow.number))).scalar_one()
            row = {"number": (last or 0) + 1, **to_columns(run)}
            connection.execute(insert(_table(RunRow)), row)

    def get_run(self, run_id: RunId) -> Run:
        """The run of this id, or the only one whose id begins so. Raises UsageError where there is none."""
        with self._reading() as connection:
            return from_columns(Run, _run_row(connection, run_id))

    def runs(self, limit: int) -> list[Run]:
        """The newest runs, newest first."""
        runs = _table(RunRow)
        query = select(runs).order_by(runs.c.number.desc()).limit(limit)
        with self._reading() as connection:
            return [from_columns(Run, row) for row in connection.execute(query)]

    def finish_run(self, run_id: RunId, outcome: Outcome, reason: str) -> None:
        """Record how a run ended. Raises UsageError where there is no such run."""
        ended = {"outcome": outcome.value, "reason": as_text(reason)}
        with self._transaction() as connection:
            number = _run_row(connection, run_id).number
            runs = _table(RunRow)
            connection.execute(update(runs).where(runs.c.number == number), ended)

    def add_thoughts(self, run_id: RunId, thoughts: Sequence[Thought]) -> None:
        with self._transaction() as connection:
            self._add(connection, ThoughtRow, run_id, thoughts)

    def thoughts(self, run_id: RunId) -> list[Thought]:
        return self._records(Thought, ThoughtRow, run_id, ThoughtRow.seq)

    def add_candidate(self, run_id: RunId, candidate: Candidate) -> None:
        with self._transaction() as connection:
            self._add(connection, CandidateRow, run_id, [candidate], patch_sha256=_sha256(candidate.patch))

    def candidates(self, run_id: RunId) -> list[Candidate]:
        found = []
        for row in self._rows(CandidateRow, run_id, CandidateRow.seq):
            _check(row.patch, row.patch_sha256, f"the patch of candidate {row.seq}", run_id)
            found.append(from_columns(Candidate, row))
        return found

    def add_test_cases(self, run_id: RunId, cases: Sequence[TestCase]) -> None:
        with self._transaction() as connection:
            self._add(connection, TestCaseRow, run_id, cases)

    def trust_tests(self, run_id: RunId, tests: Sequence[str]) -> None:
        """Record that a person stands behind these tests."""
        rows = update(TestCaseRow).where(col(TestCaseRow.run) == run_id, col(TestCaseRow.id).in_(tests))
        with self._transaction() as connection:
            connection.execute(rows.values(origin=TestOrigin.USER.value))

    def test_cases(self, run_id: RunId) -> list[TestCase]:
        return self._records(TestCase, TestCaseRow, run_id, TestCaseRow.id)

    def add_executions(self, run_id: RunId, executions: Sequence[Execution], spend: Spend) -> None:
        with self._transaction() as connection:
            self._add(connection, ExecutionRow, run_id, executions)
            self._add(connection, SpendRow, run_id, [spend])

    def record_evaluation(
        self,
        run_id: RunId,
        verdict: Verdict,
        executions: Sequence[Execution],
        spend: Spend,
        blobs: Mapping[str, bytes] = MappingProxyType({}),
    ) -> None:
        """A candidate's verdict with all that led to it: together or not at all."""
        with self._transaction() as connection:
            self._insert(connection, BlobRow, [_blob_row(run_id, *blob) for blob in blobs.items()])
            self._add(connection, ExecutionRow, run_id, executions)
            self._add(connection, SpendRow, run_id, [spend])
            self._add(connection, VerdictRow, run_id, [verdict])

    def executions(self, run_id: RunId, candidate: int | None = None) -> list[Execution]:
        """The passing matrix, or one candidate's part of it, in the order in which it was made."""
        only = () if candidate is None else (col(ExecutionRow.candidate) == candidate,)
        return self._records(Execution, ExecutionRow, run_id, ExecutionRow.number, *only)

    def verdicts(self, run_id: RunId) -> list[Verdict]:
        return self._records(Verdict, VerdictRow, run_id, VerdictRow.candidate)

    def add_rollout(self, run_id: RunId, rollout: Rollout) -> None:
        with self._transaction() as connection:
            self._add(connection, RolloutRow, run_id, [rollout])

    def rollouts(self, run_id: RunId) -> list[Rollout]:
        return self._records(Rollout, RolloutRow, run_id, RolloutRow.iteration)

    def set_ranking(self, run_id: RunId, ranked: Sequence[RankedCandidate]) -> None:
        """Replace the ranking as a whole."""
        with self._transaction() as connection:
            connection.execute(delete(RankingRow).where(col(RankingRow.run) == run_id))
            self._add(connection, RankingRow, run_id, ranked)

    def ranking(self, run_id: RunId) -> list[RankedCandidate]:
        return self._records(RankedCandidate, RankingRow, run_id, RankingRow.rank)

    def spend(self, run_id: RunId) -> list[Spend]:
        return self._records(Spend, SpendRow, run_id, SpendRow.step)

    def book_call(self, run_id: RunId, call: ModelCall) -> None:
        """Record a call before it is sent."""
        with self._transaction() as connection:
            self._add(connection, ModelCallRow, run_id, [call], answer_sha256=_answer_sha256(call))

    def settle_call(self, run_id: RunId, call: ModelCall) -> None:
        """Record what became of a call that was booked."""
        key = {"of_run": run_id, "of_identity": call.identity, "of_attempt": call.attempt}
        values = {**to_columns(call), "answer_sha256": _answer_sha256(call)}
        with self._transaction() as connection:
            connection.execute(_settling(), {**key, **values})

    def model_calls(self, run_id: RunId) -> list[ModelCall]:
        """All calls of a run, in the order in which they were first booked."""
        found = []
        for row in self._rows(ModelCallRow, run_id, ModelCallRow.seq):
            call = from_columns(ModelCall, row)
            if _answer_sha256(call) != row.answer_sha256:
                raise damaged(f"the answer to model call {row.seq}", run_id)
            found.append(call)
        return found

    def put_blob(self, run_id: RunId, name: str, data: bytes) -> None:
        with self._transaction() as connection:
            self._insert(connection, BlobRow, [_blob_row(run_id, name, data)])

    def get_blob(self, run_id: RunId, name: str) -> bytes | None:
        """The bytes kept under a name. Raises StoreError where their checksum is another."""
        with self._reading() as connection:
            row = connection.execute(_blob(), {"of_run": run_id, "of_name": as_text(name)}).one_or_none()
        if row is None:
            return None
        _check(row.data, row.sha256, f"blob {name!r}", run_id)
        return bytes(row.data)

    def claim(self, run_id: RunId) -> AbstractContextManager[None]:
        """Keep other processes of this machine off a run. Raises StoreError where one is at work."""
        return exclusive(state_folder() / "locks" / f"{run_id}.lock", f"run {run_id}")

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        # Not by way of a session: keeping track of objects takes most of the time of so small a transaction.
        with named_errors(self.name), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with named_errors(self.name), self._readers.connect() as connection:
            yield connection

    def _records(
        self, kind: type[R], table: type[SQLModel], run_id: RunId, order: Any, *only: Any
    ) -> list[R]:
        return [from_columns(kind, row) for row in self._rows(table, run_id, order, *only)]

    def _rows(self, kind: type[SQLModel], run_id: RunId, order: Any, *only: Any) -> list[Any]:
        table = _table(kind)
        query = select(table).where(table.c.run == run_id, *only).order_by(order)
        with self._reading() as connection:
            return list(connection.execute(query))

    def _add(
        self, connection: Connection, kind: type[Row], run_id: RunId, records: Sequence[R], **made: Any
    ) -> None:
        """Insert records as rows; `made` are columns that are no fields of theirs."""
        self._insert(connection, kind, [{"run": run_id, **to_columns(record), **made} for record in records])

    def _insert(self, connection: Connection, kind: type[Row], rows: list[dict[str, Any]]) -> None:
        statement = _inserting(self._engine.dialect.name, kind)
        for start in range(0, len(rows), ROWS_AT_ONCE):
            connection.execute(statement, rows[start : start + ROWS_AT_ONCE])


def _table(kind: type[SQLModel]) -> Table:
    table: Table = kind.__table__  # type: ignore[attr-defined]
    return table


@cache
def _inserting(dialect: str, kind: type[SQLModel]) -> Any:
    """A row that is there already stays as it is."""
    return INSERTS[dialect](_table(kind)).on_conflict_do_nothing()


@cache
def _blob() -> Any:
    blobs = _table(BlobRow)
    return select(blobs).where(blobs.c.run == bindparam("of_run"), blobs.c.name == bindparam("of_name"))


@cache
def _settling() -> Any:
    calls = _table(ModelCallRow)
    key = (calls.c.run, calls.c.identity, calls.c.attempt)
    return update(calls).where(*(column == bindparam(f"of_{column.name}") for column in key))


def _blob_row(run_id: RunId, name: str, data: bytes) -> dict[str, Any]:
    return {"run": run_id, "name": as_text(name), "data": data, "sha256": _sha256(data)}


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _answer_sha256(call: ModelCall) -> str:
    return _sha256(call.answer.encode("utf-8", "surrogatepass"))


def _check(data: bytes, expected: str, what: str, run_id: str) -> None:
    if not isinstance(data, bytes) or _sha256(data) != expected:
        raise damaged(what, run_id)


def _run_row(connection: Connection, run_id: str) -> Any:
    runs = _table(RunRow)
    row = connection.execute(select(runs).where(runs.c.id == as_text(run_id))).one_or_none()
    if row is None:
        known = list(connection.execute(select(runs.c.id).order_by(runs.c.number)).scalars())
        meant = [name for name in known if run_id and name.startswith(run_id)]
        if len(meant) != 1:
            raise _unknown_run(run_id, known)
        return connection.execute(select(runs).where(runs.c.id == meant[0])).one()
    return row


def _unknown_run(run_id: str, known: Sequence[str]) -> UsageError:
    close = difflib.get_close_matches(run_id, known, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    if known and not close:
        hint = f" The last one is {known[-1]}."
    return UsageError(f"There is no run {run_id}.{hint}", mend="List them with: treemend runs")
