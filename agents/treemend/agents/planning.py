"""From what was observed to where to look: the suspicious lines of the files that may be edited."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

from treemend.agents.evaluation import load_sources
from treemend.agents.feedback import Feedback, feedback_of
from treemend.agents.localize import lines_by_text, lines_of_data, rank_lines
from treemend.agents.reproduction import Observation
from treemend.agents.run_context import RunContext
from treemend.agents.run_index import open_run_index
from treemend.agents.template_policy.evidence import OddType
from treemend.store.errors import UsageError
from treemend.tools.paths import check_relative, is_protected
from treemend.tools.repotools.read_data import Assignment, data_read
from treemend.tools.source import NotEditable, SourceFile
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
    traced = dict(observation.traced.results)
    targets = observation.baseline.targets
    if not targets:
        # Where the suite shows nothing, what a model wrote says where to look.
        traced.update({test.id: test.result for test in observation.reproducers})
        targets = tuple(test.id for test in observation.reproducers)
    symptom = context.task.symptom
    failing = [traced[test] for test in targets if test in traced]
    said = symptom.model_copy(update={"failing_tests": targets})
    executed = _executed(failing, context.task.only)
    with open_run_index(context) as index:
        by_text = lines_by_text(index, said)
        read = data_read(index, executed)
    paths = [
        path
        for path in _paths(failing, read, [frame.path for frame in symptom.frames])
        if is_editable(path, context.task.only)
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
    data = lines_of_data(read, sources, said)

    def suspicion(still_failing: Collection[str]) -> Mapping[Line, float]:
        failing = [traced[test] for test in targets if test in traced and test in still_failing]
        mended = [test for test in targets if test in traced and test not in still_failing]
        passing = [traced[test] for test in [*passed, *mended]]
        return rank_lines(failing, passing, symptom.frames, functions, by_text, data)

    odd = odd_arguments(failing, [traced[test] for test in passed])
    told = {**traced, **_told(observation)}
    everything = EditableSources(context.tree, context.task.only, sources)
    feedback = feedback_of(told, targets)
    return Plan(everything, modules, refused, feedback, suspicion, tuple(_odd_types(odd, functions)))


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


class EditableSources(dict[str, SourceFile]):
    """The files that may be edited, by path: those already read, and any other read when it is asked for.

    A path that may not be edited raises KeyError.
    """

    def __init__(self, tree: Path, only: tuple[str, ...], read: Mapping[str, SourceFile]) -> None:
        super().__init__(read)
        self._tree = tree
        self._only = only

    def __missing__(self, path: str) -> SourceFile:
        if not is_editable(path, self._only):
            raise KeyError(path)
        try:
            check_relative(path)
            file = self._tree / path
            if not file.resolve(strict=True).is_relative_to(self._tree.resolve()):
                raise KeyError(path)
            self[path] = source = SourceFile.read(file)
        except (UsageError, NotEditable, OSError, ValueError) as error:
            raise KeyError(path) from error
        return source


def _told(observation: Observation) -> dict[str, TestResult]:
    """The plain run's results, with what functions gave back in the traced one: tracing can change where
    a deep recursion ends, not what a call returns."""
    traced = observation.traced.results
    return {
        test: replace(result, returned=traced[test].returned) if test in traced else result
        for test, result in observation.suite.results.items()
    }


def _executed(failing: Sequence[TestResult], only: tuple[str, ...]) -> dict[str, set[int]]:
    """The lines that failing tests executed in code that may be edited, by path."""
    executed: dict[str, set[int]] = {}
    for test in failing:
        for path, lines in test.lines.items():
            if is_editable(path, only):
                executed.setdefault(path, set()).update(lines)
    return executed


def _paths(
    failing: Sequence[TestResult],
    read: Mapping[Line, Sequence[Assignment]],
    frame_paths: Sequence[str],
) -> list[str]:
    traced = {path for test in failing for path in test.lines}
    raised = {frame.path for test in failing for frame in test.frames}
    data = {one.path for assignments in read.values() for one in assignments}
    return sorted(traced | raised | data | set(frame_paths))


def is_editable(path: str, only: tuple[str, ...]) -> bool:
    """Whether a patch may touch a file: code that `--only` leaves in, and nothing that judges patches."""
    if not path.endswith(".py") or is_protected(path):
        return False
    return not only or any(
        path == wanted or path.startswith(wanted.rstrip("/") + "/") or fnmatch(path, wanted)
        for wanted in only
    )
