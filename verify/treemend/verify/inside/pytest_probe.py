"""Runs pytest inside the sandbox and reports each test over a pipe, as it happens.

This file runs in the target's interpreter: standard library and the target's own pytest only, and
every Python from 3.8 on. It is started as a script, reads its request (JSON) from standard input,
and writes events to the file descriptor that TREEMEND_REPORT_FD names, one a line: the nonce of the
request, a space, JSON. What it reports is the word of a process that it shares with the code under
test.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time

import call_recorder  # type: ignore[import-not-found] # beside this file, where it runs
import failure_explainer  # type: ignore[import-not-found]
import line_tracers  # type: ignore[import-not-found]

# `typing` is not imported: names in annotations are never evaluated.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any, Protocol

    class Watcher(Protocol):
        def set(self, seconds: float) -> None: ...


FRAMES_MAX = 40
ENTRIES_SHOWN = 20
MESSAGE_CHARS_MAX = 4000
ALARM_REPEAT_S = 0.2
HARD_AFTER_S = 1.0
"""From the soft limit of a test to the hard one; less than the sandbox waits."""
BETWEEN_TESTS_S = 50.0
AFTER_HANGS_S = (float("inf"), 2.0, 2.0, 1.0)
"""The most a test gets after so many others of its file hung."""


class Overrun(BaseException):
    """Raised in a test that ran past its limit; not an Exception, so that few handlers catch it."""


class Reporter:
    """Writes events that carry the nonce."""

    def __init__(self, fd: int, nonce: str) -> None:
        self._fd = fd
        self._nonce = nonce
        self._held = b""

    def hold(self, event: str, **values: object) -> None:
        """Send it with the next event, which follows at once: a write wakes the reader."""
        line = f"{self._nonce} {json.dumps(dict(values, event=event))}\n"
        self._held += line.encode("utf-8", "backslashreplace")

    def send(self, event: str, **values: object) -> None:
        self.hold(event, **values)
        data, self._held = self._held, b""
        while data:
            data = data[os.write(self._fd, data) :]


class NoWatcher:
    """Nobody nearby kills this process when it hangs; the one who started it does."""

    def set(self, seconds: float) -> None:
        pass


class Stopwatch:
    """The soft limit of a test: an alarm that raises Overrun in it, again and again.

    The parent holds the hard limit, which the watcher is told; it kills the process when this one is
    swallowed. Where a test of a
    file hung, the file's other tests are likely to hang too and get less, unless they have limits of
    their own.
    """

    def __init__(self, limits: dict[str, float], default_s: float, watcher: Watcher) -> None:
        self._watcher = watcher
        self._limits = limits
        self._default_s = default_s
        self._running = False
        self._hung: dict[str, int] = {}
        self.overran = False
        signal.signal(signal.SIGALRM, self._ring)

    def start(self, test: str) -> None:
        self.overran = False
        self._running = True
        limit_s = self._limit(test)
        self._watcher.set(limit_s + HARD_AFTER_S)
        signal.setitimer(signal.ITIMER_REAL, limit_s, ALARM_REPEAT_S)

    def _limit(self, test: str) -> float:
        limit = self._limits.get(test)
        if limit is not None:
            return limit
        hung = self._hung.get(test.split("::")[0], 0)
        return min(self._default_s, AFTER_HANGS_S[min(hung, len(AFTER_HANGS_S) - 1)])

    def count_hang(self, test: str) -> None:
        file = test.split("::")[0]
        self._hung[file] = self._hung.get(file, 0) + 1

    def stop(self) -> None:
        self._running = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        self._watcher.set(BETWEEN_TESTS_S)

    def _ring(self, number: int, frame: FrameType | None) -> None:
        if self._running:
            self.overran = True
            raise Overrun("the test ran past its time limit")


class Probe:
    """The pytest plugin: chooses and orders the tests, and reports each."""

    def __init__(self, request: dict[str, Any], reporter: Reporter, watcher: Watcher) -> None:
        self.take(request, reporter, watcher)
        self.errors: list[dict[str, str]] = []

    def take(self, request: dict[str, Any], reporter: Reporter, watcher: Watcher) -> None:
        """Serve this request from now on."""
        self._request = request
        self._reporter = reporter
        self._tracer = line_tracers.make_tracer(request["coverage"], request["root"])
        self._exact = frozenset(request["exact"])
        self._recorder = call_recorder.make_recorder(request["recorded"], request["root"])
        self.explainer = failure_explainer.make_explainer(
            request["explained"], request["root"], request["files"] or []
        )
        self._watch = Stopwatch(request["limits"], request["limit_s"], watcher)
        self._phases: dict[str, Any] = {}
        self._passed = 0
        self._position = 0

    def begin(self) -> None:
        self._tracer.start(exact=True)

    def pytest_cmdline_main(self, config: Any) -> None:
        # One process: the workers of xdist would report to nobody.
        for name, value in (("numprocesses", None), ("dist", "no"), ("tx", [])):
            if hasattr(config.option, name):
                setattr(config.option, name, value)

    def pytest_configure(self, config: Any) -> None:
        if self._request["files"]:
            config.args = list(self._request["files"])

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.errors.append({"id": report.nodeid, "message": cut(str(report.longrepr))})

    def pytest_collection_modifyitems(self, session: Any, config: Any, items: list[Any]) -> None:
        wanted = self._request["tests"]
        if wanted is not None:
            by_id: dict[str, Any] = {}
            for item in items:
                by_id.setdefault(item.nodeid, item)
            items[:] = [by_id[test] for test in wanted if test in by_id]

    def pytest_collection_finish(self, session: Any) -> None:
        tests = list(dict.fromkeys(item.nodeid for item in session.items))
        lines = self._tracer.take()
        self._reporter.hold("collected", tests=tests, errors=self.errors, lines=lines)

    def pytest_runtest_logstart(self, nodeid: str, location: object) -> None:
        self._phases = {"outcome": "passed", "duration": 0.0, "message": "", "frames": []}
        self._reporter.send("start", test=nodeid)
        self._tracer.take()
        self._tracer.returned()
        self._tracer.arguments()
        self._tracer.start(exact=nodeid in self._exact)
        self._watch.start(nodeid)
        self._recorder.begin(nodeid)
        self.explainer.begin()

    def pytest_assertrepr_compare(self, config: Any, op: str, left: object, right: object) -> None:
        self.explainer.compare(op, left, right)

    def pytest_runtest_logreport(self, report: Any) -> None:
        phases = self._phases
        phases["duration"] += report.duration
        outcome = _outcome(report)
        if outcome and phases["outcome"] == "passed":
            phases["outcome"] = outcome
            phases["message"] = cut(_message(report))
            phases["frames"] = getattr(report, "treemend_frames", [])

    def pytest_runtest_logfinish(self, nodeid: str, location: object) -> None:
        explained = self.explainer.end()
        self._recorder.end()
        self._watch.stop()
        phases = self._phases
        if explained is not None:
            phases["explained"] = explained
        if self._watch.overran and phases["outcome"] != "passed":
            phases["outcome"] = "timeout"
            self._watch.count_hang(nodeid)
        returned = self._tracer.returned() if phases["outcome"] == "failed" else []
        if returned:
            phases["returned"] = returned
        arguments = self._tracer.arguments()
        if arguments:
            phases["arguments"] = arguments
        self._reporter.hold("test", test=nodeid, lines=self._tracer.take(), **phases)

    def calls(self) -> list[dict[str, Any]]:
        """The calls recorded so far."""
        recorded: list[dict[str, Any]] = self._recorder.take()
        return recorded

    def finished(self, session: Any) -> None:
        """Stop the session when the request's gate says that the rest would tell nothing."""
        gate = self._request["gate"]
        self._position += 1
        passed = self._phases.get("outcome") == "passed"
        if gate is None:
            return
        if self._phases.get("outcome") == "timeout":
            session.shouldfail = "a hang"
        elif self._position <= gate:
            self._passed += passed
            if self._position == gate and not self._passed:
                session.shouldfail = "no target passes"
        elif not passed:
            session.shouldfail = "a regression"


