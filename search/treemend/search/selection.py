"""Where the search goes next: by what is likely and by what gained."""

from __future__ import annotations

from dataclasses import dataclass

from treemend.search.tree import Tree

VALUE_WEIGHT = 5.0
GAIN_WEIGHT = 0.3
"""Both were measured: benchmarks/RESULTS.md, "Strategies". With a GAIN_WEIGHT of 0 half of a repair is not
come back to among hundreds of thoughts; with 1 fewer repairs of one change are found in time."""


@dataclass(frozen=True, slots=True)
class Expand:
    """Ask the policy for more thoughts under `node`."""

    node: int


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Realize the path to `node` as a patch and run it."""

    node: int


Step = Expand | Evaluate


def mcts(tree: Tree) -> Step | None:
    """Return the next step, or None when nothing is left to try.

    It is the step with the highest p * (1 + VALUE_WEIGHT * Q): p the likelihood of its path, Q the highest
    value of a node on it. The likelihood of a path is the product of its priors, and begins anew at a thought
    whose own edit gained: that is then likely to be a part of the answer by GAIN_WEIGHT times its value,
    whatever was thought of it before. Thoughts in reserve count with the prior of the likeliest of them.
    Equal scores go to an evaluation, then to the lower number. One pass over the whole tree.

    It stands where RethinkMCTS (EMNLP 2025, section 3) descends by P-UCB,
    Q(s,a) + beta(s) * p(a|s) * sqrt(ln N(s)) / (1 + N(s')). Two things are different here. A patch is run
    once, so that returns need no averaging; how much is left below an edge is known, and needs no guess
    from how often it was entered. And a node has hundreds of children, not three: a sum of values and
    priors is ruled by one of them, whichever has the larger scale, where a product has no scale.
    """
    best: Step | None = None
    best_key = (-1.0, False)  # under any score, one that underflows to 0 included
    likelihoods: list[float] = []
    values: list[float] = []
    for node in tree.nodes:
        likelihood, value = 1.0, 0.0
        if node.parent is not None:
            likelihood = likelihoods[node.parent] * node.prior
            if node.evaluated:
                likelihood = max(likelihood, GAIN_WEIGHT * node.value)
            # The root's value is that of all.
            value = max(values[node.parent], node.value)
        likelihoods.append(likelihood)
        values.append(value)
        awaits = node.awaits_evaluation
        if not awaits and node.reserve_prior == 0.0:
            continue
        here = likelihood if awaits else likelihood * node.reserve_prior
        key = (here * (1.0 + VALUE_WEIGHT * value), awaits)
        if key > best_key:
            best, best_key = Evaluate(node.seq) if awaits else Expand(node.seq), key
    return best
