"""The store: records in, records out.

Each call is one transaction, durable when it returns. Adding a row whose key is there already changes
nothing, so a step that runs again may add its rows again.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import Engine, func
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col, delete, select

from treemend.store.engine import READS_ONLY, named_errors, open_engine, url_of
from treemend.store.errors import StoreError, UsageError
from treemend.store.locks import exclusive
from treemend.store.records import (
    Candidate,
    Edit,
    Execution,
    Outcome,
    Place,
    RankedCandidate,
    Record,
    Rollout,
    Run,
    RunId,
    Spend,
    Task,
    TestCase,
    Thought,
    Verdict,
)
from treemend.store.state import state_folder
from treemend.store.tables import (
    BlobRow,
    CandidateRow,
    ExecutionRow,
    RankingRow,
    RolloutRow,
    RunRow,
    SpendRow,
    TestCaseRow,
    ThoughtRow,
    VerdictRow,
    to_text,
)

EDITS = TypeAdapter(tuple[Edit, ...])
NAMES = TypeAdapter(tuple[str, ...])
INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
ROWS_AT_ONCE = 500

Row = TypeVar("Row", bound=SQLModel)
R = TypeVar("R", bound=Record)


def open_store(where: str | Path | None = None) -> Store:
    """The store at a file or a SQLAlchemy URL; None is `treemend.db` in the user's state folder.

    Raises:
        StoreError: the folder or the database can't be used.
    """
    url = url_of(where if where is not None else state_folder() / "treemend.db")
    return Store(open_engine(url), url)


class Store:
    """Typed access to one database. Every method raises StoreError where the database fails."""

    def __init__(self, engine: Engine, url: str) -> None:
        self._engine = engine
        self._readers = engine.execution_options(**{READS_ONLY: True})
        self._url = url

    def create_run(self, run: Run) -> None:
        with self._transaction() as session:
            last = session.exec(select(func.max(RunRow.number))).one()
            session.add(
                RunRow(
                    id=run.id,
                    number=(last or 0) + 1,
                    task=run.task.model_dump_json(),
                    created_at=to_text(run.created_at),
                    graph_version=run.graph_version,
                    treemend_version=run.treemend_version,
                    outcome=run.outcome.value if run.outcome else None,
                    reason=run.reason,
                )
            )

    def get_run(self, run_id: RunId) -> Run:
        """The run of this id. Raises UsageError where there is none."""
        with self._reading() as session:
            row = session.get(RunRow, run_id)
            known = [] if row else list(session.exec(select(RunRow.id)))
            found = _run(row) if row else None
        if found is None:
            raise _unknown_run(run_id, known)
        return found

    def runs(self, limit: int) -> list[Run]:
        """The newest runs, newest first."""
        query = select(RunRow).order_by(col(RunRow.number).desc()).limit(limit)
        with self._reading() as session:
            return [_run(row) for row in session.exec(query)]

    def finish_run(self, run_id: RunId, outcome: Outcome, reason: str) -> None:
        with self._transaction() as session:
            row = session.get_one(RunRow, run_id)
            row.outcome, row.reason = outcome.value, reason
            session.add(row)

    def add_thoughts(self, run_id: RunId, thoughts: Sequence[Thought]) -> None:
        with self._transaction() as session:
            self._add(session, ThoughtRow, run_id, thoughts, place=_place_json)

    def thoughts(self, run_id: RunId) -> list[Thought]:
        rows = self._rows(ThoughtRow, run_id, ThoughtRow.seq)
        return [_record(Thought, row, place=_place(row.place)) for row in rows]

    def add_candidate(self, run_id: RunId, candidate: Candidate) -> None:
        with self._transaction() as session:
            self._add(
                session,
                CandidateRow,
                run_id,
                [candidate],
                edits=lambda c: EDITS.dump_json(c.edits).decode(),
                patch_sha256=lambda c: _sha256(c.patch),
            )

    def candidates(self, run_id: RunId) -> list[Candidate]:
        found = []
        for row in self._rows(CandidateRow, run_id, CandidateRow.seq):
            _check(row.patch, row.patch_sha256, f"the patch of candidate {row.seq}", run_id)
            found.append(_record(Candidate, row, edits=EDITS.validate_json(row.edits)))
        return found

    def add_test_cases(self, run_id: RunId, cases: Sequence[TestCase]) -> None:
        with self._transaction() as session:
            self._add(session, TestCaseRow, run_id, cases)

    def test_cases(self, run_id: RunId) -> list[TestCase]:
        rows = self._rows(TestCaseRow, run_id, TestCaseRow.id)
        return [_record(TestCase, row) for row in rows]

    def add_executions(self, run_id: RunId, executions: Sequence[Execution], spend: Spend) -> None:
        with self._transaction() as session:
            self._add(session, ExecutionRow, run_id, executions)
            self._add(session, SpendRow, run_id, [spend])

    def record_evaluation(
        self, run_id: RunId, verdict: Verdict, executions: Sequence[Execution], spend: Spend
    ) -> None:
        """A candidate's verdict with all that led to it: together or not at all."""
        with self._transaction() as session:
            self._add(session, ExecutionRow, run_id, executions)
            self._add(session, SpendRow, run_id, [spend])
            self._add(
                session,
                VerdictRow,
                run_id,
                [verdict],
                regressions=lambda v: NAMES.dump_json(v.regressions).decode(),
            )

    def executions(self, run_id: RunId, candidate: int | None = None) -> list[Execution]:
        """The passing matrix, or one candidate's part of it, in the order in which it was made."""
        rows = self._rows(ExecutionRow, run_id, ExecutionRow.number)
        wanted = (row for row in rows if candidate is None or row.candidate == candidate)
        return [_record(Execution, row) for row in wanted]

    def verdicts(self, run_id: RunId) -> list[Verdict]:
        rows = self._rows(VerdictRow, run_id, VerdictRow.candidate)
        return [_record(Verdict, row, regressions=NAMES.validate_json(row.regressions)) for row in rows]

    def add_rollout(self, run_id: RunId, rollout: Rollout) -> None:
        with self._transaction() as session:
            self._add(session, RolloutRow, run_id, [rollout])

    def rollouts(self, run_id: RunId) -> list[Rollout]:
        rows = self._rows(RolloutRow, run_id, RolloutRow.iteration)
        return [_record(Rollout, row) for row in rows]

    def set_ranking(self, run_id: RunId, ranked: Sequence[RankedCandidate]) -> None:
        """Replace the ranking as a whole."""
        with self._transaction() as session:
            session.exec(delete(RankingRow).where(col(RankingRow.run) == run_id))
            self._add(session, RankingRow, run_id, ranked)

    def ranking(self, run_id: RunId) -> list[RankedCandidate]:
        rows = self._rows(RankingRow, run_id, RankingRow.rank)
        return [_record(RankedCandidate, row) for row in rows]

    def add_spend(self, run_id: RunId, spend: Spend) -> None:
        with self._transaction() as session:
            self._add(session, SpendRow, run_id, [spend])

    def spend(self, run_id: RunId) -> list[Spend]:
        return [_record(Spend, row) for row in self._rows(SpendRow, run_id, SpendRow.step)]

    def put_blob(self, run_id: RunId, name: str, data: bytes) -> None:
        with self._transaction() as session:
            values = {"run": run_id, "name": name, "data": data, "sha256": _sha256(data)}
            self._insert(session, BlobRow, [values])

    def get_blob(self, run_id: RunId, name: str) -> bytes | None:
        """The bytes kept under a name. Raises StoreError where their checksum is another."""
        with self._reading() as session:
            row = session.get(BlobRow, (run_id, name))
            if row is None:
                return None
            _check(row.data, row.sha256, f"blob {name!r}", run_id)
            return row.data

    def claim(self, run_id: RunId) -> AbstractContextManager[None]:
        """Keep other processes of this machine off a run. Raises StoreError where one is at work."""
        return exclusive(state_folder() / "locks" / f"{run_id}.lock", f"run {run_id}")

    @contextmanager
    def _transaction(self) -> Iterator[Session]:
        with named_errors(self._url), Session(self._engine) as session:
            yield session
            session.commit()

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with named_errors(self._url), Session(self._readers) as session:
            yield session

    def _rows(self, table: type[Row], run_id: RunId, order: Any) -> list[Row]:
        run: Any = table.run  # type: ignore[attr-defined]
        with self._reading() as session:
            rows = list(session.exec(select(table).where(run == run_id).order_by(order)))
            session.expunge_all()
            return rows

    def _add(
        self, session: Session, table: type[Row], run_id: RunId, records: Sequence[R], **made: Any
    ) -> None:
        """Insert records as rows; `made` names columns that are computed from the record."""
        rows = []
        for record in records:
            values = {**dict(record), **{name: make(record) for name, make in made.items()}}
            rows.append({"run": run_id, **{name: _plain(value) for name, value in values.items()}})
        self._insert(session, table, rows)

    def _insert(self, session: Session, table: type[Row], rows: list[dict[str, Any]]) -> None:
        insert = INSERTS[self._engine.dialect.name]
        for start in range(0, len(rows), ROWS_AT_ONCE):
            statement = insert(table).on_conflict_do_nothing()
            session.execute(statement, rows[start : start + ROWS_AT_ONCE])


