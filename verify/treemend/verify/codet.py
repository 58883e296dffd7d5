"""The simple agreement rules: CodeT, and MaxPass as the floor that a selector must beat."""

from __future__ import annotations

import math
from dataclasses import dataclass

from treemend.verify.selection import GroupScore, PassMatrix, consensus_sets


@dataclass(frozen=True, slots=True)
class CodeT:
    """Dual execution agreement: tests passed * sqrt(candidates that pass exactly these).

    Source: CodeT (ICLR 2023), section 2. A set that passes nothing scores 0, so all
    scores are 0 where there is no test, or none that anybody passes.
    """

    def scores(self, matrix: PassMatrix) -> tuple[GroupScore, ...]:
        return tuple(
            GroupScore(group, group.passes.bit_count() * math.sqrt(len(group.members)))
            for group in consensus_sets(matrix)
        )


@dataclass(frozen=True, slots=True)
class MaxPass:
    """Tests passed, whoever else passes them."""

    def scores(self, matrix: PassMatrix) -> tuple[GroupScore, ...]:
        return tuple(GroupScore(group, float(group.passes.bit_count())) for group in consensus_sets(matrix))
