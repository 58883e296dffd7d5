"""How likely each change is: by its template, its place, and what the failures say.

A change weighs sqrt(frequency(template)) / instances(template) * weight(change) * suspicion(place)
* evidence(failures): the frequencies are those of one-statement fixes in Python (CTSSB-1M), the instances
those that the template makes on the suspicious lines. The root tempers what commits of large projects say
of other code; ARCHITECTURE.md has the measurement.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from treemend.agents.template_policy.evidence import Evidence
from treemend.agents.templates.catalogue import FREQUENCIES, Change, changes
from treemend.tools.syntax import Module
from treemend.verify.spectra import Line

LINES_MAX = 200
RANK_OFFSET = 4.0
UNREACHED = 0.02
"""The weight of a line that no failing test reached, where the first rank has 1 / (1 + RANK_OFFSET)."""


Weighted = list[tuple[Change, float]]


def template_weights(modules: Mapping[str, Module], suspicion: Mapping[Line, float]) -> Weighted:
    """The changes of the most suspicious lines, each with its weight wherever it stands."""
    return _weighted(modules, {line for line, _ in _most_suspicious(suspicion)})


def neighbour_weights(modules: Mapping[str, Module], suspicion: Mapping[Line, float]) -> Weighted:
    """The same of the other lines of their functions, which no failing test has reached yet."""
    suspicious = {line for line, _ in _most_suspicious(suspicion)}
    lines: set[Line] = set()
    for path, module in modules.items():
        functions = module.functions_by_line()
        suspected = {
            functions[line] for line_path, line in suspicious if line_path == path and line in functions
        }
        lines |= {(path, line) for line, name in functions.items() if name and name in suspected}
    return _weighted(modules, lines - suspicious)


def _weighted(modules: Mapping[str, Module], wanted: Collection[Line]) -> Weighted:
    found: list[Change] = []
    for path, module in modules.items():
        lines = {line for line_path, line in wanted if line_path == path}
        siblings = [other for name, other in modules.items() if name != path]
        found += changes(module, lines, siblings) if lines else []
    instances = Counter(change.template for change in found)
    return [
        (change, math.sqrt(FREQUENCIES[change.template]) / instances[change.template] * change.weight)
        for change in found
    ]


class Likelihood:
    """The factor that place and failures put on a change.

    A line that crashes now is as suspicious as any; `elsewhere` is the weight of lines without a rank.
    """

    def __init__(self, suspicion: Mapping[Line, float], evidence: Evidence, elsewhere: float = 0.0) -> None:
        self._by_line = _rank_weights(_most_suspicious(suspicion))
        highest = max(self._by_line.values(), default=1.0)
        for crash in evidence.crashes:
            self._by_line.setdefault(crash.line, highest)
        self._elsewhere = elsewhere
        self._evidence = evidence

    def of(self, change: Change) -> float:
        place = change.place
        lines = range(place.line, place.end_line + 1)
        suspicion = max(
            (self._by_line.get((place.path, line), self._elsewhere) for line in lines), default=0.0
        )
        return suspicion * self._evidence.likelihood(change) if suspicion else 0.0


def _most_suspicious(suspicion: Mapping[Line, float]) -> list[tuple[Line, float]]:
    return sorted(suspicion.items(), key=lambda pair: -pair[1])[:LINES_MAX]


def _rank_weights(ranked: Sequence[tuple[Line, float]]) -> dict[Line, float]:
    """Weights that fall with the rank, so that a place's share doesn't depend on the scores' scale."""
    by_score: dict[float, list[Line]] = {}
    for line, score in ranked:
        by_score.setdefault(round(score, 9), []).append(line)
    weights: dict[Line, float] = {}
    for tied in by_score.values():
        mean_rank = len(weights) + (len(tied) + 1) / 2
        weights.update(dict.fromkeys(tied, 1.0 / (mean_rank + RANK_OFFSET)))
    return weights
