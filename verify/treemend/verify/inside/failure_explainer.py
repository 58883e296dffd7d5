"""How a test comes to fail: both sides of its comparison, the chain of exceptions, and the blocks that ran.

Standard library only, Python 3.8 on. A block is a run of statements that is entered at its first and left at
its last; what is told of it are the local variables at its end (LDB: Zhong, Wang and Shang, "Debug like a
human", Findings of ACL 2024, section 3). Nothing is consumed or called to tell a value, but `repr` of builtin
types.
"""

from __future__ import annotations

import ast
import os
import sys
from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, FrameType
    from typing import Any

FIRST, LAST = 5, 5
VALUE_CHARS = 120
MESSAGE_CHARS = 500
VARIABLES_MAX = 20
EXCEPTIONS_MAX = 5
DEPTH_MAX = 2
ITEMS_MAX = 12
SIMPLE = (bool, int, float, complex, str, bytes, type(None))
COMPOUND = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.With, ast.AsyncWith)
LOOPS = (ast.For, ast.AsyncFor, ast.While)


class NoExplainer:
    """Looks at nothing."""

    def begin(self) -> None:
        pass

    def compare(self, operator: str, left: object, right: object) -> None:
        pass

    def fail(self, error: BaseException) -> None:
        pass

    def end(self) -> dict[str, Any] | None:
        return None


class Explainer:
    """Follows one test at a time through the code of the tree that no pattern of tests names."""

    def __init__(self, root: str, tests: list[str]) -> None:
        self._prefix = os.path.realpath(root).rstrip(os.sep) + os.sep
        self._tests = set(tests)
        self._files: dict[str, tuple[str, frozenset[int]] | None] = {}
        self._codes: dict[int, tuple[CodeType, tuple[str, frozenset[int]] | None]] = {}
        self._first: list[dict[str, Any]] = []
        self._last: deque[dict[str, Any]] = deque(maxlen=LAST)
        self._count = 0
        self._comparison: dict[str, str] | None = None
        self._exceptions: list[dict[str, Any]] = []
        self._busy = False

    def begin(self) -> None:
        self._first, self._count, self._comparison, self._exceptions = [], 0, None, []
        self._last.clear()
        sys.settrace(self._enter)

    def compare(self, operator: str, left: object, right: object) -> None:
        """A comparison of the test that is not so."""
        self._comparison = {"operator": operator, "left": told(left), "right": told(right)}

    def fail(self, error: BaseException) -> None:
        """The exception that ended the test."""
        sys.settrace(None)
        self._exceptions = list(self._chain(error))
        if self._comparison is None:
            self._comparison = compared_by_unittest(error)

    def end(self) -> dict[str, Any] | None:
        sys.settrace(None)
        if not self._exceptions:
            return None
        left_out = self._count - len(self._first) - len(self._last)
        return {
            "comparison": self._comparison,
            "exceptions": self._exceptions,
            "first": self._first,
            "last": list(self._last),
            "left_out": left_out,
        }

    def _enter(self, frame: FrameType, event: str, argument: object) -> Any:
        known = self._codes.get(id(frame.f_code))
        if known is None:
            # The code is kept, so that its id is given to no other.
            known = self._codes[id(frame.f_code)] = (frame.f_code, self._file(frame.f_code.co_filename))
        if known[1] is None or self._busy:
            return None
        return Block(self, frame, *known[1]).step

    def _file(self, name: str) -> tuple[str, frozenset[int]] | None:
        """A file's path below the root and the lines at which its blocks begin; None for tests and others."""
        if name not in self._files:
            path = os.path.realpath(name)
            relative = path[len(self._prefix) :] if path.startswith(self._prefix) else ""
            ours = relative and relative not in self._tests and "site-packages" not in relative
            ours = ours and os.path.isfile(path)
            self._files[name] = (relative, leaders(path)) if ours else None
        return self._files[name]

    def left(self, path: str, function: str, first: int, last: int, names: dict[str, Any]) -> None:
        """A block was left, with these local variables."""
        self._busy = True
        try:
            told_names = {
                name: told(value)
                for name, value in list(names.items())[:VARIABLES_MAX]
                if not name.startswith("@")
            }
        finally:
            self._busy = False
        block = {"path": path, "function": function, "first": first, "last": last, "locals": told_names}
        self._count += 1
        if len(self._first) < FIRST:
            self._first.append(block)
        else:
            self._last.append(block)

    def _chain(self, error: BaseException | None) -> Iterator[dict[str, Any]]:
        relation = ""
        for _ in range(EXCEPTIONS_MAX):
            if error is None:
                return
            path, line = self._place(error)
            yield {
                "relation": relation,
                "kind": type(error).__name__,
                "message": message_of(error),
                "path": path,
                "line": line,
            }
            if error.__cause__ is not None:
                error, relation = error.__cause__, "cause"
            else:
                error, relation = None if error.__suppress_context__ else error.__context__, "context"

    def _place(self, error: BaseException) -> tuple[str, int]:
        """Where it was raised: the innermost line of the tree."""
        found, traceback = ("", 0), error.__traceback__
        while traceback is not None:
            path = os.path.realpath(traceback.tb_frame.f_code.co_filename)
            if path.startswith(self._prefix):
                found = (path[len(self._prefix) :], traceback.tb_lineno)
            traceback = traceback.tb_next
        return found


