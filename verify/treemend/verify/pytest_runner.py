"""A cold pytest: one fresh process in a fresh sandbox for each request."""

from __future__ import annotations

import json
import secrets
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from treemend.store.errors import UsageError
from treemend.store.records import Frame, TestOutcome
from treemend.verify.interpreter import Interpreter
from treemend.verify.runner import Lines, TestReport, TestRequest, TestResult
from treemend.verify.sandbox import Command, CommandResult, Limits, Sandbox

PROBE = Path(__file__).parent / "inside" / "pytest_probe.py"
GRACE_S = 2.0
COLLECTION_LIMIT_S = 120.0
BETWEEN_TESTS_LIMIT_S = 30.0
OUTPUT_TAIL_CHARS = 4000
RESTARTS_MAX = 20

# Last, so that they win over the project's own options: every test runs, in one process, in a
# fixed order, and leaves nothing in the tree. langsmith's plugin comes with treemend itself.
FIXED_ARGUMENTS = (
    "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:random_order", "-p", "no:langsmith_plugin",
    "--maxfail=0", "--continue-on-collection-errors", "--tb=short", "--no-header", "-q",
)  # fmt: skip


def pytest_arguments(test_command: str) -> tuple[str, ...]:
    """The options in a test command: what follows `pytest`, or all of it when it is options alone.

    Raises:
        UsageError: it can't be split as a shell would, or it runs something other than pytest.
    """
    try:
        words = shlex.split(test_command)
    except ValueError as error:
        raise UsageError(
            f"--test-cmd can't be split into words ({error}): {test_command!r}",
            mend="Quote it as for a shell, for example --test-cmd 'pytest -q tests'.",
        ) from error
    names = [Path(word).name for word in words]
    for name in ("pytest", "py.test"):
        if name in names:
            return tuple(words[names.index(name) + 1 :])
    if words and not words[0].startswith("-"):
        raise UsageError(
            f"--test-cmd runs {words[0]!r}, and this version runs pytest only.",
            mend="Give a pytest command, for example --test-cmd 'pytest -q tests'.",
        )
    return tuple(words)


