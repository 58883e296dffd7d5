"""How observations are combined."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treemend.agents.model_policy.plan_search import slots_of


@given(st.lists(st.floats(min_value=-1.0, max_value=2.0), max_size=6), st.floats(0.01, 1.0))
def test_every_subset_of_at_most_two_gives_two_ideas(plausibility: list[float], mass: float) -> None:
    count = len(plausibility)
    slots = slots_of(plausibility, 0, mass)
    assert len(slots) == 2 * (1 + count + count * (count - 1) // 2)
    assert sum(slot.prior for slot in slots) == pytest.approx(mass)
    assert [slot.prior for slot in slots] == sorted((slot.prior for slot in slots), reverse=True)
    assert len({slot.name for slot in slots}) == len(slots)


def test_the_likeliest_observation_comes_first_and_derived_ones_have_no_empty_subset() -> None:
    slots = slots_of([0.2, 0.9], 1, 0.1)
    assert slots[0].subset == (1,)
    assert all(slot.subset for slot in slots)
