"""What one evaluated candidate is worth to the search, in [0, 1]."""

from __future__ import annotations

PLAUSIBLE_REWARD = 0.8
"""No implausible candidate reaches it; every plausible one does."""


REPRODUCED_REWARD = 0.4


def reproduced_reward(passed: int, reproducers: int, regression_seen: bool) -> float:
    """Return the reward of a candidate where no target test is known: 0.4 * passed / reproducers, halved if
    a regression was seen; in [0, 0.4], for tests that a model wrote are not trusted.

    Raises:
        ValueError: `passed` is not in 0..`reproducers`, or there is none.
    """
    if not 0 <= passed <= reproducers or reproducers < 1:
        raise ValueError(f"{passed} of {reproducers} reproducers passed is no count")
    return REPRODUCED_REWARD * passed / reproducers * (0.5 if regression_seen else 1.0)


def reward(
    targets_passed: int,
    targets: int,
    regression_seen: bool,
    plausible: bool,
    self_grade: float | None = None,
) -> float:
    """Return the reward of a candidate; a plausible one always has more than any other.

    While a target test fails: 0.8 * targets_passed / targets, halved if a regression was seen; in
    [0, 0.8). All targets pass but the candidate isn't plausible: 0.4, for the suite did not hold or
    was not run to its end. Plausible: 0.8 + 0.2 * grade, in [0.8, 1].

    The form is that of RethinkMCTS (EMNLP 2025), v_test and 0.8 * v_test + 0.2 * v_llm, with the
    grade mapped so that no self-grade can sink a passing program under a failing one.

    Args:
        targets_passed: Target tests that pass now, 0 to `targets`.
        targets: Target tests, at least 1.
        regression_seen: A suite test that passed before fails now.
        plausible: All targets pass and the whole suite holds.
        self_grade: The policy's own grade in [-1, 1], mapped to 0..1; None counts as its middle.

    Raises:
        ValueError: An argument is out of its range, or they contradict each other.
    """
    if not 0 <= targets_passed <= targets or targets < 1:
        raise ValueError(f"{targets_passed} of {targets} target tests passed is no count")
    if self_grade is not None and not -1.0 <= self_grade <= 1.0:
        raise ValueError(f"self-grade {self_grade} is not in [-1, 1]")
    passes_all = targets_passed == targets
    if plausible:
        if regression_seen or not passes_all:
            raise ValueError("a plausible candidate passes every target and breaks nothing")
        return PLAUSIBLE_REWARD + (1.0 - PLAUSIBLE_REWARD) * (1.0 + (self_grade or 0.0)) / 2.0
    share = targets_passed / targets
    return PLAUSIBLE_REWARD * share * (0.5 if regression_seen or passes_all else 1.0)
