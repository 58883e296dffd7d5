"""B4 against its definition, cell by cell, and in the corners that its paper leaves open."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from treemend.verify.b4 import B4, Priors, size_adapted_priors
from treemend.verify.codet import CodeT
from treemend.verify.selection import ConsensusSet, PassMatrix

WIDE = Priors(b_0=1e4, a_xy=1e3)


def matrix(*rows: str, behaviours: tuple[str, ...] = ()) -> PassMatrix:
    return PassMatrix(tuple(tuple(cell == "1" for cell in row) for row in rows), behaviours)


def naive_score(pass_matrix: PassMatrix, group: ConsensusSet, priors: Priors) -> float:
    """The posterior of "the group is right, and so are the tests it passes", by its four cells.

    Each kind of event is counted by walking over rows, columns and cells; the Beta functions are
    written as products of Gamma functions.
    """
    vector = pass_matrix.rows[group.members[0]]
    right = [row in group.members for row in range(len(pass_matrix.rows))]
    cells = {(column, cell): 0 for column in (True, False) for cell in (True, False)}
    for is_right, row in zip(right, pass_matrix.rows, strict=True):
        for column_is_right, cell in zip(vector, row, strict=True):
            if not is_right:
                cells[column_is_right, cell] += 1

    def ln_beta(a: float, b: float) -> float:
        return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)

    return sum(
        [
            ln_beta(right.count(True) + priors.a_xy, right.count(False) + 1),
            ln_beta(vector.count(True) + priors.a_xy, vector.count(False) + 1),
            ln_beta(cells[True, True] + 1, cells[True, False] + 1),
            ln_beta(cells[False, True] + 1, cells[False, False] + priors.b_0),
        ]
    )


@st.composite
def informative(draw: st.DrawFn) -> PassMatrix:
    """At least 4 tests, at least one passing cell, repeated rows, sometimes behaviours."""
    width = draw(st.integers(4, 9))
    row = st.lists(st.booleans(), min_size=width, max_size=width).map(tuple)
    kinds = draw(st.lists(row, min_size=1, max_size=6).filter(lambda rows: any(map(any, rows))))
    rows = kinds + draw(st.lists(st.sampled_from(kinds), max_size=30))
    behaviours = draw(st.just([]) | st.lists(st.sampled_from("xy"), min_size=len(rows), max_size=len(rows)))
    return PassMatrix(tuple(rows), tuple(behaviours))


priors = st.builds(Priors, b_0=st.floats(1, 1e6), a_xy=st.floats(1, 1e4))


@given(informative(), st.none() | priors)
@example(matrix("1111"), WIDE)
@example(matrix("1111", "0000"), None)
def test_scores_are_those_of_the_definition(pass_matrix: PassMatrix, chosen: Priors | None) -> None:
    used = chosen or size_adapted_priors(len(pass_matrix.rows))
    for scored in B4(chosen).scores(pass_matrix):
        expected = naive_score(pass_matrix, scored.group, used)
        assert scored.score == pytest.approx(expected, rel=1e-9, abs=1e-6)


def test_a_posterior_worked_out_by_hand() -> None:
    """Flat priors, so B(a, b) = (a-1)! (b-1)! / (a+b-1)!; for the first set of two:

    B(3, 2) B(4, 2) B(2, 3) B(2, 1) = 1/12 * 1/20 * 1/12 * 1/2.
    """
    flat = Priors(b_0=1, a_xy=1)
    first, _ = B4(flat).scores(matrix("1110", "1110", "0011"))
    assert first.group.members == (0, 1)
    assert math.exp(first.score) == pytest.approx(1 / 12 / 20 / 12 / 2)


def best(pass_matrix: PassMatrix, selector: B4) -> tuple[int, ...]:
    return max(selector.scores(pass_matrix), key=lambda scored: scored.score).group.members


@pytest.mark.parametrize("selector", [B4(), B4(WIDE)])
def test_i_where_all_rows_fail_everything_there_is_no_evidence(selector: B4) -> None:
    scores = selector.scores(matrix("00000", "00000", "00000"))
    assert [(s.group.members, s.score) for s in scores] == [((0, 1, 2), 0.0)]


@pytest.mark.parametrize("selector", [B4(), B4(WIDE)])
def test_ii_an_all_zero_set_is_scored_and_loses_to_agreement(selector: B4) -> None:
    pass_matrix = matrix("111100", "111100", "111100", "000000", "000000", "010010")
    assert len(selector.scores(pass_matrix)) == 3
    assert best(pass_matrix, selector) == (0, 1, 2)


def test_iii_without_tests_there_is_no_evidence() -> None:
    scores = B4().scores(matrix("", "", "", behaviours=("x", "x", "y")))
    assert [(s.group.members, s.score) for s in scores] == [((0, 1), 0.0), ((2,), 0.0)]


def test_iv_vii_a_lone_set_has_both_likelihoods_of_an_empty_outside() -> None:
    (only,) = B4(Priors(b_0=50, a_xy=3)).scores(matrix("11010", "11010"))
    # B(5, 1) for the candidates, B(6, 3) for the tests, then B(1, 1) = 1 and B(1, 50) = 1/50.
    assert only.score == pytest.approx(math.log(1 / 5) + math.log(1 / 168) + math.log(1 / 50))


def test_v_repeats_count_for_what_they_are() -> None:
    """A copy of a candidate is one more vote: whoever calls has to drop duplicates."""
    once = matrix("111100", "001111")
    assert best(matrix("111100", "001111", "001111", "001111"), B4()) == (1, 2, 3)
    one, other = B4().scores(once)
    assert one.score == other.score


def test_vi_one_flaky_cell_splits_a_set() -> None:
    scores = B4().scores(matrix("11111", "11111", "11101"))
    assert [s.group.members for s in scores] == [(0, 1), (2,)]


def test_viii_more_tests_passed_and_more_agreement_win() -> None:
    """No test is trusted here: a test that only lone candidates pass is held to be wrong."""
    agreeing = ["11111000"] * 6
    assert best(matrix(*agreeing, "11111111", "00000001"), B4()) == (0, 1, 2, 3, 4, 5)
    assert best(matrix("11110", "11100", "11000"), B4()) == (0,)


@pytest.mark.parametrize("rows", [("1", "0"), ("101", "110", "101"), ("11", "11")])
def test_with_few_tests_the_scores_are_those_of_codet(rows: tuple[str, ...]) -> None:
    assert B4().scores(matrix(*rows)) == CodeT().scores(matrix(*rows))
    assert B4(WIDE).scores(matrix(*rows)) == CodeT().scores(matrix(*rows))


def test_behaviour_splits_what_the_tests_could_not_tell_apart() -> None:
    pass_matrix = matrix("11110", "11110", "11110", behaviours=("x", "y", "y"))
    assert best(pass_matrix, B4()) == (1, 2)


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, (1e3, 10)),
        (20, (1e3, 10)),
        (35, (10**3.5, 10**1.5)),
        (50, (1e4, 100)),
        (500, (1e4, 100)),
    ],
)
def test_priors_adapt_to_the_number_of_candidates(count: int, expected: tuple[float, float]) -> None:
    adapted = size_adapted_priors(count)
    assert (adapted.b_0, adapted.a_xy) == pytest.approx(expected)


@given(st.integers(0, 200))
def test_priors_grow_with_the_number_of_candidates(count: int) -> None:
    smaller, larger = size_adapted_priors(count), size_adapted_priors(count + 1)
    assert smaller.b_0 <= larger.b_0
    assert smaller.a_xy <= larger.a_xy
