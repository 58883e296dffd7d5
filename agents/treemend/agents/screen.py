"""What a person sees of a run on stderr: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Protocol, Self, TextIO

from treemend.agents.plain_text import one_line
from treemend.agents.progress import CandidateTried, Event, Noted, PhaseEnded, PhaseStarted
from treemend.store.records import Task, Verdict

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

Detail = Literal["quiet", "usual", "verbose"]
RECENT_MAX = 6
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

    def show(self, event: Event) -> None: ...


def make_screen(task: Task, detail: Detail = "usual", stream: TextIO = sys.stderr) -> Screen:
    """The live view where the stream is a terminal, else lines."""
    return LiveScreen(task, stream) if stream.isatty() else LineScreen(task, stream)


class LineScreen:
    """A line for each phase and note, for each candidate that does better than all before, and for
    every 25th in between."""

    def __init__(self, task: Task, stream: TextIO) -> None:
        self._task = task
        self._stream = stream
        self._best = -1.0

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
        if isinstance(event, PhaseStarted):
            self._line(f"{event.phase}: {event.detail}" if event.detail else event.phase)
        elif isinstance(event, PhaseEnded):
            self._line(f"  {event.outcome}")
        elif isinstance(event, Noted):
            self._line(f"  {event.text}")
        elif event.verdict.reward > self._best or event.verdict.plausible:
            self._best = max(self._best, event.verdict.reward)
            self._line(f"  #{event.verdict.candidate} {outcome_words(event.verdict)}: {thought(event)}")
        elif event.executed % LINE_EVERY_CANDIDATES == 0 and not event.inherited:
            self._line(f"  {counts_words(event, self._task)}")

    def _line(self, text: str) -> None:
        print(one_line_keeping_indent(text), file=self._stream, flush=True)


class LiveScreen:
    """The phases done, the search at work with its last thoughts, and what it has found."""

    def __init__(self, task: Task, stream: TextIO) -> None:
        from rich.console import Console
        from rich.live import Live

        self._task = task
        self._console = Console(file=stream, highlight=False)
        self._phases: list[PhaseStarted] = []
        self._notes: list[str] = []
        self._recent: deque[CandidateTried] = deque(maxlen=RECENT_MAX)
        self._best: CandidateTried | None = None
        self._live = Live(
            console=self._console, get_renderable=self._render, refresh_per_second=8, transient=True
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
            if phase.detail:
                self._console.print(_phase_line(phase, "✓ "))

    def show(self, event: Event) -> None:
        if isinstance(event, PhaseStarted):
            self._phases.append(event)
        elif isinstance(event, PhaseEnded):
            self._phases[-1] = PhaseStarted(self._phases[-1].phase, event.outcome)
        elif isinstance(event, Noted):
            self._notes.append(event.text)
        else:
            self._recent.append(event)
            if self._best is None or event.verdict.reward > self._best.verdict.reward:
                self._best = event

    def _render(self) -> RenderableType:
        from rich.console import Group
        from rich.spinner import Spinner
        from rich.table import Table
        from rich.text import Text

        rows: list[RenderableType] = [_phase_line(phase, "✓ ") for phase in self._phases[:-1]]
        for phase in self._phases[-1:]:
            working = Table.grid(padding=(0, 1))
            working.add_row(Spinner("dots", style="cyan"), _phase_line(phase, ""))
            rows.append(working)
        rows += [_cut(Text(f"  {one_line(note)}", style="yellow")) for note in self._notes[-3:]]
        if self._recent:
            counts = Text(f"  {counts_words(self._recent[-1], self._task)}")
            rows += ["", *map(_recent_line, self._recent), "", _cut(counts)]
        if self._best is not None:
            rows.append(_best_line(self._best))
        return Group(*rows)


def _cut(text: Text) -> Text:
    """The text on one line of the terminal, however narrow that is."""
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _phase_line(phase: PhaseStarted, mark: str) -> Text:
    from rich.text import Text

    name, detail = f"{phase.phase:10} ", one_line(phase.detail)
    return _cut(Text.assemble((mark, "green"), (name, "bold"), (detail, "dim")))


def _recent_line(event: CandidateTried) -> Text:
    from rich.text import Text

    mark, style = _mark(event.verdict)
    share = f"{event.verdict.targets_passed}/{event.verdict.targets}"
    head = f"#{event.verdict.candidate:<4} {share:>5}  "
    return _cut(Text.assemble((f"  {mark} ", style), (head, "dim"), change(event), (where(event), "dim")))


def _best_line(event: CandidateTried) -> Text:
    from rich.text import Text

    _, style = _mark(event.verdict)
    words = f"#{event.verdict.candidate} {outcome_words(event.verdict)}"
    return _cut(Text.assemble("  best so far: ", (words, style), f"  {change(event)}"))


def _mark(verdict: Verdict) -> tuple[str, str]:
    if verdict.plausible:
        return "✓", "green bold"
    if verdict.targets_passed:
        return "◐", "yellow"
    return "·", "dim"


def outcome_words(verdict: Verdict) -> str:
    """A verdict in a few words."""
    if verdict.plausible:
        return "plausible"
    share = f"{verdict.targets_passed} of {verdict.targets} target tests pass"
    if verdict.regressions:
        return f"{share}, breaks {one_line(verdict.regressions[0])}"
    return share


def thought(event: CandidateTried) -> str:
    """The thoughts that led to a candidate, from the first to the last."""
    return one_line(" ".join(step.text for step in event.path))


def change(event: CandidateTried) -> str:
    """The last thought alone, which says what was changed."""
    return one_line(event.path[-1].text)


def where(event: CandidateTried) -> str:
    """The place of a change, to stand behind it."""
    place = event.path[-1].place
    return "" if place is None else f"  {one_line(place.function or place.path)}:{place.line}"


def counts_words(event: CandidateTried, task: Task) -> str:
    """How far the search is, with what is left of its time."""
    words = [
        f"{event.executed} candidates",
        f"{event.tests_run} tests",
        f"{event.rate:.1f} candidates/s",
        f"{event.elapsed_s:.0f} s",
    ]
    if task.budget.time_s is not None:
        words.append(f"{max(0.0, task.budget.time_s - event.elapsed_s):.0f} s left")
    return " · ".join(words)


def one_line_keeping_indent(text: str) -> str:
    indent = len(text) - len(text.lstrip(" "))
    return " " * indent + one_line(text)
