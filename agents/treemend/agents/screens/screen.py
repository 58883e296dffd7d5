"""What a person sees of a run on stderr: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Literal, Protocol, Self, TextIO

from treemend.agents.plain_text import counted, one_line
from treemend.agents.progress import (
    CandidateStarted,
    CandidateTried,
    Event,
    Noted,
    PhaseEnded,
    PhaseStarted,
    SearchBegan,
    Working,
)
from treemend.agents.screens.wording import (
    broken_words,
    counts_words,
    left_words,
    outcome_words,
    seconds,
    share_words,
    thought,
)
from treemend.store.records import Task

Detail = Literal["quiet", "usual", "verbose"]
Clock = Callable[[], float]
LINE_EVERY_CANDIDATES = 25


class Screen(Protocol):
    """Shows events between its entry and its exit."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    @property
    def shows_answers(self) -> bool:
        """Whether it shows how models' answers grow."""
        ...

    def show(self, event: Event) -> None: ...


def make_screen(
    task: Task,
    detail: Detail = "usual",
    *,
    spent_s: float = 0.0,
    asks: bool = False,
    stream: TextIO = sys.stderr,
) -> Screen:
    """The live view where the stream is a terminal, else lines; lines for who wants all of it, and where
    the run asks a person.

    `spent_s` are the seconds that other processes worked on the run before.
    """
    if detail == "quiet":
        return QuietScreen()
    if detail == "verbose":
        return VerboseScreen(task, stream)
    if asks or not stream.isatty():
        return LineScreen(task, stream)
    from rich.console import Console

    from treemend.agents.screens.live_screen import LiveScreen

    return LiveScreen(task, Console(file=stream, highlight=False), spent_s=spent_s)


class QuietScreen:
    """Shows nothing."""

    shows_answers = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return None

    def show(self, event: Event) -> None:
        return None


class LineScreen(QuietScreen):
    """A line for each phase and note, for each candidate that does better than all before, and for
    every 25th in between."""

    def __init__(self, task: Task, stream: TextIO) -> None:
        self._budget = task.budget
        self._stream = stream
        self._best = -1.0
        self._first_plausible: int | None = None

    def show(self, event: Event) -> None:
        if isinstance(event, PhaseStarted):
            self._line(f"{event.phase}: {event.detail}" if event.detail else event.phase)
        elif isinstance(event, Working):
            self._line(event.detail, indent=2)
        elif isinstance(event, PhaseEnded):
            self._line(event.outcome, indent=2)
        elif isinstance(event, Noted):
            self._line(event.text, indent=2)
        elif isinstance(event, SearchBegan):
            self._budget = event.budget
        elif isinstance(event, CandidateTried):
            self._tried(event)

    def _tried(self, event: CandidateTried) -> None:
        if event.verdict.plausible and self._first_plausible is None:
            self._first_plausible = event.executed
        if event.verdict.reward > self._best or event.verdict.plausible:
            self._best = max(self._best, event.verdict.reward)
            self._line(f"#{event.verdict.candidate} {outcome_words(event.verdict)}: {thought(event)}", 2)
        elif event.executed % LINE_EVERY_CANDIDATES == 0 and not event.inherited:
            left = left_words(self._budget, event.elapsed_s, event.executed, self._first_plausible)
            self._line(f"{counts_words(event)} · {left}", indent=2)

    def _line(self, text: str, indent: int = 0) -> None:
        print(" " * indent + one_line(text), file=self._stream, flush=True)


class VerboseScreen(LineScreen):
    """A line for each candidate, with the tests that it breaks, and the time of each phase."""

    def __init__(self, task: Task, stream: TextIO, clock: Clock = time.monotonic) -> None:
        super().__init__(task, stream)
        self._clock = clock
        self._phase_began = clock()
        self._candidate_began = clock()
        self._tests_before = 0

    def show(self, event: Event) -> None:
        if isinstance(event, PhaseStarted):
            self._phase_began = self._clock()
            super().show(event)
        elif isinstance(event, PhaseEnded):
            self._line(f"{event.outcome} ({seconds(self._clock() - self._phase_began)})", indent=2)
        elif isinstance(event, CandidateStarted):
            self._candidate_began, self._tests_before = self._clock(), event.tests_run
        else:
            super().show(event)

    def _tried(self, event: CandidateTried) -> None:
        verdict = event.verdict
        self._line(f"#{verdict.candidate} {thought(event)}", indent=2)
        if event.inherited:
            self._line("the same code as an earlier candidate, whose verdict it has", indent=4)
            return
        share = share_words(verdict)
        tests = counted(event.tests_run - self._tests_before, "test")
        cost = f"{tests} in {seconds(self._clock() - self._candidate_began)}"
        self._line(f"{'plausible: ' if verdict.plausible else ''}{share} ({cost})", indent=4)
        for words in broken_words(verdict):
            self._line(words, indent=4)
