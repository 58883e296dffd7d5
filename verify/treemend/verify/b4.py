"""B4: the Bayesian choice among candidates by tests that may be wrong themselves.

Source: "B4: Towards Optimal Assessment of Plausible Code Solutions with Plausible Tests", ASE 2024.
Candidates and tests are right or wrong at unknown rates, and a right candidate passes the right
tests and no others. So the right candidates are one consensus set, and the right tests are those
it passes. With conjugate Beta priors the posterior of that hypothesis is a product of four Beta
functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import lgamma

from treemend.verify.codet import CodeT
from treemend.verify.selection import ConsensusSet, GroupScore, PassMatrix, consensus_sets

CODET_TESTS_MAX = 3
"""With so few tests B4 picks no better than CodeT (measured: .358 to .368 against .367)."""


@dataclass(frozen=True, slots=True)
class Priors:
    """The hyperparameters of B4.

    `b_0` >> 1 says that wrong candidates rarely pass wrong tests: theta_0 ~ Beta(1, b_0).
    `a_xy` >> 1 says that many candidates and tests are right: theta_x, theta_y ~ Beta(a_xy, 1).
    """

    b_0: float
    a_xy: float


SMALL_N, LARGE_N = 20, 50
SMALL, LARGE = Priors(b_0=1e3, a_xy=10.0), Priors(b_0=1e4, a_xy=100.0)


def size_adapted_priors(candidate_count: int) -> Priors:
    """Return (1e3, 10) for up to 20 candidates, (1e4, 100) from 50; log-linear in between."""
    share = (candidate_count - SMALL_N) / (LARGE_N - SMALL_N)
    share = min(1.0, max(0.0, share))
    return Priors(b_0=SMALL.b_0 * 10.0**share, a_xy=SMALL.a_xy * 10.0**share)


@dataclass(frozen=True, slots=True)
class B4:
    """Scores a consensus set by the logarithm of its (unnormalized) posterior.

    `priors` None means `size_adapted_priors`. With up to 3 tests, or where no candidate passes any
    test, the scores are CodeT's (all 0 in the latter case: the matrix says nothing).
    A score is no probability, and its softmax tells right from wrong no better than a coin.
    """

    priors: Priors | None = None

    def scores(self, matrix: PassMatrix) -> tuple[GroupScore, ...]:
        groups = consensus_sets(matrix)
        if matrix.test_count <= CODET_TESTS_MAX or not any(group.passes for group in groups):
            return CodeT().scores(matrix)
        priors = self.priors or size_adapted_priors(len(matrix.rows))
        return tuple(
            GroupScore(group, _score(_count(group, groups, matrix.test_count), priors)) for group in groups
        )


@dataclass(frozen=True, slots=True)
class _Counts:
    """What a score depends on, for one consensus set with pass vector v.

    `inside` and `outside`: candidates in the set and not in it. `passed` and `failed`: ones and
    zeros of v. `outside_passed` and `outside_failed`: passing cells of the candidates outside, in
    the columns where v is 1 and in those where it is 0.
    """

    inside: int
    outside: int
    passed: int
    failed: int
    outside_passed: int
    outside_failed: int


def _count(group: ConsensusSet, groups: Sequence[ConsensusSet], test_count: int) -> _Counts:
    passed = group.passes.bit_count()
    agreed = sum(len(g.members) * (g.passes & group.passes).bit_count() for g in groups)
    ones = sum(len(g.members) * g.passes.bit_count() for g in groups)
    inside = len(group.members)
    return _Counts(
        inside=inside,
        outside=sum(len(g.members) for g in groups) - inside,
        passed=passed,
        failed=test_count - passed,
        # The group's own rows pass every column of v and no other.
        outside_passed=agreed - inside * passed,
        outside_failed=ones - agreed,
    )


def _score(c: _Counts, priors: Priors) -> float:
    return (
        _ln_beta(c.inside + priors.a_xy, c.outside + 1.0)
        + _ln_beta(c.passed + priors.a_xy, c.failed + 1.0)
        + _ln_beta(c.outside_passed + 1.0, c.outside * c.passed - c.outside_passed + 1.0)
        + _ln_beta(c.outside_failed + 1.0, c.outside * c.failed - c.outside_failed + priors.b_0)
    )


def _ln_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)
