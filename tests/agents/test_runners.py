"""Which runner a command gets."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from treemend.agents.runners import python_framework

Treemend = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.mark.parametrize(
    "command, framework",
    [
        ("", "pytest"),
        ("-q tests", "pytest"),
        ("pytest -x", "pytest"),
        ("/opt/env/bin/py.test", "pytest"),
        ("python3.11 -m pytest", "pytest"),
        ("uv run pytest", "pytest"),
        ("coverage run -m pytest", "pytest"),
        ("python -m unittest discover", "unittest"),
        ("make pytest", None),
        ("cd sub && pytest", None),
        ("tox -e py311", None),
        ("unittest", None),
        ("node --test", None),
    ],
)
def test_what_runs_in_the_targets_python(command: str, framework: str | None) -> None:
    assert python_framework(command) == framework


@pytest.mark.slow
@pytest.mark.sandbox
def test_a_unittest_suite_is_repaired(treemend: Treemend, tmp_path: Path) -> None:
    (tmp_path / "calc.py").write_text("def add(a, b):\n    return a - b\n")
    (tmp_path / "test_calc.py").write_text(
        "import unittest\nfrom calc import add\n"
        "class Case(unittest.TestCase):\n"
        "    def test_add(self): self.assertEqual(add(1, 2), 3)\n"
        "    def test_more(self): self.assertEqual(add(4, 3), 7)\n"
        "    def test_zero(self): self.assertEqual(add(0, 0), 0)\n"
    )
    command = ("--test-cmd", "python -m unittest", "--failing-test", "test_add", "--after", "0")
    result = treemend("fix", "--repo", str(tmp_path), *command)
    assert result.returncode == 0, result.stderr.decode()
    assert result.stdout.startswith(b"diff --git a/calc.py")
