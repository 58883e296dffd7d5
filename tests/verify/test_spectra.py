"""Ochiai suspiciousness."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treemend.verify.spectra import ochiai

SPECTRA = st.lists(
    st.dictionaries(
        st.sampled_from(["a.py", "b.py"]),
        st.sets(st.integers(1, 6)).map(lambda lines: tuple(sorted(lines))),
    ),
    max_size=5,
)


def test_a_line_only_failing_tests_run_is_most_suspicious() -> None:
    scores = ochiai([{"a.py": (1, 2)}], [{"a.py": (1,)}])
    assert scores["a.py", 2] == 1.0
    assert scores["a.py", 1] == pytest.approx(1 / math.sqrt(2))


def test_a_line_no_failing_test_runs_is_not_ranked() -> None:
    assert ("a.py", 9) not in ochiai([{"a.py": (1,)}], [{"a.py": (9,)}])


def test_without_failing_tests_nothing_is_suspicious() -> None:
    assert ochiai([], [{"a.py": (1,)}]) == {}


@given(SPECTRA, SPECTRA)
def test_scores_agree_with_the_definition(
    failing: list[dict[str, tuple[int, ...]]], passing: list[dict[str, tuple[int, ...]]]
) -> None:
    for (path, line), score in ochiai(failing, passing).items():
        ef = sum(line in spectrum.get(path, ()) for spectrum in failing)
        ep = sum(line in spectrum.get(path, ()) for spectrum in passing)
        nf = len(failing) - ef
        assert score == pytest.approx(ef / math.sqrt((ef + nf) * (ef + ep)))
        assert 0.0 < score <= 1.0
