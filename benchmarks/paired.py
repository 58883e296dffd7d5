"""Differences between two things that were tried on the same tasks."""

from __future__ import annotations

import random
from collections.abc import Sequence

ROUNDS = 10_000
OUTSIDE = 0.05


def paired_interval(differences: Sequence[float], seed: int = 0) -> tuple[float, float, float]:
    """The mean of the differences and its 95% percentile interval over a bootstrap of the tasks.

    Raises:
        ValueError: there are none.
    """
    if not differences:
        raise ValueError("no task was tried with both")
    draw = random.Random(seed)
    count = len(differences)
    means = sorted(sum(draw.choices(differences, k=count)) / count for _ in range(ROUNDS))
    cut = int(ROUNDS * OUTSIDE / 2)
    return sum(differences) / count, means[cut], means[-1 - cut]
