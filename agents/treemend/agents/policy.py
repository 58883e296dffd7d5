"""The seam between the search and whoever thinks of causes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from treemend.agents.feedback import Feedback
from treemend.store.records import Edit, Place


@dataclass(frozen=True, slots=True)
class Idea:
    """A thought that a policy proposes: `text` is a sentence or two without code.

    `prior` is normalized over all siblings the policy has in mind, opened or not. `key` names the idea
    to the policy again after a resume.
    """

    key: str
    text: str
    prior: float
    place: Place | None
    has_edit: bool


@dataclass(frozen=True, slots=True)
class Proposal:
    """The next ideas below a thought, best first; `reserve_prior` is that of the likeliest one that
    is not among them, 0 when there are no more."""

    ideas: tuple[Idea, ...]
    reserve_prior: float


@dataclass(frozen=True, slots=True)
class Parent:
    """A thought to think on from.

    Attributes:
        key: The policy's name for it, "" at the root.
        feedback: What its candidate showed; None for a thought without one.
        gains: Target tests that earlier candidates made pass, by the key of their thought.
    """

    key: str = ""
    feedback: Feedback | None = None
    gains: Mapping[str, frozenset[str]] = field(default_factory=dict)


class Policy(Protocol):
    """Thinks of causes and changes. Same tree, symptom and seed give the same ideas."""

    @property
    def name(self) -> str: ...

    async def propose(self, parent: Parent, opened: int, count: int) -> Proposal:
        """The next `count` ideas below a thought, of which `opened` are known already. The same parent
        is always asked about with the same feedback and gains."""
        ...

    async def realize(self, key: str) -> Sequence[Edit]:
        """The edits of the thought `key`, against the untouched tree."""
        ...
