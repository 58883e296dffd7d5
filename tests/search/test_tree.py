"""The tree keeps its invariants under any sequence of operations, and refuses what breaks them."""

from __future__ import annotations

import math

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from treemend.search.tree import (
    PRIOR_TOLERANCE,
    Node,
    OpenThought,
    Tree,
    backpropagate,
    expand,
    new_tree,
    path,
    reopen,
)


@st.composite
def expansions(draw: st.DrawFn, mass: float) -> tuple[list[OpenThought], float]:
    """Thoughts and a reserve whose priors share out at most `mass`."""
    weights = draw(st.lists(st.integers(1, 50), max_size=4))
    reserve = draw(st.integers(0, 50)) if weights else 0
    total = (sum(weights) + reserve) or 1
    thoughts = [
        OpenThought(
            prior=mass * weight / total,
            has_edit=draw(st.booleans()),
            expandable=draw(st.booleans()),
        )
        for weight in weights
    ]
    # Half of what is left, so that the next expansion has mass to share out, too.
    return thoughts, mass * reserve / total / 2


def has_work_of_its_own(node: Node) -> bool:
    return (node.has_edit and not node.evaluated) or node.reserve_prior > 0.0


class AnyOperations(RuleBasedStateMachine):
    """Expands and evaluates nodes in any order, also in ones that no strategy would choose."""

    def __init__(self) -> None:
        super().__init__()
        self.tree = new_tree()
        self.rewards: dict[int, float] = {}

    def expandable(self) -> list[int]:
        return [node.seq for node in self.tree.nodes if node.reserve_prior > 0.0]

    def evaluable(self) -> list[int]:
        return [node.seq for node in self.tree.nodes if node.has_edit and not node.evaluated]

    def closed(self) -> list[int]:
        """Evaluated nodes that nothing was opened below and nothing is held back."""
        return [n.seq for n in self.tree.nodes if n.evaluated and not n.children and not n.reserve_prior]

    @precondition(lambda self: self.expandable())
    @rule(data=st.data())
    def expand(self, data: st.DataObject) -> None:
        node = data.draw(st.sampled_from(self.expandable()))
        taken = sum(self.tree.nodes[child].prior for child in self.tree.nodes[node].children)
        thoughts, reserve = data.draw(expansions(mass=1.0 - taken))
        before = self.tree
        self.tree = expand(before, node, thoughts, reserve)
        opened = self.tree.nodes[len(before.nodes) :]
        assert [child.prior for child in opened] == [thought.prior for thought in thoughts]
        assert all(child.parent == node for child in opened)
        assert self.tree.nodes[node].reserve_prior == reserve
        self.check_untouched(before, node)

    @precondition(lambda self: self.evaluable())
    @rule(data=st.data(), reward=st.floats(0, 1))
    def backpropagate(self, data: st.DataObject, reward: float) -> None:
        node = data.draw(st.sampled_from(self.evaluable()))
        before = self.tree
        self.tree = backpropagate(before, node, reward)
        self.rewards[node] = reward
        assert len(self.tree.nodes) == len(before.nodes)
        self.check_untouched(before, node)

    @precondition(lambda self: self.closed())
    @rule(data=st.data())
    def reopen(self, data: st.DataObject) -> None:
        node = data.draw(st.sampled_from(self.closed()))
        before = self.tree
        self.tree = reopen(before, node)
        assert not self.tree.root.exhausted
        self.check_untouched(before, node)

    @precondition(lambda self: not self.expandable() and not self.evaluable())
    @rule()
    def end(self) -> None:
        assert self.tree.root.exhausted

    def check_untouched(self, before: Tree, node: int) -> None:
        on_path = path(self.tree, node)
        for old, new in zip(before.nodes, self.tree.nodes, strict=False):
            assert old == new or new.seq in on_path

    @invariant()
    def numbers_and_links(self) -> None:
        nodes = self.tree.nodes
        assert [node.seq for node in nodes] == list(range(len(nodes)))
        assert self.tree.root.parent is None
        for node in nodes:
            assert list(node.children) == [n.seq for n in nodes if n.parent == node.seq]
            for child in node.children:
                assert child > node.seq
                assert nodes[child].depth == node.depth + 1
                assert path(self.tree, child) == (*path(self.tree, node.seq), child)

    @invariant()
    def values(self) -> None:
        for node in reversed(self.tree.nodes):
            children = [self.tree.nodes[child] for child in node.children]
            assert node.evaluated == (node.seq in self.rewards)
            own = self.rewards.get(node.seq, 0.0)
            assert node.value == max([own, *(child.value for child in children)])

    @invariant()
    def priors_are_normalized(self) -> None:
        for node in self.tree.nodes:
            priors = [self.tree.nodes[child].prior for child in node.children]
            assert sum(priors) + node.reserve_prior <= 1.0 + PRIOR_TOLERANCE
            assert 0.0 < node.prior <= 1.0

    @invariant()
    def exhausted_exactly_where_nothing_is_left(self) -> None:
        left = {node.seq: has_work_of_its_own(node) for node in self.tree.nodes}
        for node in reversed(self.tree.nodes):
            left[node.seq] |= any(left[child] for child in node.children)
            assert node.exhausted == (not left[node.seq])


