"""JUnit XML reports, as pytest and its kin write them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from xml.parsers import expat

from treemend.store.errors import UsageError
from treemend.tools.traces import is_file_below, locate

REPORT_BYTES_MAX = 50_000_000
_PARTS_MAX = 32
_TEXT_CHARS_MAX = 100_000
_PLACE = ("file", "classname", "name")
_MEND = "Give a report that `pytest --junitxml=report.xml` wrote, or name the test with --failing-test."
CaseOutcome = Literal["passed", "failed", "error", "skipped"]


@dataclass(frozen=True, slots=True)
class JUnitReport:
    """Node ids of the tests that failed, in the report's order, and what each printed."""

    failing: tuple[str, ...]
    traces: tuple[str, ...]


@dataclass(slots=True)
class JUnitCase:
    """One <testcase>, with the names of the suites that it is in, outermost first."""

    file: str
    classname: str
    name: str
    suites: tuple[str, ...] = ()
    seconds: float = 0.0
    outcome: CaseOutcome = "passed"
    message: str = ""
    texts: list[str] = field(default_factory=list)

    @property
    def trace(self) -> str:
        return "".join(self.texts).strip() or self.message


def parse_junit(data: bytes, root: Path) -> JUnitReport:
    """The failing and erring tests of a report, as pytest names them below `root`.

    Raises:
        UsageError: not a JUnit report, too large, one with a document type (entities), or a
            failing test whose file isn't below `root`.
    """
    failures = [case for case in read_cases(data) if case.outcome in ("failed", "error")]
    failing = dict.fromkeys(_node_id(failure, root) for failure in failures)
    traces = dict.fromkeys(failure.trace for failure in failures if failure.trace)
    return JUnitReport(tuple(failing), tuple(traces))


def read_cases(data: bytes) -> list[JUnitCase]:
    """Every test of a report, in its order. One that was skipped before it failed was skipped.

    Raises:
        UsageError: not a JUnit report, too large, or one with a document type (entities).
    """
    if len(data) > REPORT_BYTES_MAX:
        raise UsageError(f"The report has more than {REPORT_BYTES_MAX} bytes.", mend=_MEND)
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
    return reader.cases


def _refuse_doctype(*_: object) -> None:
    raise UsageError("The report has a document type, which no test runner writes.", mend=_MEND)


class _Reader:
    """Collects the cases while the report streams by; it keeps no tree."""

    def __init__(self) -> None:
        self.cases: list[JUnitCase] = []
        self._depth = 0
        self._suites: list[tuple[int, str]] = []
        self._case: JUnitCase | None = None
        self._listening_at = 0
        self._chars = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        tag = tag.rsplit(":", 1)[-1]
        if self._depth == 1 and tag not in ("testsuites", "testsuite"):
            raise UsageError(f"The report's outermost element is <{tag}>.", mend=_MEND)
        if tag == "testsuite" and len(self._suites) < _PARTS_MAX:
            self._suites.append((self._depth, attributes.get("name", "")))
        elif tag == "testcase":
            self._begin(attributes)
        elif self._case is not None and not self._listening_at:
            self._judge(self._case, tag, attributes)

    def _begin(self, attributes: dict[str, str]) -> None:
        file, classname, name = (attributes.get(key, "") for key in _PLACE)
        suites = tuple(suite for _, suite in self._suites)
        self._case = JUnitCase(file, classname, name, suites, _seconds(attributes.get("time", "")))
        self._chars = 0
        self.cases.append(self._case)

    def _judge(self, case: JUnitCase, tag: str, attributes: dict[str, str]) -> None:
        if tag in ("failure", "error"):
            self._listening_at = self._depth
            if case.outcome == "passed":
                case.outcome = "failed" if tag == "failure" else "error"
            case.message = case.message or attributes.get("message", "")[:_TEXT_CHARS_MAX]
        elif tag == "skipped" and case.outcome == "passed":
            case.outcome = "skipped"

    def end(self, tag: str) -> None:
        if self._depth == self._listening_at:
            self._listening_at = 0
        if self._suites and self._suites[-1][0] == self._depth:
            self._suites.pop()
        if tag.rsplit(":", 1)[-1] == "testcase":
            self._case = None
        self._depth -= 1

    def text(self, text: str) -> None:
        if self._case is not None and self._listening_at and self._chars < _TEXT_CHARS_MAX:
            self._chars += len(text)
            self._case.texts.append(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text.replace(",", ""))
    except ValueError:
        return 0.0
    return seconds if 0.0 <= seconds < 1e9 else 0.0


def _node_id(failure: JUnitCase, root: Path) -> str:
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
