"""What the models of a run may cost at most, before the first call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from treemend.agents.model.client import PROMPT_CHARS_MAX
from treemend.agents.model.prices import BYTES_PER_TOKEN_MIN, abilities_of
from treemend.agents.model.settings import WRITTEN_MAX
from treemend.agents.model_policy.policy import EDIT_REPAIRS_MAX, WRITE_TOKENS_MAX
from treemend.agents.model_policy.thinker import TEST_TOKENS_MAX
from treemend.store.errors import UsageError
from treemend.store.records import ModelRole, Task

ANSWER_TOKENS = 4096
OVERHEAD_CHARS = 20_000
"""Of the task's words, earlier turns and tool schemas."""
REPAIR_TURNS = 2
"""A question and the one turn in which its answer is mended."""


@dataclass(frozen=True, slots=True)
class RoleCost:
    """Upper bounds: calls that are answered, tokens, and dollars, None where a price is unknown. Tries that
    fail after the provider may have done the work are not among them; a budget counts them."""

    role: ModelRole
    model: str
    calls: int
    tokens: int
    usd: float | None


def most_by_role(task: Task) -> list[RoleCost]:
    """What each role may cost, from the number of candidates and the length of what is said.

    Raises:
        UsageError: no model is named.
    """
    models = task.models
    if models is None:
        raise UsageError("No model is named, so nothing costs anything.", mend="Name one with --model.")
    candidates = task.budget.candidates or task.budget.written or WRITTEN_MAX
    # Each candidate's thought, its rethinking, and the thoughts below it; observations and derived ones.
    calls: dict[ModelRole, tuple[int, int]] = {
        "plan": (REPAIR_TURNS * (3 * candidates + 2), ANSWER_TOKENS),
        "code": (candidates * (REPAIR_TURNS + EDIT_REPAIRS_MAX + 1), WRITE_TOKENS_MAX),
        "test": (REPAIR_TURNS * 3, TEST_TOKENS_MAX),
        "judge": (REPAIR_TURNS * candidates, ANSWER_TOKENS),
    }
    asked = (PROMPT_CHARS_MAX + OVERHEAD_CHARS + len(task.symptom.issue)) // BYTES_PER_TOKEN_MIN
    return [
        _cost(role, models.names[role], count, asked, answered)
        for role, (count, answered) in calls.items()
        if models.names[role]
    ]


def _cost(role: ModelRole, names: Sequence[str], calls: int, asked: int, answered: int) -> RoleCost:
    """Of several models each may be asked, where those before have nothing to say."""
    prices = [abilities_of(name).price for name in names]
    usd = sum(calls * (asked * one.prompt + answered * one.completion) for one in prices if one is not None)
    calls *= len(names)
    return RoleCost(
        role, ", ".join(names), calls, calls * (asked + answered), None if None in prices else usd
    )
