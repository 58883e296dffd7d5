"""Test commands known by name."""

from __future__ import annotations

import pytest

from treemend.store.errors import UsageError
from treemend.verify.test_commands import NODE_REPORT, make_test_command

NODE = ("node", "--test-reporter=junit", f"--test-reporter-destination={NODE_REPORT}", "--test")
MAVEN = ("-o", "-B", "-ntp", "-Dstyle.color=never", "-Dmaven.test.failure.ignore=true")


@pytest.mark.parametrize(
    "text, tool, argv",
    [
        ("node --test", "node --test", NODE),
        ("node --test --test-reporter spec test/", "node --test", (*NODE, "test/")),
        ("npx jest --watch a", "jest", ("jest", "a", "--ci", "--json", "--outputFile=treemend-report.json")),
        (
            "./node_modules/.bin/vitest",
            "vitest",
            (
                "./node_modules/.bin/vitest",
                "run",
                "--reporter=junit",
                "--outputFile=treemend-report.xml",
            ),
        ),
        ("go test -v ./...", "go test", ("go", "test", "-json", "./...")),
        (
            "cargo test --workspace -- --test-threads=1",
            "cargo test",
            (
                *("cargo", "test", "--workspace", "--no-fail-fast", "--offline"),
                *("--color=never", "--", "--test-threads=1"),
            ),
        ),
        ("./mvnw -q test", "mvn", ("mvn", "-q", "test", *MAVEN)),
    ],
)
def test_a_known_tool_reports_where_it_is_read(text: str, tool: str, argv: tuple[str, ...]) -> None:
    command = make_test_command(text)
    assert command.tool is not None and command.tool.name == tool
    assert command.argv == argv


def test_the_script_of_package_json_is_looked_into() -> None:
    command = make_test_command("npm test -- --test-only", scripts={"test": "node --test test/*.js"})
    assert command.argv == (*NODE, "test/*.js", "--test-only")
    assert command.globs == ("test/*.js",)
    assert make_test_command("npm test", scripts={"test": "tsc && node --test"}).tool is None
    assert make_test_command("npm test").tool is None


@pytest.mark.parametrize("text", ["make test", "cd x && node --test", "node --test | tee log", "mvn compile"])
def test_any_other_command_runs_in_a_shell_as_it_is(text: str) -> None:
    command = make_test_command(text)
    assert command.tool is None
    assert command.argv == ("/bin/sh", "-c", text)


def test_a_report_that_the_user_names_is_what_tells() -> None:
    command = make_test_command("node --test", ["out/*.xml"])
    assert command.tool is None
    assert command.watched == ("out/*.xml",)
    assert command.must_report


def test_variables_in_front_are_kept() -> None:
    assert make_test_command("NODE_ENV=test node --test").env == {"NODE_ENV": "test"}


@pytest.mark.parametrize("text", ["", "A=1", "node 'open"])
def test_a_command_that_is_none(text: str) -> None:
    with pytest.raises(UsageError, match="--test-cmd"):
        make_test_command(text)


@pytest.mark.parametrize(
    "text, tests, added",
    [
        ("node --test", ["a > b.c"], ("--test-name-pattern=/^a$/", r"--test-name-pattern=/^b\.c$/")),
        ("jest", ["t/a.js::s > x", "t/a.js::y[2]"], ("-t", "^(s x|y)$")),
        ("cargo test", ["calc::tests::adds", "api::adds"], ("--", "--exact", "adds", "tests::adds")),
        ("go test ./...", ["ex.com/m::TestA/sub", "ex.com/m::TestB"], ("-run", "^(TestA|TestB)$")),
        ("mvn test", ["a.CTest#adds", "a.CTest#same(int)[1]"], ("-Dtest=a.CTest#adds+same",)),
    ],
)
def test_a_selection_of_tests(text: str, tests: list[str], added: tuple[str, ...]) -> None:
    argv = make_test_command(text).selecting(tests)
    assert argv is not None
    assert [word for word in argv if word in added] == list(added)


@pytest.mark.parametrize(
    "text, tests",
    [
        ("make test", ["make test"]),
        ("cargo test", ["calc (doc)::src/lib.rs - add"]),
        ("cargo test -- --ignored", ["calc::a"]),
        ("jest", ["t/broken.js"]),
        ("go test ./...", ["ex.com/m"]),
        ("mvn test", ["a.CTest#a name in words"]),
        ("node --test", ["x" * 100_000]),
    ],
)
def test_what_can_not_be_selected_runs_whole(text: str, tests: list[str]) -> None:
    assert make_test_command(text).selecting(tests) is None
