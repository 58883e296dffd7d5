"""Fusing spectra, frames and words into ranked lines."""

from __future__ import annotations

from treemend.agents.localize import rank_lines
from treemend.store.records import Frame, TestOutcome
from treemend.verify.runner import Lines, TestResult

FUNCTIONS = {("a.py", line): ("first" if line < 5 else "second") for line in range(1, 10)}


def result(outcome: TestOutcome, lines: Lines, *frames: tuple[str, int]) -> TestResult:
    found = tuple(Frame(path=path, line=line) for path, line in frames)
    return TestResult(outcome, 0.0, frames=found, lines=lines)


def failed(lines: Lines, *frames: tuple[str, int]) -> TestResult:
    return result(TestOutcome.FAILED, lines, *frames)


def passed(lines: Lines) -> TestResult:
    return result(TestOutcome.PASSED, lines)


def test_lines_that_only_failing_tests_run_come_first() -> None:
    ranked = rank_lines([failed({"a.py": (1, 6)})], [passed({"a.py": (1,)})], (), FUNCTIONS, "")
    assert list(ranked) == [("a.py", 6), ("a.py", 1)]
    assert ranked["a.py", 6] == 1.0


def test_the_frame_where_it_surfaced_breaks_a_tie_of_the_spectrum() -> None:
    test = failed({"a.py": (1, 2, 3)}, ("test_a.py", 9), ("a.py", 2))
    assert next(iter(rank_lines([test], [], (), FUNCTIONS, ""))) == ("a.py", 2)


def test_a_function_that_the_issue_names_gains() -> None:
    test = failed({"a.py": (2, 7)})
    ranked = rank_lines([test], [], (), FUNCTIONS, "calling second() gives nonsense")
    assert next(iter(ranked)) == ("a.py", 7)


def test_lines_outside_the_sources_are_not_ranked() -> None:
    test = failed({"a.py": (2,), "test_a.py": (1, 2, 3)}, ("test_a.py", 3))
    assert list(rank_lines([test], [], (), FUNCTIONS, "")) == [("a.py", 2)]


def test_without_a_spectrum_the_given_trace_is_followed() -> None:
    trace = (Frame(path="a.py", line=3), Frame(path="a.py", line=8))
    assert list(rank_lines([], [], trace, FUNCTIONS, "")) == [("a.py", 8), ("a.py", 3)]
