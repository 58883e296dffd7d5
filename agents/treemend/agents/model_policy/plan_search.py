"""PlanSearch's combinatorics: which observations are combined, in which order, with which priors.

Source: PlanSearch (Wang et al., 2024), sections 3 and 4: subsets of at most two observations, an idea from
each, and a second idea from a forced counter-example.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

SUBSET_MAX = 2
EMPTY_WEIGHT = 0.2
PLAUSIBILITY_MIN = 0.05
SECOND_ORDER_MASS = 0.1
"""The part of the priors that is kept for ideas from derived observations."""
IDEAS_PER_SUBSET = 2


@dataclass(frozen=True, slots=True)
class Slot:
    """An idea that can be had: the `index`th of the ideas that the observations `subset` give; `layer` is 0
    for observed ones and 1 for derived ones. Likelier subsets have their turn before."""

    layer: int
    subset: tuple[int, ...]
    index: int
    prior: float
    turn: int

    @property
    def subset_name(self) -> str:
        return f"{self.layer}." + ("-".join(map(str, self.subset)) or "none")

    @property
    def name(self) -> str:
        return f"{self.subset_name}.{self.index}"


def slots_of(plausibility: Sequence[float], layer: int, mass: float) -> list[Slot]:
    """The 2 * (1 + n + n(n-1)/2) slots over n observations, likeliest first; their priors sum to `mass`.

    A subset weighs the product of its plausibilities, the empty one little; equals keep their order, small
    subsets first. The derived layer has no empty subset.
    """
    weights = {subset: _weight(subset, plausibility) for subset in _subsets(len(plausibility), layer)}
    total = sum(weights.values()) * IDEAS_PER_SUBSET
    ordered = sorted(weights.items(), key=lambda entry: -entry[1])
    return [
        Slot(layer, subset, index, mass * weight / total, turn)
        for turn, (subset, weight) in enumerate(ordered)
        for index in range(IDEAS_PER_SUBSET)
    ]


def _subsets(count: int, layer: int) -> Iterator[tuple[int, ...]]:
    for size in range(1 if layer else 0, SUBSET_MAX + 1):
        yield from combinations(range(count), size)


def _weight(subset: tuple[int, ...], plausibility: Sequence[float]) -> float:
    if not subset:
        return EMPTY_WEIGHT
    weight = 1.0
    for number in subset:
        weight *= min(1.0, max(PLAUSIBILITY_MIN, plausibility[number]))
    return weight
