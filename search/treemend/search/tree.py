"""The thought tree: a value, and the two functions that grow it.

A node is a thought; the root (number 0) stands for the task. The policy tells thoughts by `expand`,
the evaluator tells rewards by `backpropagate`; both return a new tree and leave the old one alone.

Invariants, under any sequence of operations (tests/search/test_tree.py):
- `nodes[i].seq == i`; a parent's number is lower than its children's; nodes are never removed.
- `value` is the highest reward that came back through the node, 0 while none did.
- The priors of a node's children and its `reserve_prior` sum to at most 1.
- A node is exhausted exactly when nothing at or below it is left to evaluate or to expand; `reopen`
  alone takes that back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

ROOT = 0
PRIOR_TOLERANCE = 1e-6
"""How far a policy's priors may sum above 1: rounding of a normalization, nothing more."""


@dataclass(frozen=True, slots=True)
class OpenThought:
    """A thought as the policy hands it to the tree; its text stays with the policy.

    `prior` is in (0, 1], normalized over all siblings that the policy has in mind, unopened ones
    included. `expandable` says whether the policy can think further from here.
    """

    prior: float
    has_edit: bool
    expandable: bool


@dataclass(frozen=True, slots=True)
class Node:
    """One thought and what is known of it.

    Attributes:
        seq: Number in the tree, from 0 (the root) in the order of opening.
        parent: Number of the parent, None at the root.
        depth: Edges from the root.
        prior: p(a|s), in (0, 1]; 1 at the root.
        children: Numbers of the opened children, ascending.
        value: Q(s, a): the highest reward that came through the edge to this node, 0 before.
        reserve_prior: Prior of the likeliest thought of this node that is not opened yet, 0 when
            there is none; 1, all of the mass, before the first expansion.
        has_edit: Whether the path to this node can be realized as a patch.
        evaluated: Whether that patch's reward came back.
        exhausted: Nothing at or below this node is left to try.
    """

    seq: int
    parent: int | None
    depth: int
    prior: float
    children: tuple[int, ...] = ()
    value: float = 0.0
    reserve_prior: float = 0.0
    has_edit: bool = False
    evaluated: bool = False
    exhausted: bool = False

    @property
    def awaits_evaluation(self) -> bool:
        return self.has_edit and not self.evaluated


@dataclass(frozen=True, slots=True)
class Tree:
    """All nodes by number, the root first."""

    nodes: tuple[Node, ...]

    @property
    def root(self) -> Node:
        return self.nodes[ROOT]


def new_tree() -> Tree:
    """Return the tree that holds the unexpanded root alone."""
    return Tree((Node(seq=ROOT, parent=None, depth=0, prior=1.0, reserve_prior=1.0),))


def path(tree: Tree, node: int) -> tuple[int, ...]:
    """Return the numbers from the root to `node`, both included."""
    numbers = []
    at: int | None = node
    while at is not None:
        numbers.append(at)
        at = tree.nodes[at].parent
    return tuple(reversed(numbers))


def expand(tree: Tree, node: int, thoughts: Sequence[OpenThought], reserve_prior: float) -> Tree:
    """Open `thoughts` as children of `node`; they get the next numbers, in the order given.

    `reserve_prior` is the prior of the likeliest thought that the policy still holds back here, 0
    for none. No thoughts and no reserve closes the node: the policy had nothing (more) to say.

    Raises:
        ValueError: The node has no reserve, a prior is out of range, the siblings' priors sum to
            more than 1, or a reserve is claimed but no thought was opened (which would never end).
    """
    parent = tree.nodes[node]
    _check_expansion(tree, parent, thoughts, reserve_prior)
    opened = [
        Node(
            seq=seq,
            parent=node,
            depth=parent.depth + 1,
            prior=thought.prior,
            reserve_prior=1.0 if thought.expandable else 0.0,
            has_edit=thought.has_edit,
            exhausted=not (thought.has_edit or thought.expandable),
        )
        for seq, thought in enumerate(thoughts, start=len(tree.nodes))
    ]
    nodes = [*tree.nodes, *opened]
    children = parent.children + tuple(child.seq for child in opened)
    nodes[node] = replace(parent, children=children, reserve_prior=reserve_prior)
    _spread_exhaustion(nodes, node)
    return Tree(tuple(nodes))


def backpropagate(tree: Tree, node: int, reward: float) -> Tree:
    """Tell the reward of `node`'s edit, in [0, 1], to the node and all its ancestors.

    Max-Q without discount (RethinkMCTS, EMNLP 2025, section 3; its code's discount of 0.9 per level
    is left out: depth says nothing about a patch).

    Raises:
        ValueError: The node has no edit, was evaluated before, or the reward is out of range.
    """
    leaf = tree.nodes[node]
    if not leaf.awaits_evaluation:
        raise ValueError(f"node {node} has no edit that awaits a reward: {leaf}")
    if not 0.0 <= reward <= 1.0:
        raise ValueError(f"reward {reward} of node {node} is not in [0, 1]")
    nodes = list(tree.nodes)
    for seq in path(tree, node):
        old = nodes[seq]
        nodes[seq] = replace(old, value=max(old.value, reward), evaluated=old.evaluated or seq == node)
    _spread_exhaustion(nodes, node)
    return Tree(tuple(nodes))


def reopen(tree: Tree, node: int) -> Tree:
    """Let an evaluated node without thoughts in reserve be expanded: its result gives rise to more.

    Raises:
        ValueError: The node was not evaluated, or has children or a reserve already.
    """
    leaf = tree.nodes[node]
    if not leaf.evaluated or leaf.children or leaf.reserve_prior > 0.0:
        raise ValueError(f"node {node} can't be reopened: {leaf}")
    nodes = list(tree.nodes)
    nodes[node] = replace(leaf, reserve_prior=1.0)
    for seq in path(tree, node):
        nodes[seq] = replace(nodes[seq], exhausted=False)
    return Tree(tuple(nodes))


def _check_expansion(tree: Tree, parent: Node, thoughts: Sequence[OpenThought], reserve_prior: float) -> None:
    if not parent.reserve_prior > 0.0:
        raise ValueError(f"node {parent.seq} has no thoughts in reserve: {parent}")
    if not 0.0 <= reserve_prior <= 1.0:
        raise ValueError(f"reserve_prior {reserve_prior} of node {parent.seq} is not in [0, 1]")
    if reserve_prior > 0.0 and not thoughts:
        raise ValueError(f"node {parent.seq} keeps a reserve of {reserve_prior} but opened nothing")
    for thought in thoughts:
        if not 0.0 < thought.prior <= 1.0:
            raise ValueError(f"prior of {thought} under node {parent.seq} is not in (0, 1]")
    total = reserve_prior + sum(thought.prior for thought in thoughts)
    total += sum(tree.nodes[child].prior for child in parent.children)
    if total > 1.0 + PRIOR_TOLERANCE:
        raise ValueError(f"priors under node {parent.seq} sum to {total}; normalize them to 1")


def _spread_exhaustion(nodes: list[Node], start: int) -> None:
    at: int | None = start
    while at is not None and _is_exhausted(nodes, nodes[at]):
        nodes[at] = replace(nodes[at], exhausted=True)
        at = nodes[at].parent


def _is_exhausted(nodes: list[Node], node: Node) -> bool:
    if node.awaits_evaluation or node.reserve_prior > 0.0:
        return False
    return all(nodes[child].exhausted for child in node.children)
