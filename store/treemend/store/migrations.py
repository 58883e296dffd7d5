"""From each older schema to the next.

A change of `tables` adds a step here, and a dump of the schema before it to the tests.
"""

from __future__ import annotations

from collections.abc import Callable

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Boolean, Column, Connection, Float, ForeignKey, Integer, String, false, text


def _to_2(op: Operations) -> None:
    op.add_column("thoughts", Column("expandable", Boolean, nullable=False, server_default=false()))
    op.add_column("thoughts", Column("seen", Integer, nullable=False, server_default=text("0")))
    op.add_column("candidates", Column("rethought", String, nullable=False, server_default=""))
    op.add_column("candidates", Column("rationale", String, nullable=False, server_default=""))
    op.add_column("verdicts", Column("reproducers_passed", Integer, nullable=False, server_default=text("0")))
    op.add_column("verdicts", Column("reproducers", Integer, nullable=False, server_default=text("0")))
    op.create_table(
        "model_calls",
        Column("run", String, ForeignKey("runs.id"), primary_key=True),
        Column("identity", String, primary_key=True),
        Column("attempt", Integer, primary_key=True),
        Column("seq", Integer, nullable=False),
        Column("role", String, nullable=False),
        Column("step", String, nullable=False),
        Column("sample", Integer, nullable=False),
        Column("model", String, nullable=False),
        Column("prompt", String, nullable=False),
        Column("status", String, nullable=False),
        Column("usd", Float),
        Column("tokens", Integer, nullable=False),
        Column("prompt_tokens", Integer, nullable=False),
        Column("completion_tokens", Integer, nullable=False),
        Column("cached_tokens", Integer, nullable=False),
        Column("answer", String, nullable=False),
        Column("answer_sha256", String, nullable=False),
        Column("problem", String, nullable=False),
    )


STEPS: dict[int, Callable[[Operations], None]] = {1: _to_2}
"""By the schema that a step begins with; each leads to the next number."""


def migrate(connection: Connection, version: int) -> None:
    """Take the steps from the schema `version` to the newest, within the connection's transaction."""
    op = Operations(MigrationContext.configure(connection))
    while version in STEPS:
        STEPS[version](op)
        version += 1
