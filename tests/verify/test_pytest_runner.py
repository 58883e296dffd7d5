"""The cold pytest runner, in the real sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from treemend.store.errors import SandboxUnavailableError, UsageError
from treemend.store.records import TestOutcome
from treemend.verify.argument_types import OddArgument, odd_arguments
from treemend.verify.interpreter import find_interpreter
from treemend.verify.pytest_runner import PytestRunner
from treemend.verify.pytest_target import PytestTarget, pytest_arguments
from treemend.verify.runner import TestReport, TestRequest
from treemend.verify.sandbox import Sandbox
from treemend.verify.sandboxes import find_sandbox

# Plugins of the environment that the tests run in are not what is tested, and cost a second each time.
BARE = ("-p", "no:asyncio", "-p", "no:hypothesispytest", "-p", "no:anyio")


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    try:
        return find_sandbox("auto")
    except SandboxUnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    folder.mkdir()
    return folder


def runner(sandbox: Sandbox, repo: Path, *arguments: str) -> PytestRunner:
    interpreter = find_interpreter("", repo)
    return PytestRunner(PytestTarget(sandbox, interpreter, repo, repo, (*BARE, *arguments)))


def outcomes(report: TestReport) -> dict[str, str]:
    return {test.split("::")[-1]: result.outcome.value for test, result in report.results.items()}


EVERY_OUTCOME = """
import pytest

def test_passes(): pass
def test_fails(): assert 1 == 2
@pytest.fixture
def broken(): raise RuntimeError("no fixture")
def test_errors(broken): pass
@pytest.mark.skip
def test_skipped(): pass
@pytest.mark.xfail
def test_xfails(): assert False
@pytest.mark.xfail
def test_xpasses(): pass
@pytest.mark.parametrize("value", [1, 2])
def test_parametrized(value): assert value == 1
"""


async def test_every_outcome_is_reported_by_test_id(sandbox: Sandbox, repo: Path) -> None:
    (repo / "test_all.py").write_text(EVERY_OUTCOME)
    report = await runner(sandbox, repo).run(TestRequest())
    assert outcomes(report) == {
        "test_passes": "passed",
        "test_fails": "failed",
        "test_errors": "error",
        "test_skipped": "skipped",
        "test_xfails": "xfailed",
        "test_xpasses": "xpassed",
        "test_parametrized[1]": "passed",
        "test_parametrized[2]": "failed",
    }
    assert report.problem == ""
    failure = report.results["test_all.py::test_fails"]
    assert "assert 1 == 2" in failure.message
    assert (failure.frames[-1].path, failure.frames[-1].line) == ("test_all.py", 5)


async def test_lines_are_recorded_for_each_test_apart(sandbox: Sandbox, repo: Path) -> None:
    (repo / "code.py").write_text("def sign(n):\n    if n < 0:\n        return -1\n    return 1\n")
    (repo / "test_code.py").write_text(
        "from code import sign\n"
        "def test_negative(): assert sign(-3) == -1\n"
        "def test_positive(): assert sign(3) == 1\n"
    )
    (repo / "code.py").rename(repo / "signs.py")
    (repo / "test_code.py").write_text((repo / "test_code.py").read_text().replace("code", "signs"))
    report = await runner(sandbox, repo).run(TestRequest(coverage=True))
    lines = {name.split("::")[1]: result.lines for name, result in report.results.items()}
    assert {2, 3} <= set(lines["test_negative"]["signs.py"])
    assert 4 not in lines["test_negative"]["signs.py"]
    assert {2, 4} <= set(lines["test_positive"]["signs.py"])
    assert 1 in report.import_lines["signs.py"]


async def test_tests_run_in_the_order_asked_for(sandbox: Sandbox, repo: Path) -> None:
    (repo / "test_a.py").write_text("def test_one(): pass\ndef test_two(): pass\n")
    (repo / "test_b.py").write_text("def test_three(): pass\n")
    wanted = ("test_b.py::test_three", "test_a.py::test_two", "test_a.py::test_one")
    report = await runner(sandbox, repo).run(TestRequest(tests=wanted))
    assert tuple(report.results) == wanted


async def test_the_overlay_replaces_a_file_for_this_run_alone(sandbox: Sandbox, repo: Path) -> None:
    (repo / "value.py").write_text("VALUE = 1\n")
    (repo / "test_value.py").write_text("from value import VALUE\ndef test_it(): assert VALUE == 2\n")
    patched = await runner(sandbox, repo).run(TestRequest(overlay={"value.py": b"VALUE = 2\n"}))
    assert outcomes(patched) == {"test_it": "passed"}
    assert outcomes(await runner(sandbox, repo).run(TestRequest())) == {"test_it": "failed"}
    assert (repo / "value.py").read_text() == "VALUE = 1\n"


GATED = """
import pytest
@pytest.mark.parametrize("n", range(3))
def test_target(n): assert n in {allowed}
def test_first(): pass
def test_breaks(): assert not {allowed}
def test_last(): pass
"""
ORDER = (
    *(f"test_g.py::test_target[{n}]" for n in range(3)),
    "test_g.py::test_first",
    "test_g.py::test_breaks",
    "test_g.py::test_last",
)


async def test_the_gate_ends_a_run_in_which_no_target_passes(sandbox: Sandbox, repo: Path) -> None:
    (repo / "test_g.py").write_text(GATED.format(allowed="[]"))
    report = await runner(sandbox, repo).run(TestRequest(tests=ORDER, gate=3))
    assert tuple(report.results) == ORDER[:3]


async def test_the_gate_ends_a_run_at_the_first_regression(sandbox: Sandbox, repo: Path) -> None:
    (repo / "test_g.py").write_text(GATED.format(allowed="[1]"))
    report = await runner(sandbox, repo).run(TestRequest(tests=ORDER, gate=3))
    assert tuple(report.results) == ORDER[:5]
    assert report.results[ORDER[4]].outcome is TestOutcome.FAILED
    assert report.collected == ORDER


HANGS = """
def test_before(): pass
def test_hangs():
    while True: pass
