"""Who decides: the graph, the policies, and the ways in.

from treemend.agents import repair
"""

from treemend.agents.api import RepairResult, repair, repair_async
from treemend.store.records import Budget, Outcome

__all__ = ["Budget", "Outcome", "RepairResult", "repair", "repair_async"]
