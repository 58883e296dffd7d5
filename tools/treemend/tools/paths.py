"""Which paths a patch may name, and which of them judge the patch itself."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from treemend.store.errors import UsageError

_TEST_FOLDERS = frozenset({"test", "tests", "testing", "__tests__", "__mocks__", "spec"})
_CI_FOLDERS = frozenset(
    {".cargo", ".github", ".mvn", ".gitlab", ".circleci", ".buildkite", ".travis", ".azure-pipelines"}
)
_NAMES = frozenset(
    {
        ".appveyor.yml",
        ".cirrus.yml",
        ".coveragerc",
        ".drone.yml",
        ".gitlab-ci.yml",
        ".pre-commit-config.yaml",
        ".pytest.ini",
        ".pytest.toml",
        ".travis.yml",
        "appveyor.yml",
        "azure-pipelines.yml",
        "bitbucket-pipelines.yml",
        "build.gradle",
        "build.gradle.kts",
        "build.rs",
        "cargo.toml",
        "codecov.yml",
        "conftest.py",
        "gnumakefile",
        "go.mod",
        "jenkinsfile",
        "makefile",
        "noxfile.py",
        "package.json",
        "pom.xml",
        "pyproject.toml",
        "pytest.ini",
        "pytest.toml",
        "setup.cfg",
        "setup.py",
        "sitecustomize.py",
        "test.py",
        "tests.py",
        "tox.ini",
        "usercustomize.py",
    }
)
_NAME_PATTERN = re.compile(
    r"test_.*\.py|.*_test\.py|.*\.pth|\.git.*"
    r"|.*[._-](?:test|spec)\.[cm]?[jt]sx?|(?:jest|vite|vitest|babel)\.config\..*|\.mocharc.*|.*_test\.go",
    re.DOTALL,
)
_PACKAGES = frozenset({"sitecustomize", "usercustomize"})
# At the top, where they stand in for the runner's own modules.
_RUNNER = frozenset({"_pytest", "pluggy", "pluggy.py", "pytest", "pytest.py"})
_MEND = "Name a file below the repository's top folder, such as src/module.py."


def is_protected(path: str) -> bool:
    """Whether the file judges patches: tests, their configuration, start-up hooks, CI.

    Names are compared without their case, so that no file system that ignores case lets one by.
    """
    parts = PurePosixPath(path.casefold()).parts
    if not parts:
        return False
    folders, name = parts[:-1], parts[-1]
    if parts[0] in _RUNNER or any(
        part in _TEST_FOLDERS or part in _CI_FOLDERS or part in _PACKAGES for part in folders
    ):
        return True
    return name in _NAMES or any(_NAME_PATTERN.fullmatch(part) for part in parts)


def check_relative(path: str) -> None:
    """Pass if `path` can only name a file inside the repository and outside `.git`.

    Raises:
        UsageError: empty, absolute, with `..`, a NUL or a line break, or leading into `.git`.
    """
    if not path:
        raise UsageError("An empty path.", mend=_MEND)
    if any(character in path for character in "\0\n\r"):
        raise UsageError(f"A control character in the path {path!r}.", mend=_MEND)
    if path.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", path):
        raise UsageError(f"The path {path!r} is absolute.", mend=_MEND)
    parts = re.split(r"[/\\]", path)
    if any(part in ("", ".", "..") for part in path.split("/")) or ".." in parts:
        raise UsageError(f"The path {path!r} is not a plain path of a file.", mend=_MEND)
    if any(_is_git_folder(part) for part in parts):
        raise UsageError(f"The path {path!r} leads into a .git folder.", mend=_MEND)


def _is_git_folder(part: str) -> bool:
    """As git itself refuses them: NTFS drops trailing dots, spaces and `:stream`, HFS+ characters
    that show nothing; `git~1` is the short name that NTFS gives to `.git`."""
    visible = "".join(character for character in part if character not in _IGNORED_BY_HFS)
    bare = visible.split(":", 1)[0].rstrip(". ").casefold()
    return bare in (".git", "git~1")


_IGNORED_BY_HFS = frozenset(
    chr(code) for code in (*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF)
)
