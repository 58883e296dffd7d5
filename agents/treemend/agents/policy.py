"""The seam between the search and whoever thinks of causes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

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


class Policy(Protocol):
    """Thinks of causes and changes. Same tree, symptom and seed give the same ideas."""

    @property
    def name(self) -> str: ...

    async def propose(self, parent_key: str, opened: int, count: int) -> Proposal:
        """The next `count` ideas below the thought `parent_key` ("" is the root), of which `opened`
        are known already."""
        ...

    async def realize(self, key: str) -> Sequence[Edit]:
        """The edits of the thought `key`, against the untouched tree."""
        ...
