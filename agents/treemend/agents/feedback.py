"""What running a candidate showed, for whoever thinks on from it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pydantic import TypeAdapter

from treemend.store.records import Frame, Record, TestOutcome
from treemend.verify.runner import TestResult

PLACE = re.compile(r"^[^\n]*?:\d+: ")
ERROR = re.compile(r"((?:\w+\.)*\w+(?:Error|Exception|Exit|Iteration))\b")
UNKNOWN_NAME = re.compile(r"(?:name|variable|attribute|module) '(\w+)'")
NAME_ERRORS = frozenset({"NameError", "UnboundLocalError", "AttributeError"})
COMPARED = re.compile(r"assert ([^\n]+?) (?:==|is) ([^\n]+)|AssertionError: ([^\n]+?) != ([^\n]+)")
NOTHING_RETURNED = re.compile(r"\bassert None (?:==|is)|\bNone != |: 'NoneType' object ")


class Wanted(Record):
    """Expressions that had the value which a test wanted, where a function gave back another."""

    path: str
    line: int
    expressions: tuple[str, ...]


class Failure(Record):
    """How a target test fails: the message, and the frames of the repository, outermost first."""

    message: str
    hung: bool = False
    frames: tuple[Frame, ...] = ()
    wanted: tuple[Wanted, ...] = ()

    @property
    def said(self) -> str:
        """The message without its place, which a change may shift."""
        return PLACE.sub("", self.message, count=1)

    @property
    def error(self) -> str:
        """The exception's type, "" where the message begins with none."""
        found = ERROR.match(self.said)
        return found.group(1).rpartition(".")[2] if found else ""

    @property
    def unknown_name(self) -> str:
        """The name that the code doesn't know, "" where the failure is another."""
        found = UNKNOWN_NAME.findall(self.said) if self.error in NAME_ERRORS else []
        return str(found[-1]) if found else ""

    @property
    def is_crash(self) -> bool:
        return self.error not in ("", "AssertionError")

    @property
    def stage(self) -> int:
        """How far the code got: 0 it hung, 1 it met an unknown name, 2 it returned nothing, 3 further."""
        if self.hung:
            return 0
        if self.error in NAME_ERRORS:
            return 1
        return 2 if NOTHING_RETURNED.search(self.said) else 3


class Feedback(Record):
    """The target tests that pass with a candidate, and how each of the others fails."""

    passed: frozenset[str]
    failures: dict[str, Failure]


FEEDBACK = TypeAdapter(Feedback)


def feedback_of(results: Mapping[str, TestResult], targets: Sequence[str]) -> Feedback:
    """Sort the results of target tests; one that was not run counts neither way."""
    ran = {test: results[test] for test in targets if test in results}
    return Feedback(
        passed=frozenset(test for test, result in ran.items() if result.outcome is TestOutcome.PASSED),
        failures={
            test: Failure(
                message=result.message,
                hung=result.outcome is TestOutcome.TIMEOUT,
                frames=result.frames,
                wanted=wanted_by(result),
            )
            for test, result in ran.items()
            if result.outcome is not TestOutcome.PASSED
        },
    )


def wanted_by(result: TestResult) -> tuple[Wanted, ...]:
    """What should have been given back, as far as an assertion compares a returned value with another."""
    compared = COMPARED.search(PLACE.sub("", result.message, count=1))
    if compared is None:
        return ()
    sides = [side.strip() for side in compared.groups() if side is not None]
    found = []
    for returned in result.returned:
        if returned.value in sides and "..." not in "".join(sides):
            value = sides[1 - sides.index(returned.value)]
            fitting = tuple(name for name, had in returned.scope.items() if had == value)
            if fitting:
                found.append(Wanted(path=returned.path, line=returned.line, expressions=fitting))
    return tuple(found)


def is_progress(before: Feedback, after: Feedback) -> bool:
    """Whether a change is worth adding to: more target tests pass, or the code gets further in each that
    still fails: it hangs no more, knows the name, returns something."""
    if after.passed > before.passed:
        return True
    return after.passed == before.passed and _gets_further(before, after)


def _gets_further(before: Feedback, after: Feedback) -> bool:
    pairs = [(before.failures.get(test), failure) for test, failure in after.failures.items()]
    return bool(pairs) and all(old is not None and _is_further(old, new) for old, new in pairs)


def _is_further(old: Failure, new: Failure) -> bool:
    other_name = old.stage == new.stage == 1 and old.said != new.said
    return new.stage > old.stage or other_name
