"""JUnit XML reports."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from treemend.store.errors import UsageError
from treemend.tools.junit import JUnitReport, parse_junit

SUITE = """
import unittest
import pytest

class Base:
    def test_inherited(self): assert False

class TestC:
    class TestInner(Base):
        def test_m(self): raise ValueError("inner")
    def test_fine(self): pass

class Old(unittest.TestCase):
    def test_old(self): self.fail("old")

@pytest.mark.parametrize("x", ["a.b", "c::d/e"])
def test_p(x): assert not x

@pytest.fixture
def broken(): raise KeyError("setup")

def test_setup(broken): pass
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "tests/unit").mkdir(parents=True)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "tests/test_x.py").write_text(SUITE)
    (tmp_path / "tests/unit/test_y.py").write_text("import no_such_module\n")
    return tmp_path


@pytest.mark.parametrize("family", ["xunit1", "xunit2"])
def test_pytests_own_reports_give_its_own_node_ids(root: Path, family: str) -> None:
    options = ["-p", "no:cacheprovider", "-q", "-o", f"junit_family={family}", "--junitxml=r.xml"]
    command = [sys.executable, "-m", "pytest", *options, "--continue-on-collection-errors"]
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    done = subprocess.run(
        [*command, "-rfE"], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    report = parse_junit((root / "r.xml").read_bytes(), root)
    assert set(report.failing) == {
        "tests/test_x.py::TestC::TestInner::test_inherited",
        "tests/test_x.py::TestC::TestInner::test_m",
        "tests/test_x.py::Old::test_old",
        "tests/test_x.py::test_p[a.b]",
        "tests/test_x.py::test_p[c::d/e]",
        "tests/test_x.py::test_setup",
        "tests/unit/test_y.py",
    }
    assert all(test in done.stdout for test in report.failing)
    assert any("ValueError: inner" in trace for trace in report.traces)
    assert len(report.traces) == 7


def report(case: str) -> bytes:
    return f"<testsuites><testsuite>{case}</testsuite></testsuites>".encode()


def test_a_report_without_failures(root: Path) -> None:
    data = report('<testcase classname="tests.test_x" name="t"/><testcase name="u"><skipped/></testcase>')
    assert parse_junit(data, root) == JUnitReport((), ())


def test_the_file_attribute_names_the_file_where_the_class_does_not(root: Path) -> None:
    case = '<testcase file="/ci/job/tests/test_x.py" classname="test_x.TestC" name="t">'
    data = report(f'{case}<failure message="m"/></testcase>')
    assert parse_junit(data, root) == JUnitReport(("tests/test_x.py::TestC::t",), ("m",))


def test_a_front_that_lies_above_the_repository_is_dropped(root: Path) -> None:
    data = report('<testcase classname="proj.tests.test_x.TestC" name="t"><error>e</error></testcase>')
    assert parse_junit(data, root).failing == ("tests/test_x.py::TestC::t",)


def test_failure_and_error_of_one_test_name_it_once(root: Path) -> None:
    case = '<testcase classname="tests.test_x" name="t"><failure>a</failure><error>b</error>'
    data = report(f"{case}<system-out>noise</system-out></testcase>")
    assert parse_junit(data, root) == JUnitReport(("tests/test_x.py::t",), ("ab",))


def test_a_test_of_another_repository_is_refused(root: Path) -> None:
    data = report('<testcase classname="other.test_z" name="t"><failure/></testcase>')
    with pytest.raises(UsageError, match=r"other\.test_z\.t") as caught:
        parse_junit(data, root)
    assert caught.value.mend


def test_H09_no_file_outside_is_named(root: Path) -> None:
    (root.parent / "secret.py").touch()
    case = f'<testcase file="{root.parent}/secret.py" classname="....secret" name="t"><failure/>'
    with pytest.raises(UsageError):
        parse_junit(report(f"{case}</testcase>"), root)


@pytest.mark.parametrize(
    "data",
    [
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><testsuites>&b;</testsuites>',
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><testsuites>&a;</testsuites>',
        b'<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd"><testsuites/>',
    ],
)
def test_I14_document_types_and_entities_are_refused(data: bytes, root: Path) -> None:
    with pytest.raises(UsageError, match="document type"):
        parse_junit(data, root)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not xml",
        b"<testsuites>",
        b"<html></html>",
        b"<testsuites>&a;</testsuites>",
        b"\xff\xfe",
        b'<?xml version="1.0" encoding="nonsense"?><testsuites/>',
    ],
)
def test_malformed_reports_are_refused_with_a_mend(data: bytes, root: Path) -> None:
    with pytest.raises(UsageError) as caught:
        parse_junit(data, root)
    assert "--junitxml" in caught.value.mend


def test_H28_deep_nesting_is_read_flatly(root: Path) -> None:
    data = b"<testsuite>" * 100_000 + b"</testsuite>" * 100_000
    assert parse_junit(data, root) == JUnitReport((), ())


def test_H26_many_parts_of_a_name_take_little_time(root: Path) -> None:
    name = ".".join(["tests"] * 60)
    cases = (
        f'<testcase classname="{name}.{n}" file="tests/test_x.py" name="t"><failure/></testcase>'
        for n in range(2000)
    )
    assert len(parse_junit(report("".join(cases)), root).failing) == 1
