"""What the failures themselves say about where and how to mend."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from treemend.agents.feedback import Failure, Feedback
from treemend.agents.templates.catalogue import Change
from treemend.agents.templates.drafts import spliced
from treemend.store.records import Edit
from treemend.verify.spectra import Line

AT_THE_CRASH = 2.0
AT_THE_NAME = 20.0
AS_WANTED = 25.0
AT_THE_TYPE = 20.0


@dataclass(frozen=True, slots=True)
class Crash:
    """A line at which target tests crash, the name unknown there, and the share of failures it stands for."""

    line: Line
    name: str
    share: float


@dataclass(frozen=True, slots=True)
class WantedAnswer:
    """A return for which an expression in scope had the value wanted, in a share of the failures."""

    line: Line
    expression: str
    share: float


@dataclass(frozen=True, slots=True)
class OddType:
    """A parameter that comes as another type when target tests fail; `lines` are those of its function."""

    path: str
    lines: range
    name: str
    odd: str
    usual: tuple[str, ...]
    share: float

    @property
    def handled(self) -> re.Pattern[str]:
        """Code that looks at the type, or makes it a usual one."""
        name = re.escape(self.name)
        makes = "|".join(map(re.escape, self.usual))
        if self.odd == "NoneType":
            return re.compile(rf"\b{name} is |\bnot {name}\b|\bif {name}\b|\b{name} or \b")
        return re.compile(rf"isinstance\({name},|\b(?:{makes})\({name}\)")


@dataclass(frozen=True, slots=True)
class Evidence:
    """How much likelier the failures make a change.

    Attributes:
        crashes: Where the target tests crash, as lines of the untouched files.
        answers: What should rather be given back.
        types: Parameters whose type tells failing tests from passing ones.
        texts: The untouched files.
    """

    crashes: tuple[Crash, ...]
    answers: tuple[WantedAnswer, ...]
    types: tuple[OddType, ...]
    texts: Mapping[str, str]

    def likelihood(self, change: Change) -> float:
        """A factor of at least 1 on the change's weight."""
        factor = 1.0
        for crash in self.crashes:
            if _covers(change, crash.line):
                factor += AT_THE_CRASH * crash.share
            if crash.name and _touches(change, crash, self.texts[crash.line[0]]):
                factor += AT_THE_NAME * crash.share
        factor += AT_THE_TYPE * max((t.share for t in self.types if _handles(change, t)), default=0.0)
        return factor + AS_WANTED * max(
            (a.share for a in self.answers if self._gives(change, a)), default=0.0
        )

    def _gives(self, change: Change, answer: WantedAnswer) -> bool:
        """Whether a change gives back the expression wanted, by that return statement or by a new one."""
        path, number = answer.line
        wanted = f"return{_bare(answer.expression)}"
        if any(edit.path == path and _bare(edit.text) == wanted for edit in change.edits):
            return True
        if not _covers(change, answer.line) or change.place.line != change.place.end_line:
            return False
        start, end = _span(self.texts[path], number)
        if any(edit.path != path or not start <= edit.start <= edit.end <= end for edit in change.edits):
            return False
        code = spliced(self.texts[path], start, end, change.edits)
        return _bare(code).endswith(wanted)


def evidence_of(
    feedback: Feedback,
    texts: Mapping[str, str],
    made: Sequence[Edit] = (),
    types: tuple[OddType, ...] = (),
) -> Evidence:
    """Read the failures of the target tests with the edits `made`."""
    counts: dict[tuple[Line, str], int] = {}
    for failure in feedback.failures.values():
        line = _crash_line(failure, texts, made)
        if line is not None:
            counts[line, failure.unknown_name] = counts.get((line, failure.unknown_name), 0) + 1
    total = max(1, len(feedback.failures))
    crashes = tuple(Crash(line, name, count / total) for (line, name), count in counts.items())
    return Evidence(crashes, _answers(feedback, total) if not made else (), types, texts)


def _handles(change: Change, odd: OddType) -> bool:
    return any(
        edit.path == odd.path and change.place.line in odd.lines and odd.handled.search(edit.text)
        for edit in change.edits
    )


def _answers(feedback: Feedback, total: int) -> tuple[WantedAnswer, ...]:
    """Expressions by return; one that fits few of the failures counts for little."""
    counts: dict[tuple[Line, str], int] = {}
    for failure in feedback.failures.values():
        for wanted in failure.wanted:
            for expression in wanted.expressions:
                key = ((wanted.path, wanted.line), expression)
                counts[key] = counts.get(key, 0) + 1
    return tuple(
        WantedAnswer(line, expression, (count / total) ** 2) for (line, expression), count in counts.items()
    )


def _crash_line(failure: Failure, texts: Mapping[str, str], made: Sequence[Edit]) -> Line | None:
    inner = [frame for frame in failure.frames if frame.path in texts]
    if not failure.is_crash or not inner:
        return None
    path, line = inner[-1].path, inner[-1].line
    return path, _untouched_line(path, line, made, texts[path])


def _untouched_line(path: str, line: int, made: Sequence[Edit], text: str) -> int:
    """The line of the untouched file that a line of the changed one comes from."""
    for edit in sorted((edit for edit in made if edit.path == path), key=lambda edit: edit.start):
        first = text.count("\n", 0, edit.start) + 1
        grown = edit.text.count("\n") - text.count("\n", edit.start, edit.end)
        if line > first:
            line = max(first, line - grown)
    return line


def _covers(change: Change, line: Line) -> bool:
    place = change.place
    return line[0] == place.path and place.line <= line[1] <= place.end_line


def _span(text: str, number: int) -> tuple[int, int]:
    """Where a line of a text begins and ends."""
    lines = text.splitlines(keepends=True)
    start = sum(map(len, lines[: number - 1]))
    return start, start + (len(lines[number - 1]) if number <= len(lines) else 0)


def _bare(code: str) -> str:
    return "".join(code.split())


def _touches(change: Change, crash: Crash, text: str) -> bool:
    """Whether a change replaces the unknown name where the code crashes, or binds it."""
    path, number = crash.line
    start, end = _span(text, number)
    word = re.compile(rf"\b{re.escape(crash.name)}\b")
    spans = [found.span() for found in word.finditer(text, start, end)]
    binds = re.compile(rf"\b{re.escape(crash.name)}\s*(?:=[^=]|\()")
    return any(
        edit.path == path
        and (
            any(edit.start < last and first < edit.end for first, last in spans)
            or binds.search(edit.text) is not None
        )
        for edit in change.edits
    )
