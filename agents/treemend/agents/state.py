"""What LangGraph checkpoints: ids and counters. Everything else is rows of the store."""

from __future__ import annotations

from typing import Literal, TypedDict

GRAPH_VERSION = 2
"""Raised when a node is renamed or its meaning changes: a run of another version isn't resumed."""

Action = Literal["expand", "evaluate", "stop"]


class GraphState(TypedDict, total=False):
    """The state of a run between two steps.

    `thoughts` and `candidates` are the counts before the round began: a step that runs again sees by
    them whether its rows are there already.
    """

    run_id: str
    graph_version: int
    iteration: int
    action: Action
    thought: int
    thoughts: int
    candidates: int
    ended: str
