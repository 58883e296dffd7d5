"""The choice among plausible candidates, and the verdict of record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from treemend.agents.evaluation import Evaluator
from treemend.agents.exploration import Exploration
from treemend.agents.judging.judgements import keep_diversity, keep_judgement
from treemend.agents.plain_text import counted
from treemend.agents.progress import Working
from treemend.agents.questions import ask_person
from treemend.agents.reproduction import Reproducer
from treemend.agents.run_context import RunContext
from treemend.store.records import Candidate, RankedCandidate, TestOutcome
from treemend.tools.patches import edit_lines
from treemend.verify.behaviour import diversity
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
    """Rank the plausible candidates, and confirm and judge the best cold; the first that holds and that
    nobody has to look at is the answer, else the first that holds.

    A candidate that the whole suite or the judge refuses stays in the ranking, marked; those that behave
    alike are tried after all others. After five the run has no answer. `tests` are what a model wrote:
    columns of the matrix, and no more than that, unless a person says that one is right.
    """
    candidates = exploration.plausible()
    if not candidates:
        context.store.set_ranking(context.id, [])
        return None
    passes = await _run_untrusted(context, evaluator, candidates, tests)
    said = await ask_person(context, tests, candidates, passes)
    right = [test for test, is_right in said.items() if is_right]
    candidates = [one for one in candidates if all(passes[one.seq, test] for test in right)]
    tests = [test for test in tests if test.id not in said]
    if not candidates:
        context.store.set_ranking(context.id, [])
        return None
    calls = await evaluator.record_calls(candidates)
    classes = await evaluator.classes(candidates, calls)
    keep_diversity(context.store, context.id, diversity(classes))
    rows = tuple(tuple(passes[c.seq, test.id] for test in tests) for c in candidates)
    matrix = PassMatrix(rows=rows, behaviours=classes)
    ranked = list(rank([_input(c) for c in candidates], matrix, selector))
    context.store.set_ranking(context.id, ranked)
    by_seq = {candidate.seq: candidate for candidate in candidates}
    doubtful: RankedCandidate | None = None
    refused_groups: set[int] = set()
    for index in _order_of_trial(ranked, refused_groups, told_apart=bool(classes)):
        entry = ranked[index]
        ruling = await evaluator.confirm(by_seq[entry.candidate], calls)
        ranked[index] = entry.model_copy(update={"confirmed": ruling.holds})
        context.store.set_ranking(context.id, ranked)
        keep_judgement(context.store, context.id, entry.candidate, ruling.judgement)
        if ruling.holds and not ruling.judgement.review:
            return ranked[index]
        if ruling.holds:
            doubtful = doubtful or ranked[index]
        else:
            refused_groups.add(entry.group)
    return doubtful


def _order_of_trial(
    ranked: Sequence[RankedCandidate], refused_groups: set[int], *, told_apart: bool
) -> Iterator[int]:
    """By rank, but what behaves as something refused did comes last; as many as are confirmed at most."""
    waiting = list(range(len(ranked)))
    for _ in range(CONFIRMATIONS_MAX):
        if not waiting:
            return
        fresh = [index for index in waiting if not told_apart or ranked[index].group not in refused_groups]
        chosen = (fresh or waiting)[0]
        waiting.remove(chosen)
        yield chosen


def _input(candidate: Candidate) -> RankInput:
    lines = edit_lines(candidate.patch)
    return RankInput(candidate.seq, candidate.prior * (REMOVAL if only_removes(lines) else 1.0), lines)


def only_removes(lines: Sequence[EditLine]) -> bool:
    """Whether a patch takes code away and puts none in its place, which passes weak tests too easily
    (Tan et al., Anti-patterns in search-based program repair, FSE 2016)."""
    return all(sign == "-" or text.strip() in ("", "pass") for _, sign, text in lines)


async def _run_untrusted(
    context: RunContext, evaluator: Evaluator, candidates: Sequence[Candidate], tests: Sequence[Reproducer]
) -> dict[tuple[int, str], bool]:
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
    return {(c.seq, test.id): outcomes.get((c.seq, test.id), False) for c in candidates for test in tests}
