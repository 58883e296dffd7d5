"""What a user can get wrong: each has its own message with the mend, and its exit code."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Treemend = Callable[..., subprocess.CompletedProcess[bytes]]


def assert_refused(result: subprocess.CompletedProcess[bytes], code: int, *words: str) -> None:
    told = result.stderr.decode()
    assert result.returncode == code, told
    assert result.stdout == b""
    assert "Traceback" not in told
    for word in words:
        assert word in told


def test_a_path_that_is_not_there(treemend: Treemend, tmp_path: Path) -> None:
    assert_refused(treemend("fix", "--repo", str(tmp_path / "nowhere")), 2, "no folder", "--repo")


def test_a_file_instead_of_a_repository(treemend: Treemend, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert_refused(treemend("fix", "--repo", str(tmp_path / "file")), 2, "is a file")


def test_an_unreadable_trace(treemend: Treemend, tmp_path: Path) -> None:
    result = treemend("fix", "--repo", str(tmp_path), "--trace", str(tmp_path / "none"))
    assert_refused(result, 2, "can't be read")


def test_a_test_of_a_file_that_is_not_there(treemend: Treemend, examples: Path) -> None:
    test = "tests/test_nothing.py::test_it"
    result = treemend("fix", "--repo", str(examples / "one-file"), "--failing-test", test)
    assert_refused(result, 2, "no file tests/test_nothing.py")


def test_a_broken_junit_report(treemend: Treemend, examples: Path, tmp_path: Path) -> None:
    (tmp_path / "report.xml").write_text("<testsuite><testcase")
    result = treemend("fix", "--repo", str(examples / "one-file"), "--junit", str(tmp_path / "report.xml"))
    assert_refused(result, 2)


def test_an_interpreter_that_is_not_there(treemend: Treemend, examples: Path) -> None:
    result = treemend("fix", "--repo", str(examples / "one-file"), "--python", "python9.9")
    assert_refused(result, 2, "python9.9", "--python")


def test_a_run_that_is_not_there(treemend: Treemend) -> None:
    assert_refused(treemend("show", "nothing"), 2, "nothing")
    assert_refused(treemend("resume", "nothing"), 2, "nothing")


def test_a_test_command_that_is_none(treemend: Treemend, examples: Path) -> None:
    result = treemend("fix", "--repo", str(examples / "one-file"), "--test-cmd", "make 'test")
    assert_refused(result, 2, "--test-cmd")


@pytest.mark.parametrize("where", ["file", "/proc/treemend"])
def test_S09_a_state_folder_that_can_not_be_made(
    treemend: Treemend, examples: Path, tmp_path: Path, where: str
) -> None:
    (tmp_path / "file").write_text("not a folder")
    folder = tmp_path / where / "state"
    result = treemend("fix", "--repo", str(examples / "one-file"), TREEMEND_STATE=folder)
    assert_refused(result, 8)


def test_E60_no_sandbox_means_no_run(treemend: Treemend, examples: Path, tmp_path: Path) -> None:
    result = treemend("fix", "--repo", str(examples / "one-file"), "--sandbox", "bubblewrap", PATH=tmp_path)
    assert_refused(result, 6, "--sandbox none")


@pytest.mark.slow
class TestSuites:
    """Suites that can't say anything."""

    def test_an_unknown_test_of_a_known_file(self, fix: Treemend, examples: Path) -> None:
        result = fix(examples / "one-file", "--failing-test", "tests/test_median.py::test_medium")
        assert_refused(result, 2, "no test tests/test_median.py::test_medium", "Did you mean")

    def test_no_tests_at_all(self, fix: Treemend, tmp_path: Path) -> None:
        (tmp_path / "code.py").write_text("x = 1\n")
        assert_refused(fix(tmp_path), 2, "no tests", "--test-cmd")

    def test_a_suite_that_does_not_import(self, fix: Treemend, tmp_path: Path) -> None:
        (tmp_path / "test_it.py").write_text("import a_module_nobody_has\n")
        result = fix(tmp_path)
        assert_refused(result, 7, "does not import", "a_module_nobody_has")

    def test_options_that_pytest_refuses(self, fix: Treemend, examples: Path) -> None:
        result = fix(examples / "one-file", "--test-cmd", "pytest --no-such-option")
        assert result.returncode == 2
        assert "no-such-option" in result.stderr.decode()


def test_an_issue_too_long_for_a_file_name_is_a_text(treemend: Treemend, tmp_path: Path) -> None:
    result = treemend("fix", "/".join(["word" * 80] * 3), "--repo", str(tmp_path / "nowhere"))
    assert_refused(result, 2, "no folder")


def test_a_file_of_an_issue_that_is_not_there(treemend: Treemend, examples: Path) -> None:
    assert_refused(treemend("fix", "issue.md", "--repo", str(examples / "one-file")), 2, "no file issue.md")


@pytest.mark.parametrize("only", ["nope.py", "/etc", "../other"])
def test_only_that_matches_nothing(treemend: Treemend, examples: Path, only: str) -> None:
    result = treemend("fix", "--repo", str(examples / "one-file"), "--only", only)
    assert_refused(result, 2, f"--only {only} matches nothing")


def test_only_that_names_tests(treemend: Treemend, examples: Path) -> None:
    result = treemend("fix", "--repo", str(examples / "one-file"), "--only", "tests")
    assert_refused(result, 2, "never patched")


def test_a_trace_that_leads_nowhere(treemend: Treemend, examples: Path, tmp_path: Path) -> None:
    (tmp_path / "trace.txt").write_text("nothing like a trace\n")
    result = treemend("fix", "--repo", str(examples / "one-file"), "--trace", str(tmp_path / "trace.txt"))
    assert_refused(result, 2, "names no file")


def test_an_output_folder_that_can_not_be_made_is_told_before_the_work(
    treemend: Treemend, examples: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    output = str(tmp_path / "file" / "out")
    result = treemend("fix", "--repo", str(examples / "one-file"), "--output", output)
    assert_refused(result, 2, "--output")
    assert b"localize" not in result.stderr
