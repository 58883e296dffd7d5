"""JUnit XML reports, as pytest and its kin write them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from treemend.store.errors import UsageError
from treemend.tools.traces import is_file_below, locate

REPORT_BYTES_MAX = 50_000_000
_PARTS_MAX = 32
_PLACE = ("file", "classname", "name")
_MEND = "Give a report that `pytest --junitxml=report.xml` wrote, or name the test with --failing-test."


@dataclass(frozen=True, slots=True)
class JUnitReport:
    """Node ids of the tests that failed, in the report's order, and what each printed."""

    failing: tuple[str, ...]
    traces: tuple[str, ...]


def parse_junit(data: bytes, root: Path) -> JUnitReport:
    """The failing and erring tests of a report, as pytest names them below `root`.

    Raises:
        UsageError: not a JUnit report, too large, one with a document type (entities), or a
            failing test whose file isn't below `root`.
    """
    if len(data) > REPORT_BYTES_MAX:
        raise UsageError(f"The report has more than {REPORT_BYTES_MAX} bytes.", mend=_MEND)
    failures = _failures(data)
    failing = dict.fromkeys(_node_id(failure, root) for failure in failures)
    traces = dict.fromkeys(failure.trace for failure in failures if failure.trace)
    return JUnitReport(tuple(failing), tuple(traces))


@dataclass(slots=True)
class _Failure:
    file: str
    classname: str
    name: str
    texts: list[str] = field(default_factory=list)
    message: str = ""

    @property
    def trace(self) -> str:
        return "".join(self.texts).strip() or self.message


def _failures(data: bytes) -> list[_Failure]:
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise UsageError(f"The report is not well-formed XML: {error}.", mend=_MEND) from error
    return reader.failures


def _refuse_doctype(*_: object) -> None:
    raise UsageError("The report has a document type, which no test runner writes.", mend=_MEND)


class _Reader:
    """Collects the failing cases while the report streams by; it keeps no tree."""

    def __init__(self) -> None:
        self.failures: list[_Failure] = []
        self._depth = 0
        self._case: _Failure | None = None
        self._listening_at = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        tag = tag.rsplit(":", 1)[-1]
        if self._depth == 1 and tag not in ("testsuites", "testsuite"):
            raise UsageError(f"The report's outermost element is <{tag}>.", mend=_MEND)
        if tag == "testcase":
            file, classname, name = (attributes.get(key, "") for key in _PLACE)
            self._case = _Failure(file, classname, name)
        elif tag in ("failure", "error") and self._case is not None and not self._listening_at:
            self._listening_at = self._depth
            self._case.message = self._case.message or attributes.get("message", "")
            if not self.failures or self.failures[-1] is not self._case:
                self.failures.append(self._case)

    def end(self, tag: str) -> None:
        if self._depth == self._listening_at:
            self._listening_at = 0
        if tag.rsplit(":", 1)[-1] == "testcase":
            self._case = None
        self._depth -= 1

    def text(self, text: str) -> None:
        if self._case is not None and self._listening_at:
            self._case.texts.append(text)


def _node_id(failure: _Failure, root: Path) -> str:
    if not failure.classname:
        # A file that could not be collected has its module as the name of the test.
        file, rest = _module_file(failure.name, root)
        if file and not rest:
            return file
    # The `file` of an inherited test is where its base class lies, which pytest can't run.
    file, rest = _module_file(failure.classname, root)
    if not file:
        file = locate(failure.file, root)
        rest = _after_module(failure.classname.split("."), file)
    if not file:
        name = ".".join(part for part in (failure.classname, failure.name) if part)
        raise UsageError(f"The file of the failing test {name!r} is not in {root}.", mend=_MEND)
    return "::".join([file, *rest, failure.name])


def _module_file(dotted: str, root: Path) -> tuple[str, list[str]]:
    """The file of `tests.test_x.TestC` and what names no file in it (["TestC"]); ("", []) if none.

    The front is dropped part by part when the report is relative to a folder above `root`.
    """
    parts = [part for part in dotted.split(".") if part][:_PARTS_MAX]
    if "/" in dotted:
        return "", []
    for start in range(len(parts)):
        end = _module_end(parts, start, root)
        if end:
            return "/".join(parts[start:end]) + ".py", parts[end:]
    return "", []


def _module_end(parts: list[str], start: int, root: Path) -> int:
    """Where the longest module that begins at `start` ends; 0 if there is none."""
    found, folder = 0, ""
    for end, part in enumerate(parts[start:], start + 1):
        if is_file_below(f"{folder}{part}.py", root):
            found = end
        folder += f"{part}/"
        if not os.path.isdir(os.path.join(root, folder)):
            break
    return found


def _after_module(parts: list[str], file: str) -> list[str]:
    module = file.removesuffix(".py").split("/")
    for end in range(len(parts), 0, -1):
        shared = min(end, len(module))
        if parts[end - shared : end] == module[-shared:]:
            return parts[end:]
    return []
