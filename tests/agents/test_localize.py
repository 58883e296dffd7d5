"""Fusing spectra, frames and words into ranked lines."""

from __future__ import annotations

from pathlib import Path

from treemend.agents.localize import DATA_LINES_MAX, lines_by_text, lines_of_data, rank_lines
from treemend.store.records import Frame, Symptom, TestOutcome
from treemend.tools.index.repository import RepositoryIndex
from treemend.tools.repotools.read_data import Assignment
from treemend.tools.source import SourceFile
from treemend.verify.runner import Lines, TestResult

SOURCES = [("a.py", line) for line in range(1, 10)]


def result(outcome: TestOutcome, lines: Lines, *frames: tuple[str, int]) -> TestResult:
    found = tuple(Frame(path=path, line=line) for path, line in frames)
    return TestResult(outcome, 0.0, frames=found, lines=lines)


def failed(lines: Lines, *frames: tuple[str, int]) -> TestResult:
    return result(TestOutcome.FAILED, lines, *frames)


def passed(lines: Lines) -> TestResult:
    return result(TestOutcome.PASSED, lines)


def test_lines_that_only_failing_tests_run_come_first() -> None:
    ranked = rank_lines([failed({"a.py": (1, 6)})], [passed({"a.py": (1,)})], (), SOURCES, {}, {})
    assert list(ranked) == [("a.py", 6), ("a.py", 1)]
    assert ranked["a.py", 6] == 1.0


def test_the_frame_where_it_surfaced_breaks_a_tie_of_the_spectrum() -> None:
    test = failed({"a.py": (1, 2, 3)}, ("test_a.py", 9), ("a.py", 2))
    assert next(iter(rank_lines([test], [], (), SOURCES, {}, {}))) == ("a.py", 2)


def test_a_function_that_fits_the_words_gains() -> None:
    test = failed({"a.py": (2, 7)})
    ranked = rank_lines([test], [], (), SOURCES, {("a.py", 7): 1.0, ("a.py", 2): 0.5}, {})
    assert next(iter(ranked)) == ("a.py", 7)


def test_lines_outside_the_sources_are_not_ranked() -> None:
    test = failed({"a.py": (2,), "test_a.py": (1, 2, 3)}, ("test_a.py", 3))
    assert list(rank_lines([test], [], (), SOURCES, {}, {})) == [("a.py", 2)]


def test_what_a_suspicious_line_reads_comes_behind_it() -> None:
    test = failed({"a.py": (6, 7)}, ("a.py", 7))
    ranked = rank_lines([test], [], (), SOURCES, {}, {("a.py", 7): [("a.py", 2), ("other.py", 1)]})
    assert list(ranked) == [("a.py", 7), ("a.py", 2), ("a.py", 6)]


def test_of_a_long_table_the_lines_that_the_symptom_speaks_of_are_suspicious(tmp_path: Path) -> None:
    words = [f"{first}{second}term" for first in "abcdefghij" for second in "abcdefghij"]
    rows = "".join(f"    '{word}': 1,\n" for word in words)
    (tmp_path / "words.py").write_text(f"WORDS = {{\n{rows}}}\n")
    sources = {"words.py": SourceFile.read(tmp_path / "words.py")}
    read = {("a.py", 3): [Assignment("words.py", "WORDS", 1, 102), Assignment("gone.py", "GONE", 1, 1)]}
    lines = lines_of_data(read, sources, Symptom(issue="Nothing knows the hbTerm"))["a.py", 3]
    assert ("words.py", 2 + words.index("hbterm")) in lines
    assert len(lines) == DATA_LINES_MAX


def test_without_a_spectrum_the_given_trace_is_followed() -> None:
    trace = (Frame(path="a.py", line=3), Frame(path="a.py", line=8))
    assert list(rank_lines([], [], trace, SOURCES, {}, {})) == [("a.py", 8), ("a.py", 3)]


def test_lines_of_the_function_that_the_symptom_is_about_score_most(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "shop.py").write_text(
        "def total(prices):\n    return sum(prices)\n\n\ndef discount(price):\n    return price * 2\n"
    )
    with RepositoryIndex(tree, tmp_path / "index.db") as index:
        index.refresh()
        scores = lines_by_text(index, Symptom(issue="The discount doubles a price"))
    assert scores["shop.py", 6] == 1.0
    assert scores["shop.py", 6] > scores.get(("shop.py", 2), 0.0)


def test_a_symptom_without_words_scores_nothing(tmp_path: Path) -> None:
    with RepositoryIndex(tmp_path, tmp_path / "index.db") as index:
        assert lines_by_text(index, Symptom()) == {}
