"""The warm runner: the verdicts of a cold one, and nothing that leaks from one candidate to the next."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from treemend.store.errors import SandboxUnavailableError
from treemend.verify.interpreter import find_interpreter
from treemend.verify.pytest_runner import PytestRunner
from treemend.verify.pytest_target import PytestTarget
from treemend.verify.runner import TestReport, TestRequest
from treemend.verify.sandboxes import find_sandbox
from treemend.verify.warm_runner import WarmRunner, check_agreement

CODE = "def double(n):\n    return n + n\n"
TESTS = """
from code_under_test import double

def test_zero(): assert double(0) == 0
def test_two(): assert double(2) == 4
"""
BOTH = ("test_it.py::test_zero", "test_it.py::test_two")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    folder.mkdir()
    (folder / "code_under_test.py").write_text(CODE)
    (folder / "test_it.py").write_text(TESTS)
    return folder


@pytest_asyncio.fixture
async def warm(repo: Path) -> AsyncIterator[WarmRunner]:
    try:
        sandbox = find_sandbox("auto")
    except SandboxUnavailableError as error:
        pytest.skip(str(error))
    target = PytestTarget(sandbox, find_interpreter("", repo), repo, repo)
    runner = WarmRunner(target, PytestRunner(target))
    yield runner
    await runner.close()


def asked(*tests: str, code: str | None = None, gate: int | None = None) -> TestRequest:
    overlay = {} if code is None else {"code_under_test.py": code.encode()}
    return TestRequest(overlay=overlay, tests=tests or BOTH, gate=gate, load_plugins=False, limit_s=1.0)


def outcomes(report: TestReport) -> list[str]:
    return [result.outcome.value for result in report.results.values()]


async def test_each_candidate_is_judged_by_its_own_files(warm: WarmRunner) -> None:
    assert outcomes(await warm.run(asked())) == ["passed", "passed"]
    wrong = "def double(n):\n    return n * 3\n"
    assert outcomes(await warm.run(asked(code=wrong))) == ["passed", "failed"]
    broken = "def double(n:\n"
    report = await warm.run(asked(code=broken))
    assert outcomes(report) == []
    assert "test_it.py" in report.collection_errors
    assert outcomes(await warm.run(asked())) == ["passed", "passed"]
    assert warm.cold_because == ""


async def test_state_of_one_candidate_does_not_reach_the_next(warm: WarmRunner) -> None:
    spoiling = (
        "import math, os, pathlib, sys\n"
        "math.pi = 3\n"
        "os.environ['SPOILT'] = '1'\n"
        "sys.modules['decimal'] = None\n"
        "pathlib.Path(os.environ['TMPDIR'], 'left').write_text('x')\n"
        "def double(n): return n + n\n"
    )
    assert outcomes(await warm.run(asked(code=spoiling))) == ["passed", "passed"]
    looking = (
        "import decimal, math, os, pathlib\n"
        "assert math.pi > 3\n"
        "assert 'SPOILT' not in os.environ\n"
        "assert not pathlib.Path(os.environ['TMPDIR'], 'left').exists()\n"
        "def double(n): return n + n\n"
    )
    assert outcomes(await warm.run(asked(code=looking))) == ["passed", "passed"]
    assert warm.cold_because == ""


async def test_a_candidate_that_writes_to_the_tree_makes_the_runner_cold(
    warm: WarmRunner, repo: Path
) -> None:
    writing = "open('left.txt', 'w').write('x')\ndef double(n): return n + n\n"
    assert outcomes(await warm.run(asked(code=writing))) == ["passed", "passed"]
    assert "left.txt" in warm.cold_because
    looking = "import os\nassert not os.path.exists('left.txt')\ndef double(n): return n + n\n"
    assert outcomes(await warm.run(asked(code=looking))) == ["passed", "passed"]
    assert not (repo / "left.txt").exists()


HANGS = "def double(n):\n    while n: pass\n    return 0\n"
SWALLOWS = (
    "def double(n):\n"
    "    while n:\n"
    "        try:\n"
    "            while True: pass\n"
    "        except BaseException: pass\n"
    "    return 0\n"
)


@pytest.mark.slow
@pytest.mark.parametrize("hanging", [HANGS, SWALLOWS])
async def test_R33_a_candidate_that_hangs_costs_its_limit_and_nothing_more(
    warm: WarmRunner, hanging: str
) -> None:
    assert outcomes(await warm.run(asked(code=hanging, gate=1))) == ["passed", "timeout"]
    assert outcomes(await warm.run(asked())) == ["passed", "passed"]
    assert warm.cold_because == ""


async def test_a_candidate_that_ends_the_process_has_not_passed(warm: WarmRunner) -> None:
    ending = "import os\ndef double(n): os._exit(0)\n"
    report = await warm.run(asked(code=ending, gate=1))
    assert outcomes(report) == ["error"]
    assert outcomes(await warm.run(asked())) == ["passed", "passed"]


async def test_a_suite_whose_outcomes_differ_when_warm_runs_cold(warm: WarmRunner) -> None:
    cold = await warm.cold.run(asked())
    lying = {**cold.results, BOTH[0]: cold.results[BOTH[0]].__class__(outcome="failed", duration_s=0)}  # type: ignore[arg-type]
    report = TestReport(results=lying, collected=cold.collected)
    await check_agreement(warm, report, BOTH, load_plugins=False)
    assert "differ" in warm.cold_because


async def test_a_suite_that_agrees_stays_warm(warm: WarmRunner) -> None:
    await check_agreement(warm, await warm.cold.run(asked()), BOTH, load_plugins=False)
    assert warm.cold_because == ""
