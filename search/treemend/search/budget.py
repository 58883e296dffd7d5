"""When the search ends: the limits of a run against what was spent."""

from __future__ import annotations

from typing import Literal

from treemend.store.records import Budget

Limit = Literal["time", "candidates", "after"]
"""Dollars and tokens are watched where they are spent, call by call."""
LEAST_SHARE = 0.5


def with_time_to_search(budget: Budget, began_s: float) -> Budget:
    """The budget of a search that begins `began_s` seconds into the run: at least half of the time, even
    where the runs of the untouched tree have taken it."""
    if budget.time_s is None:
        return budget
    return budget.model_copy(update={"time_s": max(budget.time_s, began_s + LEAST_SHARE * budget.time_s)})


def spent(
    budget: Budget, *, candidates: int, since_first_plausible: int | None, wall_s: float
) -> Limit | None:
    """Return the first limit of `budget` that is reached, or None while the search may go on.

    Args:
        budget: The limits; a limit that is None is never reached.
        candidates: Candidates executed so far, over all resumes.
        since_first_plausible: Those executed after the first plausible one; None before it.
        wall_s: Seconds that the run has taken, over all resumes.
    """
    if budget.time_s is not None and wall_s >= budget.time_s:
        return "time"
    if budget.candidates is not None and candidates >= budget.candidates:
        return "candidates"
    if since_first_plausible is not None and since_first_plausible >= budget.after:
        return "after"
    return None
