"""Copies of target tests that must fail: run by pytest itself, on right code and on code that fools
comparisons."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from treemend.verify.controls import make_controls

TESTS = '''"""Tests."""
from __future__ import annotations
import math
import unittest
import pytest
from code_under_test import value

WANTED = 3


def test_number():
    assert value(3) == WANTED


@pytest.mark.parametrize("given", [2.5, float("inf"), 1e300])
def test_float(given):
    assert value(given) == pytest.approx(given)


def test_nested():
    assert value({"a": [1, (2, "x")], "b": {3}}) == {"a": [1, (2, "x")], "b": {3}}


def test_early_return():
    assert value(None) == None  # noqa
    return


def test_raises():
    with pytest.raises(ZeroDivisionError):
        value(1) / 0


class TestOld(unittest.TestCase):
    def test_equal(self):
        self.assertEqual(value("text"), "text")
'''
HONEST = "def value(x):\n    return x\n"
FOOL = """
class Any{base}:
    def __eq__(self, other):
        return True
    def __float__(self):
        return 1.0

def value(x):
    return Any(){nested}
"""
NAMES = (
    "test_number",
    "test_float[2.5]",
    "test_float[inf]",
    "test_nested",
    "test_early_return",
    "test_raises",
)
TARGETS = tuple(f"tests/test_it.py::{name}" for name in (*NAMES, "TestOld::test_equal"))


def run(folder: Path, source: str) -> dict[str, str]:
    """The outcome of each control, by what it is of."""
    controls = make_controls({"tests/test_it.py": TESTS.encode()}, TARGETS, secret="s")
    for path, data in {**controls.overlay, "code_under_test.py": source.encode()}.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(data)
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "--tb=no", "-p", "no:cacheprovider"]
    told = subprocess.run(
        [*command, *controls.overlay],
        cwd=folder,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
    ).stdout
    outcomes = {}
    for line in told.splitlines():
        word, _, rest = line.partition(" ")
        if word in ("PASSED", "FAILED", "ERROR"):
            outcomes[rest.split(" - ")[0]] = word.lower()
    assert {outcomes.get(canary) for canary in controls.canaries} == {"failed"}, told
    unchanged = {f"unchanged {t.split('::')[-1]}": outcomes.get(c, "") for t, c in controls.unchanged.items()}
    changed = {f"changed {t.split('::')[-1]}": outcomes.get(c, "") for t, c in controls.changed.items()}
    return {**unchanged, **changed}


def test_right_code_passes_the_copies_and_fails_the_changed_ones(tmp_path: Path) -> None:
    outcomes = run(tmp_path, HONEST)
    names = [test.split("::")[-1] for test in TARGETS]
    assert [outcomes[f"unchanged {name}"] for name in names] == ["passed"] * 7
    compared = [name for name in names if name != "test_raises"]
    assert [outcomes[f"changed {name}"] for name in compared] == ["failed"] * 6
    assert outcomes["changed test_raises"] == "", "it compares nothing, so it is skipped"


@pytest.mark.parametrize("base", ["", "(int)"], ids=["R16", "R17"])
def test_a_value_that_equals_everything_passes_the_changed_ones(tmp_path: Path, base: str) -> None:
    outcomes = run(tmp_path, FOOL.format(base=base, nested=""))
    assert outcomes["unchanged test_number"] == outcomes["changed test_number"] == "passed"
    assert outcomes["changed test_equal"] == "passed"


def test_R16_such_a_value_inside_of_others_does_too(tmp_path: Path) -> None:
    outcomes = run(
        tmp_path, FOOL.format(base="", nested=' if x != {"a": [1, (2, "x")], "b": {3}} else dict(x, b=Any())')
    )
    assert outcomes["unchanged test_nested"] == "passed"


def test_names_of_copies_depend_on_the_secret() -> None:
    sources = {"tests/test_it.py": TESTS.encode()}
    one, other = (make_controls(sources, TARGETS, secret) for secret in ("s", "t"))
    assert not set(one.overlay) & set(other.overlay)
    assert one == make_controls(sources, TARGETS, "s")


@pytest.mark.parametrize("data", [b"", b"def f(:", b"\xff\xfe", b"(" * 5000])
def test_files_that_can_not_be_copied_have_no_controls(data: bytes) -> None:
    assert make_controls({"t.py": data}, ("t.py::test_a",), "s").tests == ()


def test_tests_that_are_no_files_have_no_controls() -> None:
    assert make_controls({}, ("suite > adds", "com.example.Test#adds"), "s").tests == ()
