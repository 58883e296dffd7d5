"""A client for a question that is not resumed."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from treemend.agents.model.client import ModelClient
from treemend.agents.model.ledger import Ledger
from treemend.agents.model_policy.thinker import connect
from treemend.agents.runs import new_run
from treemend.store.database import open_store
from treemend.store.records import Budget, Models, Task


@asynccontextmanager
async def passing_client(
    root: Path, models: Models, budget: Budget
) -> AsyncIterator[tuple[ModelClient, Ledger]]:
    """A client with a ledger that lasts as long as it does; the budget's time runs from here."""
    send, abilities, provider = connect(models)
    store = open_store("sqlite://")
    run = new_run(store, Task(repo=str(root), models=models, budget=budget))
    ledger = Ledger(store, run.id, budget, abilities)
    ends_at = math.inf if budget.time_s is None else time.monotonic() + budget.time_s

    def time_left() -> float:
        return ends_at - time.monotonic()

    try:
        yield ModelClient(models, ledger, send, abilities, time_left=time_left), ledger
    finally:
        if provider is not None:
            await provider.close()
