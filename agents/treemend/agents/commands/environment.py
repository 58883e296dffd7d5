"""`treemend env`: what the tests of a repository run with, and why; and an environment built for them."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from treemend.agents.intake import check_repo
from treemend.agents.plain_text import one_line
from treemend.agents.target_python import built_for, environments_folder
from treemend.store.errors import UsageError
from treemend.verify.declarations import Declared, read_declarations
from treemend.verify.discovery import discover_command, uses_unittest
from treemend.verify.environments import FoundPython, found_pythons
from treemend.verify.interpreter import Interpreter, choose_python, find_interpreter, is_installed

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

_VERSION = re.compile(r"python(\d+)\.(\d+)$")


@dataclass(frozen=True, slots=True)
class Environment:
    """What the tests of a repository run with.

    Attributes:
        tests: The command that runs them, and `tests_because` what says so.
        others: Interpreters that were found, too, and are not taken.
        built: Whether treemend built the environment for what is declared now.
    """

    repo: str
    tests: str
    tests_because: str
    python: str
    python_because: str
    others: tuple[FoundPython, ...]
    has_pytest: bool
    declared: Declared
    built: bool

    def as_json(self) -> dict[str, object]:
        """Plain values, for a program."""
        values = asdict(self)
        values["others"] = [{"path": str(o.path), "because": o.because} for o in self.others]
        return values


def describe_environment(repo: Path, python: str = "") -> Environment:
    """Look at the files of a repository; nothing of it is executed.

    Raises:
        UsageError: the repository or the named interpreter isn't there, or its tests are of several kinds.
    """
    root = check_repo(repo)
    declared = read_declarations(root)
    built = built_for(root)
    chosen = choose_python(python, root, built)
    interpreter = find_interpreter(python, root, built)
    others = tuple(found for found in found_pythons(root, built) if found.path != chosen.path)
    tests, because = _tests(root, interpreter)
    return Environment(
        repo=str(root),
        tests=tests,
        tests_because=because,
        python=str(chosen.path),
        python_because=chosen.because,
        others=others,
        has_pytest=is_installed("pytest", interpreter),
        declared=declared,
        built=built is not None,
    )


def _tests(root: Path, interpreter: Interpreter) -> tuple[str, str]:
    found = discover_command(root)
    if found is not None:
        return found.command, found.because
    if uses_unittest(root) and not is_installed("pytest", interpreter):
        return "python -m unittest", "its tests are unittest's, and its Python has no pytest"
    return "pytest", "Python's tests, unless --test-cmd says otherwise"


def build(repo: Path, python: str = "") -> Environment:
    """Build an environment from what the repository declares, and describe what there is then.

    Raises:
        UsageError: nothing is declared, no Python here fits, or a dependency has no wheel.
        SandboxUnavailableError: no sandbox can be given the network.
    """
    from treemend.verify.environment_build import build_environment
    from treemend.verify.sandboxes import find_sandbox, sweep_leftovers

    root = check_repo(repo)
    declared = read_declarations(root)
    if not declared.sources:
        raise UsageError(
            f"{root} declares no dependencies: no pyproject.toml, setup.cfg or requirements.txt with any.",
            mend="Give --python the interpreter that its tests run with.",
        )
    base = find_interpreter(python or str(_base(declared.requires_python)), root)
    sweep_leftovers()
    environments = environments_folder()
    asyncio.run(build_environment(find_sandbox(), base, environments, root, declared))
    return describe_environment(root)


def _base(requires_python: str) -> Path:
    """This Python if the project is for it, else the newest installed one that it is for.

    Raises:
        UsageError: none here fits.
    """
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    own = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    try:
        wanted = SpecifierSet(requires_python)
    except InvalidSpecifier:
        wanted = SpecifierSet()
    for python in (own, *_installed()):
        if _fits(python, wanted):
            return python
    raise UsageError(
        f"No Python here is {requires_python}, which the project is for.",
        mend="Install one, or give --python its path.",
    )


def _installed() -> Iterator[Path]:
    """Interpreters by their version, newest first: of the system and of pyenv."""
    from os import environ

    pyenv = Path(environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    folders = [Path("/usr/bin"), Path("/usr/local/bin"), *(pyenv / "versions").glob("*/bin")]
    found = [path for folder in folders for path in folder.glob("python3.*") if _VERSION.search(path.name)]
    yield from sorted(found, key=lambda path: _version(path), reverse=True)


def _version(path: Path) -> tuple[int, int]:
    match = _VERSION.search(path.name)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _fits(python: Path, wanted: SpecifierSet) -> bool:
    major, minor = _version(python)
    # The patch level is not known without running it, and hardly ever decides.
    return python.is_file() and wanted.contains(f"{major}.{minor}.99", prereleases=True)


def lines_of(environment: Environment) -> Iterator[str]:
    """The description for people."""
    yield f"tests:   {environment.tests} ({one_line(environment.tests_because)})"
    yield f"python:  {environment.python} ({one_line(environment.python_because)})"
    if environment.tests == "pytest" and not environment.has_pytest:
        yield f"         it has no pytest: {environment.python} -m pip install pytest"
    for other in environment.others:
        yield f"also:    {other.path} ({one_line(other.because)})"
    declared = environment.declared
    if declared.sources:
        count = len(declared.requirements)
        wanted = f", for Python {declared.requires_python}" if declared.requires_python else ""
        names = ", ".join(declared.sources)
        yield f"declared: {count} {'dependency' if count == 1 else 'dependencies'} in {names}{wanted}"
        yield from _left_out(declared.left_out)
        if not environment.built:
            yield f"build:   treemend env --repo {environment.repo} --build"


def _left_out(reasons: Sequence[str]) -> Iterator[str]:
    for reason in reasons[:10]:
        yield f"left out: {one_line(reason)}"
    if len(reasons) > 10:
        yield f"left out: {len(reasons) - 10} more"
