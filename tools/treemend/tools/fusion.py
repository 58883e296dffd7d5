"""Fusing rankings of unlike origin."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import groupby
from typing import TypeVar

T = TypeVar("T", bound=Hashable)

RRF_K = 60


def fuse_by_rank(rankings: Sequence[Mapping[T, float]], k: int = RRF_K) -> dict[T, float]:
    """Reciprocal rank fusion: score(x) = sum over rankings of 1 / (k + rank(x)).

    (Cormack, Clarke and Buettcher 2009.) A ranking maps items to scores, greater is better; items with
    equal scores share their mean rank, and an item that a ranking lacks gets nothing from it.
    The result is ordered, best first; equal scores keep the order in which items were first seen.
    """
    fused: dict[T, float] = {}
    for ranking in rankings:
        for item, rank in _mean_ranks(ranking).items():
            fused[item] = fused.get(item, 0.0) + 1.0 / (k + rank)
    return dict(sorted(fused.items(), key=lambda pair: -pair[1]))


def _mean_ranks(ranking: Mapping[T, float]) -> dict[T, float]:
    ordered = sorted(ranking.items(), key=lambda pair: -pair[1])
    ranks: dict[T, float] = {}
    for _, tied in groupby(ordered, key=lambda pair: pair[1]):
        items = [item for item, _ in tied]
        mean = len(ranks) + (len(items) + 1) / 2
        ranks.update(dict.fromkeys(items, mean))
    return ranks
