"""The run as a LangGraph graph (DESIGN section 3): each step a node, the search a cycle.

intake is done when a run is created; here follow
prepare -> localize -> reproduce -> plan
-> (select -> expand | realize -> evaluate -> rethink -> backpropagate)* -> rank -> report.
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
    graph.add_node("select", steps.select)
    graph.add_node("expand", steps.expand)
    graph.add_node("realize", steps.realize)
    graph.add_node("evaluate", steps.evaluate)
    graph.add_node("rethink", steps.rethink)
    graph.add_node("backpropagate", steps.backpropagate)
    graph.add_node("rank", steps.rank)
    graph.add_node("report", steps.report)
    graph.add_edge(START, "prepare")
    graph.add_edge("prepare", "localize")
    graph.add_conditional_edges("localize", _unless_ended("reproduce"), ["reproduce", "report"])
    graph.add_conditional_edges("reproduce", _unless_ended("plan"), ["plan", "report"])
    graph.add_edge("plan", "select")
    graph.add_conditional_edges("select", _by_action, ["expand", "realize", "rank"])
    graph.add_edge("expand", "select")
    graph.add_conditional_edges("realize", _unless_ended("evaluate", "select"), ["evaluate", "select"])
    graph.add_edge("evaluate", "rethink")
    graph.add_edge("rethink", "backpropagate")
    graph.add_edge("backpropagate", "select")
    graph.add_edge("rank", "report")
    graph.add_edge("report", END)
    return graph.compile(checkpointer=checkpointer)


def _unless_ended(following: str, otherwise: str = "report") -> Callable[[GraphState], Awaitable[str]]:
    # LangGraph takes what isn't async to a thread of its own.
    async def route(state: GraphState) -> str:
        return otherwise if state.get("ended") else following

    return route


async def _by_action(state: GraphState) -> str:
    return {"expand": "expand", "evaluate": "realize", "stop": "rank"}[state["action"]]