def _outcome(report: Any) -> str | None:
    """What a phase's report says of its test, None where it says nothing bad."""
    expected = hasattr(report, "wasxfail")
    if report.when == "call" and report.passed:
        return "xpassed" if expected else None
    if report.skipped:
        return "xfailed" if expected else "skipped"
    if report.failed:
        return "failed" if report.when == "call" else "error"
    return None


def _message(report: Any) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        return f"{crash.path}:{crash.lineno}: {crash.message}"
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2])
    return str(report.longrepr or "")


def cut(text: str) -> str:
    return text if len(text) <= MESSAGE_CHARS_MAX else text[:MESSAGE_CHARS_MAX] + "…"


def frames_below(excinfo: Any, lines: line_tracers.Lines) -> list[list[object]]:
    """The frames below the root from the call inwards, [[path, line, function]]."""
    found: list[list[object]] = []
    traceback = excinfo.tb
    while traceback is not None:
        code = traceback.tb_frame.f_code
        path = lines.relative(code.co_filename)
        if path is not None:
            found.append([path, traceback.tb_lineno, code.co_name])
        traceback = traceback.tb_next
    return found[:5] + found[5:][-(FRAMES_MAX - 5) :] if len(found) > FRAMES_MAX else found


def _shorten(excinfo: Any) -> None:
    """Leave pytest the innermost entries of a traceback: it looks at each, and shows none."""
    if excinfo is not None and len(excinfo.traceback) > ENTRIES_SHOWN:
        entries = excinfo.traceback
        excinfo.traceback = type(entries)(list(entries)[-ENTRIES_SHOWN:])


