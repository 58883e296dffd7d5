"""Where the search goes next: P-UCB over the open part of the tree, with progressive widening."""

from __future__ import annotations

import math
from dataclasses import dataclass

from treemend.search.tree import Node, Tree

C_BASE = 10.0
C = 4.0
PRIOR_MIN = 1e-9
K = 3
"""Siblings of a node in RethinkMCTS, for which `C` and `C_BASE` are right."""


@dataclass(frozen=True, slots=True)
class Expand:
    """Ask the policy for more thoughts under `node`."""

    node: int


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Realize the path to `node` as a patch and run it."""

    node: int


Step = Expand | Evaluate


def exploration(visits: int) -> float:
    """Return beta(s) * sqrt(ln N(s)) of a node with N(s) = `visits` >= 1; it is 0 at 1.

    beta(s) = ln((N(s) + c_base + 1) / c_base) + c.
    """
    beta = math.log((visits + C_BASE + 1.0) / C_BASE) + C
    return beta * math.sqrt(math.log(visits))


def p_ucb(explore: float, *, value: float, prior: float, returns: int) -> float:
    """Return Q(s,a) + beta(s) * p(a|s) * sqrt(ln N(s)) / (1 + N(s')) of one edge.

    Source: RethinkMCTS (EMNLP 2025), section 3. `explore` is `exploration` of the parent, `value`
    the highest return through the edge (0 where there was none), `returns` their number.
    """
    return value + explore * prior / (1.0 + returns)


def mcts(tree: Tree) -> Step | None:
    """Return the next step by P-UCB, or None when nothing is left to try.

    From the root down: a node whose edit awaits its reward is evaluated; else the open child with
    the highest P-UCB is entered. Thoughts in reserve compete as one unvisited child, with the prior
    of the likeliest of them; where that one wins, or no child is open, the node is expanded.
    Equal scores go to the likelier, then to the lower number, the reserve last.
    """
    node = tree.root
    while not node.exhausted:
        if node.awaits_evaluation:
            return Evaluate(node.seq)
        child = _best_open_child(tree, node)
        if child is None:
            return Expand(node.seq)
        node = child
    return None


def _best_open_child(tree: Tree, node: Node) -> Node | None:
    """Return the child to enter; None where the reserve wins.

    Where no sibling has the 1/k that k equal ones would have, exploration is scaled up as if the likeliest
    had: among hundreds of siblings it would else vanish beside any value.
    """
    likeliest = max([node.reserve_prior, *(tree.nodes[seq].prior for seq in node.children)])
    explore = exploration(node.visits) * max(1.0, 1.0 / (K * max(likeliest, PRIOR_MIN)))
    best: Node | None = None
    best_key = (
        p_ucb(explore, value=0.0, prior=node.reserve_prior, returns=0),
        node.reserve_prior,
    )
    for seq in node.children:
        child = tree.nodes[seq]
        if child.exhausted:
            continue
        score = p_ucb(explore, value=child.value, prior=child.prior, returns=child.returns)
        key = (score, child.prior)
        # An open child has a prior above 0, so without a reserve (key 0, 0) one always wins.
        if key > best_key or (best is None and key == best_key):
            best, best_key = child, key
    return best
