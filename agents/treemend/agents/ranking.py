"""The choice among plausible candidates, and the verdict of record."""

from __future__ import annotations

from collections.abc import Sequence

from treemend.agents.evaluation import Evaluator
from treemend.agents.exploration import Exploration
from treemend.agents.progress import Working
from treemend.agents.run_context import RunContext
from treemend.store.records import Candidate, RankedCandidate
from treemend.tools.patches import edit_lines
from treemend.verify.selection import EditLine, PassMatrix, RankInput, Selector, rank

CONFIRMATIONS_MAX = 5
REMOVAL = 0.05
"""What is left of the prior of a patch that only removes code."""


async def decide(
    context: RunContext, exploration: Exploration, evaluator: Evaluator, selector: Selector
) -> RankedCandidate | None:
    """Rank the plausible candidates and confirm the best cold; the first that holds is the answer.

    A candidate that the whole suite refuses stays in the ranking, marked; after five of them the run
    has no answer.
    """
    candidates = exploration.plausible()
    ranked = list(rank([_input(c) for c in candidates], _no_untrusted_tests(candidates), selector))
    context.store.set_ranking(context.id, ranked)
    by_seq = {candidate.seq: candidate for candidate in candidates}
    for index, entry in enumerate(ranked[:CONFIRMATIONS_MAX]):
        context.listener(Working(f"confirming #{entry.candidate} in a cold run of the whole suite"))
        holds = (await evaluator.confirm(by_seq[entry.candidate])).plausible
        ranked[index] = entry.model_copy(update={"confirmed": holds})
        context.store.set_ranking(context.id, ranked)
        if holds:
            return ranked[index]
    return None


def _input(candidate: Candidate) -> RankInput:
    lines = edit_lines(candidate.patch)
    return RankInput(candidate.seq, candidate.prior * (REMOVAL if only_removes(lines) else 1.0), lines)


def only_removes(lines: Sequence[EditLine]) -> bool:
    """Whether a patch takes code away and puts none in its place, which passes weak tests too easily
    (Tan et al., Anti-patterns in search-based program repair, FSE 2016)."""
    return all(sign == "-" or text.strip() in ("", "pass") for _, sign, text in lines)


def _no_untrusted_tests(candidates: list[Candidate]) -> PassMatrix:
    """The matrix with no columns: nobody writes reproducers or further tests yet."""
    return PassMatrix(rows=tuple(() for _ in candidates))