def make_plugin(probe: Probe, lines: line_tracers.Lines) -> object:
    """The hooks that need pytest itself, which must not be imported before the request is read."""
    import pytest

    class Hooks:
        @pytest.hookimpl(hookwrapper=True)
        def pytest_runtest_makereport(self, item: Any, call: Any) -> Iterator[None]:
            _shorten(call.excinfo)
            outcome: Any = yield
            if call.excinfo is not None:
                probe.explainer.fail(call.excinfo.value)
                outcome.get_result().treemend_frames = frames_below(call.excinfo, lines)

        @pytest.hookimpl(hookwrapper=True)
        def pytest_runtest_protocol(self, item: Any, nextitem: Any) -> Iterator[None]:
            yield
            probe.finished(item.session)

    return Hooks()


def imported_from(origin: str, root: str, known: frozenset[str] = frozenset()) -> list[str]:
    """Modules loaded from the original tree though the copy lies elsewhere, but for those known before."""
    if os.path.realpath(origin) == os.path.realpath(root):
        return []
    prefix = os.path.realpath(origin).rstrip(os.sep) + os.sep
    here = os.path.realpath(root).rstrip(os.sep) + os.sep
    found = []
    for name in sorted(sys.modules.keys() - known):
        module = sys.modules[name]
        path = os.path.realpath(getattr(module, "__file__", None) or "")
        outside = "site-packages" in path or path.startswith(here)
        if path.startswith(prefix) and not outside:
            found.append(name)
    return found


def report_fd() -> int:
    """The pipe that leads outside; its number is told to nobody else."""
    fd = int(os.environ.pop("TREEMEND_REPORT_FD"))
    os.set_inheritable(fd, False)
    return fd


def main() -> int:
    request = json.loads(sys.stdin.buffer.read().decode("utf-8"))
    # As `python -m pytest` does: the working folder leads, this script's folder is not there.
    sys.path[0] = os.getcwd()
    for name in ("argument_types", "call_recorder", "failure_explainer", "line_tracers", "returned_values"):
        # The target may have a module of this name.
        sys.modules.pop(name)
    run(request, Reporter(report_fd(), request["nonce"]), NoWatcher())
    return 0


def run(request: dict[str, Any], reporter: Reporter, watcher: Watcher) -> None:
    """Run the tests that a request asks for, in this process."""
    root = request["root"] = os.getcwd()
    try:
        import pytest
    except ImportError as error:
        reporter.send("no-pytest", message=str(error), python=sys.executable)
        return
    started = time.perf_counter()
    probe = Probe(request, reporter, watcher)
    probe.begin()
    plugins = [probe, make_plugin(probe, line_tracers.Lines(root))]
    code = pytest.main(list(request["arguments"]), plugins=plugins)
    foreign = imported_from(request["origin"], root)
    if request["recorded"]:
        reporter.send("calls", calls=probe.calls())
    reporter.send("end", exit=int(code), seconds=time.perf_counter() - started, foreign=foreign)


if __name__ == "__main__":
    sys.exit(main())
