"""Which paths a patch may name."""

from __future__ import annotations

import pytest

from treemend.store.errors import UsageError
from treemend.tools.paths import check_relative, is_protected


@pytest.mark.parametrize(
    "path",
    [
        "tests/test_a.py",
        "src/pkg/tests/data.json",
        "src/__tests__/sum.js",
        "src/sum.test.ts",
        "src/sum.spec.mjs",
        "package.json",
        "vitest.config.ts",
        "Cargo.toml",
        "pkg/sum_test.go",
        "module/pom.xml",
        "test/helper.py",
        "pkg/testing/tools.py",
        "test_a.py",
        "pkg/a_test.py",
        "conftest.py",
        "pkg/conftest.py",
        "pytest.ini",
        ".pytest.ini",
        "tox.ini",
        "setup.cfg",
        "pyproject.toml",
        "setup.py",
        ".github/workflows/ci.yml",
        ".gitlab-ci.yml",
        ".circleci/config.yml",
        "azure-pipelines.yml",
        "Jenkinsfile",
        "sitecustomize.py",
        "src/usercustomize.py",
        "usercustomize/__init__.py",
        "src/extra.pth",
        ".gitignore",
        ".gitmodules",
        ".gitattributes",
        "noxfile.py",
        "Makefile",
        "pytest.py",
        "_pytest/runner.py",
        "Tests/Test_A.py",
        "CONFTEST.PY",
    ],
)
def test_P09_P10_what_judges_a_patch_is_protected(path: str) -> None:
    assert is_protected(path)


@pytest.mark.parametrize(
    "path",
    [
        "src/a.py",
        "contest.py",
        "latest/a.py",
        "attest_a.py",
        "src/latest.js",
        "src/contest.ts",
        "inspect/specs.rs",
        "pkg/protest.py",
        "testament/b.py",
        "src/_pytest/runner.py",
        "",
    ],
)
def test_other_files_are_not_protected(path: str) -> None:
    assert not is_protected(path)


@pytest.mark.parametrize("path", ["a.py", "src/a b.py", "-x", "a..b/c.py", ".github/x", "ä/ö.py"])
def test_P15_plain_paths_pass(path: str) -> None:
    check_relative(path)


@pytest.mark.parametrize("path", ["../x", "a/../x", "a/..", "..", "a\\..\\x"])
def test_P01_paths_that_go_up_are_refused(path: str) -> None:
    with pytest.raises(UsageError):
        check_relative(path)


@pytest.mark.parametrize("path", ["/etc/passwd", "//x", "C:/x", "c:\\x", "\\\\server\\x"])
def test_P02_absolute_paths_are_refused(path: str) -> None:
    with pytest.raises(UsageError, match="absolute"):
        check_relative(path)


@pytest.mark.parametrize(
    "path",
    [
        ".git/hooks/x",
        ".GIT/config",
        ".git./x",
        ".git /x",
        ".git . ./x",
        "a/.git",
        "sub/.Git/hooks/post-commit",
        "a\\.git\\x",
        "git~1/x",
        ".git::$INDEX_ALLOCATION/x",
        ".g\u200cit/config",
    ],
)
def test_P06_P07_P08_H25_git_folders_are_refused_however_spelled(path: str) -> None:
    with pytest.raises(UsageError, match=r"\.git"):
        check_relative(path)


@pytest.mark.parametrize("path", ["", ".", "a//b", "./a", "a/", "a\nb", "a\rb", "a\0b"])
def test_P14_empty_parts_and_control_characters_are_refused(path: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_relative(path)
    assert caught.value.mend
    assert "\n" not in caught.value.message
