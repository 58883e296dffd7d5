"""Rewards stay in their ranges, and a program that passes never sinks under one that fails."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treemend.search.reward import reward

grades = st.none() | st.floats(-1, 1)


@st.composite
def implausible(draw: st.DrawFn) -> tuple[int, int, bool]:
    targets = draw(st.integers(1, 1000))
    return draw(st.integers(0, targets)), targets, draw(st.booleans())


@given(implausible(), grades, st.integers(1, 1000), grades)
def test_every_plausible_candidate_beats_every_other(
    case: tuple[int, int, bool], its_grade: float | None, targets: int, grade: float | None
) -> None:
    passed, total, regression_seen = case
    other = reward(passed, total, regression_seen, False, its_grade)
    assert 0.0 <= other < reward(targets, targets, False, True, grade) <= 1.0


@given(implausible())
def test_a_regression_never_helps(case: tuple[int, int, bool]) -> None:
    passed, total, _ = case
    assert reward(passed, total, True, False) <= reward(passed, total, False, False)


@given(st.integers(1, 1000), st.booleans(), st.data())
def test_one_more_target_always_helps_while_one_fails(
    targets: int, regression_seen: bool, data: st.DataObject
) -> None:
    passed = data.draw(st.integers(0, targets - 1))
    if passed:
        fewer = reward(passed - 1, targets, regression_seen, False)
        assert fewer < reward(passed, targets, regression_seen, False)


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_a_better_grade_is_never_worth_less(one: float, two: float) -> None:
    low, high = sorted((one, two))
    assert reward(1, 1, False, True, low) <= reward(1, 1, False, True, high)


def test_the_defect_of_the_original_stays_fixed() -> None:
    """There, all tests passed with self-grade -1 (0.6) ranked under one failure of six (0.83)."""
    assert reward(6, 6, False, True, -1.0) > reward(5, 6, False, False, 1.0)


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ((0, 3, False, False), 0.0),
        ((1, 2, False, False), 0.4),
        ((1, 2, True, False), 0.2),
        ((2, 2, True, False), 0.4),
        ((2, 2, False, False), 0.4),
        ((2, 2, False, True), 0.9),
        ((2, 2, False, True, None), 0.9),
        ((2, 2, False, True, -1.0), 0.8),
        ((2, 2, False, True, 1.0), 1.0),
    ],
)
def test_the_scale(args: tuple[int, int, bool, bool], expected: float) -> None:
    assert reward(*args) == pytest.approx(expected)


@pytest.mark.parametrize(
    "args",
    [
        (0, 0, False, True),
        (3, 2, False, False),
        (-1, 2, False, False),
        (1, 2, False, True),
        (2, 2, True, True),
        (1, 1, False, True, 1.1),
        (1, 1, False, True, math.nan),
    ],
)
def test_contradictions_are_refused(args: tuple[int, int, bool, bool]) -> None:
    with pytest.raises(ValueError, match=r"target|self-grade"):
        reward(*args)
