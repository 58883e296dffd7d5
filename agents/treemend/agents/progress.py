"""What a run tells while it works. A listener gets these values; nothing is printed here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from treemend.store.records import Thought, Verdict

Phase = Literal["prepare", "localize", "reproduce", "plan", "search", "rank", "report"]


@dataclass(frozen=True, slots=True)
class PhaseStarted:
    """A phase begins; `detail` says in a few words what it works on."""

    phase: Phase
    detail: str = ""


@dataclass(frozen=True, slots=True)
class PhaseEnded:
    """What the phase under way came to, in a few words."""

    outcome: str


@dataclass(frozen=True, slots=True)
class Noted:
    """A fact worth a line: a flaky test, a file that can't be edited."""

    text: str


@dataclass(frozen=True, slots=True)
class CandidateTried:
    """A candidate was judged. `path` are the thoughts that led to it, from the root; `rate` is in
    candidates a second of the search by this process."""

    path: tuple[Thought, ...]
    verdict: Verdict
    executed: int
    tests_run: int
    inherited: bool
    elapsed_s: float
    rate: float


Event = PhaseStarted | PhaseEnded | Noted | CandidateTried
Listener = Callable[[Event], None]


def ignore(event: Event) -> None:
    """The listener that hears nothing."""
