"""What a person sees of a run: on a terminal, in a log, with --quiet and with --verbose."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

import pytest
from rich.console import Console

from treemend.agents.progress import (
    AnswerGrew,
    CandidateStarted,
    CandidateTried,
    Event,
    Noted,
    PhaseEnded,
    PhaseStarted,
    SuiteProgress,
    Working,
)
from treemend.agents.screens.live_screen import LiveScreen, newest_of_tree
from treemend.agents.screens.screen import LineScreen, QuietScreen, VerboseScreen, make_screen
from treemend.agents.screens.wording import left_words
from treemend.store.records import Budget, Symptom, Task, Thought, Verdict

BUDGET = Budget(time_s=60.0, after=10)
TASK = Task(repo="/repo", symptom=Symptom(), budget=BUDGET)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Time:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def thoughts(cause: str, change: str) -> tuple[Thought, ...]:
    above = Thought(seq=1, parent=0, depth=1, text=cause, prior=0.5, key="0")
    return above, Thought(seq=2, parent=1, depth=2, text=change, prior=0.5, key="0/0", has_edit=True)


def started(number: int, change: str, cause: str = "The cause.") -> CandidateStarted:
    return CandidateStarted(number, thoughts(cause, change), tests_run=10 * number)


def tried(
    number: int,
    change: str,
    cause: str = "The cause.",
    *,
    passed: int = 0,
    broken: Sequence[str] = (),
    inherited: bool = False,
) -> CandidateTried:
    plausible = passed == 2 and not broken
    verdict = Verdict(
        candidate=number,
        targets_passed=passed,
        targets=2,
        regressions=tuple(broken),
        not_run=0,
        plausible=plausible,
        reward=1.0 if plausible else passed / 4,
    )
    return CandidateTried(
        path=thoughts(cause, change),
        verdict=verdict,
        executed=number,
        thoughts=number + 4,
        tests_run=10 * number + 7,
        inherited=inherited,
        elapsed_s=20.0,
        rate=2.5,
    )


def terminal(columns: int = 80, lines: int = 24) -> Console:
    return Console(file=io.StringIO(), width=columns, height=lines, force_terminal=True, highlight=False)


def shown_on(console: Console) -> str:
    """All that was written to a terminal, without colours and movements."""
    assert isinstance(console.file, io.StringIO)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue())


def seen(*events: Event | float, columns: int = 80, lines: int = 24) -> str:
    """What stands on a terminal after these events; a number lets so many seconds pass."""
    clock, console = Time(), terminal(columns, lines)
    screen = LiveScreen(TASK, console, clock=clock)
    for event in events:
        if isinstance(event, float):
            clock.now_s += event
        else:
            screen.show(event)
    console.print(screen.render())
    text = shown_on(console)
    assert all(len(line) <= columns for line in text.splitlines())
    assert len(text.splitlines()) <= lines
    return text


class TestLive:
    def test_says_something_before_the_first_event(self) -> None:
        assert "trying the sandbox" in seen(1.0)
        assert "59 s left" in seen(1.0)

    def test_says_what_the_phase_does_and_how_far_its_tests_are(self) -> None:
        text = seen(PhaseStarted("localize"), Working("running the suite"), 2.0, SuiteProgress(12, 64))
        assert re.search(r"localize +2\.0 s +running the suite: 12 of 64 tests", text)

    def test_an_answer_is_seen_to_grow_until_something_else_is_done(self) -> None:
        asked = (PhaseStarted("search"), Working("thinking: observations"), AnswerGrew(12), AnswerGrew(340))
        assert "thinking: observations · an answer of 340 characters so far" in seen(*asked)
        assert "characters" not in seen(*asked, Working("thinking: idea"))

    def test_the_time_left_falls_though_nothing_is_told(self) -> None:
        assert "20 s · 40 s left" in seen(PhaseStarted("search"), 20.0)
        assert "its time is up" in seen(PhaseStarted("search"), 61.0)

    def test_a_phase_that_ended_keeps_its_outcome_and_its_time(self) -> None:
        text = seen(PhaseStarted("plan"), 3.0, PhaseEnded("15 lines"), 5.0, PhaseStarted("search"), 1.0)
        assert re.search(r"✓ plan +3\.0 s +15 lines", text)
        assert re.search(r"search +1\.0 s", text)

    def test_the_tree_shows_what_is_tried_now_below_its_cause(self) -> None:
        text = seen(
            PhaseStarted("search"),
            tried(1, "Use `>=`.", "Wrong operator."),
            tried(2, "Use `1`.", "Wrong number.", passed=1),
            started(3, "Use `<`.", "Wrong operator."),
        )
        lines = [line.strip() for line in text.splitlines()]
        at = lines.index("Wrong number.")
        assert lines[at + 1 : at + 5] == [
            "◐ #2    1 of 2     Use `1`.",
            "Wrong operator.",
            "· #1    0 of 2     Use `>=`.",
            "▸ #3    trying     Use `<`.",
        ]
        assert "6 thoughts · 2 candidates · 2.5 candidates/s · 27 tests" in text
        assert "best so far: #2 1 of 2 target tests pass  Use `1`." in text

    def test_what_is_not_known_yet_is_not_said(self) -> None:
        assert "best so far" not in seen(PhaseStarted("search"))
        text = seen(PhaseStarted("search"), tried(1, "Use `>`."))
        assert "best so far: none makes a failing test pass" in text

    def test_after_the_first_plausible_one_it_says_why_it_goes_on(self) -> None:
        text = seen(PhaseStarted("search"), tried(3, "Use `>`.", passed=2), tried(5, "Use `<`."))
        assert "best so far: #3 plausible" in text
        assert "8 more to find a better one" in text

    def test_a_note_is_shown_without_escape_sequences(self) -> None:
        assert "flaky: test" in seen(PhaseStarted("reproduce"), Noted("flaky: \x1b[2Jtest\x07"))

    @pytest.mark.parametrize("columns, lines", [(40, 12), (80, 24), (160, 50)])
    def test_it_fits_whatever_the_size(self, columns: int, lines: int) -> None:
        many = [tried(number, f"Use `{'long ' * 40}`.", f"Cause {number}.") for number in range(1, 20)]
        text = seen(PhaseStarted("search"), *many, columns=columns, lines=lines)
        assert "#19" in text
        assert "s left" in text

    def test_phases_that_ended_stay_when_the_view_goes(self) -> None:
        console = terminal()
        with LiveScreen(TASK, console, clock=Time()) as screen:
            screen.show(PhaseStarted("prepare"))
            screen.show(PhaseEnded("7 files"))
            screen.show(PhaseStarted("report"))
        assert re.search(r"✓ prepare +0\.0 s +7 files\n$", shown_on(console))


def test_the_newest_of_the_tree_fits_in_the_lines_it_has() -> None:
    events = [tried(n, f"Change {n}.", f"Cause {n % 2}.") for n in range(1, 9)]
    shown = newest_of_tree(events, 6)
    assert [(cause, [e.verdict.candidate for e in below]) for cause, below in shown] == [  # type: ignore[union-attr]
        ("Cause 1.", [5, 7]),
        ("Cause 0.", [6, 8]),
    ]


def lines_of(screen: LineScreen, stream: io.StringIO, *events: Event) -> list[str]:
    with screen:
        for event in events:
            screen.show(event)
    return stream.getvalue().splitlines()


def test_lines_for_phases_and_what_is_better_than_before() -> None:
    stream = io.StringIO()
    assert lines_of(
        LineScreen(TASK, stream),
        stream,
        PhaseStarted("localize"),
        Working("running the suite"),
        SuiteProgress(1, 2),
        PhaseEnded("2 tests"),
        started(1, "Use `a`."),
        tried(1, "Use `a`.", passed=1),
        tried(2, "Use `b`.", passed=1),
        tried(3, "Use `c`.", passed=2, broken=("t.py::test_x",)),
        tried(25, "Use `d`."),
    ) == [
        "localize",
        "  running the suite",
        "  2 tests",
        "  #1 1 of 2 target tests pass: The cause. Use `a`.",
        "  #3 2 of 2 target tests pass, breaks t.py::test_x: The cause. Use `c`.",
        "  29 thoughts · 25 candidates · 2.5 candidates/s · 257 tests · 20 s · 40 s left",
    ]


def test_verbose_tells_each_candidate_with_its_tests_and_the_time_of_each_phase() -> None:
    stream, clock = io.StringIO(), Time()
    screen = VerboseScreen(TASK, stream, clock)
    screen.show(PhaseStarted("search"))
    screen.show(started(1, "Use `a`."))
    clock.now_s += 0.5
    screen.show(tried(1, "Use `a`.", passed=2, broken=[f"t.py::test_{n}" for n in range(7)]))
    screen.show(tried(2, "Use `b`.", inherited=True))
    screen.show(started(3, "Use `c`."))
    screen.show(tried(3, "Use `c`.", passed=2))
    screen.show(PhaseEnded("3 candidates"))
    assert stream.getvalue().splitlines() == [
        "search",
        "  #1 The cause. Use `a`.",
        "    2 of 2 target tests pass (7 tests in 0.5 s)",
        *(f"    breaks t.py::test_{n}" for n in range(5)),
        "    and 2 others",
        "  #2 The cause. Use `b`.",
        "    the same code as an earlier candidate, whose verdict it has",
        "  #3 The cause. Use `c`.",
        "    plausible: 2 of 2 target tests pass (7 tests in 0.0 s)",
        "  3 candidates (0.5 s)",
    ]


def test_which_screen_is_made() -> None:
    live, lines = make_screen(TASK, stream=Terminal()), make_screen(TASK, stream=io.StringIO())
    assert isinstance(live, LiveScreen) and live.shows_answers and not lines.shows_answers
    assert type(make_screen(TASK, stream=io.StringIO())) is LineScreen
    assert type(make_screen(TASK, "verbose", stream=Terminal())) is VerboseScreen
    assert type(make_screen(TASK, "quiet", stream=Terminal())) is QuietScreen


@pytest.mark.parametrize(
    "budget, words",
    [
        (Budget(time_s=None, candidates=30), "5 s · 20 candidates left"),
        (Budget(time_s=8.0), "5 s · 3 s left"),
        (Budget(time_s=None, candidates=5), "5 s · 0 candidates left"),
    ],
)
def test_what_is_left_of_a_budget(budget: Budget, words: str) -> None:
    assert left_words(budget, 5.0, 10) == words
    assert left_words(budget, 5.0) == " · ".join(w for w in words.split(" · ") if "candidates" not in w)
