"""Where the search goes next: down the tree, by what is likely and by what gained."""

from __future__ import annotations

from dataclasses import dataclass

from treemend.search.tree import Node, Tree

VALUE_WEIGHT = 5.0
"""Measured: benchmarks/RESULTS.md, "Strategies". 0 is `best_of_n`; with 20 and more a small gain outweighs
all that is likelier."""


@dataclass(frozen=True, slots=True)
class Expand:
    """Ask the policy for more thoughts under `node`."""

    node: int


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Realize the path to `node` as a patch and run it."""

    node: int


Step = Expand | Evaluate


def score(likelihood: float, value: float) -> float:
    """Return p(a*|s) * (1 + VALUE_WEIGHT * Q(s,a)) of one edge.

    `likelihood` is p(a*|s), that of the likeliest step left at or below its end, given the node that it
    leaves; `value` is Q(s,a), the highest return through the edge, in [0, 1].

    It stands where RethinkMCTS (EMNLP 2025, section 3) has P-UCB,
    Q(s,a) + beta(s) * p(a|s) * sqrt(ln N(s)) / (1 + N(s')). Two things are different here. A patch is run
    once, so that returns need no averaging; how much is left below an edge is known, and needs no guess
    from how often it was entered. And a node has hundreds of children, not three: a sum of values and
    priors is ruled by one of them, whichever has the larger scale, where a product has no scale.
    """
    return likelihood * (1.0 + VALUE_WEIGHT * value)


def mcts(tree: Tree) -> Step | None:
    """Return the next step, or None when nothing is left to try.

    From the root down: a node whose edit awaits its reward is evaluated; else the open child with the
    highest `score` is entered. Thoughts in reserve compete as one child without a value, with the prior of
    the likeliest of them; where that one wins, the node is expanded. Equal scores go to the likelier, then
    to the lower number, the reserve last. One pass over the whole tree.
    """
    likelihoods = _likeliest_left(tree)
    node = tree.root
    while not node.exhausted:
        if node.awaits_evaluation:
            return Evaluate(node.seq)
        child = _best_open_child(tree, node, likelihoods)
        if child is None:
            return Expand(node.seq)
        node = child
    return None


def _likeliest_left(tree: Tree) -> list[float]:
    """Of each node the likelihood of the likeliest step left at or below it, given the node; 0 where none
    is left."""
    left = [0.0] * len(tree.nodes)
    # Children have higher numbers than their parents.
    for node in reversed(tree.nodes):
        below = (tree.nodes[seq].prior * left[seq] for seq in node.children)
        left[node.seq] = 1.0 if node.awaits_evaluation else max(node.reserve_prior, *below, 0.0)
    return left


def _best_open_child(tree: Tree, node: Node, likelihoods: list[float]) -> Node | None:
    """Return the child to enter; None where the reserve wins."""
    best: Node | None = None
    best_key = (score(node.reserve_prior, 0.0), node.reserve_prior)
    for seq in node.children:
        child = tree.nodes[seq]
        if child.exhausted:
            continue
        likelihood = child.prior * likelihoods[seq]
        key = (score(likelihood, child.value), likelihood)
        # Without a reserve (key 0, 0) an open child wins, also one whose likelihood underflows to 0.
        if key > best_key or (best is None and key == best_key):
            best, best_key = child, key
    return best
