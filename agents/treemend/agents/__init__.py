"""Who decides: the graph, the policies, and the ways in.

    from treemend.agents import repair

The names below load with their first use, so that the command line starts without them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from treemend.agents.api import (
        RepairResult,
        Verification,
        repair,
        repair_async,
        verify,
        verify_async,
    )
    from treemend.agents.code_search import locate, open_index, search
    from treemend.agents.inspection import inspect
    from treemend.store.records import Budget, Outcome
    from treemend.tools.repotools.registry import run_tool

__all__ = [
    "Budget",
    "Outcome",
    "RepairResult",
    "Verification",
    "inspect",
    "locate",
    "open_index",
    "repair",
    "repair_async",
    "run_tool",
    "search",
    "verify",
    "verify_async",
]

_HOMES = {
    "Budget": "treemend.store.records",
    "Outcome": "treemend.store.records",
    "RepairResult": "treemend.agents.api",
    "Verification": "treemend.agents.api",
    "inspect": "treemend.agents.inspection",
    "locate": "treemend.agents.code_search",
    "open_index": "treemend.agents.code_search",
    "repair": "treemend.agents.api",
    "repair_async": "treemend.agents.api",
    "run_tool": "treemend.tools.repotools.registry",
    "search": "treemend.agents.code_search",
    "verify": "treemend.agents.api",
    "verify_async": "treemend.agents.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
