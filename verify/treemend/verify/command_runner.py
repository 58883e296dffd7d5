"""Any test command: its own process in the sandbox, its reports read by treemend outside of it."""

from __future__ import annotations

import base64
import json
import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from treemend.store.errors import UsageError
from treemend.store.records import TestOutcome
from treemend.tools.traces import parse_trace
from treemend.verify.interpreter import Interpreter
from treemend.verify.probe_events import (
    OUTPUT_TAIL_CHARS,
    Event,
    EventLines,
    Progress,
    ending_of,
    no_progress,
)
from treemend.verify.runner import TestReport, TestRequest, TestResult
from treemend.verify.sandbox import Command, CommandResult, Limits, Sandbox
from treemend.verify.test_commands import TestCommand
from treemend.verify.test_reports import MEND, Output, ReportedTest, distinct
from treemend.verify.toolchains import Toolchains

INSIDE = Path(__file__).parent / "inside"
GRACE_S = 10.0
"""From the time limit of a command, which the probe holds, to that of the sandbox."""
START_S = 60.0
SLOWDOWN = 4.0
MESSAGE_CHARS_MAX = 4000


@dataclass(frozen=True, slots=True)
class CommandTarget:
    """A tree whose tests run by a command of its own.

    Attributes:
        interpreter: The target's Python, for commands that start one.
        tree: The private tree on the host (a copy of `repo`).
        repo: The path of the user's checkout, at which the copy appears where the sandbox can do so.
        run_limit_s: The most that one run may take.
    """

    sandbox: Sandbox
    command: TestCommand
    toolchains: Toolchains
    interpreter: Interpreter
    tree: Path
    repo: Path
    limits: Limits = field(default_factory=Limits)
    run_limit_s: float = 3600.0


@dataclass
class CommandRunner:
    """A `TestRunner` of any command: verdicts by its reports, or one by its exit code alone.

    `progress` is told of a run's tests when it has ended. A command that can run a selection of its tests
    is given one; any other runs everything each time.
    """

    target: CommandTarget
    progress: Progress = no_progress
    _longest_s: float = 0.0

    @property
    def records_lines(self) -> bool:
        return False

    async def run(self, request: TestRequest) -> TestReport:
        """See `TestRunner.run`. With a gate, the leading tests run before the others where they can alone."""
        tests, gate = request.tests, request.gate
        selects = tests is not None and self.target.command.selecting(tests) is not None
        if tests is None or not selects or gate is None or not 0 < gate < len(tests):
            return await self._run_once(request)
        first = await self._run_once(replace(request, tests=tests[:gate]))
        if not any(_passed(first, test) for test in tests[:gate]):
            return replace(first, collected=None if first.collected is None else tests)
        rest = await self._run_once(replace(request, tests=tests[gate:]))
        return replace(
            rest,
            results={**first.results, **rest.results},
            collected=None if rest.collected is None else (*(first.collected or ()), *rest.collected),
            problem=rest.problem or first.problem,
            wall_s=first.wall_s + rest.wall_s,
        )

    async def _run_once(self, request: TestRequest) -> TestReport:
        target = self.target
        argv = target.command.selecting(request.tests) if request.tests is not None else None
        limit_s = self._limit_s(request)
        heard = _Heard(secrets.token_hex(16))
        asked = {
            "nonce": heard.nonce,
            "argv": list(argv or target.command.argv),
            "globs": list(target.command.globs),
            "limit_s": limit_s,
            "reports": list(target.command.watched),
            "links": {name: str(path) for name, path in target.toolchains.links.items()},
        }
        python, python_prefix = _own_python()
        command = Command(
            argv=(str(python), "-I", "-S", str(INSIDE / "command_probe.py")),
            tree=target.tree,
            at=target.repo,
            overlay=request.overlay,
            readable=(
                *target.interpreter.readable,
                *target.toolchains.readable,
                *python_prefix,
                INSIDE,
            ),
            env=self._environment(request),
            stdin=json.dumps(asked).encode(),
            limits=replace(target.limits, wall_s=limit_s + GRACE_S),
            on_report=heard.hear,
        )
        result = await target.sandbox.run(command)
        report = _report(target, heard, result, request)
        if report.collected is not None:
            self._longest_s = max(self._longest_s, report.wall_s)
        self.progress(len(report.results), len(report.results))
        return report

    def _limit_s(self, request: TestRequest) -> float:
        """A multiple of the longest run so far, and no more than the tests' own limits add up to."""
        allowed_s = self.target.run_limit_s
        if request.tests is not None:
            allowed_s = START_S + sum(request.limits_s.get(test, request.limit_s) for test in request.tests)
        if self._longest_s:
            allowed_s = min(allowed_s, max(request.limit_s, SLOWDOWN * self._longest_s))
        return min(allowed_s, self.target.run_limit_s)

    def _environment(self, request: TestRequest) -> dict[str, str]:
        target = self.target
        folders = (target.interpreter.path.parent, *target.toolchains.path)
        return {
            **target.toolchains.env,
            "PATH": ":".join((*map(str, folders), "/usr/local/bin", "/usr/bin", "/bin")),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "PYTHONHASHSEED": str(request.hash_seed),
            "PYTHONDONTWRITEBYTECODE": "1",
            **target.command.env,
        }


