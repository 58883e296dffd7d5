"""Test commands known by name: how each is made to report its tests, and to run a few of them alone."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from types import MappingProxyType

from treemend.store.errors import UsageError
from treemend.verify.test_reports import (
    Results,
    parse_cargo,
    parse_go,
    parse_jest,
    parse_maven,
    parse_node,
    parse_reports,
    parse_vitest,
)

Words = tuple[str, ...]
REPORT = "treemend-report"
FOUND_REPORTS = (
    "**/TEST-*.xml",
    "**/*junit*.xml",
    "**/test-results/**/*.xml",
    "**/test-reports/**/*.xml",
    "report.xml",
    "test-report.xml",
    "test-results.xml",
)
"""Where reports of commands that nobody knows usually lie."""

_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_SHELL = re.compile(r"[|&;<>()$`\n*?]")


@dataclass(frozen=True, slots=True)
class Output:
    """What a command left: its reports' bytes by path, and what it printed."""

    reports: Mapping[str, bytes]
    printed: str


@dataclass(frozen=True, slots=True)
class Tool:
    """A test tool known by name.

    Attributes:
        whole: The words that run everything with a report, from the words that the user gave.
        select: The words that run these tests alone, from those of `whole`; None where it can't.
        reports: Patterns of the files that it writes its results to; () where it prints them.
        parse: From what it left to results by test id.
    """

    name: str
    whole: Callable[[Words], Words]
    parse: Callable[[Output], Results]
    select: Callable[[Words, Sequence[str]], Words | None] | None = None
    reports: Words = ()


@dataclass(frozen=True, slots=True)
class TestCommand:
    """A test command as it will be run.

    Attributes:
        text: As the user gave it.
        argv: The words that run everything.
        env: Variables that were set in front of it.
        tool: What it runs, None where that is unknown.
        reports: Patterns of its JUnit XML reports, where the user or the tool says so.
    """

    __test__ = False  # not a test class of pytest's

    text: str
    argv: Words
    env: Mapping[str, str] = field(default_factory=dict)
    tool: Tool | None = None
    reports: Words = ()

    @property
    def watched(self) -> Words:
        """Patterns of the files that may be reports."""
        return self.reports or (self.tool.reports if self.tool else FOUND_REPORTS)

    def selecting(self, tests: Sequence[str]) -> Words | None:
        """The words that run these tests alone, None where only all can be run."""
        if self.tool is None or self.tool.select is None:
            return None
        return self.tool.select(self.argv, tests)

    def parse(self, output: Output) -> Results | None:
        """Results by test id, None where only the exit code tells.

        Raises:
            UsageError: a report can't be read; the message names it.
        """
        if self.tool is not None:
            return self.tool.parse(output)
        return parse_reports(output) if output.reports else None


def test_command(text: str, junit_reports: Sequence[str] = (), scripts: Mapping[str, str] = _NO_SCRIPTS) -> TestCommand:
    ...
