"""Records with which arguments tests call functions of the tree. Standard library only, Python 3.8 on.

Arguments are pickled as the call begins, before the function can change them. They are read again only by the
target's own interpreter, inside a sandbox.
"""

from __future__ import annotations

import base64
import os
import pickle
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FrameType
    from typing import Any

CALLS_MAX = 24
"""Calls kept of a function, each kind of arguments once."""
CALLS_OF_A_TEST_MAX = 4
TESTS_NAMED_MAX = 5
BYTES_MAX = 20_000
ATTEMPTS_MAX = 2_000
VAR_POSITIONAL, VAR_KEYWORD = 0x04, 0x08
ASYNCHRONOUS = 0x80 | 0x200


class NoRecorder:
    """Records no calls."""

    def begin(self, test: str) -> None:
        pass

    def end(self) -> None:
        pass

    def take(self) -> list[dict[str, Any]]:
        return []


class Recorder:
    """Records calls between `begin` and `end`, for one test at a time."""

    def __init__(self, root: str, functions: list[list[Any]]) -> None:
        self._root = os.path.realpath(root)
        self._wanted = {(path, line): name for path, name, line in functions}
        self._paths = {path for path, _, _ in functions}
        self._seen: dict[int, tuple[CodeType, tuple[str, str] | None]] = {}
        self._calls: dict[tuple[str, str], dict[bytes, dict[str, Any]]] = {}
        self._of_test: dict[tuple[str, str], int] = {}
        self._attempts = 0
        self._test = ""
        self._busy = False

    def begin(self, test: str) -> None:
        self._test = test
        self._of_test.clear()
        sys.setprofile(self._profile)

    def end(self) -> None:
        sys.setprofile(None)

    def take(self) -> list[dict[str, Any]]:
        """Every call recorded so far."""
        return [call for calls in self._calls.values() for call in calls.values()]

    def _profile(self, frame: FrameType, event: str, argument: object) -> None:
        if event != "call" or self._busy:
            return
        code = frame.f_code
        known = self._seen.get(id(code))
        if known is None:
            # The code is kept, so that its id is given to no other.
            known = self._seen[id(code)] = (code, self._function(code))
        if known[1] is not None:
            self._busy = True
            try:
                self._record(known[1], frame)
            finally:
                self._busy = False

    def _function(self, code: CodeType) -> tuple[str, str] | None:
        if code.co_flags & ASYNCHRONOUS:
            return None
        path = os.path.relpath(os.path.realpath(code.co_filename), self._root)
        name = self._wanted.get((path, code.co_firstlineno)) if path in self._paths else None
        return None if name is None else (path, name)

    def _record(self, function: tuple[str, str], frame: FrameType) -> None:
        calls = self._calls.setdefault(function, {})
        if self._of_test.get(function, 0) >= CALLS_OF_A_TEST_MAX or self._attempts >= ATTEMPTS_MAX:
            return
        self._attempts += 1
        try:
            data = pickle.dumps(arguments(frame), protocol=4)
        except Exception:
            return
        if len(data) > BYTES_MAX or (data not in calls and len(calls) >= CALLS_MAX):
            return
        self._of_test[function] = self._of_test.get(function, 0) + 1
        call = calls.get(data)
        if call is None:
            module = str(frame.f_globals.get("__name__", ""))
            text = base64.b64encode(data).decode("ascii")
            call = {
                "path": function[0],
                "name": function[1],
                "module": module,
                "arguments": text,
                "tests": [],
            }
            calls[data] = call
        if self._test not in call["tests"] and len(call["tests"]) < TESTS_NAMED_MAX:
            call["tests"].append(self._test)


def arguments(frame: FrameType) -> tuple[list[Any], dict[str, Any]]:
    """What a function was called with, positional and by keyword, as its frame begins."""
    code, names = frame.f_code, frame.f_locals
    positional = code.co_varnames[: code.co_argcount]
    by_keyword = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    at = code.co_argcount + code.co_kwonlyargcount
    values = [names[name] for name in positional]
    keywords = {name: names[name] for name in by_keyword}
    if code.co_flags & VAR_POSITIONAL:
        values += names[code.co_varnames[at]]
        at += 1
    if code.co_flags & VAR_KEYWORD:
        keywords.update(names[code.co_varnames[at]])
    return values, keywords


def make_recorder(functions: list[list[Any]], root: str) -> NoRecorder | Recorder:
    return Recorder(root, functions) if functions else NoRecorder()
