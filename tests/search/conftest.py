"""A toy repair task: a policy and an evaluator that are pure functions of their seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from treemend.search.selection import Expand, Step
from treemend.search.strategies import STRATEGIES
from treemend.search.tree import OpenThought, Tree, backpropagate, expand, new_tree, path
from treemend.store.records import Strategy

WIDENING = 3


@dataclass(frozen=True)
class ToyTask:
    """Places over changes, with one right change; others at its place pass some of the targets.

    A thought's name is its rank by prior among its siblings, so the right leaf is
    `(right_place, right_change)`.
    """

    seed: int
    places: int
    changes: int
    right_place: int
    right_change: int
    partial_share: float = 0.5

    def priors(self, parent: tuple[int, ...]) -> list[float]:
        draw = random.Random(f"{self.seed} priors {parent}")
        count = self.changes if parent else self.places
        weights = sorted((draw.uniform(0.2, 1.0) for _ in range(count)), reverse=True)
        return [weight / sum(weights) for weight in weights]

    def reward(self, leaf: tuple[int, ...]) -> float:
        if leaf == (self.right_place, self.right_change):
            return 0.9
        draw = random.Random(f"{self.seed} reward {leaf}")
        partial = leaf[0] == self.right_place and draw.random() < self.partial_share
        return 0.4 if partial else 0.0


@dataclass(frozen=True)
class Search:
    """What a toy search did: its tree, its steps in order, and the name of each node."""

    tree: Tree
    steps: tuple[Step, ...]
    names: tuple[tuple[int, ...], ...]

    def rounds_until(self, leaf: tuple[int, ...]) -> int:
        """Return how many evaluations it took up to that of `leaf`; fails if it was never tried."""
        tried = [self.names[step.node] for step in self.steps if not isinstance(step, Expand)]
        return tried.index(leaf) + 1


def _open(tree: Tree, node: int, task: ToyTask, name: tuple[int, ...]) -> Tree:
    start = len(tree.nodes[node].children)
    priors = task.priors(name)
    depth = len(path(tree, node))
    thoughts = [
        OpenThought(prior=prior, has_edit=depth == 2, expandable=depth == 1)
        for prior in priors[start : start + WIDENING]
    ]
    rest = priors[start + WIDENING :]
    return expand(tree, node, thoughts, rest[0] if rest else 0.0)


def run_search(
    task: ToyTask, strategy: Strategy, rounds: int, until: tuple[int, ...] | None = None
) -> Search:
    select = STRATEGIES[strategy]
    tree, steps, names = new_tree(), list[Step](), list[tuple[int, ...]]([()])
    while rounds and (step := select(tree)):
        steps.append(step)
        name = names[step.node]
        if isinstance(step, Expand):
            start = len(tree.nodes[step.node].children)
            before = len(tree.nodes)
            tree = _open(tree, step.node, task, name)
            names += [(*name, start + offset) for offset in range(len(tree.nodes) - before)]
        else:
            tree = backpropagate(tree, step.node, task.reward(name))
            rounds = 0 if name == until else rounds - 1
    return Search(tree, tuple(steps), tuple(names))


@pytest.fixture
def toy_task() -> type[ToyTask]:
    return ToyTask


@pytest.fixture
def search() -> Callable[..., Search]:
    """Runs a strategy on a toy task for so many rounds (evaluations): fewer where a leaf that it was to go
    on until was tried, or nothing is left."""
    return run_search