AnyOperations.TestCase.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
TestAnyOperations = AnyOperations.TestCase


PLACE = OpenThought(prior=0.5, has_edit=False, expandable=True)
CHANGE = OpenThought(prior=0.5, has_edit=True, expandable=False)


def two_levels() -> Tree:
    """Root 0 over places 1 and 2; place 1 over changes 3 and 4."""
    tree = expand(new_tree(), 0, [PLACE, PLACE], 0.0)
    return expand(tree, 1, [CHANGE, CHANGE], 0.0)


def test_a_new_tree_is_an_unexpanded_root() -> None:
    root = new_tree().root
    assert (root.seq, root.parent, root.value, root.reserve_prior) == (0, None, 0, 1)
    assert not root.exhausted


def test_the_best_reward_reaches_every_ancestor_undiscounted() -> None:
    tree = backpropagate(backpropagate(two_levels(), 3, 0.4), 4, 0.2)
    assert [node.value for node in tree.nodes] == [0.4, 0.4, 0.0, 0.4, 0.2]


def test_the_old_tree_stays_as_it_was() -> None:
    tree = two_levels()
    again = two_levels()
    backpropagate(tree, 3, 1.0)
    expand(tree, 2, [CHANGE], 0.0)
    assert tree == again


def test_exhaustion_climbs_only_as_far_as_nothing_is_left() -> None:
    tree = backpropagate(backpropagate(two_levels(), 3, 0.0), 4, 0.0)
    assert [node.exhausted for node in tree.nodes] == [False, True, False, True, True]
    assert expand(tree, 2, [], 0.0).root.exhausted


def test_a_thought_without_edit_or_children_is_exhausted_at_once() -> None:
    dead = OpenThought(prior=1.0, has_edit=False, expandable=False)
    tree = expand(new_tree(), 0, [dead], 0.0)
    assert tree.root.exhausted


@pytest.mark.parametrize("priors", [[1.0, 1.0, 1.0], [0.7, 0.4], [0.0], [-0.1], [math.nan], [1.5]])
def test_priors_that_are_not_normalized_are_refused(priors: list[float]) -> None:
    thoughts = [OpenThought(prior=prior, has_edit=True, expandable=False) for prior in priors]
    with pytest.raises(ValueError, match="prior"):
        expand(new_tree(), 0, thoughts, 0.0)


def test_the_reserve_counts_among_the_siblings() -> None:
    with pytest.raises(ValueError, match="normalize"):
        expand(new_tree(), 0, [CHANGE, CHANGE], 0.2)
    tree = expand(new_tree(), 0, [CHANGE], 0.3)
    with pytest.raises(ValueError, match="normalize"):
        expand(tree, 0, [CHANGE, CHANGE], 0.0)


@pytest.mark.parametrize("reserve", [-0.1, 1.1, math.nan])
def test_a_reserve_out_of_range_is_refused(reserve: float) -> None:
    with pytest.raises(ValueError, match="reserve_prior"):
        expand(new_tree(), 0, [CHANGE], reserve)


def test_a_reserve_that_opens_nothing_is_refused_for_it_would_never_end() -> None:
    with pytest.raises(ValueError, match="opened nothing"):
        expand(new_tree(), 0, [], 0.5)


def test_a_closed_node_is_not_expanded_again() -> None:
    with pytest.raises(ValueError, match="no thoughts in reserve"):
        expand(two_levels(), 1, [CHANGE], 0.0)


@pytest.mark.parametrize("reward", [-0.01, 1.01, math.nan])
def test_a_reward_out_of_range_is_refused(reward: float) -> None:
    with pytest.raises(ValueError, match="reward"):
        backpropagate(two_levels(), 3, reward)


def test_only_an_edit_gets_a_reward_and_only_once() -> None:
    tree = two_levels()
    with pytest.raises(ValueError, match="awaits"):
        backpropagate(tree, 1, 0.5)
    with pytest.raises(ValueError, match="awaits"):
        backpropagate(backpropagate(tree, 3, 0.5), 3, 0.5)


def test_a_result_that_leads_on_is_expanded_though_all_else_was_tried() -> None:
    tree = two_levels()
    for node in (3, 4):
        tree = backpropagate(tree, node, 0.25)
    assert tree.nodes[1].exhausted
    tree = reopen(tree, 4)
    assert not tree.nodes[1].exhausted
    tree = expand(tree, 4, [CHANGE], 0.0)
    assert tree.nodes[5].parent == 4
    assert path(tree, 5) == (0, 1, 4, 5)


@pytest.mark.parametrize("node", [0, 1, 3])
def test_only_an_evaluated_leaf_is_reopened(node: int) -> None:
    with pytest.raises(ValueError, match="can't be reopened"):
        reopen(two_levels(), node)