@dataclass(frozen=True, slots=True)
class PytestRunner:
    """Runs the tests of the tree `tree` (a private copy of `repo`) with the target's pytest.

    Attributes:
        tree: The private tree on the host; the sandbox copies it for each run.
        repo: The path of the user's checkout, at which the copy appears where the sandbox can do so.
        arguments: Options of the user's test command.
    """

    sandbox: Sandbox
    interpreter: Interpreter
    tree: Path
    repo: Path
    arguments: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    run_limit_s: float = 3600.0

    async def run(self, request: TestRequest) -> TestReport:
        """Run the tests asked for; a process that a hanging test took down is started again for the
        tests after it, unless the request has a gate (a hang is then what ends it)."""
        report = await self._run_once(request)
        for _ in range(RESTARTS_MAX):
            left = _left(report)
            if request.gate is not None or not left or not report.problem:
                return report
            rest = await self._run_once(replace(request, tests=left))
            if not rest.results:
                return report
            report = _joined(report, rest)
        return report

    async def _run_once(self, request: TestRequest) -> TestReport:
        listener = _Listener(secrets.token_hex(16), request)
        command = Command(
            argv=(str(self.interpreter.path), str(PROBE)),
            tree=self.tree,
            at=self.repo,
            overlay=request.overlay,
            readable=(*self.interpreter.readable, PROBE.parent),
            env=self._environment(request),
            stdin=json.dumps(self._probe_request(request, listener.nonce)).encode(),
            limits=replace(self.limits, wall_s=self.run_limit_s),
            on_report=listener.hear,
        )
        result = await self.sandbox.run(command)
        return listener.report(result)

    def _environment(self, request: TestRequest) -> dict[str, str]:
        environment = {
            "PATH": f"{self.interpreter.path.parent}:/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "PYTHONHASHSEED": str(request.hash_seed),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        if not request.load_plugins:
            environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        return environment

    def _probe_request(self, request: TestRequest, nonce: str) -> dict[str, Any]:
        files = None
        if request.tests is not None:
            files = list(dict.fromkeys(test.split("::")[0] for test in request.tests))
        return {
            "nonce": nonce,
            "arguments": [*self.arguments, *FIXED_ARGUMENTS],
            "files": files,
            "tests": None if request.tests is None else list(request.tests),
            "gate": request.gate,
            "limit_s": request.limit_s,
            "limits": dict(request.limits_s),
            "coverage": request.coverage,
            "origin": str(self.repo),
        }


class _Listener:
    """Turns the probe's events into results, and each test's limit into the sandbox's deadline."""

    def __init__(self, nonce: str, request: TestRequest) -> None:
        self.nonce = nonce
        self._request = request
        self._buffer = b""
        self._running: str | None = None
        self._results: dict[str, TestResult] = {}
        self._collected: dict[str, Any] | None = None
        self._end: dict[str, Any] | None = None
        self._no_pytest: dict[str, Any] | None = None

    def hear(self, chunk: bytes) -> float | None:
        deadline_s: float | None = None
        self._buffer += chunk
        *lines, self._buffer = self._buffer.split(b"\n")
        for event in self._events(lines):
            deadline_s = self._take(event)
        return deadline_s

    def _events(self, lines: list[bytes]) -> Iterator[dict[str, Any]]:
        prefix = self.nonce.encode() + b" "
        for line in lines:
            if not line.startswith(prefix):
                continue
            try:
                event = json.loads(line[len(prefix) :])
            except (ValueError, RecursionError):
                continue
            if isinstance(event, dict):
                yield event

    def _take(self, event: dict[str, Any]) -> float:
        kind = event.get("event")
        if kind == "collected":
            self._collected = event
        elif kind == "start":
            self._running = str(event["test"])
            return self._limit(self._running) + GRACE_S
        elif kind == "test":
            self._running = None
            self._results.setdefault(str(event["test"]), _result(event))
        elif kind == "end":
            self._end = event
        elif kind == "no-pytest":
            self._no_pytest = event
        return BETWEEN_TESTS_LIMIT_S

    def _limit(self, test: str) -> float:
        return self._request.limits_s.get(test, self._request.limit_s)

    def report(self, result: CommandResult) -> TestReport:
        results = dict(self._results)
        if self._running is not None:
            hung = result.ended_by in ("deadline", "time")
            outcome = TestOutcome.TIMEOUT if hung else TestOutcome.ERROR
            message = f"the process ended in this test ({_ending(result)})"
            results[self._running] = TestResult(outcome, self._limit(self._running), message)
        collected = self._collected
        output = (result.stdout + b"\n" + result.stderr).decode("utf-8", "replace").strip()
        return TestReport(
            results=results,
            collected=None if collected is None else tuple(map(str, collected["tests"])),
            collection_errors=_errors(collected),
            import_lines=_lines((collected or {}).get("lines", {})),
            foreign_modules=tuple(map(str, (self._end or {}).get("foreign", ()))),
            problem=self._problem(result),
            output=output[-OUTPUT_TAIL_CHARS:],
            wall_s=result.wall_s,
        )

    def _problem(self, result: CommandResult) -> str:
        if self._no_pytest is not None:
            python = self._no_pytest.get("python", "the interpreter")
            return f"{python} has no pytest ({self._no_pytest.get('message', '')})"
        if self._end is None:
            return f"pytest did not come to its end ({_ending(result)})"
        return ""


def _ending(result: CommandResult) -> str:
    if result.ended_by == "signal":
        return f"killed by signal {-result.exit_code}"
    if result.ended_by == "exit":
        return f"exit code {result.exit_code}"
    if result.ended_by == "output":
        return "more output than the limit"
    return "over its time limit"


def _result(event: dict[str, Any]) -> TestResult:
    frames = tuple(
        Frame(path=str(path), line=int(line), function=str(function))
        for path, line, function in event.get("frames", ())
    )
    return TestResult(
        outcome=TestOutcome(event["outcome"]),
        duration_s=float(event["duration"]),
        message=str(event["message"]),
        frames=frames,
        lines=_lines(event["lines"]),
    )


def _lines(raw: dict[str, Any]) -> Lines:
    return {sys.intern(str(path)): tuple(map(int, lines)) for path, lines in raw.items()}


def _errors(collected: dict[str, Any] | None) -> dict[str, str]:
    if collected is None:
        return {}
    return {str(error["id"]): str(error["message"]) for error in collected["errors"]}


def _left(report: TestReport) -> tuple[str, ...]:
    return tuple(test for test in report.collected or () if test not in report.results)


def _joined(first: TestReport, second: TestReport) -> TestReport:
    return replace(
        second,
        results={**first.results, **second.results},
        collected=first.collected,
        collection_errors={**first.collection_errors, **second.collection_errors},
        import_lines=first.import_lines,
        wall_s=first.wall_s + second.wall_s,
    )
