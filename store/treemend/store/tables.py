"""The records as rows. A row is keyed by its run and the number that the run's own steps gave it.

Structured fields are JSON text that pydantic wrote; binary values stand beside their SHA-256.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

SCHEMA_VERSION = 2


class StoreRow(SQLModel, registry=registry()):
    """A row of the store's own metadata: the tables of a program that uses treemend stay apart."""


class SchemaRow(StoreRow, table=True):
    """The one row that says which schema the database has, and who made it."""

    __tablename__ = "schema"

    id: int = Field(default=1, primary_key=True)
    version: int
    treemend: str


class RunRow(StoreRow, table=True):
    """A run; `number` orders runs by their creation."""

    __tablename__ = "runs"

    id: str = Field(primary_key=True)
    number: int = Field(index=True, unique=True)
    task: str
    created_at: str
    graph_version: int
    treemend_version: str
    outcome: str | None = None
    reason: str = ""


class BlobRow(StoreRow, table=True):
    """Bytes of a run, by name."""

    __tablename__ = "blobs"

    run: str = Field(primary_key=True, foreign_key="runs.id")
    name: str = Field(primary_key=True)
    data: bytes
    sha256: str


class ThoughtRow(StoreRow, table=True):
    """A node of the thought tree."""

    __tablename__ = "thoughts"

    run: str = Field(primary_key=True, foreign_key="runs.id")
    seq: int = Field(primary_key=True)
    parent: int
    depth: int
    text: str
    prior: float
    key: str
    place: str | None
    has_edit: bool
    expandable: bool
    seen: int


class CandidateRow(StoreRow, table=True):
    """A realized thought."""

    __tablename__ = "candidates"

    run: str = Field(primary_key=True, foreign_key="runs.id")
    seq: int = Field(primary_key=True)
    thought: int
    edits: str
    patch: bytes
    patch_sha256: str
    prior: float
    duplicate_of: int | None
    rethought: str
    rationale: str


class TestCaseRow(StoreRow, table=True):
    """A test and its role."""

    __tablename__ = "test_cases"
    __test__ = False

    run: str = Field(primary_key=True, foreign_key="runs.id")
    id: str = Field(primary_key=True)
    origin: str
    role: str


class ExecutionRow(StoreRow, table=True):
    """A cell of the passing matrix: one run of one test on one candidate."""

    __tablename__ = "executions"
    __table_args__ = (UniqueConstraint("run", "candidate", "attempt", "test"),)

    number: int | None = Field(default=None, primary_key=True)
    run: str = Field(foreign_key="runs.id", index=True)
    candidate: int
    attempt: int
    test: str
    outcome: str
    duration_s: float
    message: str


class VerdictRow(StoreRow, table=True):
    """What the tests say of a candidate."""

    __tablename__ = "verdicts"

    run: str = Field(primary_key=True, foreign_key="runs.id")
    candidate: int = Field(primary_key=True)
    targets_passed: int
    targets: int
    regressions: str
    not_run: int
    plausible: bool
    reward: float
    reproducers_passed: int
    reproducers: int


class RolloutRow(StoreRow, table=True):
    """One round of the search."""

    __tablename__ = "rollouts"

    run: str = Field(primary_key=True, foreign_key="runs.id")
    iteration: int = Field(primary_key=True)
    thought: int
    candidate: int
    reward: float


class RankingRow(StoreRow, table=True):
    """A plausible candidate's place."""

    __tablename__ = "ranking"

    run: str = Field(primary_key=True, foreign_key="runs.id")
    candidate: int = Field(primary_key=True)
    rank: int
    group: int
    group_size: int
    score: float
    prior: float
    medoid_distance: float
    confirmed: bool | None


class SpendRow(StoreRow, table=True):
    """What one step cost."""

    __tablename__ = "spend"

    run: str = Field(primary_key=True, foreign_key="runs.id")
    step: str = Field(primary_key=True)
    purpose: str
    wall_s: float
    tests_run: int
    prompt_tokens: int
    completion_tokens: int
    usd: float


class ModelCallRow(StoreRow, table=True):
    """One try of one call to a model; it is there before the call is sent."""

    __tablename__ = "model_calls"

    run: str = Field(primary_key=True, foreign_key="runs.id")
    identity: str = Field(primary_key=True)
    attempt: int = Field(primary_key=True)
    seq: int
    role: str
    step: str
    sample: int
    model: str
    prompt: str
    status: str
    usd: float | None
    tokens: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    answer: str
    answer_sha256: str
    problem: str


def to_text(moment: datetime) -> str:
    """A moment as text that sorts by time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
