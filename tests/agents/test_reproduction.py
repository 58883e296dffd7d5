"""What the runs on the untouched tree make of tests that seem to hang."""

from __future__ import annotations

from pathlib import Path

import pytest

from treemend.agents.reproduction import observe_suite
from treemend.store.records import Budget, Symptom, Task, TestOutcome
from treemend.verify.runner import TestReport, TestRequest, TestResult

PASSED, FAILED, TIMEOUT = TestOutcome.PASSED, TestOutcome.FAILED, TestOutcome.TIMEOUT
SUITE = {"t.py::slow": TIMEOUT, "t.py::quick": PASSED, "t.py::late": TIMEOUT, "t.py::wrong": FAILED}


class Recorded:
    """Answers each request of a context from a script, and keeps what was asked."""

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