def _record(kind: type[R], row: SQLModel, **made: Any) -> R:
    values = {name: getattr(row, name) for name in kind.model_fields if name not in made}
    return kind.model_validate({**values, **made})


def _plain(value: Any) -> Any:
    return value.value if hasattr(value, "value") else value


def _run(row: RunRow) -> Run:
    return Run(
        id=RunId(row.id),
        task=Task.model_validate_json(row.task),
        created_at=datetime.fromisoformat(row.created_at),
        graph_version=row.graph_version,
        treemend_version=row.treemend_version,
        outcome=Outcome(row.outcome) if row.outcome else None,
        reason=row.reason,
    )


def _place_json(thought: Thought) -> str | None:
    return None if thought.place is None else thought.place.model_dump_json()


def _place(text: str | None) -> Place | None:
    return None if text is None else Place.model_validate_json(text)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _check(data: bytes, expected: str, what: str, run_id: str) -> None:
    if _sha256(data) != expected:
        raise StoreError(
            f"The store is damaged: {what} of run {run_id} is not what was written.",
            mend="Start that run anew with `treemend fix`; check the disk.",
        )


def _unknown_run(run_id: str, known: Sequence[str]) -> UsageError:
    close = difflib.get_close_matches(run_id, known, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return UsageError(f"There is no run {run_id}.{hint}", mend="List them with: treemend runs")
