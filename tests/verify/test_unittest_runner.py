"""unittest, in the real sandbox, on every Python of this machine that a target may use."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from treemend.store.errors import SandboxUnavailableError
from treemend.verify.interpreter import find_interpreter
from treemend.verify.pytest_runner import PytestRunner
from treemend.verify.pytest_target import PytestTarget
from treemend.verify.runner import TestReport, TestRequest
from treemend.verify.sandboxes import find_sandbox

pytestmark = pytest.mark.sandbox

MakeRunner = Callable[..., PytestRunner]
PYTHONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    (folder / "tests").mkdir(parents=True)
    (folder / "tests" / "__init__.py").touch()
    (folder / "calc.py").write_text("def add(a, b):\n    return a - b\n")
    (folder / "tests" / "test_calc.py").write_text(TESTS)
    return folder


@pytest.fixture
def make_runner(repo: Path) -> MakeRunner:
    def make(python: str = "", *arguments: str) -> PytestRunner:
        try:
            sandbox = find_sandbox("auto")
        except SandboxUnavailableError as error:
            pytest.skip(str(error))
        interpreter = find_interpreter(python, repo)
        return PytestRunner(PytestTarget(sandbox, interpreter, repo, repo, arguments, framework="unittest"))

    return make


TESTS = """
import unittest
from calc import add

class Every(unittest.TestCase):
    def test_add(self):
        self.assertEqual(add(1, 2), 3)
    def test_zero(self):
        self.assertEqual(add(0, 0), 0)
    @unittest.skip("no")
    def test_skip(self): pass
    @unittest.expectedFailure
    def test_xfail(self): self.fail("known")
    @unittest.expectedFailure
    def test_xpass(self): pass
    def test_hang(self):
        while True: pass
    def test_parts(self):
        for part in range(3):
            with self.subTest(part=part): self.assertNotEqual(part, 1)

class Broken(unittest.TestCase):
    @classmethod
    def setUpClass(cls): raise RuntimeError("no set-up")
    def test_a(self): pass

class Skipped(unittest.TestCase):
    @classmethod
    def setUpClass(cls): raise unittest.SkipTest("not here")
    def test_a(self): pass

class Async(unittest.IsolatedAsyncioTestCase):
    async def test_a(self): self.assertEqual(1, 2)
"""


def outcomes(report: TestReport) -> dict[str, str]:
    assert report.problem == "", f"{report.problem}\n{report.output}"
    return {test.removeprefix("tests.test_calc."): r.outcome.value for test, r in report.results.items()}


def python_of(version: str) -> str:
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for python in sorted(versions.glob(f"{version}.*/bin/python")):
        return str(python)
    pytest.skip(f"Python {version} is not installed")


@pytest.mark.parametrize("version", PYTHONS)
async def test_every_outcome_on_every_python(make_runner: MakeRunner, version: str) -> None:
    report = await make_runner(python_of(version)).run(TestRequest(limit_s=1.0, coverage=True))
    assert outcomes(report) == {
        "Async.test_a": "failed",
        "Broken.test_a": "error",
        "Every.test_add": "failed",
        "Every.test_hang": "timeout",
        "Every.test_parts": "failed",
        "Every.test_skip": "skipped",
        "Every.test_xfail": "xfailed",
        "Every.test_xpass": "xpassed",
        "Every.test_zero": "passed",
        "Skipped.test_a": "skipped",
    }
    failed = report.results["tests.test_calc.Every.test_add"]
    assert failed.message == "tests/test_calc.py:7: AssertionError: -1 != 3"
    assert failed.frames[0].path == "tests/test_calc.py"
    assert failed.lines["calc.py"][-1:] == (2,)
    assert "no set-up" in report.results["tests.test_calc.Broken.test_a"].message


async def test_chosen_tests_in_the_order_wanted_up_to_the_gate(make_runner: MakeRunner) -> None:
    names = ("Every.test_add", "Every.test_zero", "Broken.test_a", "Every.test_xfail")
    chosen = tuple(f"tests.test_calc.{name}" for name in (*names, "Every.test_gone"))
    runner = make_runner()
    whole = await runner.run(TestRequest(tests=chosen))
    assert list(outcomes(whole)) == ["Every.test_add", "Every.test_zero", "Every.test_xfail", "Broken.test_a"]
    assert whole.collected == chosen[:-1]
    gated = await runner.run(TestRequest(tests=chosen, gate=1))
    assert outcomes(gated) == {"Every.test_add": "failed"}
    right = {"calc.py": b"def add(a, b): return a + b\n"}
    passed = await runner.run(TestRequest(tests=chosen[:2], gate=1, overlay=right))
    assert outcomes(passed) == {"Every.test_add": "passed", "Every.test_zero": "passed"}


async def test_a_module_that_does_not_import_is_told(repo: Path, make_runner: MakeRunner) -> None:
    (repo / "tests" / "test_broken.py").write_text("import no_such_module\n")
    report = await make_runner("", "discover", "-s", "tests", "-t", ".").run(TestRequest(limit_s=1.0))
    (name,) = report.collection_errors
    assert name == "tests.test_broken"
    assert report.collection_errors[name].endswith("No module named 'no_such_module'")


async def test_R13_a_test_that_leaves_is_an_error_and_the_others_run(
    repo: Path, make_runner: MakeRunner
) -> None:
    (repo / "calc.py").write_text("import os\ndef add(a, b): os._exit(0) if a else None; return 0\n")
    chosen = tuple(f"tests.test_calc.Every.{name}" for name in ("test_add", "test_zero"))
    report = await make_runner().run(TestRequest(tests=chosen))
    assert outcomes(report) == {"Every.test_add": "error", "Every.test_zero": "passed"}
