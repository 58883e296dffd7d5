"""What a run tells while it works. A listener gets these values; nothing is printed here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from treemend.store.records import Budget, Thought, Verdict

Phase = Literal["prepare", "localize", "reproduce", "plan", "search", "rank", "judge", "report"]


@dataclass(frozen=True, slots=True)
class PhaseStarted:
    """A phase begins; `detail` says in a few words what it works on."""

    phase: Phase
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Working:
    """What the phase under way does from now on, in a few words."""

    detail: str


@dataclass(frozen=True, slots=True)
class AnswerGrew:
    """How many characters of a model's answer have come. Told only to who looks at answers while they come:
    that makes each call dearer for this machine."""

    chars: int


@dataclass(frozen=True, slots=True)
class SuiteProgress:
    """How many of the tests that were asked for have run, in a run of many."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class PhaseEnded:
    """What the phase under way came to, in a few words."""

    outcome: str


@dataclass(frozen=True, slots=True)
class Noted:
    """A fact worth a line: a flaky test, a file that can't be edited."""

    text: str


@dataclass(frozen=True, slots=True)
class CandidateStarted:
    """A candidate's tests begin. `path` are the thoughts that led to it, from the root; `tests_run` those
    of the run before it."""

    candidate: int
    path: tuple[Thought, ...]
    tests_run: int


@dataclass(frozen=True, slots=True)
class CandidateTried:
    """A candidate was judged. `path` are the thoughts that led to it, from the root; `rate` is in
    candidates a second of the search by this process; `thoughts` is the size of the tree."""

    path: tuple[Thought, ...]
    verdict: Verdict
    executed: int
    thoughts: int
    tests_run: int
    inherited: bool
    elapsed_s: float
    rate: float


@dataclass(frozen=True, slots=True)
class SearchBegan:
    """The limits under which it runs, which may give more time than the run had asked for."""

    budget: Budget


Event = (
    PhaseStarted
    | Working
    | AnswerGrew
    | SuiteProgress
    | PhaseEnded
    | Noted
    | SearchBegan
    | CandidateStarted
    | CandidateTried
)
Listener = Callable[[Event], None]


def ignore(event: Event) -> None:
    """The listener that hears nothing."""
