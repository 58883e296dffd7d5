"""From what was observed to where to look: the suspicious lines of the files that may be edited."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch

from treemend.agents.evaluation import load_sources
from treemend.agents.evidence import OddType
from treemend.agents.feedback import Feedback, feedback_of
from treemend.agents.localize import rank_lines
from treemend.agents.reproduction import Observation
from treemend.agents.run_context import RunContext
from treemend.tools.paths import is_protected
from treemend.tools.source import SourceFile
from treemend.tools.syntax import Module, parse_module
from treemend.verify.argument_types import OddArgument, odd_arguments
from treemend.verify.runner import TestResult
from treemend.verify.spectra import Line


@dataclass(frozen=True, slots=True)
class Plan:
    """Where a policy may look.

    Attributes:
        sources: The files that may be edited; `refused` says why others may not.
        modules: Their syntax trees.
        symptom: How the target tests fail on the untouched tree.
        suspicion: Suspiciousness in (0, 1] of lines, given the target tests that (still) fail.
        odd_types: Parameters that come as another type when target tests fail.
    """

    sources: Mapping[str, SourceFile]
    modules: Mapping[str, Module]
    refused: Mapping[str, str]
    symptom: Feedback
    suspicion: Callable[[Collection[str]], Mapping[Line, float]]
    odd_types: tuple[OddType, ...] = ()

    @property
    def summary(self) -> str:
        suspicious = self.suspicion(self.symptom.failures)
        lines, files = len(suspicious), len({path for path, _ in suspicious})
        return f"{lines} suspicious lines in {files} {'file' if files == 1 else 'files'}"


def make_plan(context: RunContext, observation: Observation) -> Plan:
    """Rank the lines that the failing tests execute, outside of what judges a patch."""
    traced, targets = observation.traced.results, observation.baseline.targets
    symptom = context.task.symptom
    failing = [traced[test] for test in targets if test in traced]
    paths = [
        path
        for path in _paths(failing, [frame.path for frame in symptom.frames])
        if _editable(path, context.task.only)
    ]
    sources, refused = load_sources(context.tree, paths)
    modules = {path: parse_module(path, source.text) for path, source in sources.items()}
    modules = {path: module for path, module in modules.items() if not module.has_errors}
    functions = {
        (path, line): name
        for path, module in modules.items()
        for line, name in module.functions_by_line().items()
    }
    passed = [test for test in observation.baseline.regression if test in traced]
    text = " ".join([symptom.issue, *targets])

    def suspicion(still_failing: Collection[str]) -> Mapping[Line, float]:
        failing = [traced[test] for test in targets if test in traced and test in still_failing]
        mended = [test for test in targets if test in traced and test not in still_failing]
        passing = [traced[test] for test in [*passed, *mended]]
        return rank_lines(failing, passing, symptom.frames, functions, text)

    odd = odd_arguments(failing, [traced[test] for test in passed])
    feedback = feedback_of(_told(observation), targets)
    return Plan(sources, modules, refused, feedback, suspicion, tuple(_odd_types(odd, functions)))


def _odd_types(odd: Sequence[OddArgument], functions: Mapping[Line, str]) -> Iterator[OddType]:
    """The odd arguments of functions that may be edited. A decorated function begins before its name does."""
    for one in odd:
        lines = [
            number
            for (path, number), name in functions.items()
            if path == one.path and number >= one.line and name.rpartition(".")[2] == one.function
        ]
        if lines:
            yield OddType(one.path, _first_run(lines), one.name, one.odd, one.usual, one.share)


def _first_run(lines: Sequence[int]) -> range:
    """The numbers from the first one on to the first gap."""
    end = lines[0]
    while end + 1 in lines:
        end += 1
    return range(lines[0], end + 1)


def _told(observation: Observation) -> dict[str, TestResult]:
    """The plain run's results, with what functions gave back in the traced one: tracing can change where
    a deep recursion ends, not what a call returns."""
    traced = observation.traced.results
    return {
        test: replace(result, returned=traced[test].returned) if test in traced else result
        for test, result in observation.suite.results.items()
    }


def _paths(failing: list[TestResult], frame_paths: list[str]) -> list[str]:
    traced = {path for test in failing for path in test.lines}
    raised = {frame.path for test in failing for frame in test.frames}
    return sorted(traced | raised | set(frame_paths))


def _editable(path: str, only: tuple[str, ...]) -> bool:
    if not path.endswith(".py") or is_protected(path):
        return False
    return not only or any(
        path == wanted or path.startswith(wanted.rstrip("/") + "/") or fnmatch(path, wanted)
        for wanted in only
    )
