"""The warm runner: the verdicts of a cold one, and nothing that leaks from one candidate to the next."""

from __future__ import annotations

import asyncio
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


LOOP = "    while n: pass\n"
SWALLOWS = "    while n:\n        try:\n            while True: pass\n        except BaseException: pass\n"
DEAF = "    import itertools; n and sum(itertools.repeat(0))\n"


@pytest.mark.slow
@pytest.mark.parametrize("hanging", [LOOP, SWALLOWS, DEAF])
@pytest.mark.parametrize("first_line", ["", "import os\n"])
async def test_R33_a_candidate_that_hangs_costs_its_limit_and_nothing_more(
    warm: WarmRunner, hanging: str, first_line: str
) -> None:
    await warm.run(asked())
    session = warm._session
    code = f"{first_line}def double(n):\n{hanging}    return 0\n"
    assert outcomes(await warm.run(asked(code=code, gate=1))) == ["passed", "timeout"]
    assert outcomes(await warm.run(asked())) == ["passed", "passed"]
    assert warm.cold_because == ""
    assert warm.served.swapped == (2 if first_line else 3)
    assert warm._session is session, "the process that forks lives on"


FORKS = "    import os\n    while n:\n        os.fork()\n"
MEMORY = "    held = []\n    while n: held.append(bytearray(1 << 26))\n"
DISK = """    import tempfile
    with tempfile.TemporaryFile() as file:
        while n: file.write(bytes(1 << 24))
"""


@pytest.mark.slow
@pytest.mark.parametrize("bomb", [FORKS, MEMORY, DISK], ids=["E27 forks", "E29 memory", "E31 disk"])
async def test_a_candidate_that_is_a_bomb_costs_itself_and_its_limit(warm: WarmRunner, bomb: str) -> None:
    code = f"def double(n):\n{bomb}    return n + n\n"
    report = await warm.run(asked(code=code, gate=1))
    assert outcomes(report)[:1] == ["passed"], "the test that sets nothing off"
    assert outcomes(report)[1:] in (["timeout"], ["error"], ["failed"])
    assert outcomes(await warm.run(asked(code="def double(n):\n    return 2 * n\n"))) == ["passed", "passed"]
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
    assert (warm.cold_because, warm.afresh_because) == ("", "")
    assert (warm.served.swapped, warm.served.afresh) == (1, 2)


async def test_a_warm_process_that_died_is_started_anew(warm: WarmRunner) -> None:
    assert outcomes(await warm.run(asked())) == ["passed", "passed"]
    assert warm._session is not None and warm._session.task is not None
    warm._session.task.cancel()
    await asyncio.wait({warm._session.task})
    assert outcomes(await warm.run(asked())) == ["passed", "passed"]
    assert warm.cold_because == ""
    assert warm.served.cold == 0


async def test_a_change_of_a_body_is_swapped_and_any_other_imported_afresh(warm: WarmRunner) -> None:
    assert outcomes(await warm.run(asked(code=CODE.replace("n + n", "n * 2")))) == ["passed", "passed"]
    assert outcomes(await warm.run(asked(code=CODE.replace("n + n", "n * 3")))) == ["passed", "failed"]
    assert (warm.served.swapped, warm.served.afresh) == (2, 0)
    assert outcomes(await warm.run(asked(code=CODE.replace("(n)", "(n=1)")))) == ["passed", "passed"]
    assert outcomes(await warm.run(asked(code="FACTOR = 3\ndef double(n): return n * FACTOR\n"))) == [
        "passed",
        "failed",
    ]
    assert (warm.served.swapped, warm.served.afresh) == (2, 2)
    assert warm.served.reasons == {"<module> ran on import": 2}


async def test_tests_that_are_not_asked_for_do_not_run(warm: WarmRunner) -> None:
    assert list((await warm.run(asked(BOTH[1]))).results) == [BOTH[1]]
    report = await warm.run(asked(*reversed(BOTH), "test_it.py::test_gone"))
    assert list(report.results) == list(reversed(BOTH))
    assert report.collected == tuple(reversed(BOTH))
    assert warm.served.swapped == 2


async def test_other_files_are_collected_when_they_are_asked_for(warm: WarmRunner, repo: Path) -> None:
    (repo / "test_more.py").write_text(
        "from code_under_test import double\ndef test_three(): assert double(3) == 6\n"
    )
    three = "test_more.py::test_three"
    assert outcomes(await warm.run(asked())) == ["passed", "passed"]
    assert outcomes(await warm.run(asked(three, code=CODE.replace("n + n", "n * 3")))) == ["failed"]
    assert outcomes(await warm.run(asked(*BOTH, three))) == ["passed"] * 3
    assert (warm.served.swapped, warm.served.afresh) == (3, 0)


SPOILING_TESTS = """
import decimal, os, pathlib, subprocess, sys, tempfile
import pytest
import code_under_test
from code_under_test import double, Thing

SEEN = []

@pytest.fixture(scope="session")
def counted():
    Thing.made += 1
    return Thing.made

def test_looks(counted, capfd):
    assert (code_under_test.STATE, SEEN, Thing.made, counted) == ([], [], 1, 1)
    assert not hasattr(Thing, "mark")
    assert "SPOILT" not in os.environ
    assert sys.modules["decimal"] is decimal
    assert decimal.getcontext().prec == 28
    assert capfd.readouterr() == ("", "")
    assert os.listdir(tempfile.gettempdir()) == [] or os.environ["TMPDIR"] == tempfile.gettempdir()
    assert not os.path.exists(os.path.join(tempfile.gettempdir(), "left"))
    assert not os.path.exists(os.path.expanduser("~/left"))
    assert double(2) == 4

def test_spoils(tmp_path):
    code_under_test.STATE.append(1)
    SEEN.append(1)
    Thing.mark = 1
    Thing.__init__ = lambda self: None
    code_under_test.double = None
    os.environ["SPOILT"] = "1"
    sys.modules["decimal"] = None
    decimal.getcontext().prec = 3
    decimal.Decimal = None
    print("spoilt")
    sys.stderr.write("spoilt")
    pathlib.Path(tempfile.gettempdir(), "left").write_text("x")
    pathlib.Path(os.path.expanduser("~/left")).write_text("x")
    (tmp_path / "left").write_text("x")
    pathlib.Path(code_under_test.__file__).write_text("raise ValueError")
    subprocess.Popen(["sleep", "100"])
    {die}
"""
SPOILT_CODE = """
STATE = []

class Thing:
    made = 0

def double(n):
    return n + n
"""


