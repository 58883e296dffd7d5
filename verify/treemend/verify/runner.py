"""The seam between treemend and the target's own way of running tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from treemend.store.records import FailureExplanation, Frame, TestOutcome

Lines = Mapping[str, tuple[int, ...]]
"""Executed lines by path relative to the tree, sorted."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function or method of the tree: its file, dotted name in it, and first line, decorators included."""

    path: str
    name: str
    line: int


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A call of a recorded function. `arguments` is text that only the code under test's own interpreter may
    read, inside a sandbox; `module` is the name that the function's file was imported by."""

    path: str
    name: str
    module: str
    arguments: str
    tests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TestRequest:
    """Which tests to run, on which tree, for how long.

    Attributes:
        overlay: Files of the tree that a candidate replaces, by relative path.
        tests: Test ids in the order wanted; None for all that the test command collects.
        gate: The number of leading tests of which at least one must pass before the others run, the
            first of which that doesn't pass ends the run; so does any hang. None runs everything.
        limit_s: Time limit of a test; `limits_s` names exceptions.
        coverage: Whether executed lines are recorded for each test.
        exact: Tests of which no line may be missed; of others, one that runs late in a long loop may be.
        hash_seed: PYTHONHASHSEED of the run.
        time_zone: TZ of the run.
        recorded: Functions of the tree whose calls are recorded (`calls` of the report).
        explained: Whether failures are explained (`explanation` of a result), at several times the cost.
        load_plugins: Whether the runner loads the plugins that are installed beside it.
    """

    __test__ = False  # not a test class of pytest's

    overlay: Mapping[str, bytes] = field(default_factory=dict)
    tests: tuple[str, ...] | None = None
    gate: int | None = None
    limit_s: float = 10.0
    limits_s: Mapping[str, float] = field(default_factory=dict)
    coverage: bool = False
    exact: tuple[str, ...] = ()
    hash_seed: int = 0
    time_zone: str = "UTC"
    recorded: tuple[Function, ...] = ()
    explained: bool = False
    load_plugins: bool = True


@dataclass(frozen=True, slots=True)
class Returned:
    """What a function of the tree gave back last, as source text, and expressions in its scope with the
    values that they had then."""

    path: str
    line: int
    value: str
    scope: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Arguments:
    """The types with which a function of the tree was called, by parameter. `line` is where it begins."""

    path: str
    line: int
    function: str
    types: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class TestResult:
    """One test's outcome; `frames` outermost first. Without coverage `lines`, `returned` and `arguments` are
    empty; of a test that need not be exact, `arguments` has what no earlier one has shown."""

    __test__ = False

    outcome: TestOutcome
    duration_s: float
    message: str = ""
    frames: tuple[Frame, ...] = ()
    lines: Lines = field(default_factory=dict)
    returned: tuple[Returned, ...] = ()
    arguments: tuple[Arguments, ...] = ()
    explanation: FailureExplanation | None = None


@dataclass(frozen=True, slots=True)
class TestReport:
    """What a run of tests gave.

    Attributes:
        results: By test id, in the order in which they ran. A test asked for and absent here was not run.
        collected: Ids of the tests that were chosen to run, None when collection never ended.
        collection_errors: Message by the id of what could not be collected (mostly a test module).
        import_lines: Lines executed while collecting, that is on import (with coverage).
        foreign_modules: Modules that were imported from the user's checkout instead of the copy.
        calls: Calls of the functions that the request wants recorded, each kind of arguments once.
        problem: Why the run as a whole gave nothing, where it did; for people.
        output: The end of what the test command printed.
    """

    __test__ = False

    results: Mapping[str, TestResult]
    collected: tuple[str, ...] | None
    collection_errors: Mapping[str, str] = field(default_factory=dict)
    import_lines: Lines = field(default_factory=dict)
    foreign_modules: tuple[str, ...] = ()
    calls: tuple[RecordedCall, ...] = ()
    problem: str = ""
    output: str = ""
    wall_s: float = 0.0


class TestRunner(Protocol):
    """Runs tests of one tree inside a sandbox. A failing test is a result, never an error.

    Raises (from `run`):
        SandboxUnavailableError: the sandbox broke.
    """

    @property
    def records_lines(self) -> bool:
        """Whether a request with `coverage` gives executed lines."""
        ...

    async def run(self, request: TestRequest) -> TestReport: ...
