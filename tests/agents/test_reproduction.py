"""What the runs on the untouched tree make of tests that seem to hang, and of a suite in which none fails."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from treemend.agents.model.settings import parse_models
from treemend.agents.reproduction import needs_plugins, observe_lines, observe_suite
from treemend.store.records import Budget, Symptom, Task, TestOutcome
from treemend.verify.runner import TestReport, TestRequest, TestResult

PASSED, FAILED, TIMEOUT = TestOutcome.PASSED, TestOutcome.FAILED, TestOutcome.TIMEOUT
SUITE = {"t.py::slow": TIMEOUT, "t.py::quick": PASSED, "t.py::late": TIMEOUT, "t.py::wrong": FAILED}


class Recorded:
    """Answers each request of a context from a script, and keeps what was asked."""

    runner = SimpleNamespace(records_lines=True)
    warm = SimpleNamespace()

    def __init__(self, task: Task, *reports: dict[str, TestOutcome]) -> None:
        self.task = task
        self.asked: list[TestRequest] = []
        self._reports = list(reports)

    async def observe(self, name: str, attempt: int, request: TestRequest, doing: str) -> TestReport:
        self.asked.append(request)
        results = {test: TestResult(outcome, 0.1) for test, outcome in self._reports.pop(0).items()}
        return TestReport(results=results, collected=tuple(results))


async def outcomes(context: Recorded) -> dict[str, TestOutcome]:
    report = await observe_suite(context)  # type: ignore[arg-type] # what it uses of a RunContext
    return {test: result.outcome for test, result in report.results.items()}


def task(repo: Path, time_s: float | None = 30.0, *named: str) -> Task:
    return Task(repo=str(repo), symptom=Symptom(failing_tests=named), budget=Budget(time_s=time_s))


async def test_a_slow_test_is_not_taken_for_a_hang_when_time_is_short(tmp_path: Path) -> None:
    context = Recorded(task(tmp_path), SUITE, {"t.py::slow": PASSED, "t.py::late": PASSED})
    assert await outcomes(context) == {**SUITE, "t.py::slow": PASSED, "t.py::late": PASSED}
    assert context.asked[1].tests == ("t.py::slow", "t.py::late")
    assert min(context.asked[1].limits_s.values()) > context.asked[0].limit_s


async def test_what_is_slow_on_a_busy_machine_is_waited_for_the_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited = []
    for load in (0.0, 2.0 * len(os.sched_getaffinity(0)), 1000.0):
        monkeypatch.setattr(os, "getloadavg", lambda load=load: (load, 0.0, 0.0))
        context = Recorded(task(tmp_path), SUITE, {"t.py::slow": PASSED, "t.py::late": PASSED})
        await outcomes(context)
        waited.append(max(context.asked[1].limits_s.values()))
    assert waited == [waited[0], 2.0 * waited[0], 4.0 * waited[0]]


async def test_what_hangs_again_ends_the_waiting(tmp_path: Path) -> None:
    context = Recorded(task(tmp_path), SUITE, {"t.py::slow": TIMEOUT})
    assert await outcomes(context) == SUITE
    assert context.asked[1].gate == 1


@pytest.mark.parametrize(("time_s", "named"), [(None, ()), (30.0, ("t.py::wrong",))])
async def test_nobody_waits_where_it_changes_nothing(
    tmp_path: Path, time_s: float | None, named: tuple[str, ...]
) -> None:
    context = Recorded(task(tmp_path, time_s, *named), SUITE)
    assert await outcomes(context) == SUITE


PASSING = {"t.py::one": PASSED, "t.py::two": PASSED}


async def asked_after_the_suite(context: Recorded) -> list[TestRequest]:
    suite = await observe_suite(context)  # type: ignore[arg-type] # what it uses of a RunContext
    load_plugins = await needs_plugins(context, suite)  # type: ignore[arg-type]
    await observe_lines(context, suite, load_plugins)  # type: ignore[arg-type]
    return context.asked[1:]


@pytest.mark.parametrize("named", [(), ("t.py::two",)])
async def test_where_nothing_fails_only_the_named_tests_run_again(
    tmp_path: Path, named: tuple[str, ...]
) -> None:
    asked = await asked_after_the_suite(Recorded(task(tmp_path, 30.0, *named), PASSING, PASSING))
    assert [request.tests for request in asked] == ([named] if named else [])


async def test_a_model_that_writes_tests_needs_to_know_which_lines_the_others_run(tmp_path: Path) -> None:
    models = parse_models(["m"])
    told = Task(repo=str(tmp_path), symptom=Symptom(issue="It rounds."), models=models)
    plain, traced = await asked_after_the_suite(Recorded(told, PASSING, PASSING, PASSING))
    assert not plain.load_plugins and traced.coverage and set(traced.tests or ()) == set(PASSING)
