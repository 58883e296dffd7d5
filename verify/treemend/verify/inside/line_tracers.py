"""Line coverage of the tree, and what its functions were called with and gave back.

Standard library only, Python 3.8 on.
"""

from __future__ import annotations

import os
import sys

from argument_types import ArgumentTypes  # type: ignore[import-not-found] # beside this file, where it runs
from returned_values import ReturnedValues  # type: ignore[import-not-found] # beside this file, where it runs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FrameType
    from typing import Any

IDLE_EVENTS_MAX = 5000
IDLE_CALLS_MAX = 200_000


class NoTracer:
    """Records no lines."""

    def start(self, exact: bool) -> None:
        pass

    def take(self) -> dict[str, list[int]]:
        return {}

    def returned(self) -> list[dict[str, Any]]:
        return []

    def arguments(self) -> list[dict[str, Any]]:
        return []


class Lines:
    """Executed lines by file below the root, for the tracers."""

    def __init__(self, root: str) -> None:
        self._prefix = os.path.realpath(root).rstrip(os.sep) + os.sep
        self._relative: dict[str, str | None] = {}
        self.hits: dict[str, set[int]] = {}

    def relative(self, filename: str) -> str | None:
        """The path below the root, or None for code from elsewhere."""
        if filename not in self._relative:
            path = os.path.realpath(filename) if os.path.exists(filename) else ""
            inside = path.startswith(self._prefix)
            self._relative[filename] = path[len(self._prefix) :] if inside else None
        return self._relative[filename]

    def take(self) -> dict[str, list[int]]:
        """The lines since the last call, {path: sorted lines}."""
        taken = {path: sorted(lines) for path, lines in self.hits.items() if lines}
        for lines in self.hits.values():
            lines.clear()
        return taken


class TracedCode:
    """What one test has run of one code object; `idle` counts events since its last new line."""

    __slots__ = ("calls_wanted", "idle", "lines", "path")

    def __init__(self, path: str, lines: set[int]) -> None:
        self.path = path
        self.lines = lines
        self.idle = 0
        self.calls_wanted = True


class SetTraceTracer:
    """Line coverage by sys.settrace, for interpreters before 3.12.

    An event costs more than the line that it tells of. Where a test need not be exact, code that has gone
    on for a while with nothing new runs untraced for the rest of the test; so does all code, in the end.
    """

    def __init__(self, root: str) -> None:
        self._lines = Lines(root)
        self._returned = ReturnedValues()
        self._arguments = ArgumentTypes()
        self._codes: dict[CodeType, TracedCode | None] = {}
        self._exact = True
        self._idle_calls = 0

    def start(self, exact: bool) -> None:
        import threading

        self._exact = exact
        self._idle_calls = 0
        for code in self._codes.values():
            if code is not None:
                code.idle = 0
                code.calls_wanted = True
        threading.settrace(self._enter)
        sys.settrace(self._enter)

    def take(self) -> dict[str, list[int]]:
        return self._lines.take()

    def returned(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._returned.take()
        return found

    def arguments(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._arguments.take(self._exact)
        return found

    def _enter(self, frame: FrameType, event: str, argument: object) -> Any:
        code = frame.f_code
        try:
            traced = self._codes[code]
        except KeyError:
            path = self._lines.relative(code.co_filename)
            lines = None if path is None else self._lines.hits.setdefault(path, set())
            traced = None if path is None or lines is None else TracedCode(path, lines)
            self._codes[code] = traced
        if traced is None or traced.idle > IDLE_EVENTS_MAX:
            self._idle_calls += 1
            if self._idle_calls > IDLE_CALLS_MAX and not self._exact:
                sys.settrace(None)
            return None
        if traced.calls_wanted:
            traced.calls_wanted = self._arguments.note(traced.path, frame)
        self._note(traced, frame)
        return self._step

    def _step(self, frame: FrameType, event: str, argument: object) -> Any:
        traced = self._codes[frame.f_code]
        assert traced is not None
        self._note(traced, frame)
        if event == "return":
            self._returned.note(traced.path, frame, argument)
        return self._step

    def _note(self, traced: TracedCode, frame: FrameType) -> None:
        line = frame.f_lineno
        if line not in traced.lines:
            traced.lines.add(line)
            traced.idle = self._idle_calls = 0
        elif not self._exact:
            traced.idle += 1
            if traced.idle > IDLE_EVENTS_MAX:
                frame.f_trace_lines = False


class MonitoringTracer:
    """Line coverage by sys.monitoring (3.12 on): each line costs once a test."""

    def __init__(self, root: str) -> None:
        self._lines = Lines(root)
        self._returned = ReturnedValues()
        self._arguments = ArgumentTypes()
        self._exact = True
        self._tool: int | None = None

    def start(self, exact: bool) -> None:
        monitoring: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
        if self._tool is None:
            self._tool = next(n for n in (4, 3, 5, 2) if monitoring.get_tool(n) is None)
            monitoring.use_tool_id(self._tool, "treemend")
            monitoring.register_callback(self._tool, monitoring.events.LINE, self._line)
            monitoring.register_callback(self._tool, monitoring.events.PY_RETURN, self._return)
            monitoring.register_callback(self._tool, monitoring.events.PY_START, self._enter)
        events = monitoring.events
        monitoring.set_events(self._tool, events.LINE | events.PY_START | events.PY_RETURN)
        self._exact = exact
        monitoring.restart_events()

    def take(self) -> dict[str, list[int]]:
        return self._lines.take()

    def returned(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._returned.take()
        return found

    def arguments(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._arguments.take(self._exact)
        return found

    def _enter(self, code: CodeType, offset: int) -> Any:
        path = self._lines.relative(code.co_filename)
        if path is not None and self._arguments.note(path, sys._getframe(1)):
            return None
        return sys.monitoring.DISABLE  # type: ignore[attr-defined,unused-ignore]

    def _return(self, code: CodeType, offset: int, value: object) -> Any:
        path = self._lines.relative(code.co_filename)
        if path is None:
            return sys.monitoring.DISABLE  # type: ignore[attr-defined,unused-ignore]
        wanted = self._returned.note(path, sys._getframe(1), value)
        return None if wanted else sys.monitoring.DISABLE  # type: ignore[attr-defined,unused-ignore]

    def _line(self, code: CodeType, line: int) -> Any:
        path = self._lines.relative(code.co_filename)
        if path is not None:
            self._lines.hits.setdefault(path, set()).add(line)
        return sys.monitoring.DISABLE  # type: ignore[attr-defined,unused-ignore]


def make_tracer(wanted: bool, root: str) -> NoTracer | SetTraceTracer | MonitoringTracer:
    if not wanted:
        return NoTracer()
    return MonitoringTracer(root) if hasattr(sys, "monitoring") else SetTraceTracer(root)
