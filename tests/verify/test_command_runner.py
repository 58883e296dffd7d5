"""Any test command, in the real sandbox, on the toolchains of this machine."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from treemend.store.errors import SandboxUnavailableError
from treemend.verify.command_runner import CommandRunner, CommandTarget
from treemend.verify.interpreter import find_interpreter
from treemend.verify.runner import TestReport, TestRequest
from treemend.verify.sandbox import Sandbox
from treemend.verify.sandboxes import Choice, find_sandbox
from treemend.verify.test_commands import make_test_command
from treemend.verify.toolchains import find_toolchains

pytestmark = pytest.mark.sandbox

MakeRunner = Callable[..., CommandRunner]
Needs = Callable[..., None]


class Maven(Protocol):
    """A project file, and a repository that has what it needs (tests/conftest.py)."""

    pom: str
    repository: Path


def available(choice: Choice) -> Sandbox:
    try:
        return find_sandbox(choice)
    except SandboxUnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    folder.mkdir()
    return folder


@pytest.fixture
def make_runner(repo: Path) -> MakeRunner:
    """A runner of a command on `repo`."""

    def make(
        text: str,
        *reports: str,
        scripts: dict[str, str] | None = None,
        choice: Choice = "auto",
        run_limit_s: float = 300.0,
    ) -> CommandRunner:
        command = make_test_command(text, reports, scripts)
        target = CommandTarget(
            sandbox=available(choice),
            command=command,
            toolchains=find_toolchains(repo, command.argv),
            interpreter=find_interpreter("", repo),
            tree=repo,
            repo=repo,
            run_limit_s=run_limit_s,
        )
        return CommandRunner(target)

    return make


def write(repo: Path, path: str, text: str) -> None:
    (repo / path).parent.mkdir(parents=True, exist_ok=True)
    (repo / path).write_text(textwrap.dedent(text))


def outcomes(report: TestReport) -> dict[str, str]:
    assert report.problem == "", f"{report.problem}\n{report.output}"
    return {test: result.outcome.value for test, result in report.results.items()}


# -- a command that nobody knows ---------------------------------------------------------------


async def test_the_exit_code_alone_is_one_test_named_after_the_command(
    repo: Path, make_runner: MakeRunner
) -> None:
    write(repo, "check.py", "from code import add\nassert add(1, 2) == 3\n")
    write(repo, "code.py", "def add(a, b):\n    return a - b if b else missing\n")
    runner = make_runner("python check.py || exit 3")
    report = await runner.run(TestRequest())
    assert outcomes(report) == {"python check.py || exit 3": "failed"}
    (result,) = report.results.values()
    assert result.message == "ended with exit code 3: AssertionError"
    assert [frame.path for frame in result.frames] == ["check.py"]
    right = TestRequest(overlay={"code.py": b"def add(a, b): return a + b\n"})
    assert outcomes(await runner.run(right)) == {"python check.py || exit 3": "passed"}


REPORTING = """
import sys
from code import add
verdict = "" if add(1, 2) == 3 else "<failure message='wrong'/>"
open(sys.argv[1], "w").write(
    f"<testsuite><testcase classname='C' name='adds'>{verdict}</testcase>"
    "<testcase classname='C' name='other'/></testsuite>"
)
sys.exit(bool(verdict))
"""


@pytest.mark.parametrize("choice", ["bubblewrap", "landlock", "none"])
async def test_a_junit_report_gives_a_verdict_a_test(
    repo: Path, make_runner: MakeRunner, choice: Choice
) -> None:
    write(repo, "run.py", REPORTING)
    write(repo, "code.py", "def add(a, b): return a - b\n")
    runner = make_runner("python run.py out.xml", "*.xml", choice=choice)
    assert outcomes(await runner.run(TestRequest())) == {"C::adds": "failed", "C::other": "passed"}
    right = {"code.py": b"def add(a, b): return a + b\n"}
    report = await runner.run(TestRequest(overlay=right, tests=("C::adds", "C::gone")))
    assert outcomes(report) == {"C::adds": "passed"}
    assert report.collected == ("C::adds",), "a test that vanished is not among those that were to run"


async def test_a_report_is_found_where_nobody_names_it(repo: Path, make_runner: MakeRunner) -> None:
    write(repo, "run.py", REPORTING)
    write(repo, "code.py", "def add(a, b): return a + b\n")
    report = await make_runner("python run.py junit-out.xml").run(TestRequest())
    assert outcomes(report) == {"C::adds": "passed", "C::other": "passed"}


REFUSED = {
    "R23 a report that came with the tree": ("true", "wrote no report out.xml"),
    "E59 a link": ("ln -s /etc/passwd out.xml.new; mv out.xml.new out.xml", "can't be read"),
    "E59 a pipe": ("rm out.xml; mkfifo out.xml", "can't be read"),
    "E59 sparse": ("truncate -s 100G out.xml 2>/dev/null || truncate -s 200M out.xml", "can't be read"),
    "truncated": ("echo '<testsuite><testcase' > out.xml", "out.xml: The report is not well-formed XML"),
    "no tests failed, and yet": (
        "echo '<testsuite><testcase name=\"t\"/></testsuite>' > out.xml; exit 9",
        "ended with exit code 9, and no test in its report failed",
    ),
    "killed": ("rm out.xml; kill -9 $$", "was killed by signal 9 and wrote no report"),
}


@pytest.mark.parametrize("script, said", REFUSED.values(), ids=REFUSED)
async def test_a_report_that_tells_nothing_says_so_by_its_name(
    repo: Path, make_runner: MakeRunner, script: str, said: str
) -> None:
    write(repo, "out.xml", "<testsuite><testcase name='stale'/></testsuite>")
    report = await make_runner(script, "out.xml").run(TestRequest())
    assert report.results == {}
    assert report.collected is None
    assert said in report.problem


async def test_a_hang_costs_its_limit_and_no_more(repo: Path, make_runner: MakeRunner) -> None:
    runner = make_runner("sleep 1000", run_limit_s=1.0)
    report = await runner.run(TestRequest())
    assert [result.outcome.value for result in report.results.values()] == ["timeout"]
    assert "over their time limit" in report.problem


async def test_a_flood_of_output_is_cut(repo: Path, make_runner: MakeRunner) -> None:
    report = await make_runner("yes | head -c 30000000; echo; echo the end; exit 1").run(TestRequest())
    (result,) = report.results.values()
    assert result.message == "ended with exit code 1: the end"


async def test_no_credentials_beside_a_cache_are_seen(
    repo: Path, make_runner: MakeRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    write(home, ".cargo/credentials.toml", "token")
    write(home, ".cargo/registry/index", "public")
    write(home, ".m2/settings.xml", "password")
    write(home, ".m2/repository/a.pom", "public")
    write(home, ".npmrc", "token")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("CARGO_HOME", raising=False)
    script = (
        f"grep -rs -e token -e password {home} ~ && exit 1; "
        "grep -q public ~/.cargo/registry/index ~/.m2/repository/a.pom || exit 2"
    )
    report = await make_runner(script).run(TestRequest())
    assert outcomes(report) == {script: "passed"}


async def test_modules_that_lead_out_of_the_repository_are_not_shown(
    repo: Path, make_runner: MakeRunner, tmp_path: Path
) -> None:
    write(tmp_path, "secret/file", "secret")
    (repo / "node_modules").symlink_to(tmp_path / "secret")
    assert find_toolchains(repo).links.keys().isdisjoint({"node_modules"})


# -- toolchains --------------------------------------------------------------------------------


NODE_TESTS = """
const {test, describe, it} = require('node:test');
const assert = require('node:assert');
const {add} = require('../sum.js');
test('adds', () => assert.strictEqual(add(1, 2), 3));
test('adds', () => assert.strictEqual(add(0, 0), 0));
describe('more', () => { it('big', () => assert.strictEqual(add(2, 2), 4)); it.skip('later', () => {}); });
"""


@pytest.mark.toolchain
@pytest.mark.parametrize("choice", ["bubblewrap", "landlock"])
async def test_a_node_project(repo: Path, make_runner: MakeRunner, choice: Choice, needs: Needs) -> None:
    needs("node")
    write(repo, "sum.js", "exports.add = (a, b) => a - b;\n")
    write(repo, "test/sum.test.js", NODE_TESTS)
    runner = make_runner("npm test", scripts={"test": "node --test test/*.js"}, choice=choice)
    before = await runner.run(TestRequest())
    assert outcomes(before) == {
        "adds": "failed",
        "adds[2]": "passed",
        "more > big": "failed",
        "more > later": "skipped",
    }
    assert "-1 !== 3" in before.results["adds"].message
    right = {"sum.js": b"exports.add = (a, b) => a + b;\n"}
    chosen = ("more > big", "adds", "adds[2]")
    report = await runner.run(TestRequest(overlay=right, tests=chosen, gate=1))
    assert outcomes(report) == dict.fromkeys(chosen, "passed")
    wrong = {"sum.js": b"exports.add = (a, b) => 3;\n"}
    report = await runner.run(TestRequest(overlay=wrong, tests=chosen, gate=1))
    assert outcomes(report) == {"more > big": "failed"}
    assert report.collected == chosen, "what the gate left out did not vanish"
    broken = {"sum.js": b"exports.add = (a, b => a + b;\n"}
    report = await runner.run(TestRequest(overlay=broken, tests=chosen))
    assert not any(result.outcome == "passed" for result in report.results.values())


RUST = """
pub fn add(a: i32, b: i32) -> i32 { a - b }
#[cfg(test)]
mod tests {
    #[test] fn adds() { assert_eq!(super::add(1, 2), 3); }
    #[test] fn zero() { assert_eq!(super::add(0, 0), 0); }
    #[test] #[ignore] fn slow() {}
}
"""


@pytest.mark.slow
@pytest.mark.toolchain
async def test_a_rust_project(repo: Path, make_runner: MakeRunner, needs: Needs) -> None:
    needs("cargo")
    write(repo, "Cargo.toml", '[package]\nname = "calc"\nversion = "0.1.0"\nedition = "2021"\n')
    write(repo, "src/lib.rs", RUST)
    runner = make_runner("cargo test")
    before = await runner.run(TestRequest())
    assert outcomes(before) == {
        "calc::tests::adds": "failed",
        "calc::tests::slow": "skipped",
        "calc::tests::zero": "passed",
    }
    assert "left: -1 right: 3" in before.results["calc::tests::adds"].message
    chosen = ("calc::tests::adds", "calc::tests::zero")
    right = {"src/lib.rs": RUST.replace("a - b", "a + b").encode()}
    report = await runner.run(TestRequest(overlay=right, tests=chosen, gate=1))
    assert outcomes(report) == dict.fromkeys(chosen, "passed")
    wrong = {"src/lib.rs": RUST.replace("a - b", "3").encode()}
    report = await runner.run(TestRequest(overlay=wrong, tests=chosen))
    assert outcomes(report) == {"calc::tests::adds": "passed", "calc::tests::zero": "failed"}
    unbuilt = {"src/lib.rs": RUST.replace("a - b", "a - c").encode()}
    report = await runner.run(TestRequest(overlay=unbuilt, tests=chosen))
    assert report.results == {} and "exit code 101" in report.problem
    assert "cannot find value `c`" in report.output


SUM = "package calc;\npublic class Sum { public static int add(int a, int b) { return a - b; } }\n"
SUM_TEST = """package calc;
import static org.junit.jupiter.api.Assertions.assertEquals;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
class SumTest {
  @Test void adds() { assertEquals(3, Sum.add(1, 2)); }
  @ParameterizedTest @ValueSource(ints = {0, 4}) void same(int n) { assertEquals(n, Sum.add(n, 0)); }
}
"""


@pytest.mark.slow
@pytest.mark.toolchain
async def test_a_java_project(repo: Path, make_runner: MakeRunner, maven: Maven) -> None:
    write(repo, "pom.xml", maven.pom)
    write(repo, "src/main/java/calc/Sum.java", SUM)
    write(repo, "src/test/java/calc/SumTest.java", SUM_TEST)
    runner = make_runner(f"mvn -q -Dmaven.repo.local={maven.repository} test")
    wrong = {"src/main/java/calc/Sum.java": SUM.replace("a - b", "a - a").encode()}
    report = await runner.run(TestRequest(overlay=wrong))
    assert outcomes(report) == {
        "calc.SumTest#adds": "failed",
        "calc.SumTest#same(int)[1]": "passed",
        "calc.SumTest#same(int)[2]": "failed",
    }
    assert report.results["calc.SumTest#adds"].message == "expected: <3> but was: <0>"
    right = {"src/main/java/calc/Sum.java": SUM.replace("a - b", "a + b").encode()}
    chosen = ("calc.SumTest#adds", "calc.SumTest#same(int)[2]")
    report = await runner.run(TestRequest(overlay=right, tests=chosen))
    assert outcomes(report) == dict.fromkeys(chosen, "passed")
