"""What every prompt of a run begins with: the issue, what fails, and the code that may be at fault."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from treemend.agents.model.prompts import NEVER_LEFT_OUT, Section, clean_prose
from treemend.agents.model_policy.diagnosis import describe
from treemend.agents.planning import Plan
from treemend.store.records import Symptom
from treemend.tools.source import SourceFile, lines_of
from treemend.tools.syntax import functions_of, parse_module

CODE_CHARS_MAX = 16_000
FUNCTIONS_MAX = 12
TRACE_CHARS_MAX = 4000
FILE_CHARS_MAX = 6000
MODULE_LINES = 40


def issue_section(symptom: Symptom) -> Section:
    """The issue, whole; without one, what the user named."""
    named = "\n".join(f"This test should pass: {test}" for test in symptom.failing_tests)
    text = clean_prose(symptom.issue) or named or "Some tests of this repository fail and should pass."
    return Section("issue", text, NEVER_LEFT_OUT)


def brief_sections(symptom: Symptom, plan: Plan, labels: Mapping[str, str]) -> tuple[Section, ...]:
    """The sections, in the order of how seldom they change."""
    trace = clean_prose(symptom.trace)[-TRACE_CHARS_MAX:]
    failing = describe(plan.symptom, labels) if plan.symptom.failures else ""
    return (
        issue_section(symptom),
        Section("stack-trace", trace, 60),
        Section("what-fails", failing, 80),
        Section("code", "\n\n".join(_suspicious_code(plan)), 70),
    )


def _suspicious_code(plan: Plan) -> Iterator[str]:
    """The functions that hold the most suspicious lines, whole, or the file where it is small; of what stands
    outside of functions, the lines around."""
    suspicion = plan.suspicion(plan.symptom.failures)
    left = CODE_CHARS_MAX
    shown: set[tuple[str, int]] = set()
    for path, line in suspicion:
        piece = _around(path, line, plan.sources[path])
        if (path, piece[0]) in shown or len(shown) >= FUNCTIONS_MAX:
            continue
        shown.add((path, piece[0]))
        if len(piece[1]) > left:
            break
        left -= len(piece[1])
        yield piece[1]


def _around(path: str, line: int, source: SourceFile) -> tuple[int, str]:
    if len(source.text) <= FILE_CHARS_MAX:
        return 0, f"{path}:1\n{source.text.rstrip()}"
    spans = _spans_at(path, line, source)
    first, last = max(spans) if spans else _lines_around(line)
    lines = lines_of(source.text)[first - 1 : last]
    return first, "\n".join([f"{path}:{first}", *lines])


def _lines_around(line: int) -> tuple[int, int]:
    """The part of a module, in equal parts of the file, that holds a line."""
    before = (line - 1) // MODULE_LINES * MODULE_LINES
    return before + 1, before + MODULE_LINES


def _spans_at(path: str, line: int, source: SourceFile) -> list[tuple[int, int]]:
    """First and last line of every function around a line."""
    root = parse_module(path, source.text).root
    spans: Iterable[tuple[int, int]] = (
        (node.start_point[0] + 1, node.end_point[0] + 1) for _, node in functions_of(root)
    )
    return [span for span in spans if span[0] <= line <= span[1]]


def code_of(paths: Iterable[str], sources: Mapping[str, SourceFile]) -> str:
    """The files at `paths`, as far as they may be edited and are small, one below the other."""
    pieces: list[str] = []
    left = CODE_CHARS_MAX
    for path in paths:
        try:
            text = sources[path].text.rstrip()
        except KeyError:
            continue
        if len(text) <= left:
            pieces.append(f"{path}:1\n{text}")
            left -= len(text)
    return "\n\n".join(pieces)
