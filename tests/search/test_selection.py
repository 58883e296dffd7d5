"""What is likely and what gained: the order, and what is skipped."""

from __future__ import annotations

import pytest

from treemend.search.selection import Evaluate, Expand, mcts
from treemend.search.tree import OpenThought, Tree, backpropagate, expand, new_tree, reopen


def change(prior: float) -> OpenThought:
    return OpenThought(prior=prior, has_edit=True, expandable=False)


def place(prior: float) -> OpenThought:
    return OpenThought(prior=prior, has_edit=False, expandable=True)


def flat(*priors: float, reserve: float = 0.0) -> Tree:
    return expand(new_tree(), 0, [change(prior) for prior in priors], reserve)


def test_the_root_is_expanded_first() -> None:
    assert mcts(new_tree()) == Expand(0)


@pytest.mark.parametrize(("priors", "first"), [((0.5, 0.3), 1), ((0.3, 0.5), 2), ((0.4, 0.4), 1)])
def test_before_any_return_the_likeliest_goes_first_then_the_lowest(
    priors: tuple[float, ...], first: int
) -> None:
    assert mcts(flat(*priors)) == Evaluate(first)


def test_at_equal_scores_an_open_thought_goes_before_one_in_reserve() -> None:
    assert mcts(flat(0.5, reserve=0.5)) == Evaluate(1)


def test_a_likelier_reserve_goes_before_an_open_thought() -> None:
    assert mcts(flat(0.3, reserve=0.6)) == Expand(0)


def test_exhausted_children_are_skipped() -> None:
    tree = backpropagate(flat(0.6, 0.4), 1, 0.7)
    assert mcts(tree) == Evaluate(2)


def test_the_reserve_competes_as_a_child_without_a_value() -> None:
    tree = expand(new_tree(), 0, [place(0.4)], 0.3)
    tree = expand(tree, 1, [change(0.5), change(0.5)], 0.0)
    # What is left of the place has .4 * .5 * (1 + 5 * value), the reserve .3.
    assert mcts(backpropagate(tree, 2, 0.0)) == Expand(0)
    assert mcts(backpropagate(tree, 2, 0.05)) == Expand(0)
    assert mcts(backpropagate(tree, 2, 0.2)) == Evaluate(3)


def test_a_place_is_worth_the_likeliest_step_left_in_it() -> None:
    """Not all of its changes together, of which the likeliest were tried."""
    tree = expand(new_tree(), 0, [place(0.6), place(0.4)], 0.0)
    tree = expand(tree, 1, [change(0.5), change(0.3), change(0.2)], 0.0)
    tree = expand(tree, 2, [change(0.9), change(0.1)], 0.0)
    order = []
    while isinstance(step := mcts(tree), Evaluate):
        order.append(step.node)
        tree = backpropagate(tree, step.node, 0.0)
    assert order == [6, 3, 4, 5, 7]


def test_a_thought_that_gained_is_thought_on_from_before_many_others() -> None:
    tree = flat(*[0.05] * 20)
    tree = reopen(backpropagate(tree, 1, 0.4), 1)
    assert mcts(tree) == Expand(1)
    tree = expand(tree, 1, [change(0.4), change(0.3), change(0.3)], 0.0)
    assert mcts(tree) == Evaluate(21)


def test_what_a_thought_gained_counts_wherever_it_stood() -> None:
    """Its place was unlikely, and so was it: with what may go with it, it is a part of the answer now."""
    tree = expand(new_tree(), 0, [place(0.9), place(0.01)], 0.0)
    tree = expand(tree, 1, [change(0.05)] * 3, 0.0)
    tree = expand(tree, 2, [change(0.01)], 0.0)
    tree = reopen(backpropagate(tree, 6, 0.4), 6)
    tree = expand(tree, 6, [change(0.2), change(0.01)], 0.0)
    assert mcts(tree) == Evaluate(7)
    assert mcts(backpropagate(tree, 7, 0.0)) == Evaluate(3)


def test_an_edit_that_can_grow_is_evaluated_first_and_expanded_later() -> None:
    both = OpenThought(prior=1.0, has_edit=True, expandable=True)
    tree = expand(new_tree(), 0, [both], 0.0)
    assert mcts(tree) == Evaluate(1)
    assert mcts(backpropagate(tree, 1, 0.0)) == Expand(1)


def test_nothing_is_left_when_all_is_exhausted() -> None:
    tree = flat(0.6, 0.4)
    for node in (1, 2):
        tree = backpropagate(tree, node, 0.0)
    assert mcts(tree) is None
    assert mcts(expand(new_tree(), 0, [], 0.0)) is None


def test_a_rewarded_place_draws_the_search_back() -> None:
    tree = expand(new_tree(), 0, [place(0.5), place(0.5)], 0.0)
    for node in (1, 2):
        tree = expand(tree, node, [change(0.4)], 0.4)
    tree = backpropagate(tree, 3, 0.0)
    tree = backpropagate(tree, 4, 0.4)
    assert mcts(tree) == Expand(2)


def test_an_underflowing_prior_is_still_tried() -> None:
    assert mcts(flat(5e-324)) == Evaluate(1)
