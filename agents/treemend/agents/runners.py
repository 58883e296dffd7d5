"""Which runner a repository's tests get, from what the user said and what lies there."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from treemend.agents.target_python import target_interpreter
from treemend.verify.command_runner import CommandRunner, CommandTarget
from treemend.verify.discovery import discover_command, package_scripts, uses_unittest
from treemend.verify.interpreter import Interpreter, is_installed
from treemend.verify.probe_events import Progress, no_progress
from treemend.verify.pytest_runner import PytestRunner
from treemend.verify.pytest_target import PytestTarget, pytest_arguments
from treemend.verify.runner import TestRunner
from treemend.verify.sandbox import Sandbox
from treemend.verify.test_commands import has_shell_syntax, make_test_command, split_command
from treemend.verify.toolchains import find_toolchains
from treemend.verify.warm_runner import WarmRunner

_PYTHON = re.compile(r"python(\d(\.\d+)?)?")
_IN_PYTHON = frozenset({"pytest", "py.test", "unittest"})


@dataclass(frozen=True, slots=True)
class Runners:
    """How the tests of a repository are run.

    Attributes:
        on: A cold runner of a tree that stands for the repository: each request in a process of its own.
        warm: Serves candidates in forks; None where there is nothing to fork.
        target: The target's own Python, None where something else runs the tests.
        command: What runs the tests, for people; `because` says what tells so, where it was found.
    """

    on: Callable[[Path], TestRunner]
    warm: WarmRunner | None
    target: PytestTarget | None
    command: str
    because: str = ""


def make_runners(
    sandbox: Sandbox,
    repo: Path,
    tree: Path,
    *,
    test_command: str = "",
    junit_reports: Sequence[str] = (),
    python: str = "",
    progress: Progress = no_progress,
) -> Runners:
    """Choose by the command given, else by what the repository holds: Python's tests come first.

    `tree` is the private copy of `repo`; it need not be there yet. With `junit_reports` the command runs as
    it is, whatever it is, and the reports tell.

    Raises:
        UsageError: the command can't be read, an interpreter is not there, or several kinds of tests are
            in the repository and none was named.
    """
    because = ""
    if not test_command and not python:
        found = discover_command(repo)
        if found is not None:
            test_command, because = found.command, found.because
    interpreter = target_interpreter(python, repo)
    framework = None if junit_reports else python_framework(test_command)
    if framework is None:
        command = make_test_command(test_command, junit_reports, package_scripts(repo))
        toolchains = find_toolchains(repo, command.argv)
        other = CommandTarget(sandbox, command, toolchains, interpreter, tree, repo)
        return Runners(
            on=lambda tree: CommandRunner(replace(other, tree=tree), progress),
            warm=None,
            target=None,
            command=command.text,
            because=because,
        )
    target = PytestTarget(sandbox=sandbox, interpreter=interpreter, tree=tree, repo=repo)
    if framework == "unittest" or (not test_command and _only_unittest(interpreter, repo)):
        target = replace(target, framework="unittest", arguments=_unittest_arguments(test_command))
    else:
        target = replace(target, arguments=pytest_arguments(test_command))

    def on(tree: Path) -> PytestRunner:
        return PytestRunner(replace(target, tree=tree), progress)

    warm = WarmRunner(target, on(tree)) if target.framework == "pytest" else None
    return Runners(on, warm, target, target.framework)


def python_framework(test_command: str) -> str | None:
    """pytest or unittest where the command runs one of them in the target's Python, None for any other.

    Options alone are pytest's, and so is no command.
    """
    _, words = split_command(test_command)
    if not words or words[0].startswith("-"):
        return "pytest"
    if has_shell_syntax(test_command):
        return None
    for at, word in enumerate(words):
        name = _name(word)
        if name not in _IN_PYTHON:
            continue
        if at == 0 or words[at - 1] in ("run", "exec", "--"):
            return "pytest" if name != "unittest" else None
        if at >= 2 and words[at - 1] == "-m" and _PYTHON.fullmatch(_name(words[at - 2])):
            return "unittest" if name == "unittest" else "pytest"
        if words[at - 1] == "-m" and name != "unittest" and "coverage" in map(_name, words[:at]):
            return "pytest"
    return None


def _name(word: str) -> str:
    return PurePath(word).name


def _unittest_arguments(test_command: str) -> tuple[str, ...]:
    words = split_command(test_command)[1]
    return words[words.index("unittest") + 1 :] if words else ()


def _only_unittest(interpreter: Interpreter, repo: Path) -> bool:
    return not is_installed("pytest", interpreter) and uses_unittest(repo)
