"""The beginning of a run: its row."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from importlib.metadata import version

from treemend.agents.state import GRAPH_VERSION
from treemend.store.database import Store
from treemend.store.records import Run, RunId, Task

SUBMITTED = "submitted patch"


def new_run(store: Store, task: Task, patch: bytes = b"") -> Run:
    """Give a task a run of its own and record it, with the patch that it is to judge."""
    run = Run(
        id=RunId(secrets.token_hex(4)),
        task=task,
        created_at=datetime.now(UTC),
        graph_version=GRAPH_VERSION,
        treemend_version=version("treemend"),
    )
    store.create_run(run)
    if task.kind == "verify":
        store.put_blob(run.id, SUBMITTED, patch)
    return run
