"""The first limit that is reached ends the search."""

from __future__ import annotations

import pytest

from treemend.search.budget import Limit, spent
from treemend.store.records import Budget

BUDGET = Budget(time_s=60.0, candidates=10, after=3)


@pytest.mark.parametrize(
    ("candidates", "since", "wall_s", "limit"),
    [
        (0, None, 0.0, None),
        (9, 2, 59.9, None),
        (9, None, 60.0, "time"),
        (10, None, 59.9, "candidates"),
        (9, 3, 59.9, "after"),
        (10, 3, 60.0, "time"),
        (10, 3, 59.9, "candidates"),
    ],
)
def test_the_first_limit_reached_is_named(
    candidates: int, since: int | None, wall_s: float, limit: Limit | None
) -> None:
    got = spent(BUDGET, candidates=candidates, since_first_plausible=since, wall_s=wall_s)
    assert got == limit


def test_absent_limits_are_never_reached() -> None:
    budget = Budget(time_s=None, candidates=None, after=0)
    assert spent(budget, candidates=10**9, since_first_plausible=None, wall_s=1e9) is None


def test_after_zero_ends_with_the_first_plausible_candidate() -> None:
    assert spent(Budget(after=0), candidates=1, since_first_plausible=0, wall_s=1.0) == "after"
