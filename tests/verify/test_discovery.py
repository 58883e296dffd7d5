"""How a repository's tests are run, read off its files."""

from __future__ import annotations

from pathlib import Path

import pytest

from treemend.store.errors import UsageError
from treemend.verify.discovery import discover_command, package_scripts, uses_unittest


@pytest.mark.parametrize(
    "files, command",
    [
        ({"package.json": '{"scripts": {"test": "jest"}}'}, "npm test"),
        ({"Cargo.toml": ""}, "cargo test"),
        ({"pom.xml": ""}, "mvn test"),
        ({"go.mod": ""}, "go test ./..."),
        ({"package.json": '{"scripts": {"test": "echo \\"Error: no test specified\\""}}'}, None),
        ({"package.json": "{}", "Cargo.toml": ""}, "cargo test"),
        ({"Cargo.toml": "", "tests/test_x.py": ""}, None),
        ({"pom.xml": "", "target/test_x.py": "", ".git/test_y.py": ""}, "mvn test"),
        ({"x.py": ""}, None),
        ({}, None),
    ],
)
def test_the_command_that_the_files_tell(tmp_path: Path, files: dict[str, str], command: str | None) -> None:
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    found = discover_command(tmp_path)
    assert (found and found.command) == command


def test_several_kinds_of_tests_are_not_guessed_at(tmp_path: Path) -> None:
    (tmp_path / "Cargo.toml").touch()
    (tmp_path / "go.mod").touch()
    with pytest.raises(UsageError) as raised:
        discover_command(tmp_path)
    assert "--test-cmd 'cargo test'" in raised.value.mend
    assert "--test-cmd 'go test ./...'" in raised.value.mend


@pytest.mark.parametrize(
    "text", ["", "[]", '{"scripts": 3}', '{"scripts": {"test": 3}}', "[" * 100_000, "\0"]
)
def test_H24_a_package_json_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "package.json").write_text(text)
    assert set(package_scripts(tmp_path)) <= {"test"}


def test_H10_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "package.json").symlink_to("/dev/zero")
    (tmp_path / "test_x.py").mkdir()
    assert discover_command(tmp_path) is None


@pytest.mark.parametrize(
    "text, wanted",
    [
        ("import unittest\n", True),
        ("from unittest import TestCase\n", True),
        ("import unittest, pytest\nimport pytest\n", False),
        ("def test_x(): pass\n", False),
    ],
)
def test_whether_unittest_is_enough(tmp_path: Path, text: str, wanted: bool) -> None:
    (tmp_path / "test_x.py").write_text(text)
    assert uses_unittest(tmp_path) is wanted
