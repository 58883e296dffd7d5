"""Who decides: the graph, the policies, and the ways in.

    from treemend.agents import repair

The names below load with their first use, so that the command line starts without them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from treemend.agents.api import RepairResult, repair, repair_async
    from treemend.store.records import Budget, Outcome

__all__ = ["Budget", "Outcome", "RepairResult", "repair", "repair_async"]

_HOMES = {
    "Budget": "treemend.store.records",
    "Outcome": "treemend.store.records",
    "RepairResult": "treemend.agents.api",
    "repair": "treemend.agents.api",
    "repair_async": "treemend.agents.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
