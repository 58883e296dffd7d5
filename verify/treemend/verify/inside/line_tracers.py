"""Line coverage of a test: which lines of the tree ran since the last look.

Standard library only, Python 3.8 on.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FrameType
    from typing import Any


class NoTracer:
    """Records no lines."""

    def start(self) -> None:
        pass

    def take(self) -> dict[str, list[int]]:
        return {}


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


class SetTraceTracer:
    """Line coverage by sys.settrace, for interpreters before 3.12."""

    def __init__(self, root: str) -> None:
        self._lines = Lines(root)
        self._sets: dict[CodeType, set[int] | None] = {}

    def start(self) -> None:
        import threading

        threading.settrace(self._enter)
        sys.settrace(self._enter)

    def take(self) -> dict[str, list[int]]:
        return self._lines.take()

    def _enter(self, frame: FrameType, event: str, argument: object) -> Any:
        code = frame.f_code
        if code not in self._sets:
            path = self._lines.relative(code.co_filename)
            self._sets[code] = None if path is None else self._lines.hits.setdefault(path, set())
        lines = self._sets[code]
        if lines is None:
            return None
        add = lines.add

        def step(frame: FrameType, event: str, argument: object) -> Any:
            add(frame.f_lineno)
            return step

        add(frame.f_lineno)
        return step


class MonitoringTracer:
    """Line coverage by sys.monitoring (3.12 on): each line costs once a test."""

    def __init__(self, root: str) -> None:
        self._lines = Lines(root)
        self._tool: int | None = None

    def start(self) -> None:
        monitoring: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
        if self._tool is None:
            self._tool = next(n for n in (4, 3, 5, 2) if monitoring.get_tool(n) is None)
            monitoring.use_tool_id(self._tool, "treemend")
            monitoring.register_callback(self._tool, monitoring.events.LINE, self._line)
        monitoring.set_events(self._tool, monitoring.events.LINE)
        monitoring.restart_events()

    def take(self) -> dict[str, list[int]]:
        return self._lines.take()

    def _line(self, code: CodeType, line: int) -> Any:
        path = self._lines.relative(code.co_filename)
        if path is not None:
            self._lines.hits.setdefault(path, set()).add(line)
        return sys.monitoring.DISABLE  # type: ignore[attr-defined,unused-ignore]


def make_tracer(wanted: bool, root: str) -> NoTracer | SetTraceTracer | MonitoringTracer:
    if not wanted:
        return NoTracer()
    return MonitoringTracer(root) if hasattr(sys, "monitoring") else SetTraceTracer(root)
