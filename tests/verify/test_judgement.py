"""From results to a verdict, counted against the expected ids."""

from __future__ import annotations

import pytest

from treemend.store.records import TestOutcome
from treemend.verify.judgement import covering, tally
from treemend.verify.runner import Lines, TestReport, TestResult

P, F, S, X = (
    TestOutcome.PASSED,
    TestOutcome.FAILED,
    TestOutcome.SKIPPED,
    TestOutcome.XFAILED,
)


def report(outcomes: dict[str, TestOutcome], collected: tuple[str, ...] | None = None) -> TestReport:
    results = {name: TestResult(outcome, 0.01) for name, outcome in outcomes.items()}
    return TestReport(results, tuple(results) if collected is None else collected)


def test_everything_passing_is_plausible() -> None:
    result = tally(report({"t": P, "r": P}), ["t"], ["r"])
    assert result.plausible
    assert (result.targets_passed, result.targets) == (1, 1)


@pytest.mark.parametrize("outcome", [F, S, X])
def test_R04_R05_a_target_that_is_skipped_or_xfailed_anew_has_not_passed(
    outcome: TestOutcome,
) -> None:
    assert not tally(report({"t": outcome, "r": P}), ["t"], ["r"]).plausible


@pytest.mark.parametrize("outcome", [F, S, X])
def test_R04_R05_a_regression_test_that_no_longer_passes_is_a_regression(
    outcome: TestOutcome,
) -> None:
    assert tally(report({"t": P, "r": outcome}), ["t"], ["r"]).regressions == ("r",)


def test_R02_a_test_that_vanished_is_a_failure() -> None:
    assert tally(report({"t": P}), ["t"], ["gone"]).regressions == ("gone",)
    assert not tally(report({"r": P}), ["gone"], ["r"]).plausible


def test_tests_after_the_one_that_ended_the_run_count_as_not_run() -> None:
    result = tally(report({"t": P, "r": F}, collected=("t", "r", "later")), ["t"], ["r", "later"])
    assert result.regressions == ("r",)
    assert result.not_run == 1


def test_R12_a_run_that_never_collected_is_not_plausible() -> None:
    ended = TestReport(results={}, collected=None, problem="exit code 0")
    result = tally(ended, ["t"], ["r"])
    assert not result.plausible
    assert result.regressions == ()


LINES: dict[str, Lines] = {
    "one": {"a.py": (1, 2, 3)},
    "two": {"a.py": (3,), "b.py": (7,)},
    "none": {"b.py": (1,)},
}


def test_tests_that_cover_most_changed_lines_come_first() -> None:
    assert covering(["two", "one", "none"], LINES, {}, [("a.py", 2), ("a.py", 3)]) == ("one", "two")


def test_a_change_of_what_runs_on_import_reaches_every_traced_test() -> None:
    reached = covering(["none", "one", "untraced"], LINES, {"a.py": (9,)}, [("a.py", 9)])
    assert reached == ("none", "one")
