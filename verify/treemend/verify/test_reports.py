"""From what a test command left, JUnit XML or its own format, to one result a test."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from treemend.store.errors import UsageError
from treemend.store.records import TestOutcome
from treemend.tools.junit import JUnitCase, read_cases

ID_CHARS_MAX = 1000
TRACE_CHARS_MAX = 20_000
TESTS_MAX = 200_000
MEND = (
    "Make the command write a whole JUnit XML report, name it with --junit-report, or leave reports out: "
    "then the exit code alone tells."
)
_BY_CASE = {
    "passed": TestOutcome.PASSED,
    "failed": TestOutcome.FAILED,
    "error": TestOutcome.ERROR,
    "skipped": TestOutcome.SKIPPED,
}


@dataclass(frozen=True, slots=True)
class Output:
    """What a command left: its reports' bytes by path, what it printed, and the folder that it ran in."""

    reports: Mapping[str, bytes]
    printed: str
    root: str = ""


@dataclass(frozen=True, slots=True)
class ReportedTest:
    """One test as a tool reports it; `trace` is all that it says of a failure."""

    id: str
    outcome: TestOutcome
    seconds: float = 0.0
    message: str = ""
    trace: str = ""


Reported = list[ReportedTest]


def distinct(tests: Iterable[ReportedTest]) -> dict[str, ReportedTest]:
    """Tests by id, in their order. A second test of one id is told apart as `id[2]`.

    Raises:
        UsageError: there are more than a report can be of.
    """
    found: dict[str, ReportedTest] = {}
    counts: dict[str, int] = {}
    for test in tests:
        name = _plain(test.id)
        counts[name] = counts.get(name, 0) + 1
        while counts[name] > 1 and f"{name}[{counts[name]}]" in found:
            counts[name] += 1
        key = name if counts[name] == 1 and name not in found else f"{name}[{max(counts[name], 2)}]"
        found[key] = test
        if len(found) > TESTS_MAX:
            raise UsageError(f"The report names more than {TESTS_MAX} tests.", mend=MEND)
    return found


