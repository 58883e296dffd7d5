"""Stack traces as frames."""

from __future__ import annotations

from pathlib import Path

import pytest

from treemend.store.records import Frame
from treemend.tools.traces import TRACE_CHARS_MAX, locate, parse_trace


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in (
        "src/pkg/core.py",
        "src/pkg/io.py",
        "tests/test_core.py",
        "calc.py",
        "my dir/a.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    return tmp_path


def places(text: str, root: Path) -> list[tuple[str, int, str]]:
    return [(frame.path, frame.line, frame.function) for frame in parse_trace(text, root)]


def test_python_traceback_outermost_first(root: Path) -> None:
    text = f'''Traceback (most recent call last):
  File "{root}/tests/test_core.py", line 3, in test_it
    core.run()
    ~~~~~~~~^^
  File "{root}/src/pkg/core.py", line 7, in run
    return 1 / 0
ZeroDivisionError: division by zero
'''
    assert parse_trace(text, root) == (
        Frame(path="tests/test_core.py", line=3, function="test_it"),
        Frame(path="src/pkg/core.py", line=7, function="run"),
    )


def test_pytest_short_and_long_output(root: Path) -> None:
    short = "tests/test_core.py:3: in test_it\n    run()\nsrc/pkg/core.py:7: in run\n    1 / 0\n"
    assert places(short + "E   ZeroDivisionError: division by zero\n", root) == [
        ("tests/test_core.py", 3, "test_it"),
        ("src/pkg/core.py", 7, "run"),
    ]
    long = "tests/test_core.py:3: \n_ _ _ _ _ _ _\n\n>   1 / 0\n\nsrc/pkg/core.py:7: ZeroDivisionError\n"
    assert places(long, root) == [("tests/test_core.py", 3, ""), ("src/pkg/core.py", 7, "")]


def test_chained_exceptions_give_the_first_raised(root: Path) -> None:
    text = """Traceback (most recent call last):
  File "src/pkg/io.py", line 1, in read
KeyError: 'x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "src/pkg/core.py", line 2, in run
ValueError
"""
    assert places(text, root) == [("src/pkg/io.py", 1, "read")]


def test_an_exception_raised_in_libraries_alone_is_passed_over(root: Path) -> None:
    text = """Traceback (most recent call last):
  File "/usr/lib/python3.12/json/decoder.py", line 355, in raw_decode
StopIteration: 0

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "calc.py", line 2, in run
ValueError
"""
    assert places(text, root) == [("calc.py", 2, "run")]


def test_only_the_first_failing_test_counts(root: Path) -> None:
    text = "____ test_a ____\ncalc.py:1: ValueError\n____ test_b ____\nsrc/pkg/io.py:1: KeyError\n"
    assert places(text, root) == [("calc.py", 1, "")]


def test_syntax_errors_in_pytest_output(root: Path) -> None:
    text = f'E     File "{root}/calc.py", line 4\nE       def (:\nE   SyntaxError: invalid syntax\n'
    assert places(text, root) == [("calc.py", 4, "")]


def test_warnings_are_no_frames(root: Path) -> None:
    assert places("calc.py:1: DeprecationWarning: old\n  calc.py:2: UserWarning\n", root) == []


def test_exception_groups(root: Path) -> None:
    text = """  + Exception Group Traceback (most recent call last):
  |   File "calc.py", line 9, in <module>
  | ExceptionGroup: two (1 sub-exception)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "src/pkg/io.py", line 2, in read
"""
    assert places(text, root) == [("calc.py", 9, "<module>")]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/home/ci/job/proj/src/pkg/core.py", "src/pkg/core.py"),
        ("C:\\ci\\proj\\src\\pkg\\core.py", "src/pkg/core.py"),
        ("./calc.py", "calc.py"),
        ("/elsewhere/calc.py", "calc.py"),
        ("../proj/calc.py", "calc.py"),
        ("/venv/lib/python3.11/site-packages/pkg/core.py", "src/pkg/core.py"),
        ("/venv/lib/python3.11/site-packages/other/calc.py", ""),
        ("/usr/lib/python3.11/calc.py", ""),
        ("/home/me/my dir/a.py", "my dir/a.py"),
        ("<string>", ""),
        ("<frozen importlib._bootstrap>", ""),
        ("/etc/passwd", ""),
        ("src/../../etc/passwd", ""),
        ("", ""),
        ("a\0b.py", ""),
        ("x" * 4000 + ".py", ""),
    ],
)
def test_I14_paths_are_matched_below_the_root_only(path: str, expected: str, root: Path) -> None:
    assert locate(path, root) == expected


def test_a_repository_below_the_standard_library_has_its_own_paths(tmp_path: Path) -> None:
    root = tmp_path / "lib/python3.11/site-packages/proj"
    root.mkdir(parents=True)
    (root / "a.py").touch()
    assert locate(f"{root}/a.py", root) == "a.py"


@pytest.mark.parametrize(
    "unit", ['File "', "a" * 100, "a/", "a.py:", "_ ", "E ", " ", "| ", '  File "a', "a.py:1:\n"]
)
def test_H26_I14_hostile_traces_take_linear_time(unit: str, root: Path) -> None:
    # Anything worse than linear would take hours here.
    assert parse_trace(unit * (TRACE_CHARS_MAX // len(unit)), root) == ()


def test_H26_only_the_last_megabyte_is_read(root: Path) -> None:
    first = 'File "calc.py", line 1, in early\n'
    last = 'File "calc.py", line 2, in late\n'
    assert places(first + "-\n" * TRACE_CHARS_MAX + last, root) == [("calc.py", 2, "late")]


def test_H09_a_link_that_leads_outside_names_nothing(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.py").write_text("x = 1\n")
    (root / "out").symlink_to(outside)
    (root / "direct.py").symlink_to(outside / "secret.py")
    (root / "within").symlink_to("src")
    assert locate("out/secret.py", root) == locate("direct.py", root) == ""
    assert locate("within/pkg/core.py", root) == "within/pkg/core.py"
