"""The verdict of record: three cold runs of what a patch must keep, each under other circumstances.

A test that passed before and fails now is asked again, with the patch and without it, before it speaks
against the patch: one that isn't constant on the untouched tree never counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from treemend.agents.progress import Noted
from treemend.agents.run_context import RunContext, divided, executions_of
from treemend.store.records import Spend, TestOutcome
from treemend.tools.paths import is_protected
from treemend.verify.added_code import ChangedText
from treemend.verify.controls import Controls
from treemend.verify.judgement import Tally, tally
from treemend.verify.pytest_target import PytestTarget
from treemend.verify.runner import TestReport, TestRequest, TestRunner
from treemend.verify.schedules import SCHEDULES

ASKED_AGAIN_MAX = 20
LATE_MAX = 5
LONG_LIMIT_S = 30.0
WHOLE_SUITE_S_MAX = 10.0
NEAR_MAX = 400
FIRST_ATTEMPT = 2


@dataclass(frozen=True, slots=True)
class Trial:
    """A patched tree, and how its tests run: a cold runner on the tree that `overlay` is laid over.

    `base` is the runner of the untouched tree; `target` the Python of the patched one, None where it has
    another language.
    """

    candidate: int
    patch: bytes
    texts: tuple[ChangedText, ...]
    runner: TestRunner
    base: TestRunner
    target: PytestTarget | None = None
    overlay: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def has_own_judges(self) -> bool:
        """Whether the patch brings its own version of what judges it, and is judged with that."""
        return any(is_protected(text.path) for text in self.texts)

    def request(self, request: TestRequest) -> TestRequest:
        return replace(request, overlay={**self.overlay, **request.overlay})


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The worst tally of the cold runs, how many there were, and tests set aside on the way.

    `controls` is what the negative controls did, None where no run came to them.
    """

    tally: Tally
    runs: int
    set_aside: tuple[str, ...]
    controls: TestReport | None


async def confirm(
    context: RunContext,
    trial: Trial,
    targets: Sequence[str],
    regression: Sequence[str],
    controls: Controls,
    request: TestRequest,
) -> Confirmation:
    """Run the tests cold until a run speaks against the patch, three times at most.

    `request` gives limits and the like. A long suite runs whole once, and what is nearest to the targets
    then.
    """
    set_aside: tuple[str, ...] = ()
    kept = tuple(regression)
    of_controls: TestReport | None = None
    request = replace(request, tests=(*targets, *kept), gate=None)
    for number in range(len(SCHEDULES)):
        doing = f"confirming #{trial.candidate} in a cold run, {number + 1} of {len(SCHEDULES)}"
        asked = request if number == 0 else SCHEDULES[number - 1].applied(request)
        last = number == len(SCHEDULES) - 1
        if last:
            limits = {**asked.limits_s, **_limits_of_copies(asked.limits_s, controls)}
            asked = replace(
                asked,
                tests=(*(asked.tests or ()), *controls.tests),
                overlay={**asked.overlay, **controls.overlay},
                limits_s=limits,
            )
        name = f"confirmation-{trial.candidate}" + (f"-{number + 1}" if number else "")
        report = await context.once(name, trial.request(asked), doing, trial.runner)
        report = await _with_more_time(context, trial, name, asked, report)
        if last:
            report, of_controls = divided(report, controls)
        _record(context, trial, name, FIRST_ATTEMPT + number, report)
        result = tally(report, targets, kept)
        if not result.plausible:
            flaky = await _not_constant(context, trial, name, result, report, request)
            set_aside += flaky
            kept = tuple(test for test in kept if test not in flaky)
            result = tally(report, targets, kept)
        if not result.plausible or last:
            break
        if report.wall_s > WHOLE_SUITE_S_MAX:
            kept = _nearest(targets, kept)
        request = replace(request, tests=(*targets, *kept))
    return Confirmation(result, number + 1, set_aside, of_controls)


async def _with_more_time(
    context: RunContext, trial: Trial, name: str, asked: TestRequest, report: TestReport
) -> TestReport:
    """The report, with tests that ran past their limits run once more with long ones: a busy machine
    must not decide. A limit that the user gave stands."""
    late = tuple(test for test, result in report.results.items() if result.outcome is TestOutcome.TIMEOUT)
    if not late or len(late) > LATE_MAX or context.task.test_timeout_s is not None:
        return report
    again = replace(asked, tests=late, limits_s=dict.fromkeys(late, LONG_LIMIT_S))
    doing = "asking again what took too long"
    second = await context.once(f"{name}-late", trial.request(again), doing, trial.runner)
    return replace(report, results={**report.results, **second.results})


def _limits_of_copies(limits_s: Mapping[str, float], controls: Controls) -> dict[str, float]:
    pairs = (*controls.unchanged.items(), *controls.changed.items())
    return {copy: limits_s[test] for test, copy in pairs if test in limits_s}


def _nearest(targets: Sequence[str], kept: Sequence[str]) -> tuple[str, ...]:
    files = {test.split("::")[0] for test in targets}
    return tuple(sorted(kept, key=lambda test: test.split("::")[0] not in files)[:NEAR_MAX])


def _record(context: RunContext, trial: Trial, name: str, attempt: int, report: TestReport) -> None:
    spend = Spend(step=name, purpose="confirmation", wall_s=report.wall_s, tests_run=len(report.results))
    context.store.add_executions(context.id, executions_of(report, trial.candidate, attempt), spend)


async def _not_constant(
    context: RunContext, trial: Trial, name: str, result: Tally, report: TestReport, request: TestRequest
) -> tuple[str, ...]:
    """Those of the broken tests that don't pass every time on the untouched tree either."""
    suspects = result.regressions
    only_these = result.targets_passed == result.targets and not result.not_run
    if not suspects or len(suspects) > ASKED_AGAIN_MAX or not only_these:
        return ()
    failed: set[str] = set()
    for number, schedule in enumerate(SCHEDULES, 1):
        limits = request.limits_s
        if context.task.test_timeout_s is None:
            limits = dict.fromkeys(suspects, LONG_LIMIT_S)
        asked = schedule.applied(replace(request, tests=suspects, limits_s=limits))
        doing = "asking again what broke, without the patch"
        again = await context.once(f"{name}-base-{number}", asked, doing, trial.base)
        failed |= {test for test in suspects if not _passed(again, test)}
    for test in sorted(failed):
        context.listener(Noted(f"flaky, set aside: {test}"))
    return tuple(test for test in suspects if test in failed)


def _passed(report: TestReport, test: str) -> bool:
    return test in report.results and report.results[test].outcome is TestOutcome.PASSED
