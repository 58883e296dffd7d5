"""The strategies of a run: each is a function from the tree to the next step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from treemend.search.selection import Evaluate, Expand, Step, mcts
from treemend.search.tree import Tree
from treemend.store.records import Strategy

SelectFn = Callable[[Tree], Step | None]
"""Returns the next step, None when nothing is left to try; it depends on the tree alone."""


def best_of_n(tree: Tree) -> Step | None:
    """Return the likeliest step whatever the rewards were, or None when nothing is left to try.

    Likelihood is the product of priors along the path; thoughts in reserve count with the prior of
    the likeliest of them. Equal likelihoods go to an evaluation, then to the lower number.
    One pass over the whole tree.
    """
    best: Step | None = None
    best_key = (-1.0, False)  # under any product, one that underflows to 0 included
    likelihoods: list[float] = []
    for node in tree.nodes:
        above = 1.0 if node.parent is None else likelihoods[node.parent]
        likelihood = above * node.prior
        likelihoods.append(likelihood)
        awaits = node.awaits_evaluation
        if not awaits and node.reserve_prior == 0.0:
            continue
        key = (likelihood if awaits else likelihood * node.reserve_prior, awaits)
        if key > best_key:
            best, best_key = Evaluate(node.seq) if awaits else Expand(node.seq), key
    return best


def linear(tree: Tree) -> Step | None:
    """Return the step that follows one line of thought to its end before the next, or None at the end.

    Depth first: a node's edit, then its open children in order, then its reserve.
    """
    node = tree.root
    while not node.exhausted:
        if node.awaits_evaluation:
            return Evaluate(node.seq)
        child = next((seq for seq in node.children if not tree.nodes[seq].exhausted), None)
        if child is None:
            return Expand(node.seq)
        node = tree.nodes[child]
    return None


STRATEGIES: Mapping[Strategy, SelectFn] = MappingProxyType(
    {"mcts": mcts, "best-of-n": best_of_n, "linear": linear}
)
