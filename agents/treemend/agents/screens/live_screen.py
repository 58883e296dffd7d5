"""The live view: at every moment what goes on, how far it is, what was found and what is left."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from treemend.agents.plain_text import counted, one_line
from treemend.agents.progress import (
    AnswerGrew,
    CandidateStarted,
    CandidateTried,
    Event,
    Noted,
    PhaseEnded,
    PhaseStarted,
    SearchBegan,
    SuiteProgress,
    Working,
)
from treemend.agents.screens.wording import (
    cause,
    change,
    counts_words,
    left_words,
    outcome_words,
    seconds,
    short_outcome,
)
from treemend.store.records import Task, Verdict

if TYPE_CHECKING:
    from rich.console import RenderableType

RECENT_MAX = 8
NOTES_MAX = 3
TREE_LINES_MIN, TREE_LINES_MAX = 3, 14
LINES_AROUND_TREE = 7
REFRESH_PER_S = 8


@dataclass
class _Phase:
    """A phase as the screen shows it. `took_s` is None while it is under way."""

    name: str
    detail: str
    began: float
    took_s: float | None = None


class LiveScreen:
    """The phases done, the one at work, the last thoughts of the tree with their outcome, the best."""

    shows_answers = True

    def __init__(
        self,
        task: Task,
        console: Console,
        *,
        spent_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._budget = task.budget
        self._clock = clock
        self._began = clock() - spent_s
        self._console = console
        self._phases = [_Phase("start", "loading, and trying the sandbox", clock())]
        self._suite: SuiteProgress | None = None
        self._answer: AnswerGrew | None = None
        self._notes: deque[str] = deque(maxlen=NOTES_MAX)
        self._recent: deque[CandidateTried] = deque(maxlen=RECENT_MAX)
        self._current: CandidateStarted | None = None
        self._best: CandidateTried | None = None
        self._first_plausible: int | None = None
        self._live = Live(
            console=self._console,
            get_renderable=self.render,
            refresh_per_second=REFRESH_PER_S,
            transient=True,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()
        for phase in self._phases if kind is None else ():
            if phase.took_s is not None:
                self._console.print(_phase_line(phase, phase.took_s, "✓ "))

    def show(self, event: Event) -> None:
        if isinstance(event, PhaseStarted | PhaseEnded | Working):
            self._show_phase(event)
        elif isinstance(event, SuiteProgress):
            self._suite = event
        elif isinstance(event, AnswerGrew):
            self._answer = event
        elif isinstance(event, Noted):
            self._notes.append(event.text)
        elif isinstance(event, SearchBegan):
            self._budget = event.budget
        elif isinstance(event, CandidateStarted):
            self._current = event
        else:
            self._show_candidate(event)

    def _show_phase(self, event: PhaseStarted | PhaseEnded | Working) -> None:
        self._suite = self._answer = self._current = None
        if isinstance(event, PhaseStarted):
            # A phase that ended without a word, as the first does, has nothing to show for it.
            self._phases = [phase for phase in self._phases if phase.took_s is not None]
            self._phases.append(_Phase(event.phase, event.detail, self._clock()))
            return
        phase = self._phases[-1]
        if isinstance(event, Working):
            phase.detail = event.detail
        else:
            phase.detail, phase.took_s = event.outcome, self._clock() - phase.began

    def _show_candidate(self, event: CandidateTried) -> None:
        self._suite = self._answer = self._current = None
        self._recent.append(event)
        if event.verdict.plausible and self._first_plausible is None:
            self._first_plausible = event.executed
        if self._best is None or event.verdict.reward > self._best.verdict.reward:
            self._best = event

    def render(self) -> RenderableType:
        """What stands on the terminal now, in no more lines than it has where it has a dozen."""
        rows: list[RenderableType] = [self._phase_row(phase) for phase in tuple(self._phases)]
        rows += [_cut(Text(f"  {one_line(note)}", style="yellow")) for note in tuple(self._notes)]
        room = self._console.height - len(rows) - LINES_AROUND_TREE
        rows += ["", *self._tree_rows(min(TREE_LINES_MAX, max(TREE_LINES_MIN, room)))]
        executed = self._recent[-1].executed if self._recent else None
        if self._recent:
            rows.append(_cut(Text(f"  {counts_words(self._recent[-1])}")))
        if self._best is not None:
            rows.append(_best_line(self._best))
        elapsed_s = self._clock() - self._began
        left = left_words(self._budget, elapsed_s, executed, self._first_plausible)
        return Group(*rows, _cut(Text(f"  {left}", style="bold")))

    def _phase_row(self, phase: _Phase) -> RenderableType:
        if phase.took_s is not None:
            return _phase_line(phase, phase.took_s, "✓ ")
        suite = f": {self._suite.done} of {self._suite.total} tests" if self._suite else ""
        answer = f" · an answer of {counted(self._answer.chars, 'character')} so far" if self._answer else ""
        shown = _Phase(phase.name, f"{phase.detail}{suite}{answer}", phase.began)
        working = Table.grid(padding=(0, 1))
        spinner = Spinner("dots", style="cyan")
        working.add_row(spinner, _phase_line(shown, self._clock() - phase.began, ""))
        return working

    def _tree_rows(self, lines_max: int) -> list[RenderableType]:
        tried: list[Tried] = list(self._recent)
        if self._current is not None:
            tried.append(self._current)
        rows: list[RenderableType] = []
        for above, below in newest_of_tree(tried, lines_max):
            rows += [_cut(Text(f"  {above}"))] if above else []
            rows += [_candidate_line(event) for event in below]
        return [*rows, ""] if rows else []


Tried = CandidateTried | CandidateStarted


def newest_of_tree(tried: Sequence[Tried], lines_max: int) -> list[tuple[str, list[Tried]]]:
    """The newest candidates below the causes that they are to mend, in so many lines, newest last."""
    below: dict[str, list[Tried]] = {}
    lines = 0
    for event in reversed(tried):
        above = cause(event)
        lines += 1 if above in below else 2
        if lines > lines_max:
            break
        below.setdefault(above, []).append(event)
    return [(above, events[::-1]) for above, events in reversed(below.items())]


def _cut(text: Text) -> Text:
    """The text on one line of the terminal, however narrow that is."""
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _phase_line(phase: _Phase, took_s: float, mark: str) -> Text:
    name, duration = f"{phase.name:10}", f"{seconds(took_s):>7}  "
    detail = one_line(phase.detail)
    return _cut(Text.assemble((mark, "green"), (name, "bold"), (duration, "dim"), (detail, "dim")))


def _candidate_line(event: Tried) -> Text:
    if isinstance(event, CandidateStarted):
        mark, style, number, outcome = "▸", "cyan", event.candidate, "trying"
    else:
        mark, style = _mark(event.verdict)
        number, outcome = event.verdict.candidate, short_outcome(event)
    head = f"#{number:<4} {outcome:<9}  "
    return _cut(Text.assemble((f"    {mark} ", style), (head, "dim"), change(event)))


def _best_line(event: CandidateTried) -> Text:
    if not event.verdict.reward:
        return _cut(Text("  best so far: none makes a failing test pass", style="dim"))
    _, style = _mark(event.verdict)
    words = f"#{event.verdict.candidate} {outcome_words(event.verdict)}"
    return _cut(Text.assemble("  best so far: ", (words, style), f"  {change(event)}"))


def _mark(verdict: Verdict) -> tuple[str, str]:
    if verdict.plausible:
        return "✓", "green bold"
    if verdict.targets_passed:
        return "◐", "yellow"
    return "·", "dim"
