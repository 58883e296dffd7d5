"""Tests that a model writes of an issue: admitted when they fail on the untouched tree for the reason that
was stated, and frozen then."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from treemend.agents.feedback import ERROR, PLACE
from treemend.agents.model_policy.answers import WrittenTest
from treemend.agents.plain_text import counted, one_line
from treemend.agents.planning import is_editable
from treemend.agents.reproduction import NotReproduced, Observation, Reproducer
from treemend.agents.run_context import RunContext
from treemend.store.records import TestCase, TestOrigin, TestOutcome, TestRole
from treemend.verify.runner import TestReport, TestRequest, TestResult

LIMIT_S = 10.0
RUNS = 2
FILE_NAME = "test_treemend_{kind}_{number}.py"
QUOTED = re.compile(r"`([^`\n]+)`|'([^'\n]+)'|\"([^\"\n]+)\"|(-?\d+(?:\.\d+)?)")
SAID_CHARS_MAX = 300
ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{4,}\b")
WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Draft:
    """A test as it was written; `id` is "" where it is no test, which `problem` says."""

    written: WrittenTest
    path: str
    id: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Tried:
    """Drafts sorted by what running them on the untouched tree showed: they fail as stated, they pass, or
    else why they show nothing."""

    admitted: tuple[Reproducer, ...]
    passing: tuple[Reproducer, ...]
    refused: tuple[tuple[Draft, str], ...]


def drafts_of(
    tests: Sequence[WrittenTest], observation: Observation, kind: str, first: int = 1
) -> list[Draft]:
    """Give each test a file beside the tests that are there."""
    folder = _test_folder(observation)
    return [
        _draft(test, (folder / FILE_NAME.format(kind=kind, number=number)).as_posix())
        for number, test in enumerate(tests, first)
    ]


def _test_folder(observation: Observation) -> PurePosixPath:
    folders = Counter(str(PurePosixPath(test.split("::")[0]).parent) for test in observation.suite.results)
    return PurePosixPath(max(sorted(folders), key=lambda name: folders[name])) if folders else PurePosixPath()


def _draft(test: WrittenTest, path: str) -> Draft:
    try:
        body = ast.parse(test.code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return Draft(test, path, "", f"it is no Python: {error}")
    names = [node.name for node in body if isinstance(node, ast.FunctionDef) and node.name.startswith("test")]
    if not names:
        return Draft(test, path, "", "it has no function named test_...")
    return Draft(test, path, f"{path}::{names[0]}")


async def try_out(context: RunContext, observation: Observation, drafts: Sequence[Draft], name: str) -> Tried:
    """Run drafts on the untouched tree, twice and under two hash seeds, with their lines recorded."""
    runnable = [draft for draft in drafts if draft.id]
    refused = [(draft, draft.problem) for draft in drafts if not draft.id]
    reports = [await _run(context, observation, runnable, f"{name}-{seed}", seed) for seed in range(RUNS)]
    admitted: list[Reproducer] = []
    passing: list[Reproducer] = []
    for draft in runnable:
        results = [report.results.get(draft.id) for report in reports]
        problem = _why_no_evidence(draft, results, context, reports[0])
        first = results[0]
        if first is None or problem:
            refused.append((draft, problem))
            continue
        written = draft.written
        test = Reproducer(draft.id, draft.path, written.code, one_line(written.behaviour), first)
        (passing if first.outcome is TestOutcome.PASSED else admitted).append(test)
    return Tried(tuple(admitted), tuple(passing), tuple(refused))


async def _run(
    context: RunContext, observation: Observation, drafts: Sequence[Draft], name: str, seed: int
) -> TestReport:
    if not drafts:
        return TestReport(results={}, collected=())
    request = TestRequest(
        overlay={draft.path: draft.written.code.encode("utf-8", "replace") for draft in drafts},
        tests=tuple(draft.id for draft in drafts),
        coverage=seed == 0,
        limit_s=context.task.test_timeout_s or LIMIT_S,
        hash_seed=seed,
        load_plugins=observation.load_plugins,
    )
    return await context.observe(
        name, 1 + seed, request, f"running {counted(len(drafts), 'test')} of the model's"
    )


def _why_no_evidence(
    draft: Draft, results: Sequence[TestResult | None], context: RunContext, report: TestReport
) -> str:
    """Why a draft shows nothing, "" where it does: it passes, or it fails alike and as stated."""
    first, second = results
    if first is None or second is None:
        error = report.collection_errors.get(draft.path, "")
        return f"it can't be run: {_last_line(error)}" if error else "it did not run"
    if first.outcome is TestOutcome.PASSED and second.outcome is TestOutcome.PASSED:
        return ""
    failed = TestOutcome.FAILED
    if first.outcome is not failed or second.outcome is not failed or _words(first) != _words(second):
        return f"it does not fail alike each time: {first.outcome.value}, then {second.outcome.value}"
    if not any(is_editable(path, context.task.only) for path in first.lines):
        return "it runs none of the code that may be changed"
    return _other_reason(draft.written.fails_with, _said(first))


def _other_reason(stated: str, said: str) -> str:
    """Why a failure is not the one that was stated, "" where it is: its exception is named, or for an
    assertion one of the values that were stated is in its message."""
    found = ERROR.match(said)
    error = found.group(1).rpartition(".")[2] if found else "AssertionError"
    named = {name.rpartition(".")[2] for name in ERROR.findall(stated)} - {"AssertionError"}
    if named:
        return "" if error in named else f"it fails with {error}, not with {', '.join(sorted(named))}: {said}"
    if error != "AssertionError":
        return f"it fails with {error}, which was not stated: {said}"
    values = [value for groups in QUOTED.findall(stated) for value in groups if value]
    if values and not any(value in said for value in values):
        return f"it fails, and not with {' or '.join(values[:4])}: {said}"
    return ""


def _said(result: TestResult) -> str:
    return one_line(PLACE.sub("", result.message, count=1))[:SAID_CHARS_MAX]


def _words(result: TestResult) -> Counter[str]:
    """What is said of a failure but for what two runs of the same failure may part on: addresses, and the
    order of a set."""
    return Counter(WORD.findall(ADDRESS.sub("", _said(result))))


def _last_line(text: str) -> str:
    return one_line(([line for line in text.splitlines() if line.strip()] or [""])[-1])[:SAID_CHARS_MAX]


def told_back(tried: Tried) -> str:
    """What the drafts came to, for whoever wrote them."""
    lines = [f"- fails as stated: {test.behaviour}" for test in tried.admitted]
    lines += [f"- passes already: {test.behaviour}" for test in tried.passing]
    lines += [f"- {one_line(draft.written.behaviour)}: {why}" for draft, why in tried.refused]
    return "\n".join(lines)


def verdict_without_evidence(tried: Tried) -> NotReproduced:
    """Why the issue can't be shown on this tree."""
    shown = "; ".join(test.behaviour for test in tried.passing[:5])
    if tried.passing and not tried.refused:
        count = counted(len(tried.passing), "test")
        return NotReproduced(
            f"already right here: {count} written from the issue pass on this tree ({shown})"
        )
    reasons = "; ".join(f"{one_line(d.written.behaviour)}: {one_line(why)}" for d, why in tried.refused[:3])
    told = f"; these pass already: {shown}" if shown else ""
    what = reasons or "the model wrote none"
    return NotReproduced(f"no test could be written that fails as the issue says ({what}){told}")


def record_cases(context: RunContext, tests: Sequence[Reproducer], origin: TestOrigin) -> None:
    """Record tests as evidence, which no trusted test is."""
    cases = [TestCase(id=test.id, origin=origin, role=TestRole.EVIDENCE) for test in tests]
    context.store.add_test_cases(context.id, cases)


def keep_notes(context: RunContext, tried: Tried) -> None:
    """Keep what was written and not admitted, for whoever asks why."""
    told = [{"behaviour": d.written.behaviour, "code": d.written.code, "why": w} for d, w in tried.refused]
    context.store.put_blob(context.id, "refused tests", json.dumps(told).encode())
