"""The judge: what speaks against a patch whose tests pass, which alone are easily fooled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from treemend.agents.judging.confirmation import Confirmation, Trial, confirm
from treemend.agents.judging.gate import Gate, controls_for, observe_gate
from treemend.agents.plain_text import counted
from treemend.agents.progress import Working
from treemend.agents.run_context import RunContext
from treemend.store.records import CallChange, Check, CheckResult, Concern, Judgement, TestOutcome
from treemend.tools.line_diff import changes
from treemend.verify.added_code import AGREES, concerns
from treemend.verify.baseline import FAILING, Baseline
from treemend.verify.behaviour import (
    Behaviour,
    called_plainly,
    changed_calls,
    compared,
    differs_without_runner,
    functions_at,
    observe_behaviour,
    plain_files,
)
from treemend.verify.controls import Controls
from treemend.verify.runner import Function, RecordedCall, TestReport, TestRequest

PLAIN_PASSING_MAX = 10
SHOWN_MAX = 3


@dataclass(frozen=True, slots=True)
class Ruling:
    """A patch's confirmation with the judgement on it."""

    confirmation: Confirmation
    judgement: Judgement

    @property
    def holds(self) -> bool:
        """Whether nothing refuses the patch; a person may still be asked to look at it."""
        return self.confirmation.tally.plausible and not self.judgement.refused


async def rule(
    context: RunContext,
    trial: Trial,
    baseline: Baseline,
    request: TestRequest,
    calls: Sequence[RecordedCall],
) -> Ruling:
    """Confirm a patch and judge it. `request` has the limits of its tests, `calls` are those to compare."""
    gate = await observe_gate(context, baseline.targets, baseline.regression)
    controls = controls_for(context, baseline.targets)
    confirmation = await confirm(context, trial, baseline.targets, baseline.regression, controls, request)
    found = list(concerns(trial.texts, _test_sources(context, baseline.targets)))
    checks = [gate.check, _tests_check(confirmation)]
    refused = list(_refused_by_tests(confirmation))
    review: list[str] = []
    changed: tuple[CallChange, ...] = ()
    if not refused:
        verdicts = _controls_verdicts(controls, gate, confirmation.controls, found)
        for check, against, doubtful in verdicts:
            checks.append(check)
            refused += against
            review += doubtful
        context.listener(Working("calling what the patch changes without a test runner"))
        before, after = await _behaviours(context, trial, baseline, calls)
        check, against = _without_runner(baseline, before, after)
        checks.append(check)
        # Tests that the patch changed may need what only their runner gives them.
        (review if trial.has_own_judges else refused).extend(against)
        changed = changed_calls(before, after, calls, frozenset(baseline.regression))
        checks.append(_behaviour_check(calls, before, after, changed))
    checks.append(_scan_check(found))
    review += [_told(concern) for concern in found]
    judgement = Judgement(
        refused=tuple(refused),
        review=tuple(review),
        checks=tuple(checks),
        concerns=tuple(found),
        changed_calls=changed,
    )
    return Ruling(confirmation, judgement)


def changed_functions(trial: Trial) -> tuple[Function, ...]:
    """The functions of the untouched tree that a patch changes."""
    found: list[Function] = []
    for text in trial.texts:
        if text.path.endswith(".py") and text.before:
            old = text.before.encode("utf-8", "surrogateescape")
            lines = {
                line + 1
                for change in changes(_lines(text.before), _lines(text.after))
                # What is only inserted changes the lines that it stands between.
                for line in range(max(change.old_start - 1, 0), change.old_end + 1)
            }
            found += functions_at(text.path, old, lines)
    return tuple(found)


def _lines(text: str) -> list[bytes]:
    return [line.encode("utf-8", "surrogateescape") for line in text.splitlines()]


def _test_sources(context: RunContext, targets: Sequence[str]) -> list[str]:
    paths = dict.fromkeys(test.split("::")[0] for test in targets)
    files = [context.tree / path for path in paths]
    return [file.read_text("utf-8", "replace") for file in files if file.suffix == ".py" and file.is_file()]


def _refused_by_tests(confirmation: Confirmation) -> Iterator[str]:
    result = confirmation.tally
    if result.targets_passed < result.targets:
        missing = result.targets - result.targets_passed
        do = "does" if missing == 1 else "do"
        yield f"{missing} of {counted(result.targets, 'test')} that should pass now {do} not"
    if result.regressions:
        more = (
            f" and {len(result.regressions) - SHOWN_MAX} more" if len(result.regressions) > SHOWN_MAX else ""
        )
        yield f"breaks what passed before: {', '.join(result.regressions[:SHOWN_MAX])}{more}"
    if result.not_run:
        yield f"{counted(result.not_run, 'test')} did not come to run: the run ended before"


def _tests_check(confirmation: Confirmation) -> Check:
    held = confirmation.tally.plausible
    words = f"{counted(confirmation.runs, 'cold run')}, in other orders, hash seeds and time zones"
    if confirmation.set_aside:
        words += f"; flaky, set aside: {', '.join(confirmation.set_aside[:SHOWN_MAX])}"
    return Check(name="tests", result=CheckResult.HELD if held else CheckResult.FAILED, detail=words)