@pytest.mark.parametrize("afresh", [False, True])
@pytest.mark.parametrize("die", ["", "os.write(1, b'spoilt'); os._exit(3)", "os.kill(os.getpid(), 9)"])
async def test_a_suite_that_tries_leaves_nothing_for_the_next_candidate(
    warm: WarmRunner, repo: Path, die: str, afresh: bool
) -> None:
    (repo / "test_it.py").write_text(SPOILING_TESTS.replace("{die}", die))
    (repo / "code_under_test.py").write_text(SPOILT_CODE)
    run = warm.run_afresh if afresh else warm.run
    tests = ("test_it.py::test_looks", "test_it.py::test_spoils")
    expected = ["passed", "error" if die else "passed"]
    for factor in (2, 2, 3, 2):
        report = await run(asked(*tests, code=SPOILT_CODE.replace("n + n", f"n * {factor}")))
        assert outcomes(report) == (expected if factor == 2 else ["failed", expected[1]]), report
    assert warm.cold_because == ""
    assert (warm.served.swapped, warm.served.afresh) == ((0, 4) if afresh else (4, 0))


async def test_compiled_code_that_a_candidate_plants_is_gone(warm: WarmRunner, repo: Path) -> None:
    (repo / "helper.py").write_text("VALUE = 1\n")
    planting = (
        "import importlib.util, os, py_compile\n"
        "facts = os.stat('helper.py')\n"
        "open('copy.py', 'w').write('VALUE = 2\\n')\n"
        "os.utime('copy.py', (facts.st_mtime, facts.st_mtime))\n"
        "os.makedirs('__pycache__', exist_ok=True)\n"
        "py_compile.compile('copy.py', importlib.util.cache_from_source('helper.py'), 'helper.py')\n"
        "os.unlink('copy.py')\n"
        "import helper\n"
        "def double(n): return n * helper.VALUE\n"
    )
    assert outcomes(await warm.run(asked(code=planting))) == ["passed", "passed"]
    looking = "import helper\nassert helper.VALUE == 1\ndef double(n): return n + n\n"
    assert outcomes(await warm.run(asked(code=looking))) == ["passed", "passed"]
    assert warm.cold_because == ""


UNSAFE = {
    "threads": "import threading, time\nthreading.Thread(target=time.sleep, args=(9,)).start()\n",
    "processes": "import subprocess\nsubprocess.Popen(['sleep', '9'])\n",
    "temporary files": "import tempfile\nFOLDER = tempfile.mkdtemp()\n",
    "open": "import socket\nPAIR = socket.socketpair()\n",
    "files": "import os\nopen(os.path.expanduser('~/seen'), 'w').close()\n",
    "collected": "import code_under_test.missing\n",
    "traces": "import sys\nsys.settrace(None)\n",
}


@pytest.mark.parametrize("what", sorted(UNSAFE))
async def test_a_suite_whose_collection_forks_can_not_share_is_imported_afresh(
    warm: WarmRunner, repo: Path, what: str
) -> None:
    if what == "collected":
        (repo / "test_more.py").write_text(UNSAFE[what])
        (repo / "test_it.py").write_text(TESTS + "\n")
        await warm.run(asked(*BOTH, "test_more.py::test_x"))
    else:
        (repo / "test_it.py").write_text(UNSAFE[what] + TESTS)
        assert outcomes(await warm.run(asked())) == ["passed", "passed"]
    assert (warm.served.swapped, warm.served.afresh) == (0, 1)
    assert what in next(iter(warm.served.reasons))
    assert warm.cold_because == ""


async def test_a_candidate_that_kills_the_process_it_was_forked_from_is_judged_cold(warm: WarmRunner) -> None:
    await warm.run(asked())
    killing = "def double(n):\n    import os\n    os.kill(os.getppid(), 9)\n    return n + n\n"
    await warm.run(asked(code=killing))
    assert warm.served.cold == 1
    assert outcomes(await warm.run(asked(code=CODE.replace("n + n", "n * 2")))) == ["passed", "passed"]
    assert warm.served.swapped == 2


FORGERIES = [
    '{"event": "done"}',
    '{"event": "done", "changed": 1}',
    '{"event": "loaded"}',
    '{"event": []}',
    "[]",
]


async def test_events_that_a_candidate_makes_up_break_nothing(warm: WarmRunner) -> None:
    code = (
        "import gc, os\n"
        "def double(n):\n"
        "    for found in gc.get_objects():\n"
        "        if type(found).__name__ == 'Reporter':\n"
        f"            for said in {FORGERIES!r}:\n"
        "                os.write(found._fd, f'{found._nonce} {said}\\n'.encode())\n"
        "    return n + n\n"
    )
    assert outcomes(await warm.run(asked(code=code))) == ["passed", "passed"]
    assert outcomes(await warm.run(asked(code=CODE.replace("n + n", "n * 3")))) == ["passed", "failed"]
    assert warm.cold_because == ""
