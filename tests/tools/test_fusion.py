"""Reciprocal rank fusion."""

from __future__ import annotations

import pytest

from treemend.tools.fusion import fuse_by_rank


def test_one_ranking_keeps_its_order() -> None:
    assert list(fuse_by_rank([{"a": 0.1, "b": 0.9, "c": 0.5}])) == ["b", "c", "a"]


def test_scores_are_the_sum_of_reciprocal_ranks() -> None:
    fused = fuse_by_rank([{"a": 2.0, "b": 1.0}, {"b": 7.0}], k=60)
    assert fused["b"] == pytest.approx(1 / 62 + 1 / 61)
    assert fused["a"] == pytest.approx(1 / 61)


def test_equals_share_their_mean_rank() -> None:
    fused = fuse_by_rank([{"a": 1.0, "b": 1.0, "c": 0.0}], k=0)
    assert fused["a"] == fused["b"] == pytest.approx(1 / 1.5)
    assert fused["c"] == pytest.approx(1 / 3)


def test_agreement_beats_one_high_rank() -> None:
    first = {"x": 9.0, "both": 8.0, "y": 7.0}
    second = {"z": 9.0, "both": 8.0, "w": 7.0}
    assert next(iter(fuse_by_rank([first, second]))) == "both"


def test_the_scale_of_scores_does_not_matter() -> None:
    small, large = {"a": 0.3, "b": 0.1}, {"a": 3000.0, "b": 1000.0}
    assert fuse_by_rank([small]) == fuse_by_rank([large])
