"""Choosing among plausible candidates: the matrix, the seam of the selectors, and the ranking.

Trusted tests (targets and the suite) never enter here: they filter first, which no agreement rule
can replace. What is scored is how the survivors agree on tests that nobody vouches for.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from treemend.store.records import RankedCandidate

EditLine = tuple[str, str, str]
"""One added or removed line of a diff: (path, "+" or "-", text with its white space normalized)."""


@dataclass(frozen=True, slots=True)
class PassMatrix:
    """N candidates by M untrusted tests (reproducers and generated ones).

    Attributes:
        rows: N rows of M cells; True where the candidate passes the test.
        behaviours: N behaviour classes (digests of outputs), or none where they are not known.

    Raises:
        ValueError: The rows have unequal lengths, or there is not one behaviour per row.
    """

    rows: tuple[tuple[bool, ...], ...]
    behaviours: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len({len(row) for row in self.rows}) > 1:
            raise ValueError("rows of a pass matrix have one length")
        if self.behaviours and len(self.behaviours) != len(self.rows):
            raise ValueError(f"{len(self.behaviours)} behaviours for {len(self.rows)} candidates")

    @property
    def test_count(self) -> int:
        return len(self.rows[0]) if self.rows else 0


@dataclass(frozen=True, slots=True)
class ConsensusSet:
    """Candidates that can't be told apart: one behaviour class, one pass vector.

    `members` are row numbers, ascending; `passes` is the pass vector, bit j for test j.
    """

    members: tuple[int, ...]
    passes: int


@dataclass(frozen=True, slots=True)
class GroupScore:
    """A consensus set's score; only the order of scores within one matrix means anything."""

    group: ConsensusSet
    score: float


class Selector(Protocol):
    """Scores the consensus sets of a matrix, deterministically.

    Returns one score for each of `consensus_sets(matrix)`, in that order. Sets that the selector
    can't tell apart have exactly equal scores.
    """

    def scores(self, matrix: PassMatrix) -> tuple[GroupScore, ...]: ...


@dataclass(frozen=True, slots=True)
class RankInput:
    """A plausible candidate: its number, its policy prior, and all edit lines of its diff."""

    candidate: int
    prior: float
    edit_lines: tuple[EditLine, ...]


def consensus_sets(matrix: PassMatrix) -> tuple[ConsensusSet, ...]:
    """Group rows that are identical in behaviour class and pass vector, by first member."""
    members: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
    behaviours = matrix.behaviours or ("",) * len(matrix.rows)
    for number, (behaviour, row) in enumerate(zip(behaviours, matrix.rows, strict=True)):
        members[behaviour, _bits(row)].append(number)
    return tuple(ConsensusSet(tuple(rows), passes) for (_, passes), rows in members.items())


def rank(
    candidates: Sequence[RankInput], matrix: PassMatrix, selector: Selector
) -> tuple[RankedCandidate, ...]:
    """Rank plausible candidates; row i of `matrix` belongs to `candidates[i]`.

    Order: group score, highest first; then policy prior, highest first; then mean Jaccard distance
    (over edit lines) to the other members of the group, where its medoid has the least; then fewest
    edit lines; then number. Ranks and groups count from 1, groups in order of appearance.

    Raises:
        ValueError: The matrix has not one row for each candidate.
    """
    if len(candidates) != len(matrix.rows):
        raise ValueError(f"{len(matrix.rows)} rows for {len(candidates)} candidates")
    placed = [
        (scored, candidates[row], distance)
        for scored in selector.scores(matrix)
        for row, distance in zip(
            scored.group.members,
            medoid_distances([candidates[row].edit_lines for row in scored.group.members]),
            strict=True,
        )
    ]
    placed.sort(key=lambda item: _order(*item))
    numbers: dict[ConsensusSet, int] = {}
    return tuple(
        RankedCandidate(
            rank=place,
            candidate=candidate.candidate,
            group=numbers.setdefault(scored.group, len(numbers) + 1),
            group_size=len(scored.group.members),
            score=scored.score,
            prior=candidate.prior,
            medoid_distance=distance,
        )
        for place, (scored, candidate, distance) in enumerate(placed, start=1)
    )


def medoid_distances(diffs: Sequence[tuple[EditLine, ...]]) -> tuple[float, ...]:
    """Return each diff's mean Jaccard distance to all the others, in [0, 1]; 0 for a lone one.

    The group's medoid is the diff with the least. A line counts once, however often it occurs.
    """
    line_sets = [frozenset(diff) for diff in diffs]
    copies = Counter(line_sets)
    others = len(diffs) - 1
    mean = dict.fromkeys(copies, 0.0)
    if others > 0:
        for lines in copies:
            # fsum: equal distances have equal sums in whatever order they are added.
            total = math.fsum(n * _jaccard_distance(lines, other) for other, n in copies.items())
            mean[lines] = total / others
    return tuple(mean[lines] for lines in line_sets)


def _order(scored: GroupScore, candidate: RankInput, distance: float) -> tuple[float, float, float, int, int]:
    size = len(candidate.edit_lines)
    return (-scored.score, -candidate.prior, distance, size, candidate.candidate)


def _jaccard_distance(one: frozenset[EditLine], other: frozenset[EditLine]) -> float:
    union = len(one | other)
    return 1.0 - len(one & other) / union if union else 0.0


def _bits(row: Sequence[bool]) -> int:
    return sum(1 << test for test, passed in enumerate(row) if passed)
