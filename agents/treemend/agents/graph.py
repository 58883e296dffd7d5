"""The run as a LangGraph graph (DESIGN section 3): each step a node, the search a cycle.

intake is done when a run is created; here follow
prepare -> localize -> reproduce -> plan
-> (expand | roll out)* -> rank -> report.
A rollout realizes a thought, evaluates the candidate, rethinks what failed and backpropagates the reward;
each of these finds its rows if it was done before. Every move of the search ends by selecting the next one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from langgraph.graph import END, START, StateGraph

from treemend.agents.state import GraphState

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.graph.state import CompiledStateGraph

    from treemend.agents.steps import Steps


def build_graph(
    steps: Steps, checkpointer: BaseCheckpointSaver[Any]
) -> CompiledStateGraph[GraphState, None, GraphState, GraphState]:
    """Compile the graph of one run over its steps."""
    graph = StateGraph(GraphState)
    graph.add_node("prepare", steps.prepare)
    graph.add_node("localize", steps.localize)
    graph.add_node("reproduce", steps.reproduce)
    graph.add_node("plan", steps.plan)
    graph.add_node("expand", steps.expand)
    graph.add_node("roll out", steps.roll_out)
    graph.add_node("rank", steps.rank)
    graph.add_node("report", steps.report)
    graph.add_edge(START, "prepare")
    graph.add_edge("prepare", "localize")
    graph.add_conditional_edges("localize", _unless_ended("reproduce"), ["reproduce", "report"])
    graph.add_conditional_edges("reproduce", _unless_ended("plan"), ["plan", "report"])
    for move in ("plan", "expand", "roll out"):
        graph.add_conditional_edges(move, _by_action, ["expand", "roll out", "rank"])
    graph.add_edge("rank", "report")
    graph.add_edge("report", END)
    return graph.compile(checkpointer=checkpointer)


def _unless_ended(following: str) -> Callable[[GraphState], Awaitable[str]]:
    # LangGraph takes what isn't async to a thread of its own.
    async def route(state: GraphState) -> str:
        return "report" if state.get("ended") else following

    return route


async def _by_action(state: GraphState) -> str:
    return {"expand": "expand", "evaluate": "roll out", "stop": "rank"}[state["action"]]
