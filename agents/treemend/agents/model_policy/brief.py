"""What every prompt of a run begins with: the issue, what fails, and the code that may be at fault."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from treemend.agents.model.prompts import NEVER_LEFT_OUT, Section, clean_prose
from treemend.agents.model_policy.diagnosis import describe
from treemend.agents.planning import Plan
from treemend.store.records import Symptom
from treemend.tools.source import SourceFile, lines_of
from treemend.tools.syntax import Module, functions_of

CODE_CHARS_MAX = 16_000
FUNCTIONS_MAX = 12
TRACE_CHARS_MAX = 4000
FILE_CHARS_MAX = 6000
MODULE_LINES = 40
WHOLE = (0, 0)
"""The span of a file that is shown whole."""


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
    spans = cache(lambda path: _spans(plan.modules[path]))
    for path, line in suspicion:
        if len(shown) >= FUNCTIONS_MAX:
            break
        text = plan.sources[path].text
        span = _span_around(line, spans(path)) if len(text) > FILE_CHARS_MAX else WHOLE
        if (path, span[0]) in shown:
            continue
        shown.add((path, span[0]))
        piece = _shown(path, text, span)
        if len(piece) > left:
            break
        left -= len(piece)
        yield piece


def _shown(path: str, text: str, span: tuple[int, int]) -> str:
    if span == WHOLE:
        return f"{path}:1\n{text.rstrip()}"
    first, last = span
    return "\n".join([f"{path}:{first}", *lines_of(text)[first - 1 : last]])


def _spans(module: Module) -> list[tuple[int, int]]:
    """First and last line of every function."""
    return [(node.start_point[0] + 1, node.end_point[0] + 1) for _, node in functions_of(module.root)]


def _span_around(line: int, functions: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """The innermost function around a line, else the part of the file, in equal parts, that holds it."""
    around = [span for span in functions if span[0] <= line <= span[1]]
    before = (line - 1) // MODULE_LINES * MODULE_LINES
    return max(around, default=(before + 1, before + MODULE_LINES))


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
