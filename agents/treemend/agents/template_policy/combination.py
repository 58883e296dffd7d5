"""Changes that may go with one that made progress, but did not mend everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from treemend.agents.feedback import Feedback
from treemend.agents.policy import Idea, Parent
from treemend.agents.template_policy.weights import Likelihood
from treemend.agents.templates.catalogue import Change
from treemend.store.records import Edit

ADDITIONS_MAX = 400
IN_THE_SAME_FUNCTION = 2.0
MENDS_THE_REST = 20.0


@dataclass(frozen=True, slots=True)
class Choice:
    """A change with its weight wherever it stands, and the fault that it mends, in words."""

    change: Change
    weight: float
    fault: str


def parts_of(key: str) -> list[str]:
    """The keys of the changes that a thought combines."""
    return key.split("+")


def additions(
    parent: Parent, feedback: Feedback, choices: Mapping[str, Choice], likelihood: Likelihood
) -> list[Idea]:
    """What may be changed besides, likeliest first.

    `likelihood` is that of changes given what still fails. A change is likelier in a function that is
    changed already, and by the share of the remaining target tests that it was seen to mend by itself.
    Changes that touch the same characters don't go together.
    """
    made = [choices[part].change for part in parts_of(parent.key)]
    edits = [edit for change in made for edit in change.edits]
    functions = {(change.place.path, change.place.function) for change in made}
    weighted: list[tuple[float, str, Choice]] = []
    for key, choice in choices.items():
        if _fit(edits, choice.change.edits):
            mended = len(parent.gains.get(key, frozenset()) & feedback.failures.keys())
            weight = choice.weight * likelihood.of(choice.change)
            weight *= 1.0 + MENDS_THE_REST * mended / max(1, len(feedback.failures))
            here = (choice.change.place.path, choice.change.place.function) in functions
            weighted.append((weight * (IN_THE_SAME_FUNCTION if here else 1.0), key, choice))
    kept = sorted((one for one in weighted if one[0] > 0.0), key=lambda one: -one[0])[:ADDITIONS_MAX]
    total = sum(weight for weight, _, _ in kept)
    return [
        Idea(
            f"{parent.key}+{key}",
            f"{choice.fault} {choice.change.remedy}",
            weight / total,
            choice.change.place,
            has_edit=True,
        )
        for weight, key, choice in kept
    ]


def _fit(made: Sequence[Edit], more: Sequence[Edit]) -> bool:
    """Whether edits can be made together: they share no character and no point of insertion."""
    return all(
        one.path != other.path or one.end < other.start or other.end < one.start
        for one in made
        for other in more
    )
