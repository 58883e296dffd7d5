"""What the steps of a run share: the run itself and the services wired to it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import TypeAdapter

from treemend.agents.progress import Listener, Working, ignore
from treemend.store.database import Store
from treemend.store.records import UNTOUCHED, Execution, Run, RunId, Spend, Task
from treemend.verify.controls import Controls
from treemend.verify.pytest_target import PytestTarget
from treemend.verify.runner import TestReport, TestRequest, TestRunner
from treemend.verify.sandbox import Sandbox
from treemend.verify.warm_runner import WarmRunner

REPORT = TypeAdapter(TestReport)
MESSAGE_CHARS_MAX = 1000


@dataclass(frozen=True, slots=True)
class Question:
    """Whether a test asks for what is wanted: `behaviour` in words, `code` its file, and how many of the
    plausible candidates pass it."""

    test: str
    behaviour: str
    code: str
    passing: int
    failing: int


AskPerson = Callable[[Question], Awaitable[bool | None]]
"""A person's answer, None where there is none."""


@dataclass
class RunContext:
    """One run at work in this process.

    Attributes:
        folder: The run's own folder in the state folder; it goes when the run has ended.
        runner: Runs tests of the private tree; usable from the end of the prepare step on. Its verdict
            is that of record.
        warm: Runs the tests of candidates; None where `runner` does.
        target: The target's own pytest on the private tree, None where other tests run.
        runner_on: A cold runner of another tree that stands for the same repository.
        ask: Asks a person, None where nobody is there.
    """

    store: Store
    run: Run
    folder: Path
    sandbox: Sandbox
    runner: TestRunner
    warm: WarmRunner | None
    target: PytestTarget | None
    runner_on: Callable[[Path], TestRunner]
    listener: Listener = ignore
    ask: AskPerson | None = None
    started: float = field(default_factory=time.monotonic)
    spent_before_s: float = 0.0
    tests_run: int = 0

    @property
    def task(self) -> Task:
        return self.run.task

    @property
    def id(self) -> RunId:
        return self.run.id

    @property
    def tree(self) -> Path:
        return self.folder / "tree"

    def elapsed_s(self) -> float:
        """Seconds of work on this run, over all the processes that worked on it."""
        return self.spent_before_s + time.monotonic() - self.started

    async def run_tests(self, request: TestRequest, runner: TestRunner | None = None) -> TestReport:
        """Run tests with the cold runner, or with the one given, and count them."""
        report = await (runner or self.runner).run(request)
        self.tests_run += len(report.results)
        return report

    async def observe(self, name: str, attempt: int, request: TestRequest, doing: str) -> TestReport:
        """Run tests on the untouched tree, once: a step that runs again gets the recorded report.

        `doing` says in a few words what for.
        """
        report = await self.once(name, request, doing)
        self.count_untouched(name, attempt, report)
        return report

    async def observe_with_controls(
        self, name: str, attempt: int, request: TestRequest, controls: Controls, doing: str
    ) -> tuple[TestReport, TestReport]:
        """The same with negative controls behind the tests: their results, and those of the controls."""
        asked = replace(
            request,
            tests=(*(request.tests or ()), *controls.canaries),
            overlay={**request.overlay, **controls.overlay},
        )
        report, of_controls = divided(await self.once(name, asked, doing), controls)
        self.count_untouched(name, attempt, report)
        return report, of_controls

    async def once(
        self, name: str, request: TestRequest, doing: str, runner: TestRunner | None = None
    ) -> TestReport:
        """Run tests cold and keep the report under a name; what is kept is not run again."""
        recorded = self.store.get_blob(self.id, name)
        if recorded is not None:
            return REPORT.validate_json(recorded)
        self.listener(Working(doing))
        report = await self.run_tests(request, runner)
        self.store.put_blob(self.id, name, REPORT.dump_json(report))
        return report

    def count_untouched(self, name: str, attempt: int, report: TestReport) -> None:
        """Record the results of a run on the untouched tree."""
        spend = Spend(
            step=name, purpose="untouched tree", wall_s=report.wall_s, tests_run=len(report.results)
        )
        self.store.add_executions(self.id, executions_of(report, UNTOUCHED, attempt), spend)


def divided(report: TestReport, controls: Controls) -> tuple[TestReport, TestReport]:
    """The report of the tests that are no controls, and that of the controls."""
    own = frozenset(controls.tests)

    def part(ours: bool) -> TestReport:
        results = {test: result for test, result in report.results.items() if (test in own) is ours}
        collected = report.collected
        if collected is not None:
            collected = tuple(test for test in collected if (test in own) is ours)
        return replace(report, results=results, collected=collected)

    return part(False), part(True)


def executions_of(report: TestReport, candidate: int, attempt: int) -> list[Execution]:
    """The rows of the passing matrix that a report gives."""
    return [
        Execution(
            candidate=candidate,
            attempt=attempt,
            test=test,
            outcome=result.outcome,
            duration_s=result.duration_s,
            message=result.message[:MESSAGE_CHARS_MAX],
        )
        for test, result in report.results.items()
    ]


def messages_of(reports: Mapping[str, str]) -> str:
    """A few messages by what they are about, for an error shown to people."""
    return "; ".join(f"{name}: {text.strip().splitlines()[-1]}" for name, text in reports.items())
