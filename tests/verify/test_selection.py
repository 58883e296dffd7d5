"""Grouping and ranking of plausible candidates."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treemend.verify.b4 import B4
from treemend.verify.codet import CodeT, MaxPass
from treemend.verify.selection import (
    EditLine,
    GroupScore,
    PassMatrix,
    RankInput,
    Selector,
    consensus_sets,
    medoid_distances,
    rank,
)

SELECTORS = [B4(), CodeT(), MaxPass()]


def matrix(*rows: str, behaviours: tuple[str, ...] = ()) -> PassMatrix:
    """A matrix from rows like "110"."""
    return PassMatrix(tuple(tuple(cell == "1" for cell in row) for row in rows), behaviours)


def lines(*texts: str) -> tuple[EditLine, ...]:
    return tuple(("a.py", text[0], text[1:]) for text in texts)


def candidate(seq: int, prior: float = 0.1, edit: tuple[EditLine, ...] = ()) -> RankInput:
    return RankInput(seq, prior, edit)


@dataclass(frozen=True)
class Told:
    """A selector that was told the score of each group."""

    by_group: tuple[float, ...]

    def scores(self, matrix: PassMatrix) -> tuple[GroupScore, ...]:
        groups = consensus_sets(matrix)
        return tuple(map(GroupScore, groups, self.by_group))


def test_rows_of_unequal_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        matrix("11", "1")


def test_behaviours_must_be_one_per_row() -> None:
    with pytest.raises(ValueError, match="1 behaviours for 2"):
        matrix("11", "11", behaviours=("x",))


def test_sets_are_identical_in_passes_and_in_behaviour() -> None:
    groups = consensus_sets(matrix("110", "011", "110", "110", behaviours=("x", "x", "x", "other")))
    assert [(g.members, g.passes) for g in groups] == [
        ((0, 2), 0b011),
        ((1,), 0b110),
        ((3,), 0b011),
    ]


@pytest.mark.parametrize("selector", SELECTORS)
def test_without_a_test_groups_are_behaviours_and_all_scores_are_zero(selector: Selector) -> None:
    scores = selector.scores(matrix("", "", "", behaviours=("x", "y", "x")))
    assert [(s.group.members, s.score) for s in scores] == [((0, 2), 0.0), ((1,), 0.0)]


@pytest.mark.parametrize("selector", SELECTORS)
def test_where_nobody_passes_anything_all_scores_are_zero(selector: Selector) -> None:
    scores = selector.scores(matrix("00000", "00000", behaviours=("x", "y")))
    assert [s.score for s in scores] == [0.0, 0.0]


@pytest.mark.parametrize("selector", SELECTORS)
def test_no_candidates_no_scores(selector: Selector) -> None:
    assert selector.scores(PassMatrix(())) == ()
    assert rank((), PassMatrix(()), selector) == ()


matrices = st.integers(0, 8).flatmap(
    lambda width: st.lists(
        st.lists(st.booleans(), min_size=width, max_size=width).map(tuple), max_size=12
    ).map(lambda rows: PassMatrix(tuple(rows)))
)


@given(matrices, st.sampled_from(SELECTORS))
def test_every_row_is_in_exactly_one_scored_set(pass_matrix: PassMatrix, selector: Selector) -> None:
    scores = selector.scores(pass_matrix)
    assert tuple(s.group for s in scores) == consensus_sets(pass_matrix)
    members = sorted(row for s in scores for row in s.group.members)
    assert members == list(range(len(pass_matrix.rows)))
    assert selector.scores(pass_matrix) == scores


def test_codet_weighs_tests_passed_by_the_root_of_the_agreeing() -> None:
    scores = CodeT().scores(matrix("1110", "1110", "1110", "1110", "1111"))
    assert [s.score for s in scores] == [pytest.approx(6.0), pytest.approx(4.0)]


def test_max_pass_counts_tests_only() -> None:
    assert [s.score for s in MaxPass().scores(matrix("1110", "1110", "1111"))] == [3.0, 4.0]


def ranking(candidates: list[RankInput], pass_matrix: PassMatrix, selector: Selector = CodeT()) -> list[int]:
    return [ranked.candidate for ranked in rank(candidates, pass_matrix, selector)]


def test_the_score_goes_before_everything() -> None:
    candidates = [candidate(1, prior=0.9), candidate(2, prior=0.1, edit=lines("+a", "+b"))]
    assert ranking(candidates, matrix("10", "11")) == [2, 1]


def test_then_the_prior() -> None:
    assert ranking([candidate(1, 0.2), candidate(2, 0.3)], matrix("11", "11")) == [2, 1]
    assert ranking([candidate(1, 0.2), candidate(2, 0.3)], matrix("", "")) == [2, 1]


def test_then_nearness_to_the_medoid_even_if_the_diff_is_larger() -> None:
    candidates = [
        candidate(1, edit=lines("+alone")),
        candidate(2, edit=lines("-a", "+b", "+c")),
        candidate(3, edit=lines("-a", "+b", "+d")),
    ]
    assert ranking(candidates, matrix("1", "1", "1")) == [2, 3, 1]


def test_then_the_smallest_diff_then_the_number() -> None:
    candidates = [
        candidate(5, edit=lines("+a", "+b")),
        candidate(4, edit=lines("+c")),
        candidate(3, edit=lines("+d")),
    ]
    assert ranking(candidates, matrix("1", "1", "1")) == [3, 4, 5]


def test_ranked_candidates_carry_their_group() -> None:
    candidates = [candidate(11), candidate(12), candidate(13)]
    ranked = rank(candidates, matrix("100", "111", "100"), MaxPass())
    assert [(r.rank, r.candidate, r.group, r.group_size, r.score) for r in ranked] == [
        (1, 12, 1, 1, 3.0),
        (2, 11, 2, 2, 1.0),
        (3, 13, 2, 2, 1.0),
    ]
    assert all(r.confirmed is None for r in ranked)


def test_groups_with_equal_scores_are_ordered_by_the_ties() -> None:
    candidates = [candidate(1, 0.3), candidate(2, 0.2), candidate(3, 0.1)]
    ranked = rank(candidates, matrix("10", "01", "10"), Told((1.0, 1.0)))
    assert [(r.candidate, r.group) for r in ranked] == [(1, 1), (2, 2), (3, 1)]


def test_one_row_for_each_candidate() -> None:
    with pytest.raises(ValueError, match="2 rows for 1 candidates"):
        rank([candidate(1)], matrix("1", "1"), CodeT())


edits = st.lists(st.sampled_from(lines("+a", "-a", "+b", "+c", "-d")), max_size=4).map(tuple)


@st.composite
def rankings(draw: st.DrawFn) -> tuple[list[RankInput], PassMatrix]:
    pass_matrix = draw(matrices)
    priors = st.sampled_from([0.1, 0.2])
    return [
        candidate(seq, draw(priors), draw(edits)) for seq in range(1, len(pass_matrix.rows) + 1)
    ], pass_matrix


@given(rankings(), st.sampled_from(SELECTORS), st.randoms(use_true_random=False))
def test_the_ranking_does_not_depend_on_the_order_of_rows(
    case: tuple[list[RankInput], PassMatrix], selector: Selector, shuffle: random.Random
) -> None:
    candidates, pass_matrix = case
    order = list(range(len(candidates)))
    shuffle.shuffle(order)
    shuffled = PassMatrix(tuple(pass_matrix.rows[i] for i in order))
    assert rank([candidates[i] for i in order], shuffled, selector) == rank(candidates, pass_matrix, selector)


@given(st.lists(edits, max_size=6))
def test_medoid_distances_are_mean_jaccard_distances(diffs: list[tuple[EditLine, ...]]) -> None:
    def distance(one: tuple[EditLine, ...], other: tuple[EditLine, ...]) -> float:
        union = {*one, *other}
        return 1 - len({*one} & {*other}) / len(union) if union else 0.0

    for number, got in enumerate(medoid_distances(diffs)):
        others = [distance(diffs[number], d) for i, d in enumerate(diffs) if i != number]
        assert got == pytest.approx(sum(others) / len(others) if others else 0.0)
        assert 0.0 <= got <= 1.0
