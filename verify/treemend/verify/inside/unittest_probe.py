"""Runs unittest inside the sandbox and reports each test over a pipe, as `pytest_probe` does.

This file runs in the target's interpreter: standard library only, and every Python from 3.8 on. It reads
its request (JSON) from standard input and writes the same events.
"""

from __future__ import annotations

import json
import os
import sys
import time
import unittest

import line_tracers  # type: ignore[import-not-found] # beside this file, where it runs
import pytest_probe  # type: ignore[import-not-found]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Any

    Error = tuple[type[BaseException], BaseException, TracebackType | None]


BESIDE = (
    "argument_types",
    "call_recorder",
    "failure_explainer",
    "line_tracers",
    "pytest_probe",
    "returned_values",
)


class Raised:
    """An exception as `pytest_probe.frames_below` takes it."""

    def __init__(self, tb: TracebackType | None) -> None:
        self.tb = tb


class Result(unittest.TestResult):
    """Reports each test as it ends, and stops where the request's gate says so."""

    def __init__(self, request: dict[str, Any], reporter: Any) -> None:
        super().__init__()
        self._request = request
        self._reporter = reporter
        self._lines = line_tracers.Lines(request["root"])
        self.tracer = line_tracers.make_tracer(request["coverage"], request["root"])
        self._watch = pytest_probe.Stopwatch(request["limits"], request["limit_s"], pytest_probe.NoWatcher())
        self._outcome: dict[str, Any] = {}
        self._running = ""
        self._started = 0.0
        self._passed = 0
        self.reported: set[str] = set()
        self.fixtures: list[tuple[str, str, str, list[Any]]] = []
        """Of classes and modules whose set-up failed or skipped: name, outcome, message, frames."""

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self._running = test.id()
        self._outcome = {"outcome": "passed", "message": "", "frames": []}
        self._reporter.send("start", test=test.id())
        self.tracer.take()
        self.tracer.returned()
        self.tracer.arguments()
        self.tracer.start(exact=test.id() in self._request["exact"])
        self._started = time.perf_counter()
        self._watch.start(test.id())

    def stopTest(self, test: unittest.TestCase) -> None:
        self._watch.stop()
        self._running = ""
        duration = time.perf_counter() - self._started
        super().stopTest(test)
        if self._watch.overran and self._outcome["outcome"] != "passed":
            self._outcome["outcome"] = "timeout"
        returned = self.tracer.returned() if self._outcome["outcome"] == "failed" else []
        if returned:
            self._outcome["returned"] = returned
        arguments = self.tracer.arguments()
        if arguments:
            self._outcome["arguments"] = arguments
        self.report(test.id(), duration, self._outcome, self.tracer.take())
        self._finished()

    def report(self, test: str, duration: float, outcome: dict[str, Any], lines: Any) -> None:
        self.reported.add(test)
        self._reporter.hold("test", test=test, duration=duration, lines=lines, **outcome)

    def _finished(self) -> None:
        """As the request's gate says (see `pytest_probe.Probe.finished`)."""
        gate, passed = self._request["gate"], self._outcome["outcome"] == "passed"
        if gate is None:
            return
        position = len(self.reported)
        if self._outcome["outcome"] == "timeout":
            self.stop()
        elif position <= gate:
            self._passed += passed
            if position == gate and not self._passed:
                self.stop()
        elif not passed:
            self.stop()

    def _note(self, test: Any, outcome: str, error: Any) -> None:
        message, frames = self._told(error)
        if not isinstance(test, unittest.TestCase):
            self.fixtures.append((str(test.id()), outcome, message, frames))
        elif self._outcome["outcome"] == "passed":
            self._outcome.update(outcome=outcome, message=message, frames=frames)

    def _told(self, error: Any) -> tuple[str, list[Any]]:
        if not isinstance(error, tuple):
            return pytest_probe.cut(str(error)), []
        kind, value, traceback = error
        frames = pytest_probe.frames_below(Raised(traceback), self._lines)
        place = f"{frames[-1][0]}:{frames[-1][1]}: " if frames else ""
        return pytest_probe.cut(f"{place}{kind.__name__}: {value}"), frames

    def addFailure(self, test: Any, err: Any) -> None:
        self._note(test, "failed", err)

    def addError(self, test: Any, err: Any) -> None:
        self._note(test, "failed" if isinstance(test, unittest.TestCase) else "error", err)

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        if err is not None:
            self._note(test, "failed", err)

    def addSkip(self, test: Any, reason: str) -> None:
        if isinstance(test, unittest.TestCase) and not self._running:
            # Python 3.12.1 stops what it skips without having started it.
            self.startTest(test)
        self._note(test, "skipped", reason)

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        self._note(test, "xfailed", err)

    def addUnexpectedSuccess(self, test: Any) -> None:
        self._note(test, "xpassed", "unexpected success")


