"""From what was observed to where to look: the suspicious lines of the files that may be edited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch

from treemend.agents.evaluation import load_sources
from treemend.agents.localize import rank_lines
from treemend.agents.reproduction import Observation
from treemend.agents.run_context import RunContext
from treemend.tools.paths import is_protected
from treemend.tools.source import SourceFile
from treemend.tools.syntax import Module, parse_module
from treemend.verify.runner import TestResult
from treemend.verify.spectra import Line


@dataclass(frozen=True, slots=True)
class Plan:
    """Where a policy may look: editable modules, and the suspiciousness of their lines in (0, 1]."""

    sources: Mapping[str, SourceFile]
    modules: Mapping[str, Module]
    suspicion: Mapping[Line, float]
    refused: Mapping[str, str]

    @property
    def summary(self) -> str:
        lines, files = len(self.suspicion), len({path for path, _ in self.suspicion})
        return f"{lines} suspicious lines in {files} {'file' if files == 1 else 'files'}"


def make_plan(context: RunContext, observation: Observation) -> Plan:
    """Rank the lines that the failing tests execute, outside of what judges a patch."""
    targets = observation.baseline.targets
    failing = [observation.traced.results[test] for test in targets if test in observation.traced.results]
    symptom = context.task.symptom
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
    passing = [
        observation.traced.results[test]
        for test in observation.baseline.regression
        if test in observation.traced.results
    ]
    text = " ".join([symptom.issue, *targets])
    suspicion = rank_lines(failing, passing, symptom.frames, functions, text)
    return Plan(sources, modules, suspicion, refused)


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