def test_swallows():
    while True:
        try:
            while True: pass
        except BaseException: pass
def test_after(): pass
"""


@pytest.mark.slow
async def test_R33_a_hanging_test_costs_its_limit_and_the_others_still_run(
    sandbox: Sandbox, repo: Path
) -> None:
    (repo / "test_h.py").write_text(HANGS)
    report = await runner(sandbox, repo).run(TestRequest(limit_s=0.5))
    assert outcomes(report) == {
        "test_before": "passed",
        "test_hangs": "timeout",
        "test_swallows": "timeout",
        "test_after": "passed",
    }
    frame = report.results["test_h.py::test_hangs"].frames[-1]
    assert frame.function == "test_hangs"


async def test_R13_a_test_that_ends_the_process_has_not_passed(sandbox: Sandbox, repo: Path) -> None:
    (repo / "test_x.py").write_text("import os\ndef test_exits(): os._exit(0)\ndef test_after(): pass\n")
    report = await runner(sandbox, repo).run(TestRequest())
    assert outcomes(report) == {"test_exits": "error", "test_after": "passed"}


async def test_R22_a_forged_summary_and_a_report_without_the_nonce_are_ignored(
    sandbox: Sandbox, repo: Path
) -> None:
    (repo / "test_f.py").write_text(
        "import os\n"
        "def test_forges():\n"
        "    for fd in range(3, 64):\n"
        "        try:\n"
        '            os.write(fd, b\'guess {"event": "test", "test": "test_f.py::test_forges",\'\n'
        '                b\'"outcome": "passed", "duration": 0, "message": "", "lines": {}}\\n\')\n'
        "        except OSError: pass\n"
        "    print('1 passed')\n"
        "    os._exit(0)\n"
    )
    report = await runner(sandbox, repo).run(TestRequest())
    assert outcomes(report) == {"test_forges": "error"}


async def test_a_module_that_does_not_import_is_named_and_the_others_run(
    sandbox: Sandbox, repo: Path
) -> None:
    (repo / "test_bad.py").write_text("import no_such_module_anywhere\n")
    (repo / "test_good.py").write_text("def test_good(): pass\n")
    report = await runner(sandbox, repo).run(TestRequest())
    assert outcomes(report) == {"test_good": "passed"}
    assert "no_such_module_anywhere" in report.collection_errors["test_bad.py"]


async def test_project_options_that_would_stop_or_split_the_run_are_overridden(
    sandbox: Sandbox, repo: Path
) -> None:
    (repo / "pytest.ini").write_text("[pytest]\naddopts = -x --strict-markers\n")
    (repo / "test_two.py").write_text("def test_a(): assert 0\ndef test_b(): pass\n")
    report = await runner(sandbox, repo).run(TestRequest())
    assert outcomes(report) == {"test_a": "failed", "test_b": "passed"}


async def test_the_suite_leaves_nothing_in_the_tree(sandbox: Sandbox, repo: Path) -> None:
    (repo / "test_w.py").write_text("def test_writes(): open('left.txt', 'w').write('x')\n")
    before = sorted(path.name for path in repo.iterdir())
    await runner(sandbox, repo).run(TestRequest())
    assert sorted(path.name for path in repo.iterdir()) == before


async def test_I15_lone_surrogates_in_messages_and_names_come_as_text(sandbox: Sandbox, repo: Path) -> None:
    (repo / "test_u.py").write_text(
        "import pytest\n"
        "def test_message(): raise ValueError(chr(0xD800))\n"
        "@pytest.mark.parametrize('x', [1], ids=[chr(0xDCFF)])\n"
        "def test_name(x): pass\n"
    )
    report = await runner(sandbox, repo).run(TestRequest())
    text = "".join(result.message for result in report.results.values()) + "".join(report.results)
    assert "d800" in text.encode().decode()


async def test_hash_seed_is_the_requests(sandbox: Sandbox, repo: Path) -> None:
    (repo / "test_s.py").write_text(
        "import os\ndef test_seed(): assert os.environ['PYTHONHASHSEED'] == '7'\n"
    )
    report = await runner(sandbox, repo).run(TestRequest(hash_seed=7))
    assert outcomes(report) == {"test_seed": "passed"}


@pytest.mark.parametrize(
    "command, arguments",
    [
        ("python -m pytest -q tests", ("-q", "tests")),
        ("pytest", ()),
        ("/opt/env/bin/pytest -k 'a or b'", ("-k", "a or b")),
        ("-q tests", ("-q", "tests")),
        ("", ()),
    ],
)
def test_the_options_of_a_test_command(command: str, arguments: tuple[str, ...]) -> None:
    assert pytest_arguments(command) == arguments


@pytest.mark.parametrize("command", ["make test", "tox -e py311", "pytest 'unclosed"])
def test_a_command_that_is_not_pytest_is_refused(command: str) -> None:
    with pytest.raises(UsageError, match="--test-cmd"):
        pytest_arguments(command)


RETURNING = """
class Odd:
    def __repr__(self): raise RuntimeError("no words")