Verdicts = Iterator[tuple[Check, list[str], list[str]]]


def _controls_verdicts(
    controls: Controls, gate: Gate, report: TestReport | None, found: Sequence[Concern]
) -> Verdicts:
    """Each check on the negative controls, with what refuses the patch, and what asks for a person."""
    outcomes = {test: result.outcome for test, result in report.results.items()} if report else {}
    wrong = [test for test in gate.canaries if outcomes.get(test) not in FAILING]
    if not gate.canaries or not controls.canaries:
        detail = "tests that must fail can be added to pytest's files alone"
        yield _check("must-fail tests", CheckResult.NOT_COVERED, detail), [], []
    elif wrong:
        reason = f"{counted(len(wrong), 'test')} that must fail did not fail with the patch"
        yield _check("must-fail tests", CheckResult.FAILED, reason), [reason], []
    else:
        detail = f"{counted(len(gate.canaries), 'test')} that must fail did"
        yield _check("must-fail tests", CheckResult.HELD, detail), [], []
    passes = TestOutcome.PASSED
    usable = [test for test, copy in controls.unchanged.items() if outcomes.get(copy) is passes]
    agreed = [test for test in usable if outcomes.get(controls.changed[test]) is passes]
    failed = [test for test in usable if outcomes.get(controls.changed[test]) in FAILING]
    if agreed:
        reason = f"{agreed[0]} is met by values that it does not expect"
        lenient = any(concern.kind == AGREES for concern in found)
        check = _check("changed expectations", CheckResult.FAILED, reason)
        yield check, [reason] if lenient else [], [] if lenient else [reason]
    elif failed:
        detail = f"{counted(len(failed), 'target test')} with other expected values failed"
        yield _check("changed expectations", CheckResult.HELD, detail), [], []
    else:
        detail = "no expected value could be changed"
        yield _check("changed expectations", CheckResult.NOT_COVERED, detail), [], []


async def _behaviours(
    context: RunContext, trial: Trial, baseline: Baseline, calls: Sequence[RecordedCall]
) -> tuple[Behaviour, Behaviour]:
    """What the untouched and the patched tree do with the calls, and with tests as plain functions."""
    if trial.target is None or context.target is None:
        return Behaviour(), Behaviour()
    files = {test.split("::")[0] for test in baseline.targets}
    passing = [test for test in baseline.regression if test.split("::")[0] in files][:PLAIN_PASSING_MAX]
    plain = plain_files([*baseline.targets, *passing], secret=context.id)
    if trial.target.tree == context.target.tree:
        before, after = await observe_behaviour(context.target, [{}, trial.overlay], calls, plain)
        return before, after
    (before,) = await observe_behaviour(context.target, [{}], calls, plain)
    (after,) = await observe_behaviour(trial.target, [trial.overlay], calls, plain)
    return before, after


def _without_runner(baseline: Baseline, before: Behaviour, after: Behaviour) -> tuple[Check, list[str]]:
    name = "without the test runner"
    if not called_plainly(before, after, baseline.targets, baseline.regression):
        detail = "no target test could be called as a plain function"
        return _check(name, CheckResult.NOT_COVERED, detail), []
    differing = differs_without_runner(before, after, baseline.targets, baseline.regression)
    if differing:
        reason = (
            f"{differing[0]} passes under its runner alone, and fails as before when called as a function"
        )
        return _check(name, CheckResult.FAILED, reason), [reason]
    return _check(name, CheckResult.HELD, "target tests hold when called as plain functions"), []


def _behaviour_check(
    calls: Sequence[RecordedCall], before: Behaviour, after: Behaviour, changed: Sequence[CallChange]
) -> Check:
    count = compared(before, after)
    if not count:
        why = "no call of a changed function could be recorded" if not calls else "no call is constant"
        return _check("behaviour", CheckResult.NOT_COVERED, why)
    made = counted(count, "recorded or made-up call")
    other = [change for change in changed if change.by_tests]
    detail = f"{made} compared, {len(changed)} change: {len(other)} of passing tests, the others made up"
    return _check("behaviour", CheckResult.HELD, detail)


def _scan_check(found: Sequence[Concern]) -> Check:
    result = CheckResult.FAILED if found else CheckResult.HELD
    return _check("added lines", result, counted(len(found), "concern"))


def _told(concern: Concern) -> str:
    where = f"{concern.path}:{concern.line}" if concern.line else concern.path
    return f"{where}: {concern.kind} ({concern.detail})"


def _check(name: str, result: CheckResult, detail: str) -> Check:
    return Check(name=name, result=result, detail=detail)


def with_concerns(judgement: Judgement, review: Sequence[str], checks: Sequence[Check]) -> Judgement:
    """The judgement with more that a person should look at, and more that was checked."""
    return judgement.model_copy(
        update={"review": (*review, *judgement.review), "checks": (*checks, *judgement.checks)}
    )
