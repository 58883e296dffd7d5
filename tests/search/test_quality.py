"""Search earns its place: partial rewards lead to the right change sooner than priors alone.

Seeded and bounded; the numbers are floors with room below what was measured, not records.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.search.conftest import Search, ToyTask

    from treemend.store.records import Strategy

    SearchFn = Callable[..., Search]

PLACES, CHANGES = 20, 10


def rounds(search: SearchFn, task: ToyTask, strategy: Strategy) -> int:
    right = (task.right_place, task.right_change)
    return search(task, strategy, PLACES * CHANGES, right).rounds_until(right)


def test_mcts_finds_an_unlikely_change_where_best_of_n_needs_more(
    toy_task: type[ToyTask], search: SearchFn
) -> None:
    task = toy_task(seed=1, places=PLACES, changes=CHANGES, right_place=9, right_change=7)
    assert rounds(search, task, "mcts") <= 70
    assert rounds(search, task, "best-of-n") > 90


def test_partial_rewards_guide_over_many_seeds(toy_task: type[ToyTask], search: SearchFn) -> None:
    """Right place and change anywhere: mcts needs fewer rounds in sum, and wins on most seeds."""
    tasks = [
        toy_task(
            seed=seed,
            places=PLACES,
            changes=CHANGES,
            right_place=seed % PLACES,
            right_change=seed * 7 % CHANGES,
        )
        for seed in range(0, 60, 3)
    ]
    mcts = [rounds(search, task, "mcts") for task in tasks]
    best_of_n = [rounds(search, task, "best-of-n") for task in tasks]
    assert sum(mcts) < 0.7 * sum(best_of_n)
    assert sum(one < other for one, other in zip(mcts, best_of_n, strict=True)) >= 0.8 * len(tasks)


def test_without_partial_rewards_mcts_costs_little_over_best_of_n(
    toy_task: type[ToyTask], search: SearchFn
) -> None:
    tasks = [
        toy_task(
            seed=seed,
            places=PLACES,
            changes=CHANGES,
            right_place=seed % PLACES,
            right_change=seed * 7 % CHANGES,
            partial_share=0.0,
        )
        for seed in range(0, 60, 3)
    ]
    mcts = sum(rounds(search, task, "mcts") for task in tasks)
    best_of_n = sum(rounds(search, task, "best-of-n") for task in tasks)
    assert mcts < 1.1 * best_of_n