def _passed(report: TestReport, test: str) -> bool:
    return test in report.results and report.results[test].outcome is TestOutcome.PASSED


def _own_python() -> tuple[Path, tuple[Path, ...]]:
    """The Python that runs treemend, for the probe, and what it must be able to read."""
    return Path(os.path.realpath(sys.executable)), (Path(sys.base_prefix).resolve(),)


class _Heard:
    """What came over the pipe."""

    def __init__(self, nonce: str) -> None:
        self.nonce = nonce
        self.reports: dict[str, bytes] = {}
        self.unreadable: dict[str, str] = {}
        self.printed = ""
        self.end: Event | None = None
        self._events = EventLines(nonce)

    def hear(self, chunk: bytes) -> float | None:
        for event in self._events.feed(chunk):
            with suppress(KeyError, TypeError, ValueError):
                self._take(event)
        return None

    def _take(self, event: Event) -> None:
        kind = event["event"]
        if kind == "report" and event["problem"]:
            self.unreadable[str(event["path"])] = str(event["problem"])
        elif kind == "report":
            self.reports[str(event["path"])] = base64.b64decode(event["data"])
        elif kind == "output":
            self.printed = base64.b64decode(event["data"]).decode("utf-8", "replace")
        elif kind == "end":
            self.end = event


def _report(target: CommandTarget, heard: _Heard, result: CommandResult, request: TestRequest) -> TestReport:
    """From what was heard to results: the reports tell, and where there are none the exit code does."""
    command = target.command
    printed = heard.printed or (result.stdout + b"\n" + result.stderr).decode("utf-8", "replace")
    empty = TestReport({}, None, output=_tail(printed), wall_s=result.wall_s)
    if heard.end is None:
        return _ended(command, empty, f"the tests did not come to their end ({ending_of(result)})")
    code, timed_out = int(heard.end["exit"]), bool(heard.end["timed_out"])
    if timed_out:
        return _ended(command, empty, "the tests did not come to their end (over their time limit)")
    if heard.unreadable:
        path, problem = next(iter(heard.unreadable.items()))
        return replace(empty, problem=f"the report {path} can't be read: {problem}. {MEND}")
    if not heard.reports and (command.reports or (command.tool and command.tool.reports)):
        said = " ".join((f"`{command.text}` {_status(code)} and wrote no report", ", ".join(command.watched)))
        return replace(empty, problem=". ".join((said, *target.toolchains.notes)))
    if not heard.reports and not command.must_report:
        return _by_exit_code(target, empty, code, printed)
    try:
        output = Output(heard.reports, printed, str(heard.end["root"]))
        tests = distinct(command.parse(output))
    except UsageError as error:
        return replace(empty, problem=f"the report can't be read: {error.message} {error.mend}")
    if code and not any(test.outcome in _BROKEN for test in tests.values()):
        return replace(empty, problem=f"`{command.text}` {_status(code)}, and no test in its report failed")
    return replace(
        empty, results=_results(target, tests, request.tests), collected=_collected(tests, request.tests)
    )


_BROKEN = (TestOutcome.FAILED, TestOutcome.ERROR)


def _ended(command: TestCommand, empty: TestReport, problem: str) -> TestReport:
    """A run that did not end: the verdict of a command that has but one."""
    if command.must_report:
        return replace(empty, problem=problem)
    result = TestResult(TestOutcome.TIMEOUT, empty.wall_s, problem)
    return replace(empty, results={command.text: result}, collected=(command.text,), problem=problem)


def _by_exit_code(target: CommandTarget, empty: TestReport, code: int, printed: str) -> TestReport:
    outcome = TestOutcome.PASSED if code == 0 else TestOutcome.FAILED
    said = [line.strip() for line in printed.splitlines() if line.strip()]
    message = "" if code == 0 else f"{_status(code)}: {said[-1] if said else 'it says nothing'}"
    test = ReportedTest(target.command.text, outcome, empty.wall_s, message, "" if code == 0 else printed)
    return replace(
        empty,
        results={test.id: _result(target, test)},
        collected=(test.id,),
    )


def _results(
    target: CommandTarget, tests: Mapping[str, ReportedTest], wanted: Sequence[str] | None
) -> dict[str, TestResult]:
    chosen = tests if wanted is None else [test for test in wanted if test in tests]
    return {test: _result(target, tests[test]) for test in chosen}


def _collected(tests: Mapping[str, ReportedTest], wanted: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(tests) if wanted is None else tuple(test for test in wanted if test in tests)


def _result(target: CommandTarget, test: ReportedTest) -> TestResult:
    broken = test.outcome in _BROKEN
    return TestResult(
        outcome=test.outcome,
        duration_s=test.seconds,
        message=test.message[:MESSAGE_CHARS_MAX] if broken else "",
        frames=parse_trace(test.trace, target.tree) if broken else (),
    )


def _status(code: int) -> str:
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"


def _tail(printed: str) -> str:
    return printed.strip()[-OUTPUT_TAIL_CHARS:]
