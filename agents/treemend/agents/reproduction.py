"""The untouched tree: what fails there, where its lines run, and whether it fails every time."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic import TypeAdapter

from treemend.agents.judging.gate import GATE, controls_for
from treemend.agents.plain_text import counted
from treemend.agents.progress import Noted
from treemend.agents.run_context import REPORT, RunContext, messages_of
from treemend.store.errors import UsageError
from treemend.store.records import Task, TestCase, TestOrigin
from treemend.verify.baseline import Baseline, classify, failing_tests, nearest_passing
from treemend.verify.runner import Function, TestReport, TestRequest, TestResult
from treemend.verify.schedules import SCHEDULES

FIRST_LIMIT_S = 60.0
TRACED_PASSING_MAX = 400
TRACING_SLOWDOWN = 3.0
TRACING_SHARE = 0.2
TRACED_TEST_SHARE = 0.02
PATIENCE = 2.0
CROWDING_MAX = 4.0
HANG_LIMIT_S = 2.0
TRACED_HANGS_MAX = 3
BARE_SUITE_S_MAX = 10.0
SCREENED_SUITE_S_MAX = 10.0


@dataclass(frozen=True, slots=True)
class Reproducer:
    """A test that a model wrote: `id` in the file `path`, which holds `code`, of a behaviour in words.

    `result` is how it fails on the untouched tree.
    """

    id: str
    path: str
    code: str
    behaviour: str
    result: TestResult


REPRODUCERS = TypeAdapter(tuple[Reproducer, ...])
REPRODUCERS_NAME = "reproducers"


@dataclass(frozen=True, slots=True)
class Observation:
    """All runs on the untouched tree: the whole suite, a traced part of it, and the repeats of failures.

    `load_plugins` says whether the suite needs the plugins of its environment. `reproducers` are tests that
    a model wrote where the suite shows nothing.
    """

    suite: TestReport
    load_plugins: bool
    traced: TestReport
    repeats: tuple[TestReport, ...]
    named: frozenset[str]
    reproducers: tuple[Reproducer, ...] = ()

    @property
    def baseline(self) -> Baseline:
        return classify([self.suite, self.traced, *self.repeats], self.named)


@dataclass(frozen=True, slots=True)
class NotReproduced:
    """Why the symptom can't be shown on this tree; a result, not an error."""

    reason: str


async def observe_suite(context: RunContext) -> TestReport:
    """Run the whole suite once, and again, for longer, what seemed to hang and can become a target.

    Raises UsageError where there is nothing to run.
    """
    request = TestRequest(limit_s=_limit_s(context))
    report = await context.observe("suite", 1, request, "running the suite on the untouched tree")
    report = await _wait_for_slow_tests(context, report)
    if report.foreign_modules:
        names = ", ".join(report.foreign_modules[:3])
        raise UsageError(
            f"The tests import {names} from the checkout itself, not from the copy that is repaired.",
            mend="Install bubblewrap, which places the copy at the checkout's path, "
            "or give --python an environment without an editable install of it.",
        )
    return report


async def _wait_for_slow_tests(context: RunContext, suite: TestReport) -> TestReport:
    """The suite's results, with those of tests that are slow and don't hang, as far as none hangs."""
    limit_s = _limit_s(context)
    wanted = context.task.symptom.failing_tests
    overran = tuple(
        test for test in _hangs(suite) if not wanted or any(_stands_for(name, test) for name in wanted)
    )
    if not overran or limit_s >= FIRST_LIMIT_S or context.task.test_timeout_s is not None:
        return suite
    limits_s = dict.fromkeys(overran, PATIENCE * _crowding() * limit_s)
    request = TestRequest(tests=overran, gate=1, limits_s=limits_s)
    again = await context.observe("overran", 7, request, "waiting longer for what seemed to hang")
    settled = {test: result for test, result in again.results.items() if result.outcome != "timeout"}
    return replace(suite, results={**suite.results, **settled}, wall_s=suite.wall_s + again.wall_s)


def _crowding() -> float:
    """By how much other work on this machine may slow a test down: the processes that want to run for each
    processor. It must not make a hang of what is slow."""
    return min(CROWDING_MAX, max(1.0, os.getloadavg()[0] / len(os.sched_getaffinity(0))))


