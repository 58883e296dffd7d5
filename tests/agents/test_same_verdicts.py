"""The warm runner judges candidates as a cold pytest does, on both of its paths."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from pathlib import Path

import pytest

from treemend.agents.api import repair_async
from treemend.agents.commands.demo_shop import SOURCE
from treemend.store.database import open_store
from treemend.store.errors import SandboxUnavailableError
from treemend.store.records import Budget, Candidate
from treemend.tools.edits import apply_edits
from treemend.tools.source import SourceFile
from treemend.verify.interpreter import find_interpreter
from treemend.verify.judgement import Tally, tally
from treemend.verify.pytest_runner import PytestRunner
from treemend.verify.pytest_target import PytestTarget
from treemend.verify.runner import TestReport, TestRequest
from treemend.verify.sandboxes import find_sandbox
from treemend.verify.warm_runner import WarmRunner

LIMIT_S = 3.0


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    repo = tmp_path / "shop"
    shutil.copytree(SOURCE, repo, ignore=shutil.ignore_patterns("__pycache__"))
    return repo


@pytest.fixture
def warm(shop: Path) -> WarmRunner:
    try:
        sandbox = find_sandbox("auto")
    except SandboxUnavailableError as error:
        pytest.skip(str(error))
    target = PytestTarget(sandbox, find_interpreter("", shop), shop, shop)
    return WarmRunner(target, PytestRunner(target))


async def candidates_of(
    shop: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> list[Candidate]:
    """The first candidates that the template policy makes, whatever becomes of them."""
    monkeypatch.setenv("TREEMEND_STATE", str(folder))
    budget = Budget(time_s=None, candidates=count, after=count)
    result = await repair_async(shop, budget=budget)
    return [c for c in open_store(None).candidates(result.run) if c.duplicate_of is None]


def overlay_of(candidate: Candidate, shop: Path) -> dict[str, bytes]:
    files = {}
    for path in sorted({edit.path for edit in candidate.edits}):
        source = SourceFile.read(shop / path)
        edits = [edit for edit in candidate.edits if edit.path == path]
        files[path] = source.encode(apply_edits(source.text, edits))
    return files


@pytest.mark.slow
@pytest.mark.parametrize("count", [8, pytest.param(20, marks=pytest.mark.thorough)])
async def test_a_fixed_set_of_candidates_gets_the_same_verdicts_warm_and_cold(
    warm: WarmRunner, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    candidates = await candidates_of(shop, tmp_path / "state", monkeypatch, count)
    assert len(candidates) >= count - 1
    untouched = await warm.cold.run(TestRequest(load_plugins=False))
    tests = tuple(untouched.results)
    targets = [test for test in tests if untouched.results[test].outcome != "passed"]
    regression = [test for test in tests if test not in targets]
    assert targets and regression

    def verdict(report: TestReport) -> tuple[Tally, dict[str, str]]:
        return tally(report, targets, regression), {t: r.outcome.value for t, r in report.results.items()}

    plausible: Counter[bool] = Counter()
    try:
        for candidate in candidates:
            request = TestRequest(overlay_of(candidate, shop), tests, limit_s=LIMIT_S, load_plugins=False)
            cold, swapped = await asyncio.gather(warm.cold.run(request), warm.run(request))
            afresh = await warm.run_afresh(request)
            assert verdict(swapped) == verdict(cold), candidate.patch.decode()
            assert verdict(afresh) == verdict(cold), candidate.patch.decode()
            plausible[verdict(cold)[0].plausible] += 1
    finally:
        await warm.close()
    assert warm.cold_because == ""
    assert warm.served.swapped >= len(candidates) // 2
    assert plausible[True] and plausible[False]
