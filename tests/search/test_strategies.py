"""Best-of-n follows the priors alone, linear one line of thought; each strategy has its function."""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treemend.search.selection import Evaluate, Expand
from treemend.search.strategies import STRATEGIES, best_of_n, linear
from treemend.search.tree import OpenThought, Tree, backpropagate, expand, new_tree, reopen
from treemend.store.records import Strategy

if TYPE_CHECKING:
    from tests.search.conftest import Search, ToyTask


def place(prior: float) -> OpenThought:
    return OpenThought(prior=prior, has_edit=False, expandable=True)


def change(prior: float) -> OpenThought:
    return OpenThought(prior=prior, has_edit=True, expandable=False)


def evaluation_order(tree: Tree, reward: Callable[[int], float]) -> list[int]:
    order = []
    while isinstance(step := best_of_n(tree), Evaluate):
        order.append(step.node)
        tree = backpropagate(tree, step.node, reward(step.node))
    assert step is None
    return order


def test_every_strategy_has_a_function() -> None:
    assert set(STRATEGIES) == set(typing.get_args(Strategy))


def test_it_expands_the_root_first_and_stops_when_nothing_is_left() -> None:
    assert best_of_n(new_tree()) == Expand(0)
    assert best_of_n(expand(new_tree(), 0, [], 0.0)) is None


def test_the_highest_product_of_priors_goes_first() -> None:
    tree = expand(new_tree(), 0, [place(0.6), place(0.4)], 0.0)
    tree = expand(tree, 1, [change(0.5), change(0.1)], 0.0)  # .30 and .06
    assert best_of_n(tree) == Expand(2)  # up to .40
    tree = expand(tree, 2, [change(0.9), change(0.1)], 0.0)  # .36 and .04
    assert evaluation_order(tree, lambda node: 0.0) == [5, 3, 4, 6]


@given(st.lists(st.floats(0, 1), min_size=9, max_size=9))
def test_rewards_change_nothing(rewards: list[float]) -> None:
    tree = expand(new_tree(), 0, [place(0.5), place(0.5)], 0.0)
    for node in (1, 2):
        tree = expand(tree, node, [change(0.5), change(0.3), change(0.2)], 0.0)
    assert evaluation_order(tree, lambda node: rewards[node]) == [3, 6, 4, 7, 5, 8]


def test_the_reserve_counts_with_its_likeliest_thought() -> None:
    tree = expand(new_tree(), 0, [change(0.4)], 0.5)
    assert best_of_n(tree) == Expand(0)
    assert best_of_n(expand(new_tree(), 0, [change(0.4)], 0.4)) == Evaluate(1)


def test_an_edit_that_can_grow_is_evaluated_first() -> None:
    both = OpenThought(prior=1.0, has_edit=True, expandable=True)
    tree = expand(new_tree(), 0, [both], 0.0)
    assert best_of_n(tree) == Evaluate(1)
    assert best_of_n(backpropagate(tree, 1, 0.0)) == Expand(1)


def test_a_product_that_underflows_is_still_tried() -> None:
    tree = expand(new_tree(), 0, [place(1e-200)], 0.0)
    assert best_of_n(expand(tree, 1, [change(1e-200)], 0.0)) == Evaluate(2)
    assert best_of_n(expand(tree, 1, [place(1e-200)], 0.0)) == Expand(2)


def test_linear_follows_a_thought_to_its_end_before_the_next() -> None:
    tree = expand(new_tree(), 0, [place(0.5), place(0.4)], 0.1)
    assert linear(tree) == Expand(1)
    tree = expand(tree, 1, [change(0.5), change(0.1)], 0.4)
    assert linear(tree) == Evaluate(3)
    tree = reopen(backpropagate(tree, 3, 0.2), 3)
    assert linear(tree) == Expand(3), "what made progress is thought on from"
    tree = expand(tree, 3, [change(0.9)], 0.0)
    tree = backpropagate(tree, 5, 0.0)
    assert linear(tree) == Evaluate(4)
    tree = backpropagate(tree, 4, 0.0)
    assert linear(tree) == Expand(1)
    tree = expand(tree, 1, [], 0.0)
    assert linear(tree) == Expand(2)


@pytest.mark.parametrize("strategy", typing.get_args(Strategy))
def test_every_leaf_is_tried_once_and_then_nothing_is_left(
    strategy: Strategy,
    toy_task: type[ToyTask],
    search: Callable[[ToyTask, Strategy, int], Search],
) -> None:
    task = toy_task(seed=3, places=7, changes=5, right_place=4, right_change=2)
    done = search(task, strategy, 1000)
    tried = [done.names[step.node] for step in done.steps if isinstance(step, Evaluate)]
    assert sorted(tried) == [(place, change) for place in range(7) for change in range(5)]
    assert done.tree.root.exhausted
    assert done.tree.root.value == 0.9
