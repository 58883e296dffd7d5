"""What each test stands for, seen on the untouched tree: target, regression, flaky, failed before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from treemend.store.records import TestOutcome, TestRole
from treemend.verify.runner import TestReport, TestResult

FAILING = frozenset({TestOutcome.FAILED, TestOutcome.ERROR, TestOutcome.TIMEOUT})
SLOWDOWN = 4.0
LEAST_LIMIT_S = 1.0
HUNG_LIMIT_S = 0.5


@dataclass(frozen=True, slots=True)
class Baseline:
    """Tests by role, each in the order in which the suite ran them.

    `passing_named` are tests that the user named and that pass in every run.
    """

    targets: tuple[str, ...]
    regression: tuple[str, ...]
    flaky: tuple[str, ...]
    failed_before: tuple[str, ...]
    passing_named: tuple[str, ...]

    def roles(self) -> dict[str, TestRole]:
        return {
            **dict.fromkeys(self.regression, TestRole.REGRESSION),
            **dict.fromkeys(self.flaky, TestRole.FLAKY),
            **dict.fromkeys(self.failed_before, TestRole.FAILED_BEFORE),
            **dict.fromkeys(self.targets, TestRole.TARGET),
        }


def classify(runs: Sequence[TestReport], named: frozenset[str]) -> Baseline:
    """Judge every test by all its runs on the untouched tree.

    Constant failures are targets: the named ones where any are named, else all. A test that both passed
    and failed is flaky and never counts. A regression test passed in every run.
    """
    outcomes = _outcomes_by_test(runs)
    failing = [test for test, seen in outcomes.items() if seen <= FAILING]
    flaky = [test for test, seen in outcomes.items() if _is_flaky(seen)]
    regression = [test for test, seen in outcomes.items() if seen == {TestOutcome.PASSED}]
    targets = [test for test in failing if test in named] if named else failing
    return Baseline(
        targets=tuple(targets),
        regression=tuple(regression),
        flaky=tuple(flaky),
        failed_before=tuple(test for test in failing if test not in targets),
        passing_named=tuple(test for test in regression if test in named),
    )


def _outcomes_by_test(runs: Sequence[TestReport]) -> dict[str, set[TestOutcome]]:
    outcomes: dict[str, set[TestOutcome]] = {}
    for run in runs:
        for test, result in run.results.items():
            outcomes.setdefault(test, set()).add(result.outcome)
    return outcomes


def _is_flaky(seen: set[TestOutcome]) -> bool:
    return bool(seen & FAILING) and not seen <= FAILING


def failing_tests(report: TestReport) -> tuple[str, ...]:
    return tuple(test for test, result in report.results.items() if result.outcome in FAILING)


def nearest_passing(report: TestReport, failing: Sequence[str], count_max: int) -> tuple[str, ...]:
    """Passing tests to trace beside the failing ones: those of the same classes, then of the same files, then
    the others."""
    files = {test.split("::")[0] for test in failing}
    classes = {test.rpartition("::")[0] for test in failing}
    passing = [test for test, result in report.results.items() if result.outcome is TestOutcome.PASSED]

    def distance(test: str) -> tuple[bool, bool]:
        return test.rpartition("::")[0] not in classes, test.split("::")[0] not in files

    return tuple(sorted(passing, key=distance)[:count_max])


def limits_by_test(results: Mapping[str, TestResult], fixed_s: float | None) -> dict[str, float]:
    """The time limit of each test while candidates are tried: a multiple of what it took before.

    `fixed_s` is the user's own limit, for all tests alike.
    """
    if fixed_s is not None:
        return dict.fromkeys(results, fixed_s)
    return {
        test: HUNG_LIMIT_S
        if result.outcome is TestOutcome.TIMEOUT
        else max(LEAST_LIMIT_S, SLOWDOWN * result.duration_s)
        for test, result in results.items()
    }