class Runner:
    """What `unittest.main` hands its tests to."""

    def __init__(self, request: dict[str, Any], reporter: Any) -> None:
        self._request = request
        self._reporter = reporter
        self._result = Result(request, reporter)
        self._result.tracer.start(exact=True)

    def run(self, suite: Any) -> Any:
        result = self._result
        tests: dict[str, Any] = {}
        errors = []
        for test in flattened(suite):
            if type(test).__name__ == "_FailedTest":
                errors.append({"id": failed_import(test), "message": load_error(test)})
            else:
                tests.setdefault(test.id(), test)
        wanted = self._request["tests"]
        chosen = [name for name in (tests if wanted is None else wanted) if name in tests]
        lines = result.tracer.take()
        self._reporter.hold("collected", tests=chosen, errors=errors, lines=lines)
        unittest.TestSuite(tests[name] for name in chosen).run(result)
        if not result.shouldStop:
            for name in chosen:
                if name not in result.reported:
                    self._report_fixture(name)
        return result

    def _report_fixture(self, name: str) -> None:
        """A test that never began is what the set-up of its class or module is."""
        outcome, message, frames = "error", "it did not run", []
        for fixture, seen, told, at in self._result.fixtures:
            place = fixture.partition("(")[2].rstrip(")")
            if place and name.startswith(place + "."):
                outcome, message, frames = seen, told, at
        self._result.report(name, 0.0, {"outcome": outcome, "message": message, "frames": frames}, {})


def flattened(suite: Any) -> Iterator[Any]:
    stack = [suite]
    while stack:
        item = stack.pop()
        if isinstance(item, unittest.TestSuite):
            stack.extend(reversed(list(item)))
        else:
            yield item


def failed_import(test: Any) -> str:
    return str(test.id()).replace("unittest.loader._FailedTest.", "")


def load_error(test: Any) -> str:
    try:
        getattr(test, test._testMethodName)()
    except BaseException as error:
        return str(pytest_probe.cut(str(error).strip()))
    return "it can't be loaded"


def main() -> int:
    request = json.loads(sys.stdin.buffer.read().decode("utf-8"))
    # As `python -m unittest` does: the working folder leads, this script's folder is not there.
    sys.path[0] = os.getcwd()
    for name in BESIDE:
        # The target may have a module of this name.
        sys.modules.pop(name, None)
    root = request["root"] = os.getcwd()
    reporter = pytest_probe.Reporter(pytest_probe.report_fd(), request["nonce"])
    started = time.perf_counter()
    argv = ["python -m unittest", *request["arguments"]]
    unittest.TestProgram(module=None, argv=argv, testRunner=Runner(request, reporter), exit=False)
    foreign = pytest_probe.imported_from(request["origin"], root)
    reporter.send("end", exit=0, seconds=time.perf_counter() - started, foreign=foreign)
    return 0


if __name__ == "__main__":
    sys.exit(main())
