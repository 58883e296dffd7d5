"""How a repository's tests are run, read off its files: nothing of it is executed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from treemend.store.errors import UsageError

ENTRIES_MAX = 50_000
FILE_BYTES_MAX = 1 << 20
TEST_FILES_READ_MAX = 300

_PRUNED = frozenset({"node_modules", "target", "build", "dist", "vendor", "venv", "env", "site-packages"})
_PYTHON_TEST = re.compile(r"(test_.*|.*_test|tests?)\.py")
_UNITTEST = re.compile(r"^\s*(?:import|from)\s+unittest\b", re.MULTILINE)
_PYTEST = re.compile(r"^\s*(?:import|from)\s+_?pytest\b", re.MULTILINE)
_NO_TESTS = "no test specified"


@dataclass(frozen=True, slots=True)
class Found:
    """A test command and the file that says so."""

    command: str
    because: str


def discover_command(repo: Path) -> Found | None:
    """The command of a repository whose tests are not Python's; None where Python's are, or none at all.

    Raises:
        UsageError: several are there, and nothing says which.
    """
    if next(python_tests(repo), None) is not None:
        return None
    found = list(_commands(repo))
    if len(found) > 1:
        listed = " or ".join(f"--test-cmd {each.command!r} ({each.because})" for each in found)
        raise UsageError(
            f"{repo} has more than one kind of tests, and none of Python's.", mend=f"Give {listed}."
        )
    return found[0] if found else None


def _commands(repo: Path) -> Iterator[Found]:
    script = package_scripts(repo).get("test", "")
    if script and _NO_TESTS not in script:
        yield Found("npm test", f"the test script of package.json: {script[:80]}")
    for name, command in (
        ("Cargo.toml", "cargo test"),
        ("pom.xml", "mvn test"),
        ("go.mod", "go test ./..."),
    ):
        if (repo / name).is_file():
            yield Found(command, name)


def package_scripts(repo: Path) -> Mapping[str, str]:
    """The scripts of a repository's package.json, {} where it has none that can be read."""
    try:
        scripts = json.loads(_text(repo / "package.json"))["scripts"]
        return {str(name): str(script) for name, script in scripts.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def uses_unittest(repo: Path) -> bool:
    """Whether the repository's Python tests are unittest's, with none that needs pytest."""
    texts = [_text(path) for path, _ in zip(python_tests(repo), range(TEST_FILES_READ_MAX), strict=False)]
    return any(map(_UNITTEST.search, texts)) and not any(map(_PYTEST.search, texts))


def python_tests(repo: Path) -> Iterator[Path]:
    """Files that look like Python tests, in order of their paths; the walk is bounded."""
    left = ENTRIES_MAX
    for folder, folders, files in os.walk(repo):
        folders[:] = sorted(name for name in folders if name not in _PRUNED and not name.startswith("."))
        left -= len(folders) + len(files)
        if left < 0:
            return
        for name in sorted(files):
            if _PYTHON_TEST.fullmatch(name):
                yield Path(folder, name)


def _text(path: Path) -> str:
    """The start of a regular file, "" for anything else."""
    if not path.is_file():
        return ""
    try:
        with path.open("rb") as file:
            return file.read(FILE_BYTES_MAX).decode("utf-8", "replace")
    except OSError:
        return ""