def check_suite(report: TestReport) -> NotReproduced | None:
    """Whether the suite can say anything at all.

    Raises:
        UsageError: there are no tests, or pytest itself refuses its options.
    """
    if report.results:
        return None
    if report.collection_errors:
        shown = dict(list(report.collection_errors.items())[:3])
        return NotReproduced(f"the suite does not import: {messages_of(shown)}")
    if "has no pytest" in report.problem:
        raise UsageError(f"{report.problem}.", mend="Give --python the interpreter that the tests run with.")
    if report.collected is None and report.problem:
        return NotReproduced(f"the suite does not run: {report.problem}: {_said_last(report.output)}")
    if report.collected is None and "ImportError while loading conftest" in report.output:
        return NotReproduced(f"the suite does not import: {_said_last(report.output)}")
    if report.collected is None:
        raise UsageError(
            f"pytest refuses to begin: {_said_last(report.output)}",
            mend="Mend its options in --test-cmd or in the project's configuration.",
        )
    raise UsageError(
        "There are no tests to run.",
        mend="Give --test-cmd the command that runs them, or --repo the folder that has them.",
    )


def _said_last(output: str) -> str:
    """The line in which pytest says what is wrong."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if "error" in line.lower()]
    return (telling or lines or ["it says nothing"])[-1][:300]


def resolve_named(wanted: Sequence[str], report: TestReport) -> frozenset[str]:
    """The collected test ids that the user's ids stand for: exact, a test's parameters, a class, a file.

    Raises:
        UsageError: an id names no test of the suite.
    """
    known = list(report.results)
    found: list[str] = []
    for name in wanted:
        name = name.removeprefix("./")
        matches = [test for test in known if _stands_for(name, test)] or _only_end(name, known)
        if not matches:
            raise _unknown_test(name, known, report)
        found += matches
    return frozenset(found)


def _stands_for(name: str, test: str) -> bool:
    return test == name or test.startswith((name + "[", name + "::", name + "#", name + " > ", name + "/"))


def _only_end(name: str, known: Sequence[str]) -> list[str]:
    """The one test whose id ends with the name, where there is just one."""
    matches = [test for test in known if test.endswith(("::" + name, "#" + name, " > " + name))]
    return matches if len(matches) == 1 else []


def _unknown_test(name: str, known: Sequence[str], report: TestReport) -> UsageError:
    error = report.collection_errors.get(name.split("::")[0])
    if error is not None:
        return UsageError(
            f"{name} can't be collected: {error.strip().splitlines()[-1]}",
            mend="Make its module import, or give --python the interpreter that the tests run with.",
        )
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f" Did you mean {close[0]}?" if close else ""
    return UsageError(
        f"There is no test {name} in this suite.{hint}",
        mend=f"The suite has {len(known)} tests; one of them is {known[0]}.",
    )


async def needs_plugins(context: RunContext, suite: TestReport) -> bool:
    """Whether the suite gives other outcomes without the installed plugins, whose import would be paid
    for each candidate. A long suite isn't run twice to find out, nor one that knows no plugins, nor where
    there will be no candidates."""
    if suite.wall_s > BARE_SUITE_S_MAX or context.warm is None or _has_told_all(context.task, suite):
        return True
    settled = tuple(test for test in suite.results if test not in _hangs(suite))
    request = TestRequest(tests=settled, limit_s=_limit_s(context), load_plugins=False)
    bare = await context.observe("bare", 2, request, "the suite again, without its plugins")
    return _outcomes(bare) != {test: _outcomes(suite)[test] for test in settled}


def _has_told_all(task: Task, suite: TestReport) -> bool:
    """Whether nothing fails, and no model writes tests of what the issue says: there is nothing to mend,
    whatever else could be seen of the suite."""
    writes_tests = task.models is not None and bool(task.symptom.issue.strip())
    return not failing_tests(suite) and not writes_tests


def _outcomes(report: TestReport) -> dict[str, str]:
    return {test: result.outcome.value for test, result in report.results.items()}


async def observe_lines(context: RunContext, suite: TestReport, load_plugins: bool) -> TestReport:
    """Run the failing tests, and the passing ones nearest to them, with their lines recorded; the plain run
    is all there is where the runner can't record any. Where nothing fails, only the named tests run again."""
    if not context.runner.records_lines:
        return suite
    if _has_told_all(context.task, suite):
        named = tuple(sorted(resolve_named(context.task.symptom.failing_tests, suite)))
        if not named:
            return TestReport(results={}, collected=())
        request = TestRequest(tests=named, limit_s=_limit_s(context), load_plugins=load_plugins)
        return await context.observe("traced", 3, request, "the named tests again")
    hung = tuple(_hangs(suite))
    failing = tuple(t for t in failing_tests(suite) if t not in hung[TRACED_HANGS_MAX:])
    passing = nearest_passing(suite, failing, TRACED_PASSING_MAX)
    request = TestRequest(
        tests=(*failing, *_affordable(passing, suite, context.task.budget.time_s)),
        coverage=True,
        exact=failing,
        limit_s=_limit_s(context),
        limits_s=_hangs(suite),
        load_plugins=load_plugins,
    )
    return await context.observe("traced", 3, request, "recording which lines the tests run")