def _plain(name: str) -> str:
    """A name on one line, of bounded length, without what a terminal would obey."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name.strip())
    return shown[:ID_CHARS_MAX] or "(a test without a name)"


# -- JUnit XML ---------------------------------------------------------------------------------


def _junit(output: Output, name: Callable[[JUnitCase, Output], str]) -> Reported:
    found: Reported = []
    for path, data in sorted(output.reports.items()):
        try:
            cases = read_cases(data)
        except UsageError as error:
            raise UsageError(f"{path}: {error.message}", mend=MEND) from error
        found += [
            ReportedTest(
                id=name(case, output),
                outcome=_BY_CASE[case.outcome],
                seconds=case.seconds,
                message=case.message or _first_line(case.trace),
                trace=case.trace[:TRACE_CHARS_MAX],
            )
            for case in cases
        ]
    return found


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


def parse_any_junit(output: Output) -> Reported:
    """Reports of an unknown tool: `place::name`, the place being a file, a class or the suites."""

    def name(case: JUnitCase, output: Output) -> str:
        place = case.classname or _relative(case.file, output.root) or " > ".join(filter(None, case.suites))
        return f"{place}::{case.name}" if place else case.name

    return _junit(output, name)


def parse_node(output: Output) -> Reported:
    """node:test: the suites and the name, behind the file where this Node tells it."""

    def name(case: JUnitCase, output: Output) -> str:
        # Node 20 escapes quotation marks twice.
        parts = [part.replace("&quot;", '"') for part in (*filter(None, case.suites), case.name)]
        file = _relative(case.file, output.root)
        return (f"{file}::" if file else "") + " > ".join(parts)

    return _junit(output, name)


def parse_vitest(output: Output) -> Reported:
    """Vitest: `file::suite > name`."""
    return _junit(output, lambda case, _: f"{case.classname}::{case.name}")


def parse_maven(output: Output) -> Reported:
    """Surefire: `package.Class#method`, as `mvn -Dtest=` takes it."""
    return _junit(output, lambda case, _: f"{case.classname}#{case.name}" if case.name else case.classname)


def _relative(path: str, root: str) -> str:
    return path.removeprefix(root.rstrip("/") + "/") if root else path


# -- jest --------------------------------------------------------------------------------------

_BY_JEST = {
    "passed": TestOutcome.PASSED,
    "failed": TestOutcome.FAILED,
    "pending": TestOutcome.SKIPPED,
    "skipped": TestOutcome.SKIPPED,
    "todo": TestOutcome.SKIPPED,
    "disabled": TestOutcome.SKIPPED,
}


def parse_jest(output: Output) -> Reported:
    """What `jest --json --outputFile` writes: `file::suite > name`, a broken file by its name alone."""
    found: Reported = []
    for path, data in sorted(output.reports.items()):
        try:
            files = json.loads(data)["testResults"]
            for file in files:
                found += _jest_file(file, output.root)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UsageError(
                f"{path}: not what `jest --json` writes ({_first_line(str(error))}).", mend=MEND
            ) from error
    return found


def _jest_file(file: dict[str, Any], root: str) -> Iterator[ReportedTest]:
    name = _relative(str(file["name"]), root)
    tests = file["assertionResults"]
    if not tests and file["status"] == "failed":
        message = str(file.get("message", ""))
        yield ReportedTest(name, TestOutcome.ERROR, 0.0, _first_line(message), message[:TRACE_CHARS_MAX])
    for test in tests:
        outcome = _BY_JEST.get(str(test["status"]), TestOutcome.ERROR)
        messages = "\n".join(map(str, test.get("failureMessages") or ()))
        title = " > ".join([*map(str, test["ancestorTitles"]), str(test["title"])])
        seconds = float(test.get("duration") or 0.0) / 1000
        yield ReportedTest(
            f"{name}::{title}", outcome, seconds, _first_line(messages), messages[:TRACE_CHARS_MAX]
        )


# -- cargo -------------------------------------------------------------------------------------

_RUNNING = re.compile(r"\s*Running (?:unittests )?(\S+)(?: \((\S+)\))?\s*$")
_DOC_TESTS = re.compile(r"\s*Doc-tests (\S+)\s*$")
_COUNT = re.compile(r"running (\d+) tests?\s*$")
_RUST_TEST = re.compile(r"test (.+?)(?: - should panic(?:.*?)?)? \.\.\. (ok|FAILED|ignored)(?:, .*)?\s*$")
_SECTION = re.compile(r"---- (.+?) (?:stdout|stderr) ----\s*$")
_DOC_LINE = re.compile(r" \(line \d+\)")
_HASH = re.compile(r"-[0-9a-f]{16}$")
_BY_CARGO = {"ok": TestOutcome.PASSED, "FAILED": TestOutcome.FAILED, "ignored": TestOutcome.SKIPPED}


def parse_cargo(output: Output) -> Reported:
    """`cargo test`: `crate::path::name`; tests in documentation without their line, which edits move.

    Raises:
        UsageError: more results than tests were announced, which is not libtest's own doing.
    """
    outcomes: dict[tuple[str, str], TestOutcome] = {}
    traces: dict[tuple[str, str], list[str]] = {}
    crate, announced, seen = "", 0, 0
    section: list[str] | None = None
    for line in output.printed.splitlines():
        if match := _RUNNING.match(line) or _DOC_TESTS.match(line):
            crate, section = _crate(match), None
        elif match := _COUNT.match(line):
            announced, seen = int(match[1]), 0
        elif match := _RUST_TEST.match(line):
            seen += 1
            if seen > announced:
                raise UsageError(
                    f"`cargo test` shows {seen} results of {announced} tests: a test prints such lines.",
                    mend="Let the tests print nothing that looks like a result.",
                )
            outcomes[crate, match[1]] = _BY_CARGO[match[2]]
        elif match := _SECTION.match(line):
            section = traces.setdefault((crate, match[1]), [])
        elif line.rstrip() == "failures:":
            section = None
        elif section is not None:
            section.append(line)
    return [
        _rust_test(crate, name, outcome, "\n".join(traces.get((crate, name), ())).strip())
        for (crate, name), outcome in outcomes.items()
    ]


def _crate(match: re.Match[str]) -> str:
    if match.re is _DOC_TESTS:
        return f"{match[1]} (doc)"
    return _HASH.sub("", (match[2] or match[1]).rsplit("/", 1)[-1])


def _rust_test(crate: str, name: str, outcome: TestOutcome, trace: str) -> ReportedTest:
    lines = [line.strip() for line in trace.splitlines() if line.strip() and not line.startswith("thread '")]
    message = " ".join(lines[:3])
    return ReportedTest(f"{crate}::{_DOC_LINE.sub('', name)}", outcome, 0.0, message, trace[:TRACE_CHARS_MAX])


# -- go ----------------------------------------------------------------------------------------

_BY_GO = {"pass": TestOutcome.PASSED, "fail": TestOutcome.FAILED, "skip": TestOutcome.SKIPPED}


def parse_go(output: Output) -> Reported:
    """`go test -json` (`go doc test2json`): `package::TestName/sub`.

    A package that fails with no failing test (it does not build, or panics) is a result of its own; a test
    that began and did not end is an error.
    """
    outcomes: dict[tuple[str, str], TestOutcome] = {}
    seconds: dict[tuple[str, str], float] = {}
    said: dict[tuple[str, str], list[str]] = {}
    for event in _go_events(output.printed):
        key = (str(event.get("Package") or event.get("ImportPath") or ""), str(event.get("Test") or ""))
        action = str(event.get("Action"))
        if action in ("output", "build-output"):
            said.setdefault(key, []).append(str(event.get("Output") or ""))
        elif action == "run":
            outcomes.setdefault(key, TestOutcome.ERROR)
        elif action in _BY_GO:
            outcomes[key] = _BY_GO[action]
            seconds[key] = _number(event.get("Elapsed"))
    bad = {package for (package, test), outcome in outcomes.items() if test and outcome in _BROKEN}
    return [
        ReportedTest(
            id=f"{package}::{test}" if test else package,
            outcome=outcome if test else TestOutcome.ERROR,
            seconds=seconds.get((package, test), 0.0),
            message=_go_message(said.get((package, test), ())),
            trace="".join(said.get((package, test), ()))[:TRACE_CHARS_MAX],
        )
        for (package, test), outcome in outcomes.items()
        if test or (outcome is TestOutcome.FAILED and package not in bad)
    ]


_BROKEN = (TestOutcome.FAILED, TestOutcome.ERROR)


def _go_events(printed: str) -> Iterator[dict[str, Any]]:
    for line in printed.splitlines():
        if line.startswith("{"):
            try:
                event = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(event, dict):
                yield event


def _go_message(said: Iterable[str]) -> str:
    lines = [line.strip() for line in said]
    return next((line for line in lines if line and not line.startswith(("===", "---"))), "")


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and 0 <= value < 1e9 else 0.0
