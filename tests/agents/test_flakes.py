"""Tests that don't give the same outcome every time, by their ids in the threat model's group K."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from treemend.agents.intake import SandboxChoice, make_task
from treemend.agents.judging.confirmation import Trial, confirm
from treemend.agents.judging.verification import Ground, Submission
from treemend.agents.preparation import copy_tree
from treemend.agents.run_context import RunContext
from treemend.agents.runs import new_run
from treemend.agents.wiring import open_context
from treemend.store.database import open_store
from treemend.store.errors import SandboxUnavailableError
from treemend.store.records import TestOutcome
from treemend.tools.patches import unified_diff
from treemend.tools.submitted import read_changes
from treemend.verify.controls import Controls
from treemend.verify.runner import TestReport, TestRequest, TestResult
from treemend.verify.sandboxes import find_sandbox
from treemend.verify.schedules import SCHEDULES

BARE = "pytest -p no:asyncio -p no:hypothesispytest -p no:anyio -p no:xdist -p no:xdist.looponfail"
CODE = "def double(x):\n    return x\n"
TESTS = """
import os
import tempfile
import time
from code_here import double

ran = []


def test_target():
    ran.append("target")
    assert double(2) == 4


def test_K01_now_and_then():
    assert os.environ["PYTHONHASHSEED"] != "2"


def test_K02_after_another():
    assert ran == ["target"]


def test_K04_time_zone():
    assert time.localtime(0).tm_hour == 0


def test_K05_leftover():
    path = os.path.join(tempfile.gettempdir(), "leftover")
    assert not os.path.exists(path)
    open(path, "w").close()


def test_constant():
    assert double(0) == 0
"""


@pytest.mark.slow
@pytest.mark.sandbox
@pytest.mark.parametrize("mechanism", ["bubblewrap", "landlock"])
def test_K01_K02_K04_K05_what_is_not_constant_is_set_aside_and_what_leaks_is_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mechanism: SandboxChoice
) -> None:
    monkeypatch.setenv("TREEMEND_STATE", str(tmp_path / "state"))
    repo = tmp_path / "repo"
    repo.mkdir()
    (repo / "code_here.py").write_text(CODE)
    (repo / "test_code.py").write_text(TESTS)
    patch = unified_diff("code_here.py", CODE.encode(), CODE.replace("return x", "return x + x").encode())
    store = open_store(None)
    try:
        task = make_task(repo, kind="verify", test_command=BARE, sandbox=mechanism)
        context = open_context(store, new_run(store, task, patch))
    except SandboxUnavailableError as error:
        pytest.skip(str(error))
    copy_tree(context)
    ground = asyncio.run(Submission(context, patch, read_changes(context.tree, patch)).observe())
    assert isinstance(ground, Ground)
    baseline = ground.observation.baseline
    flaky = {test.split("::test_")[1][:3] for test in baseline.flaky}
    assert flaky == {"K01", "K02", "K04"}
    assert baseline.targets == ("test_code.py::test_target",)
    assert set(baseline.regression) == {"test_code.py::test_K05_leftover", "test_code.py::test_constant"}


def test_K01_a_flake_of_one_in_ten_passes_three_runs_by_luck_once_in_a_thousand() -> None:
    assert len(SCHEDULES) == 3
    assert len({schedule.hash_seed for schedule in SCHEDULES}) == 3
    assert len({schedule.time_zone for schedule in SCHEDULES} - {"UTC"}) == 3
    tests = tuple("abcde")
    orders = {schedule.arranged(tests) for schedule in SCHEDULES}
    assert len(orders) == 3 and all(sorted(order) == sorted(tests) for order in orders)


@dataclass
class Scripted:
    """A runner that gives outcomes as they come, by test: what a busy machine or luck does can't be had at
    will."""

    outcomes: Mapping[str, list[TestOutcome]]
    limits: list[dict[str, float]] = field(default_factory=list)

    @property
    def records_lines(self) -> bool:
        return False

    async def run(self, request: TestRequest) -> TestReport:
        tests = request.tests or ()
        self.limits.append({test: request.limits_s.get(test, request.limit_s) for test in tests})
        results = {test: TestResult(self._next(test), 0.1) for test in tests}
        return TestReport(results=results, collected=tests)

    def _next(self, test: str) -> TestOutcome:
        given = self.outcomes.get(test, [TestOutcome.PASSED])
        return given.pop(0) if len(given) > 1 else given[0]


NO_CONTROLS = Controls({}, (), {}, {})
PASSED, FAILED, TIMEOUT = TestOutcome.PASSED, TestOutcome.FAILED, TestOutcome.TIMEOUT


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunContext:
    monkeypatch.setenv("TREEMEND_STATE", str(tmp_path / "state"))
    repo = tmp_path / "repo"
    repo.mkdir()
    store = open_store(None)
    nobody = Scripted({})
    return RunContext(
        store=store,
        run=new_run(store, make_task(repo, kind="verify"), b""),
        folder=tmp_path / "run",
        sandbox=find_sandbox("none"),
        runner=nobody,
        warm=None,
        target=None,
        runner_on=lambda tree: nobody,
    )


def trial(patched: Scripted, base: Scripted) -> Trial:
    return Trial(candidate=1, patch=b"", texts=(), runner=patched, base=base)


async def test_K06_a_test_that_ran_past_its_limit_gets_a_long_one_before_it_counts(
    context: RunContext,
) -> None:
    patched = Scripted({"slow": [TIMEOUT, PASSED]})
    request = TestRequest(limits_s={"slow": 1.0, "target": 1.0})
    found = await confirm(context, trial(patched, Scripted({})), ("target",), ("slow",), NO_CONTROLS, request)
    assert found.tally.plausible and found.runs == 3
    assert patched.limits[1] == {"slow": 30.0}


async def test_K06_one_that_hangs_again_counts(context: RunContext) -> None:
    patched = Scripted({"slow": [TIMEOUT]})
    found = await confirm(
        context, trial(patched, Scripted({})), ("target",), ("slow",), NO_CONTROLS, TestRequest()
    )
    assert found.tally.regressions == ("slow",) and found.runs == 1


async def test_K01_a_break_that_the_untouched_tree_shows_too_is_set_aside(context: RunContext) -> None:
    patched, base = Scripted({"luck": [FAILED, PASSED]}), Scripted({"luck": [PASSED, FAILED, PASSED]})
    found = await confirm(
        context, trial(patched, base), ("target",), ("luck", "x"), NO_CONTROLS, TestRequest()
    )
    assert found.tally.plausible and found.set_aside == ("luck",)


async def test_R32_a_target_that_passes_by_luck_is_found_out_by_the_next_run(context: RunContext) -> None:
    patched = Scripted({"target": [PASSED, FAILED]})
    found = await confirm(
        context, trial(patched, Scripted({})), ("target",), ("x",), NO_CONTROLS, TestRequest()
    )
    assert not found.tally.plausible and found.runs == 2


async def test_a_break_that_only_the_patch_shows_counts_though_it_comes_and_goes(context: RunContext) -> None:
    patched = Scripted({"x": [PASSED, FAILED, PASSED]})
    found = await confirm(
        context, trial(patched, Scripted({})), ("target",), ("x",), NO_CONTROLS, TestRequest()
    )
    assert found.tally.regressions == ("x",) and found.set_aside == ()
