"""The choice among plausible candidates, and the verdict of record."""

from __future__ import annotations

from collections.abc import Sequence

from treemend.agents.evaluation import Evaluator
from treemend.agents.exploration import Exploration
from treemend.agents.plain_text import counted
from treemend.agents.progress import Working
from treemend.agents.reproduction import Reproducer
from treemend.agents.run_context import RunContext
from treemend.store.records import Candidate, RankedCandidate, TestOutcome
from treemend.tools.patches import edit_lines
from treemend.verify.selection import EditLine, PassMatrix, RankInput, Selector, rank

CONFIRMATIONS_MAX = 5
REMOVAL = 0.05
"""What is left of the prior of a patch that only removes code."""


async def decide(
    context: RunContext,
    exploration: Exploration,
    evaluator: Evaluator,
    selector: Selector,
    tests: Sequence[Reproducer] = (),
) -> RankedCandidate | None:
    """Rank the plausible candidates and confirm the best cold; the first that holds is the answer.

    A candidate that the whole suite refuses stays in the ranking, marked; after five of them the run
    has no answer. `tests` are what a model wrote: columns of the matrix, and no more than that.
    """
    candidates = exploration.plausible()
    matrix = await _matrix(context, evaluator, candidates, tests)
    ranked = list(rank([_input(c) for c in candidates], matrix, selector))
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


async def _matrix(
    context: RunContext, evaluator: Evaluator, candidates: Sequence[Candidate], tests: Sequence[Reproducer]
) -> PassMatrix:
    """Which candidate passes which untrusted test; each runs against each, whatever it was written for."""
    for number, candidate in enumerate(candidates if tests else (), 1):
        context.listener(
            Working(f"{counted(len(tests), 'test')} of the model's, {number} of {len(candidates)}")
        )
        await evaluator.record_untrusted(candidate, tests)
    outcomes = {
        (one.candidate, one.test): one.outcome is TestOutcome.PASSED
        for one in (context.store.executions(context.id) if tests else ())
    }
    rows = [tuple(outcomes.get((c.seq, test.id), False) for test in tests) for c in candidates]
    return PassMatrix(rows=tuple(rows))
