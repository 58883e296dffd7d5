"""Roles of tests on the untouched tree."""

from __future__ import annotations

from treemend.store.records import TestOutcome
from treemend.verify.baseline import classify, limits_by_test, nearest_passing
from treemend.verify.runner import TestReport, TestResult

P, F, E, T, S = (
    TestOutcome.PASSED,
    TestOutcome.FAILED,
    TestOutcome.ERROR,
    TestOutcome.TIMEOUT,
    TestOutcome.SKIPPED,
)


def report(**outcomes: TestOutcome) -> TestReport:
    results = {name: TestResult(outcome, 0.01) for name, outcome in outcomes.items()}
    return TestReport(results=results, collected=tuple(results))


def test_constant_failures_are_targets() -> None:
    baseline = classify([report(a=P, b=F, c=E, d=T), report(b=F, c=E, d=T)], frozenset())
    assert baseline.targets == ("b", "c", "d")
    assert baseline.regression == ("a",)


def test_K01_a_test_that_failed_once_and_passed_once_is_flaky_and_never_counts() -> None:
    baseline = classify([report(a=F, b=F), report(a=P, b=F)], frozenset())
    assert baseline.flaky == ("a",)
    assert baseline.targets == ("b",)
    assert "a" not in baseline.regression


def test_only_named_failures_are_targets_and_the_others_are_listed() -> None:
    baseline = classify([report(a=F, b=F)], frozenset({"a"}))
    assert baseline.targets == ("a",)
    assert baseline.failed_before == ("b",)


def test_a_named_test_that_passes_is_told() -> None:
    baseline = classify([report(a=P, b=F)], frozenset({"a"}))
    assert baseline.targets == ()
    assert baseline.passing_named == ("a",)


def test_skipped_tests_are_neither_targets_nor_regression_tests() -> None:
    baseline = classify([report(a=S, b=P)], frozenset())
    assert baseline.targets == ()
    assert baseline.regression == ("b",)


def test_passing_tests_of_the_failing_file_are_traced_first() -> None:
    results = {
        "x.py::one": TestResult(P, 0.0),
        "y.py::two": TestResult(P, 0.0),
        "y.py::three": TestResult(F, 0.0),
    }
    suite = TestReport(results=results, collected=tuple(results))
    assert nearest_passing(suite, ["y.py::three"], 5) == ("y.py::two", "x.py::one")
    assert nearest_passing(suite, ["y.py::three"], 1) == ("y.py::two",)


def test_limits_grow_with_what_a_test_took_and_a_hang_gets_the_least() -> None:
    results = {
        "slow": TestResult(P, 3.0),
        "quick": TestResult(P, 0.01),
        "hangs": TestResult(T, 60.0),
    }
    limits = limits_by_test(results, None)
    assert limits["slow"] == 12.0
    assert limits["quick"] == 1.0
    assert limits["hangs"] == 0.5
    assert set(limits_by_test(results, 7.5).values()) == {7.5}
