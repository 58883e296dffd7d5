"""The buggy shop that ships with treemend, laid out so that it can be repaired."""

from __future__ import annotations

import shutil
from pathlib import Path

from treemend.agents.intake import make_task
from treemend.store.records import Budget, Task
from treemend.store.state import state_folder

SOURCE = Path(__file__).parent / "demo"
CANDIDATES_AFTER = 30


def demo_task(seed: int) -> Task:
    """Copy the shop into the state folder and ask for whatever fails there to be mended."""
    repo = state_folder() / "demo" / "shop"
    shutil.rmtree(repo, ignore_errors=True)
    shutil.copytree(SOURCE, repo, ignore=shutil.ignore_patterns("__pycache__"))
    return make_task(repo, budget=Budget(after=CANDIDATES_AFTER), seed=seed)
