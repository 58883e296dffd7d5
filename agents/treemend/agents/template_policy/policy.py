"""The policy that needs no model: fix templates, ordered by suspiciousness and frequency."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from treemend.agents.evaluation import Prospect
from treemend.agents.feedback import Feedback
from treemend.agents.planning import Plan
from treemend.agents.policy import Explain, Idea, Parent, Proposal, Realization
from treemend.agents.template_policy.combination import Choice, additions, parts_of
from treemend.agents.template_policy.evidence import evidence_of
from treemend.agents.template_policy.weights import UNREACHED, Likelihood, neighbour_weights, template_weights
from treemend.agents.templates.catalogue import Change
from treemend.store.records import Edit

EDITS_MAX = 2
"""Changes that go together at most: three and more pass weak tests by chance."""
BEYOND = "beyond/"
"""How the keys of changes begin that stand where no failing test has come yet."""


@dataclass(frozen=True, slots=True)
class _Fault:
    """A thought of depth 1: a place, and what is wrong there. Its changes come likeliest first, each with
    its prior here and its weight wherever it stands."""

    text: str
    prior: float
    changes: tuple[tuple[Change, float, float], ...]


class TemplatePolicy:
    """Two levels: what is wrong at a place, then the change; below a change that made progress, those
    that may go with it. A fault weighs as much as its changes together.
    """

    name = "template"

    def __init__(self, plan: Plan, seed: int) -> None:
        self._plan = plan
        self._texts = {path: module.text for path, module in plan.modules.items()}
        suspicion = plan.suspicion(plan.symptom.failures)
        likelihood = Likelihood(suspicion, evidence_of(plan.symptom, self._texts, types=plan.odd_types))
        weighted = template_weights(plan.modules, suspicion)
        self._faults = _faults([(c, weight, weight * likelihood.of(c)) for c, weight in weighted], seed)
        self._choices = {
            f"{number}/{index}": Choice(change, weight, fault.text)
            for number, fault in enumerate(self._faults)
            for index, (change, _, weight) in enumerate(fault.changes)
        }
        self._additions: dict[str, list[Idea]] = {}

    async def propose(self, parent: Parent, opened: int, count: int) -> Proposal:
        siblings = self._below(parent)
        chosen = siblings[opened : opened + count]
        rest = siblings[opened + count : opened + count + 1]
        return Proposal(tuple(chosen), rest[0].prior if rest else 0.0)

    async def realize(self, key: str, texts: Sequence[str]) -> Realization:
        return Realization(_in_order(self._edits(key)))

    async def rethink(
        self, key: str, texts: Sequence[str], patch: bytes, feedback: Feedback, explain: Explain
    ) -> str:
        """Templates have no other words: what made progress is added to instead."""
        return ""

    def prospects(self) -> Iterator[Prospect]:
        """All single changes, likeliest first, whatever becomes of the others."""
        likely = [
            (fault.prior * prior, fault, change)
            for fault in self._faults
            for change, prior, _ in fault.changes
        ]
        for _, fault, change in sorted(likely, key=lambda one: -one[0]):
            places = (fault.changes[0][0].place, change.place)
            yield Prospect(_in_order(change.edits), places)

    def _below(self, parent: Parent) -> list[Idea]:
        if parent.key == "":
            return self._roots()
        if parent.feedback is None:
            return self._changes_of(int(parent.key))
        if len(parts_of(parent.key)) >= EDITS_MAX:
            return []
        if parent.key not in self._additions:
            self._additions[parent.key] = self._added_to(parent, parent.feedback)
        return self._additions[parent.key]

    def _roots(self) -> list[Idea]:
        return [
            Idea(str(number), fault.text, fault.prior, fault.changes[0][0].place, has_edit=False)
            for number, fault in enumerate(self._faults)
        ]

    def _changes_of(self, number: int) -> list[Idea]:
        return [
            Idea(f"{number}/{index}", change.remedy, prior, change.place, has_edit=True)
            for index, (change, prior, _) in enumerate(self._faults[number].changes)
        ]

    def _added_to(self, parent: Parent, feedback: Feedback) -> list[Idea]:
        evidence = evidence_of(feedback, self._texts, self._edits(parent.key), self._plan.odd_types)
        suspicion = self._plan.suspicion(feedback.failures)
        likelihood = Likelihood(suspicion, evidence, elsewhere=UNREACHED)
        return additions(parent, feedback, {**self._choices, **self._neighbours}, likelihood)

    def _edits(self, key: str) -> list[Edit]:
        choices = [
            (self._choices if part in self._choices else self._neighbours)[part] for part in parts_of(key)
        ]
        return [edit for choice in choices for edit in choice.change.edits]

    @cached_property
    def _neighbours(self) -> dict[str, Choice]:
        """What may be changed where the failing tests get only after a first change."""
        weighted = neighbour_weights(self._plan.modules, self._plan.suspicion(self._plan.symptom.failures))
        return {
            f"{BEYOND}{number}": Choice(change, weight, _fault_text(change))
            for number, (change, weight) in enumerate(weighted)
        }


def _in_order(edits: Sequence[Edit]) -> tuple[Edit, ...]:
    return tuple(sorted(edits, key=lambda edit: (edit.path, edit.start)))


def _faults(weighted: Sequence[tuple[Change, float, float]], seed: int) -> list[_Fault]:
    groups: dict[tuple[str, int, str, str], list[tuple[Change, float, float]]] = {}
    for change, weight, mass in weighted:
        if mass > 0.0:
            key = (change.place.path, change.place.line, change.template, change.fault)
            groups.setdefault(key, []).append((change, weight, mass))
    total = sum(mass for group in groups.values() for _, _, mass in group)
    faults = [_fault(group, total, seed) for group in groups.values()]
    return sorted(faults, key=lambda fault: (-fault.prior, _shuffled(fault.text, seed)))


def _fault(group: Sequence[tuple[Change, float, float]], total: float, seed: int) -> _Fault:
    together = sum(mass for _, _, mass in group)
    ordered = sorted(group, key=lambda entry: (-entry[2], _shuffled(entry[0].remedy, seed)))
    return _Fault(
        _fault_text(group[0][0]),
        together / total,
        tuple((c, mass / together, weight) for c, weight, mass in ordered),
    )


def _fault_text(change: Change) -> str:
    place = change.place
    where = f"`{place.function}`" if place.function else "the module"
    return f"In {where} ({place.path}:{place.line}): {change.fault}"


def _shuffled(text: str, seed: int) -> bytes:
    """A key that orders equals by seed, the same in every process."""
    return hashlib.sha256(f"{seed}:{text}".encode("utf-8", "surrogatepass")).digest()
