"""Puts a candidate's function bodies into live functions, where they are all that the candidate changes.

Standard library only, Python 3.8 on. `Imported` says what importing the tree has left in this process, and
is made once; a `Region` is what a change touches, its `plan` what functions must become. A change is
swappable where importing the changed file would have left the same state: code that ran on import is the
same, and so is whatever else of a function can be seen without calling it. That is checked on code objects,
which the compiler makes from the source, for the top-level statements that the change touches.
"""

from __future__ import annotations
import __future__

import bisect
import gc
import os
import sys
from types import (
    AsyncGeneratorType,
    CodeType,
    CoroutineType,
    FunctionType,
    GeneratorType,
)

import source_parts  # type: ignore[import-not-found] # beside this file, where it runs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    Swaps = list[tuple[FunctionType, CodeType]]

FUTURE = sum(getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
LINE_TABLE = "co_linetable" if sys.version_info >= (3, 10) else "co_lnotab"


Unswappable = source_parts.Unclear
"""The candidate must be imported afresh; the message says why."""


class Imported:
    """What the files of a tree have left in this process: their functions, and what of them ran.

    `ran` is every code object that was entered so far.
    """

    def __init__(self, root: str, ran: Iterable[CodeType]) -> None:
        self._prefix = os.path.realpath(root).rstrip(os.sep) + os.sep
        self._paths: dict[str, str] = {}
        self._files: dict[str, LiveFile] = {}
        gc.collect()
        for thing in gc.get_objects():
            kind = type(thing)
            if kind is FunctionType:
                file = self._file(thing.__code__)
                if file is not None:
                    file.functions.append(thing)
            elif kind in SUSPENDED:
                code = getattr(thing, SUSPENDED[kind])
                file = self._file(code)
                if file is not None:
                    file.suspended.append(code)
        for code in ran:
            file = self._file(code)
            if file is not None:
                file.ran.append(code)
        for path, file in self._files.items():
            file.read(path)

    def _file(self, code: CodeType) -> LiveFile | None:
        name = code.co_filename
        if name not in self._paths:
            self._paths[name] = os.path.realpath(name) if os.path.isfile(name) else ""
        path = self._paths[name]
        if not path.startswith(self._prefix):
            return None
        if path not in self._files:
            self._files[path] = LiveFile()
        file = self._files[path]
        file.names.add(name)
        return file

    def region(self, path: str, data: bytes) -> Region:
        """What of the file at `path` changes for it to hold `data`; only text is looked at.

        Raises:
            Unswappable: it was not imported in a way that can be understood.
        """
        file = self._files.get(os.path.realpath(path))
        if file is None:
            raise Unswappable("the file was not imported")
        return file.region(data)


SUSPENDED = {
    GeneratorType: "gi_code",
    CoroutineType: "cr_code",
    AsyncGeneratorType: "ag_code",
}


class LiveFile:
    """One imported file: the text it was imported from, and its code that is alive or ran."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.functions: list[FunctionType] = []
        self.suspended: list[CodeType] = []
        self.ran: list[CodeType] = []
        self._data: bytes | None = None
        self._source: source_parts.Source | None = None

    def read(self, path: str) -> None:
        try:
            with open(path, "rb") as file:
                self._data = file.read()
        except OSError:
            # It stays unswappable.
            return

    def region(self, data: bytes) -> Region:
        if self._source is None:
            if self._data is None or len(self.names) != 1:
                raise Unswappable("the file can't be told apart from others")
            self._source = source_parts.Source(self._data, next(iter(self.names)), self._future_flags())
        return Region(self, self._source, source_parts.text_of(data))

    def _future_flags(self) -> int:
        modules = [code for code in self.ran if code.co_name == "<module>"]
        if len(modules) != 1:
            raise Unswappable("the file was imported more than once, or in an unusual way")
        flags: int = modules[0].co_flags & FUTURE
        return flags


class Region:
    """The top-level statements that a change touches, with the blank lines and comments around them.

    Lines from `start` (inclusive, from 1) to `end` (exclusive) of the untouched file. What lies before and
    behind is the same text, and starts and ends with whole statements; so the new file parses to the same
    statements there.
    """

    def __init__(self, file: LiveFile, before: source_parts.Source, after: str) -> None:
        self._file = file
        self._source = before
        old = before.text
        head = source_parts.common_head(old, after)
        tail = min(source_parts.common_tail(old, after), min(len(old), len(after)) - head)
        # One more line on either side: a statement that ends there is touched, too.
        first = bisect.bisect_right(before.starts, head) - 1
        last = bisect.bisect_right(before.starts, len(old) - tail) + 1
        self.start = max((end + 1 for _, end in before.spans if end < first), default=1)
        self.end = min((start for start, _ in before.spans if start > last), default=len(before.starts))
        lines = (before.starts[self.start - 1], before.starts[self.end - 1])
        if old[: lines[0]].endswith("\\\n"):
            raise Unswappable("the statement before the change ends in a backslash")
        self._old = before.compile_old(self.start, self.end)
        self._new_text = after[lines[0] : len(after) - (len(old) - lines[1])]
        self._shift = after.count("\n") - old.count("\n")

    def holds(self, code: CodeType) -> bool:
        return self.start <= code.co_firstlineno < self.end and code.co_name != "<module>"

    def plan(self) -> Swaps:
        """The live functions of the file and the code that they must get.

        Raises:
            Unswappable: importing the changed file would leave something else, or might.
        """
        pairs = self._pairs(self._source.compile(self.start, self._new_text))
        swaps = []
        for function in self._file.functions:
            code = function.__code__
            if self.holds(code):
                swaps.append((function, pairs[code]))
            elif self._shift and code.co_firstlineno >= self.end:
                swaps.append((function, shifted(code, self._shift)))
        return swaps

    def _pairs(self, new: CodeType) -> dict[CodeType, CodeType]:
        file, old = self._file, self._old
        alive = {function.__code__ for function in file.functions if self.holds(function.__code__)}
        ran = {code for code in file.ran if self.holds(code)}
        suspended = {code for code in file.suspended if self.holds(code)}
        if not (alive | ran | suspended) <= set(walk(old)):
            raise Unswappable("the live code is not what the source compiles to")
        found: dict[CodeType, CodeType] = {}
        # The region's own module code ran in any case, as a part of the module's.
        for one, other in paired(old, new, {*ran, old}):
            if found.setdefault(one, other) != other:
                raise Unswappable("two functions that were alike differ now")
        if any(code not in found or found[code] != code for code in suspended):
            raise Unswappable("a generator of the changed code is alive")
        if not alive <= found.keys():
            raise Unswappable("a function inside changed code is alive")
        return found


def paired(old: CodeType, new: CodeType, ran: set[CodeType]) -> Iterator[tuple[CodeType, CodeType]]:
    """(old, new) for each code object whose successor may take its place; functions inside one whose own
    code differs have no successor."""
    yield old, new
    if bare(old) == bare(new):
        for one, other in zip(nested(old), nested(new)):  # noqa: B905 - Python 3.8
            yield from paired(one, other, ran)
        return
    if old in ran:
        raise Unswappable(f"{old.co_name} ran on import")
    if outside(old) != outside(new):
        raise Unswappable(f"more of {old.co_name} changes than its body")


def nested(code: CodeType) -> list[CodeType]:
    return [constant for constant in code.co_consts if isinstance(constant, CodeType)]


def walk(code: CodeType) -> Iterator[CodeType]:
    yield code
    for inner in nested(code):
        yield from walk(inner)


def bare(code: CodeType) -> tuple[CodeType, int, bytes]:
    """The code itself, without line numbers and without the code inside it; to compare, not to run."""
    constants = tuple(None if isinstance(c, CodeType) else c for c in code.co_consts)
    changes: Any = {"co_consts": constants, "co_firstlineno": 1, LINE_TABLE: b""}
    # Not every interpreter compares the table of exceptions.
    handlers = getattr(code, "co_exceptiontable", b"")
    return code.replace(**changes), len(nested(code)), handlers


def outside(code: CodeType) -> tuple[object, ...]:
    """What can be seen of a function of this code without calling it, its lines aside."""
    parameters = code.co_argcount + code.co_kwonlyargcount
    parameters += bool(code.co_flags & 0x04) + bool(code.co_flags & 0x08)
    return (
        code.co_name,
        getattr(code, "co_qualname", ""),
        code.co_flags,
        code.co_argcount,
        code.co_posonlyargcount,
        code.co_kwonlyargcount,
        code.co_varnames[:parameters],
        code.co_freevars,
        docstring(code),
    )


def docstring(code: CodeType) -> object:
    """What `__doc__` of a function made from this code would be."""
    closure = tuple((lambda: code).__closure__ or ()) * len(code.co_freevars)
    return FunctionType(code, {}, "any", None, closure).__doc__


def shifted(code: CodeType, lines: int) -> CodeType:
    """The same code, so many lines further down."""
    constants = tuple(shifted(c, lines) if isinstance(c, CodeType) else c for c in code.co_consts)
    return code.replace(co_consts=constants, co_firstlineno=code.co_firstlineno + lines)
