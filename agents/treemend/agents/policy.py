"""The seam between the search and whoever thinks of causes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from treemend.agents.feedback import Feedback
from treemend.store.records import Edit, FailureExplanation, Place


@dataclass(frozen=True, slots=True)
class Idea:
    """A thought that a policy proposes: `text` is a sentence or two without code.

    `prior` is normalized over all siblings the policy has in mind, opened or not. `key` names the idea
    to the policy again after a resume. `expandable` says whether it may be thought on from whatever its
    edit comes to; one without an edit always is.
    """

    key: str
    text: str
    prior: float
    place: Place | None
    has_edit: bool
    expandable: bool = False


@dataclass(frozen=True, slots=True)
class Proposal:
    """The next ideas below a thought, best first; `reserve_prior` is that of the likeliest one that
    is not among them, 0 when there are no more."""

    ideas: tuple[Idea, ...]
    reserve_prior: float


@dataclass(frozen=True, slots=True)
class Sibling:
    """A thought that was tried below the same parent, in its last words, and what that came to."""

    text: str
    place: Place | None
    feedback: Feedback | None


@dataclass(frozen=True, slots=True)
class Parent:
    """A thought to think on from.

    Attributes:
        key: The policy's name for it, "" at the root.
        feedback: What its candidate showed; None for a thought without one.
        gains: Target tests that earlier candidates made pass, by the key of their thought.
        texts: The thoughts that lead to it, itself last, in their last words.
        siblings: What was tried below it so far.
    """

    key: str = ""
    feedback: Feedback | None = None
    gains: Mapping[str, frozenset[str]] = field(default_factory=dict)
    texts: tuple[str, ...] = ()
    siblings: tuple[Sibling, ...] = ()


@dataclass(frozen=True, slots=True)
class Realization:
    """A thought as edits against the untouched tree, and why they mend the cause, "" where the thoughts
    themselves say it. No edits: the policy could not make any."""

    edits: tuple[Edit, ...]
    rationale: str = ""


Explain = Callable[[], Awaitable[FailureExplanation | None]]
"""Runs the first test that fails with a candidate once more, traced, and says how it comes to fail; None
where that can't be told."""


class Policy(Protocol):
    """Thinks of causes and changes. Same tree, symptom and seed give the same ideas."""

    @property
    def name(self) -> str: ...

    async def propose(self, parent: Parent, opened: int, count: int) -> Proposal:
        """The next `count` ideas below a thought, of which `opened` are known already. The same parent
        is always asked about with the same feedback, gains and siblings."""
        ...

    async def realize(self, key: str, texts: Sequence[str]) -> Realization:
        """The edits of the thought `key`; `texts` are the thoughts that lead to it, itself last."""
        ...

    async def rethink(
        self, key: str, texts: Sequence[str], patch: bytes, feedback: Feedback, explain: Explain
    ) -> str:
        """The thought `key` in other words after its `patch` failed, "" to leave it as it is."""
        ...
