"""The first limit that is reached ends the search."""

from __future__ import annotations

import pytest

from treemend.search.budget import Limit, spent, with_time_to_search
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


@pytest.mark.parametrize(("began_s", "time_s"), [(0.0, 60.0), (30.0, 60.0), (50.0, 80.0), (90.0, 120.0)])
def test_a_search_that_begins_late_still_gets_half_of_the_time(began_s: float, time_s: float) -> None:
    assert with_time_to_search(BUDGET, began_s) == Budget(time_s=time_s, candidates=10, after=3)


def test_a_search_without_a_time_limit_gets_none() -> None:
    assert with_time_to_search(Budget(time_s=None), 90.0).time_s is None