def _affordable(tests: Sequence[str], suite: TestReport, time_s: float | None) -> tuple[str, ...]:
    """The first of these tests that can be traced in the share of the time that tracing has, without those
    that would take much of it alone. Only of a suite that is slow beside `time_s` are any left out."""
    if time_s is None:
        return tuple(tests)
    chosen, cost_s = [], 0.0
    for test in tests:
        test_s = TRACING_SLOWDOWN * suite.results[test].duration_s
        if test_s <= TRACED_TEST_SHARE * time_s and cost_s + test_s <= TRACING_SHARE * time_s:
            chosen.append(test)
            cost_s += test_s
    return tuple(chosen)


async def observe_repeats(
    context: RunContext, suite: TestReport, load_plugins: bool, recorded: Sequence[Function] = ()
) -> tuple[TestReport, ...]:
    """Run the tests that matter again and again: in other orders, under other hash seeds, in other time
    zones.

    They are those that failed, and those passing ones that are nearest to them, unless the suite is long.
    What hung did so twice by now, it or its like of the same file, which is taken as constant. The last
    repeat has tests beside it that must fail; the first records calls of the functions given.
    """
    failing = tuple(test for test in failing_tests(suite) if test not in _hangs(suite))
    if not failing:
        return ()
    near = nearest_passing(suite, failing, TRACED_PASSING_MAX) if suite.wall_s <= SCREENED_SUITE_S_MAX else ()
    chosen = {*failing, *near}
    tests = tuple(test for test in suite.results if test in chosen)
    request = TestRequest(tests=tests, limit_s=_limit_s(context), load_plugins=load_plugins)
    reports = []
    for number, schedule in enumerate(SCHEDULES, 1):
        name, attempt = f"repeat-{number}", 3 + number
        doing = f"repeating what failed, {number} of {len(SCHEDULES)}"
        asked = schedule.applied(request)
        if number < len(SCHEDULES):
            asked = replace(asked, recorded=tuple(recorded) if number == 1 else ())
            reports.append(await context.observe(name, attempt, asked, doing))
            continue
        controls = controls_for(context, failing)
        report, of_controls = await context.observe_with_controls(name, attempt, asked, controls, doing)
        context.store.put_blob(context.id, GATE, REPORT.dump_json(of_controls))
        reports.append(report)
    return tuple(reports)


def _limit_s(context: RunContext) -> float:
    """The time limit of a test that was never timed before."""
    task = context.task
    if task.test_timeout_s is not None:
        return task.test_timeout_s
    budget_s = task.budget.time_s
    return FIRST_LIMIT_S if budget_s is None else min(FIRST_LIMIT_S, max(5.0, budget_s / 20))


def _hangs(suite: TestReport) -> dict[str, float]:
    hung = (test for test, result in suite.results.items() if result.outcome == "timeout")
    return dict.fromkeys(hung, HANG_LIMIT_S)


def confirm_symptom(context: RunContext, observation: Observation) -> NotReproduced | None:
    """Record each test's role; say why there is nothing to repair, where that is so."""
    baseline = observation.baseline
    context.store.add_test_cases(context.id, _cases(baseline, observation.named))
    for test in baseline.flaky:
        context.listener(Noted(f"flaky, set aside: {test}"))
    if baseline.passing_named:
        runs = 2 + len(observation.repeats) if observation.repeats else 2
        context.listener(Noted(f"passes already: {', '.join(baseline.passing_named)} ({runs} runs)"))
    if baseline.targets:
        return None
    return NotReproduced(_why_nothing_fails(baseline, observation))


def _why_nothing_fails(baseline: Baseline, observation: Observation) -> str:
    named_flaky = [test for test in baseline.flaky if test in observation.named]
    flaky = named_flaky or (list(baseline.flaky) if not observation.named else [])
    if flaky:
        return f"flaky, fails only sometimes on the untouched tree: {', '.join(flaky)}"
    if baseline.passing_named:
        return f"already fixed here: {', '.join(baseline.passing_named)} passes on the untouched tree"
    if observation.named:
        named = ", ".join(sorted(observation.named))
        return f"{named} neither passes nor fails on the untouched tree (skipped or expected to fail)"
    if observation.suite.collection_errors:
        shown = dict(list(observation.suite.collection_errors.items())[:3])
        return f"no test fails, and some do not import: {messages_of(shown)}"
    return f"nothing fails: {counted(len(baseline.regression), 'test')} passed on the untouched tree"


def _cases(baseline: Baseline, named: frozenset[str]) -> list[TestCase]:
    return [
        TestCase(id=test, origin=TestOrigin.USER if test in named else TestOrigin.SUITE, role=role)
        for test, role in sorted(baseline.roles().items())
    ]
