"""The order of candidates: parameters fitted on public issues, or a fixed sum where there are none.

There are two fits: one for what texts and code tell, one for these and the past.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import exp
from typing import Any

from treemend.tools.localization.evidence import Evidence
from treemend.tools.localization.features import FEATURES, PAST_FEATURES

FITTED, FITTED_WITH_PAST = "fitted.json", "fitted_with_past.json"


@dataclass(frozen=True, slots=True)
class Model:
    """score(x) = sum of weights x (x - mean) / scale; features behind those that were fitted don't count."""

    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]

    def score(self, vector: Sequence[float]) -> float:
        total = 0.0
        known = vector[: len(self.weights)]
        for value, mean, scale, weight in zip(known, self.means, self.scales, self.weights, strict=True):
            total += weight * (value - mean) / scale
        return total


@cache
def fitted_model(*, with_past: bool) -> Model | None:
    """A model of the package; None where it is missing, or was fitted on other features."""
    place = files("treemend.tools.localization").joinpath(FITTED_WITH_PAST if with_past else FITTED)
    try:
        return model_of(json.loads(place.read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def model_of(data: Any) -> Model | None:
    """A model as the training script writes it; None if its features are neither FEATURES nor these and
    PAST_FEATURES.

    Raises:
        KeyError, TypeError, ValueError: the data has another form.
    """
    if tuple(data["features"]) not in (FEATURES, FEATURES + PAST_FEATURES):
        return None
    linear = [tuple(map(float, data[key])) for key in ("means", "scales", "weights")]
    return Model(linear[0], linear[1], linear[2])


FIXED = Model(
    (0.0,) * len(FEATURES),
    (1.0,) * len(FEATURES),
    tuple(float(name == "sum") for name in FEATURES),
)
"""The fixed sum of scores: what ranks where there is no fitted model, and the baseline that one must beat."""


def score_candidates(evidence: Evidence, model: Model | None) -> dict[int, float]:
    """The score of each candidate in (0, 1], 1 for the likeliest; candidates keep their order."""
    raw = {row: (model or FIXED).score(evidence.vectors[row]) for row in evidence.candidates}
    top = max(raw.values(), default=0.0)
    return {row: exp(max(score - top, -50.0)) for row, score in raw.items()}
