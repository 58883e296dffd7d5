"""Whether the gate that patches must pass is to be trusted: tests that must fail have to be seen to fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from treemend.agents.run_context import REPORT, RunContext
from treemend.store.records import Check, CheckResult, TestOutcome
from treemend.verify.baseline import FAILING
from treemend.verify.controls import Controls, make_controls
from treemend.verify.runner import TestRequest

GATE = "gate"
CONTROL_LIMIT_S = 10.0
BROKEN = b"\n}{ forced failure )(\n"


@dataclass(frozen=True, slots=True)
class Gate:
    """What the untouched tree showed: canaries that failed there as they must, and the check as told."""

    canaries: frozenset[str]
    check: Check

    @property
    def trusted(self) -> bool:
        return self.check.result is not CheckResult.FAILED


def controls_for(context: RunContext, targets: Sequence[str]) -> Controls:
    """The negative controls of a run: the same in each process that works on it, and known to no patch. There
    are none for tests that pytest doesn't run."""
    if context.target is None:
        return Controls({}, (), {}, {})
    paths = {test.split("::")[0] for test in targets}
    sources = {
        path: (context.tree / path).read_bytes()
        for path in sorted(paths)
        if path.endswith(".py") and (context.tree / path).is_file()
    }
    return make_controls(sources, targets, secret=context.id)


async def observe_gate(context: RunContext, targets: Sequence[str], passing: Sequence[str]) -> Gate:
    """Look whether a forced failure fails on the untouched tree, where no repeat has looked yet."""
    controls = controls_for(context, targets)
    recorded = context.store.get_blob(context.id, GATE)
    if recorded is None and controls.canaries:
        request = TestRequest(tests=controls.canaries, overlay=controls.overlay, limit_s=CONTROL_LIMIT_S)
        report = await context.once(GATE, request, "looking whether a forced failure fails")
    elif recorded is not None:
        report = REPORT.validate_json(recorded)
    else:
        return await _broken_file(context, passing)
    outcomes = {test: report.results[test].outcome for test in controls.canaries if test in report.results}
    failed = frozenset(test for test, outcome in outcomes.items() if outcome in FAILING)
    if TestOutcome.PASSED in outcomes.values():
        return Gate(failed, _check(CheckResult.FAILED, "a test that must fail passes on the untouched tree"))
    if not failed:
        return await _broken_file(context, passing)
    return Gate(failed, _check(CheckResult.HELD, f"{len(failed)} tests that must fail do"))


async def _broken_file(context: RunContext, passing: Sequence[str]) -> Gate:
    """For tests that can't be written here: break the file of one that passes."""
    for test in passing:
        path = test.split("::")[0]
        if not (context.tree / path).is_file():
            continue
        data = (context.tree / path).read_bytes() + BROKEN
        request = TestRequest(tests=(test,), overlay={path: data}, limit_s=CONTROL_LIMIT_S)
        report = await context.once("gate-broken", request, "looking whether a forced failure fails")
        if test in report.results and report.results[test].outcome is TestOutcome.PASSED:
            return Gate(frozenset(), _check(CheckResult.FAILED, f"{test} passes though {path} is broken"))
        return Gate(frozenset(), _check(CheckResult.HELD, f"{test} fails where {path} is broken"))
    return Gate(frozenset(), _check(CheckResult.NOT_COVERED, "no test here could be made to fail"))


def _check(result: CheckResult, detail: str) -> Check:
    return Check(name="gate", result=result, detail=detail)