class Block:
    """The block that a frame is in."""

    def __init__(self, explainer: Explainer, frame: FrameType, path: str, starts: frozenset[int]) -> None:
        self._explainer = explainer
        self._path = path
        self._starts = starts
        self._first = self._last = 0

    def step(self, frame: FrameType, event: str, argument: object) -> Any:
        if event == "line":
            if self._first and (frame.f_lineno in self._starts or frame.f_lineno < self._last):
                self._leave(frame)
            self._first = self._first or frame.f_lineno
            self._last = frame.f_lineno
        elif event == "return" and self._first:
            self._leave(frame)
        return self.step

    def _leave(self, frame: FrameType) -> None:
        self._explainer.left(self._path, frame.f_code.co_name, self._first, self._last, dict(frame.f_locals))
        self._first = 0


def leaders(path: str) -> frozenset[int]:
    """The lines of a Python file at which basic blocks begin."""
    try:
        with open(path, "rb") as file:
            module = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return frozenset()
    found: set[int] = set()
    for node in ast.walk(module):
        for name in ("body", "orelse", "finalbody"):
            statements = getattr(node, name, None)
            if isinstance(statements, list) and statements:
                found.add(statements[0].lineno)
                after = (at for at, statement in enumerate(statements, 1) if isinstance(statement, COMPOUND))
                found.update(statements[at].lineno for at in after if at < len(statements))
                found.update(statement.lineno for statement in statements if isinstance(statement, LOOPS))
    return frozenset(found)


def compared_by_unittest(error: BaseException) -> dict[str, str] | None:
    """The two sides of an `assertEqual` and its like, from the frame that raised."""
    traceback = error.__traceback__
    while traceback is not None:
        frame = traceback.tb_frame
        names = frame.f_locals
        if frame.f_globals.get("__name__") == "unittest.case" and "first" in names and "second" in names:
            return {
                "operator": frame.f_code.co_name,
                "left": told(names["first"]),
                "right": told(names["second"]),
            }
        traceback = traceback.tb_next
    return None


def message_of(error: BaseException) -> str:
    try:
        return str(error)[:MESSAGE_CHARS]
    except Exception:
        return ""


def told(value: Any, depth: int = 0) -> str:
    """A value as text, cut in its middle."""
    text = _told(value, depth)
    if len(text) <= VALUE_CHARS:
        return text
    half = VALUE_CHARS // 2
    return f"{text[:half]} … {text[-half:]}"


def _told(value: Any, depth: int) -> str:
    kind = type(value)
    if kind in SIMPLE:
        return repr(value) if kind not in (str, bytes) or len(value) < 10_000 else repr(value[:10_000])
    if kind in (list, tuple, set, frozenset, dict) and depth <= DEPTH_MAX:
        return _told_container(value, kind, depth)
    reads: Any = kind.__getattribute__
    held = getattr(value, "__dict__", None) if reads is object.__getattribute__ else None
    if type(held) is dict and depth < DEPTH_MAX and held and not callable(value):
        fields = [f"{name}={told(held[name], depth + 1)}" for name in list(held)[:ITEMS_MAX]]
        return f"{kind.__name__}({', '.join(fields)})"
    name = getattr(value, "__name__", "") if callable(value) else ""
    return f"<{kind.__name__} {name}>" if isinstance(name, str) and name else f"<{kind.__name__}>"


def _told_container(value: Any, kind: type, depth: int) -> str:
    more = f", … {len(value)} in all" if len(value) > ITEMS_MAX else ""
    items = list(value)[:ITEMS_MAX] if len(value) < 100_000 else [next(iter(value))]
    if kind is dict:
        pairs = [f"{told(key, depth + 1)}: {told(value[key], depth + 1)}" for key in items]
        return "{" + ", ".join(pairs) + more + "}"
    inside = ", ".join(told(item, depth + 1) for item in items) + more
    if kind is list:
        return f"[{inside}]"
    if kind is tuple:
        return f"({inside}{',' if len(value) == 1 else ''})"
    return f"{kind.__name__}({{{inside}}})" if value else f"{kind.__name__}()"


def make_explainer(wanted: bool, root: str, tests: list[str]) -> NoExplainer | Explainer:
    return Explainer(root, tests) if wanted else NoExplainer()