def longest(words, least):
    odd = Odd()
    found = sorted(words)
    size = len(found)
    return size

def again(count):
    return count if count < 1 else again(count - 1)
"""


async def test_a_failed_test_tells_what_came_back_and_what_else_was_there(
    sandbox: Sandbox, repo: Path
) -> None:
    (repo / "words.py").write_text(RETURNING)
    (repo / "test_words.py").write_text(
        "from words import again, longest\n"
        "def test_longest(): assert longest(['b', 'a'], 7) == ['a', 'b']\n"
        "def test_again(): assert again(3) == 3\n"
        "def test_passes(): assert again(0) == 0\n"
    )
    report = await runner(sandbox, repo).run(TestRequest(coverage=True))
    returned = {test.split("::")[-1]: result.returned for test, result in report.results.items()}
    longest = next(one for one in returned["test_longest"] if one.path == "words.py")
    assert (longest.line, longest.value) == (9, "2")
    assert longest.scope["found"] == "['a', 'b']"
    assert longest.scope["len(words)"] == "2"
    assert longest.scope["least + 1"] == "8"
    assert "odd" not in longest.scope
    again = next(one for one in returned["test_again"] if one.path == "words.py")
    assert (again.value, again.scope["count"]) == ("0", "3"), "the outermost call is told"
    assert returned["test_passes"] == ()


LATE = "def late(n):\n    for step in range(n):\n        if step == n - 1:\n            return step\n"


async def test_no_line_of_an_exact_test_is_missed_however_late(sandbox: Sandbox, repo: Path) -> None:
    (repo / "loops.py").write_text(LATE)
    (repo / "test_loops.py").write_text(
        "from loops import late\n"
        "def test_long(): assert late(300_000)\n"
        "def test_again(): assert late(300_000)\n"
        "def test_short(): assert late(3)\n"
    )
    request = TestRequest(coverage=True, exact=("test_loops.py::test_long",))
    report = await runner(sandbox, repo).run(request)
    lines = {test.split("::")[1]: set(result.lines["loops.py"]) for test, result in report.results.items()}
    assert lines["test_long"] == lines["test_short"] == {1, 2, 3, 4}
    assert {2, 3} <= lines["test_again"], "what ran early is told, and the next test is traced from its start"


MIDDLES = """\
def middle(values, *, low=True):
    return [v for v in values][len(values) // 2]

def plain(text):
    return text
"""
MIDDLE_TESTS = """\
from middles import middle, plain
def test_list(): assert middle([1, 2, 3]) == 2
def test_tuple(): assert plain("a") and middle((1, 2, 3)) == 2
def test_none(): assert plain(3) and middle(None) is None
def test_text(): assert middle("abc", low=None) == "c"
"""


async def test_types_are_told_apart_by_outcome(sandbox: Sandbox, repo: Path) -> None:
    (repo / "middles.py").write_text(MIDDLES)
    (repo / "test_middles.py").write_text(MIDDLE_TESTS)
    failing = ("test_middles.py::test_none", "test_middles.py::test_text")
    request = TestRequest(coverage=True, exact=failing)
    results = (await runner(sandbox, repo).run(request)).results
    passing = [result for test, result in results.items() if test not in failing]
    assert odd_arguments([results[test] for test in failing], passing) == (
        OddArgument("middles.py", 1, "middle", "low", "NoneType", ("bool",), 0.5),
        OddArgument("middles.py", 1, "middle", "values", "NoneType", ("list", "tuple"), 0.5),
        OddArgument("middles.py", 1, "middle", "values", "str", ("list", "tuple"), 0.5),
        OddArgument("middles.py", 4, "plain", "text", "int", ("str",), 0.5),
    )
