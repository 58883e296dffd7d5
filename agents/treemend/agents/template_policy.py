"""The policy that needs no model: fix templates, ordered by suspiciousness and frequency."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from treemend.agents.policy import Idea, Proposal
from treemend.agents.templates.catalogue import FREQUENCIES, Change, changes
from treemend.store.records import Edit
from treemend.tools.syntax import Module
from treemend.verify.spectra import Line

LINES_MAX = 200
RANK_OFFSET = 4.0


@dataclass(frozen=True, slots=True)
class _Fault:
    """A thought of depth 1: a place, and what is wrong there. Its changes come likeliest first."""

    text: str
    prior: float
    changes: tuple[tuple[Change, float], ...]


class TemplatePolicy:
    """Two levels: what is wrong at a place, then the change.

    A change weighs sqrt(frequency(template)) / instances(template) * weight(change) * suspicion(place):
    the frequencies are those of one-statement fixes in Python (CTSSB-1M), the instances those that the
    template makes on the suspicious lines. The root tempers what commits of large projects say of other
    code; ARCHITECTURE.md has the measurement. A fault weighs as much as its changes together.
    """

    name = "template"

    def __init__(self, modules: Mapping[str, Module], suspicion: Mapping[Line, float], seed: int) -> None:
        self._faults = _faults(_weighted(modules, suspicion), seed)

    async def propose(self, parent_key: str, opened: int, count: int) -> Proposal:
        siblings = self._roots() if parent_key == "" else self._changes_of(int(parent_key))
        chosen = siblings[opened : opened + count]
        rest = siblings[opened + count : opened + count + 1]
        return Proposal(tuple(chosen), rest[0].prior if rest else 0.0)

    async def realize(self, key: str) -> Sequence[Edit]:
        fault, change = map(int, key.split("/"))
        return self._faults[fault].changes[change][0].edits

    def _roots(self) -> list[Idea]:
        return [
            Idea(str(number), fault.text, fault.prior, fault.changes[0][0].place, has_edit=False)
            for number, fault in enumerate(self._faults)
        ]

    def _changes_of(self, number: int) -> list[Idea]:
        return [
            Idea(f"{number}/{index}", change.remedy, prior, change.place, has_edit=True)
            for index, (change, prior) in enumerate(self._faults[number].changes)
        ]


def _weighted(modules: Mapping[str, Module], suspicion: Mapping[Line, float]) -> list[tuple[Change, float]]:
    ranked = sorted(suspicion.items(), key=lambda pair: -pair[1])[:LINES_MAX]
    weights = _rank_weights(ranked)
    found: list[Change] = []
    for path, module in modules.items():
        lines = {line for (line_path, line), _ in ranked if line_path == path}
        siblings = [other for name, other in modules.items() if name != path]
        found += changes(module, lines, siblings) if lines else []
    instances = Counter(change.template for change in found)
    return [
        (
            change,
            math.sqrt(FREQUENCIES[change.template]) / instances[change.template]
            * change.weight
            * _suspicion_of(change, weights),
        )
        for change in found
    ]  # fmt: skip


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


def _suspicion_of(change: Change, weights: Mapping[Line, float]) -> float:
    place = change.place
    lines = range(place.line, place.end_line + 1)
    return max((weights.get((place.path, line), 0.0) for line in lines), default=0.0)


def _faults(weighted: Sequence[tuple[Change, float]], seed: int) -> list[_Fault]:
    groups: dict[tuple[str, int, str, str], list[tuple[Change, float]]] = {}
    for change, weight in weighted:
        if weight > 0.0:
            key = (change.place.path, change.place.line, change.template, change.fault)
            groups.setdefault(key, []).append((change, weight))
    total = sum(weight for group in groups.values() for _, weight in group)
    faults = [_fault(group, total, seed) for group in groups.values()]
    return sorted(faults, key=lambda fault: (-fault.prior, _shuffled(fault.text, seed)))


def _fault(group: Sequence[tuple[Change, float]], total: float, seed: int) -> _Fault:
    mass = sum(weight for _, weight in group)
    ordered = sorted(group, key=lambda pair: (-pair[1], _shuffled(pair[0].remedy, seed)))
    place = group[0][0].place
    where = f"`{place.function}`" if place.function else "the module"
    text = f"In {where} ({place.path}:{place.line}): {group[0][0].fault}"
    return _Fault(text, mass / total, tuple((change, w / mass) for change, w in ordered))


def _shuffled(text: str, seed: int) -> bytes:
    """A key that orders equals by seed, the same in every process."""
    return hashlib.sha256(f"{seed}:{text}".encode("utf-8", "surrogatepass")).digest()
