"""From a candidate's test results to its verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from treemend.store.records import TestOutcome
from treemend.verify.runner import Lines, TestReport
from treemend.verify.spectra import Line


@dataclass(frozen=True, slots=True)
class Tally:
    """How a candidate did: counts of target tests, and what else broke."""

    targets_passed: int
    targets: int
    regressions: tuple[str, ...]
    not_run: int

    @property
    def plausible(self) -> bool:
        """Every target passes, everything asked for ran, and nothing that passed before fails."""
        return self.targets_passed == self.targets and not self.regressions and not self.not_run


def tally(report: TestReport, targets: Sequence[str], regression: Sequence[str]) -> Tally:
    """Count by the expected test ids: a test that vanished, was skipped or xfailed anew did not pass.

    Regression tests that did not run because an earlier one ended the run count as not run.
    """
    passed = {test for test, result in report.results.items() if result.outcome is TestOutcome.PASSED}
    ran = set(report.results)
    vanished = set(regression) - set(report.collected or ())
    broken = tuple(test for test in regression if test not in passed and (test in ran or test in vanished))
    ended_early = report.collected is None
    return Tally(
        targets_passed=sum(test in passed for test in targets),
        targets=len(targets),
        regressions=() if ended_early else broken,
        not_run=sum(test not in ran and test not in broken for test in regression),
    )


def covering(
    tests: Sequence[str],
    lines_by_test: Mapping[str, Lines],
    import_lines: Lines,
    changed: Iterable[Line],
) -> tuple[str, ...]:
    """The tests that a change at these lines can reach, most covered changed lines first.

    Only tests with recorded lines are considered. Code that runs on import is reached by all of them.
    """
    wanted: dict[str, set[int]] = {}
    for path, line in changed:
        wanted.setdefault(path, set()).add(line)
    on_import = any(lines & set(import_lines.get(path, ())) for path, lines in wanted.items())
    counts = {
        test: sum(len(lines & set(lines_by_test[test].get(path, ()))) for path, lines in wanted.items())
        for test in tests
        if test in lines_by_test
    }
    reached = [test for test, count in counts.items() if count or on_import]
    return tuple(sorted(reached, key=lambda test: -counts[test]))
