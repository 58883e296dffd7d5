"""The probe's events, as they come over the pipe: results for the caller, deadlines for the sandbox."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from treemend.store.records import (
    Comparison,
    ExecutedBlock,
    FailureExplanation,
    Frame,
    RaisedException,
    TestOutcome,
)
from treemend.verify.runner import (
    Arguments,
    Lines,
    RecordedCall,
    Returned,
    TestReport,
    TestRequest,
    TestResult,
)
from treemend.verify.sandbox import CommandResult

GRACE_S = 2.0
BETWEEN_TESTS_LIMIT_S = 60.0
OUTPUT_TAIL_CHARS = 4000
RETURNED_MAX = 100
ARGUMENTS_MAX = 1000
CALLS_MAX = 400


Event = dict[str, Any]
Progress = Callable[[int, int], None]


def ignore(event: Event) -> None:
    """Nobody else listens."""


def no_progress(done: int, total: int) -> None:
    """Nobody follows how many of the tests have run."""


class EventLines:
    """The events among the bytes of a report pipe: lines that begin with the nonce."""

    def __init__(self, nonce: str) -> None:
        self._prefix = nonce.encode() + b" "
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that end in this chunk."""
        self._buffer += chunk
        if b"\n" not in chunk:
            return
        *lines, rest = bytes(self._buffer).split(b"\n")
        self._buffer = bytearray(rest)
        for line in lines:
            if not line.startswith(self._prefix):
                continue
            try:
                event = _as_text(json.loads(line[len(self._prefix) :]))
            except (ValueError, RecursionError):
                continue
            if isinstance(event, dict):
                yield event


class Listener:
    """Turns the probe's events into results, and each test's limit into the sandbox's deadline.

    `progress` is told how many of how many tests have run, each time one has. What is no event of the
    probe's is handed to `others`.
    """

    def __init__(
        self,
        nonce: str,
        request: TestRequest,
        progress: Progress = no_progress,
        others: Callable[[Event], None] = ignore,
    ) -> None:
        self.nonce = nonce
        self._progress = progress
        self._others = others
        self._request = request
        self._events = EventLines(nonce)
        self._running: str | None = None
        self._results: dict[str, TestResult] = {}
        self._collected: Event | None = None
        self._end: Event | None = None
        self._no_pytest: Event | None = None
        self._calls: tuple[RecordedCall, ...] = ()

    def hear(self, chunk: bytes) -> float | None:
        deadline_s: float | None = None
        for event in self._events.feed(chunk):
            # What carries the nonce and makes no sense is a forger's; it is no event.
            with suppress(KeyError, TypeError, ValueError):
                deadline_s = self._take(event)
        return deadline_s

    def _take(self, event: Event) -> float:
        kind = event.get("event")
        if kind == "collected":
            self._collected = event
        elif kind == "start":
            self._running = str(event["test"])
            return self._limit(self._running) + GRACE_S
        elif kind == "test":
            self._running = None
            self._results.setdefault(str(event["test"]), _result(event))
            self._progress(len(self._results), self._total())
        elif kind == "end":
            self._end = event
        elif kind == "no-pytest":
            self._no_pytest = event
        elif kind == "calls":
            self._calls = tuple(map(_call, event["calls"][:CALLS_MAX]))
        else:
            self._others(event)
        return BETWEEN_TESTS_LIMIT_S

    def _total(self) -> int:
        tests = (self._collected or {}).get("tests")
        return len(tests) if isinstance(tests, list) else len(self._results)

    def _limit(self, test: str) -> float:
        return self._request.limits_s.get(test, self._request.limit_s)

    def report(self, result: CommandResult) -> TestReport:
        results = dict(self._results)
        if self._running is not None:
            hung = result.ended_by in ("deadline", "time")
            outcome = TestOutcome.TIMEOUT if hung else TestOutcome.ERROR
            message = f"the process ended in this test ({ending_of(result)})"
            results[self._running] = TestResult(outcome, self._limit(self._running), message)
        collected = self._collected
        output = (result.stdout + b"\n" + result.stderr).decode("utf-8", "replace").strip()
        return TestReport(
            results=results,
            collected=None if collected is None else tuple(map(str, collected["tests"])),
            collection_errors=_errors(collected),
            import_lines=_lines((collected or {}).get("lines", {})),
            foreign_modules=tuple(map(str, (self._end or {}).get("foreign", ()))),
            calls=self._calls,
            problem=self._problem(result),
            output=output[-OUTPUT_TAIL_CHARS:],
            wall_s=result.wall_s,
        )

    def _problem(self, result: CommandResult) -> str:
        if self._no_pytest is not None:
            python = self._no_pytest.get("python", "the interpreter")
            return f"{python} has no pytest ({self._no_pytest.get('message', '')})"
        if self._end is None:
            return f"the tests did not come to their end ({ending_of(result)})"
        return ""


def _as_text(value: Any) -> Any:
    """JSON whose strings show lone surrogates instead of holding them: neither a store nor a terminal
    takes those."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, list):
        return [_as_text(item) for item in value]
    if isinstance(value, dict):
        return {_as_text(key): _as_text(item) for key, item in value.items()}
    return value


def ending_of(result: CommandResult) -> str:
    if result.ended_by == "signal":
        return f"killed by signal {-result.exit_code}"
    if result.ended_by == "exit":
        return f"exit code {result.exit_code}"
    if result.ended_by == "output":
        return "more output than the limit"
    if result.ended_by in ("memory", "disk"):
        return f"over its limit of {result.ended_by}"
    return "over its time limit"


def _result(event: Event) -> TestResult:
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
        returned=tuple(map(_returned, event.get("returned", ())[:RETURNED_MAX])),
        arguments=tuple(map(_arguments, event.get("arguments", ())[:ARGUMENTS_MAX])),
        explanation=None if "explained" not in event else _explanation(event),
    )


def _returned(raw: dict[str, Any]) -> Returned:
    scope = {str(expression): str(value) for expression, value in raw["scope"].items()}
    return Returned(str(raw["path"]), int(raw["line"]), str(raw["value"]), scope)


def _arguments(raw: dict[str, Any]) -> Arguments:
    types = {str(name): tuple(map(str, kinds)) for name, kinds in raw["types"].items()}
    return Arguments(str(raw["path"]), int(raw["line"]), str(raw["function"]), types)


def _call(raw: dict[str, Any]) -> RecordedCall:
    path, name, module, arguments = (str(raw[key]) for key in ("path", "name", "module", "arguments"))
    return RecordedCall(path, name, module, arguments, tuple(map(str, raw["tests"])))


def _explanation(event: Event) -> FailureExplanation:
    raw = event["explained"]
    comparison = raw["comparison"]
    return FailureExplanation(
        test=str(event["test"]),
        comparison=None if comparison is None else Comparison(**comparison),
        exceptions=tuple(RaisedException(**error) for error in raw["exceptions"]),
        first_blocks=tuple(ExecutedBlock(**block) for block in raw["first"]),
        last_blocks=tuple(ExecutedBlock(**block) for block in raw["last"]),
        left_out=int(raw["left_out"]),
    )


def _lines(raw: dict[str, Any]) -> Lines:
    return {sys.intern(str(path)): tuple(map(int, lines)) for path, lines in raw.items()}


def _errors(collected: Event | None) -> dict[str, str]:
    if collected is None:
        return {}
    return {str(error["id"]): str(error["message"]) for error in collected["errors"]}
