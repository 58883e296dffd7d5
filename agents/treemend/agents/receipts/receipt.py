"""The evidence for a run's answer, as data: what was seen, tried, chosen and left unchecked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from treemend.agents.judging.judgements import diversity_of, judgement_of
from treemend.agents.questions import answers_of
from treemend.agents.receipts.repeat import command_of
from treemend.agents.run_context import RunContext
from treemend.agents.screens.wording import share_words
from treemend.store.database import Store
from treemend.store.records import (
    UNTOUCHED,
    Candidate,
    Execution,
    Judgement,
    Outcome,
    RankedCandidate,
    Record,
    Run,
    TestCase,
    TestOrigin,
    TestRole,
    Thought,
    Verdict,
)

ALTERNATIVES_MAX = 10
THOUGHTS_MAX = 100
TESTS_MAX = 200
NO_UNTRUSTED_TESTS = (
    "Nothing but the project's own tests told them apart: there are no reproducers and no generated "
    "tests (the matrix of the Bayesian selector has no columns, M = 0), so the likelier change came "
    "first, then the one nearest to the others, then the smaller diff."
)
UNTRUSTED_TESTS = (
    "Tests that a model wrote told them apart (M = {count}). Each may be wrong: they rank candidates by how "
    "these agree on them, and refuse none."
)
SHARED_PROCESS = (
    "The code under test ran in one process with pytest and the reporter, so these outcomes are no proof "
    "against a patch that knows the judge."
)


class TestChange(Record):
    """One test before the patch and after it, with the last message it failed with before."""

    __test__ = False

    test: str
    role: TestRole
    before: str
    after: str
    message: str = ""


class Alternative(Record):
    """Another plausible candidate: the thought behind it, and what the verdict of record holds against it."""

    candidate: int
    rank: int
    group: int
    thought: str
    patch: str
    refused: tuple[str, ...]


class ThoughtTried(Record):
    """A thought of the tree that was tried, or that leads to such: in its first words, in those that took
    their place after it failed ("" where nothing did), and what it came to."""

    thought: int
    parent: int
    depth: int
    text: str
    rethought: str
    candidates: tuple[int, ...]
    outcome: str


class ModelUse(Record):
    """What the models of a role did and cost. `usd` is None where the price is unknown."""

    role: str
    models: tuple[str, ...]
    prompts: tuple[str, ...]
    calls: int
    tokens: int
    cached_share: float
    usd: float | None


class Counts(Record):
    """How much was done; `until_plausible` counts the candidates executed up to the first plausible one,
    `diversity` is the part of the pairs of plausible candidates that behave differently, where that was seen.
    """

    thoughts: int
    candidates_executed: int
    duplicates: int
    plausible: int
    until_plausible: int | None
    diversity: float | None = None
    tests_run: int
    seconds: float


class SandboxUsed(Record):
    """Which mechanism confined the code under test, and what it leaves open."""

    name: str
    not_covered: tuple[str, ...]


class Receipt(Record):
    """Everything behind one answer. `patch` is "" where there is none; it is text with undecodable bytes
    escaped as Python's "backslashreplace" does, and the exact bytes are the run's `patch`."""

    schema_version: Literal[1] = 1
    kind: Literal["fix", "verify"] = "fix"
    run: str
    treemend: str
    outcome: Outcome
    reason: str
    repo: str
    tree_digest: str
    issue: str
    patch: str
    thought: str
    rationale: str = ""
    targets: tuple[TestChange, ...]
    reproducers: tuple[TestChange, ...] = ()
    answers: dict[str, bool] = Field(default_factory=dict)
    regression_tests: int
    regression_passed: int
    set_aside: tuple[TestChange, ...]
    ranking_note: str
    ranking: tuple[RankedCandidate, ...]
    alternatives: tuple[Alternative, ...]
    thoughts: tuple[ThoughtTried, ...] = ()
    models: tuple[ModelUse, ...] = ()
    notes: tuple[str, ...]
    sandbox: SandboxUsed
    shared_process: str = SHARED_PROCESS
    judgement: Judgement | None = None
    counts: Counts
    strategy: str
    seed: int
    command: str


def write_receipt(context: RunContext, outcome: Outcome, reason: str) -> Receipt:
    """Build the receipt from the run's rows and keep it in the store."""
    sandbox = SandboxUsed(name=context.sandbox.name, not_covered=context.sandbox.not_covered)
    receipt = build_receipt(context.store, context.run, outcome, reason, sandbox, context.elapsed_s())
    context.store.put_blob(context.id, "receipt", receipt.model_dump_json().encode())
    return receipt


def read_receipt(store: Store, run: Run) -> Receipt | None:
    """The receipt of a run that has ended."""
    data = store.get_blob(run.id, "receipt")
    return None if data is None else Receipt.model_validate_json(data)


def answer_of(store: Store, run: Run) -> Candidate | None:
    """The candidate that a run answers with, None where it has no patch: the first that holds and that nobody
    has to look at, else the first that holds."""
    held = [entry.candidate for entry in store.ranking(run.id) if entry.confirmed]
    if not held:
        return None
    judged = {seq: judgement_of(store, run.id, seq) for seq in held}
    clean = [seq for seq, judgement in judged.items() if judgement is None or not judgement.review]
    return next(c for c in store.candidates(run.id) if c.seq == [*clean, *held][0])


def _told_of(store: Store, run: Run) -> Candidate | None:
    """The candidate that a receipt tells of: the answer, or the patch that was to be verified."""
    if run.task.kind == "verify":
        return next(iter(store.candidates(run.id)), None)
    return answer_of(store, run)


def build_receipt(
    store: Store, run: Run, outcome: Outcome, reason: str, sandbox: SandboxUsed, seconds: float
) -> Receipt:
    answer = _told_of(store, run)
    thoughts = {thought.seq: thought for thought in store.thoughts(run.id)}
    candidates = {candidate.seq: candidate for candidate in store.candidates(run.id)}
    cases = store.test_cases(run.id)
    before = _last_by_test(store.executions(run.id, candidate=UNTOUCHED))
    after = _last_by_test(store.executions(run.id, candidate=answer.seq)) if answer else {}
    regression = [case.id for case in cases if case.role is TestRole.REGRESSION]
    tree = json.loads(store.get_blob(run.id, "tree") or b"{}")
    ranking = store.ranking(run.id)
    return Receipt(
        kind=run.task.kind,
        run=run.id,
        treemend=run.treemend_version,
        outcome=outcome,
        reason=reason,
        repo=run.task.repo,
        tree_digest=str(tree.get("digest", "")),
        issue=run.task.symptom.issue,
        patch=patch_text(answer.patch) if answer else "",
        thought=_thought_text(answer, thoughts) if answer else "",
        rationale=(answer.rationale or _thought_text(answer, thoughts)) if answer else "",
        targets=_changes(cases, TestRole.TARGET, before, after),
        reproducers=_changes(cases, TestRole.EVIDENCE, before, after),
        answers=answers_of(store, run.id),
        regression_tests=len(regression),
        regression_passed=sum(after[t].outcome == "passed" for t in regression if t in after),
        set_aside=(
            *_changes(cases, TestRole.FLAKY, before, after),
            *_changes(cases, TestRole.FAILED_BEFORE, before, after),
        )[:TESTS_MAX],
        ranking_note=_ranking_note(run, ranking, cases),
        ranking=tuple(ranking),
        alternatives=_alternatives(ranking, answer, candidates, thoughts, _refused(store, run, ranking)),
        thoughts=_tried(store, run, candidates, thoughts),
        models=_model_use(store, run),
        notes=tuple(map(str, tree.get("notes", ()))),
        sandbox=sandbox,
        judgement=judgement_of(store, run.id, answer.seq) if answer else None,
        counts=_counts(store, run, candidates, seconds),
        strategy=run.task.strategy,
        seed=run.task.seed,
        command=command_of(run.task),
    )


def _ranking_note(run: Run, ranking: list[RankedCandidate], cases: list[TestCase]) -> str:
    if not ranking or run.task.kind == "verify":
        return ""
    untrusted = sum(case.origin in (TestOrigin.REPRODUCER, TestOrigin.GENERATED) for case in cases)
    note = UNTRUSTED_TESTS.format(count=untrusted) if untrusted else NO_UNTRUSTED_TESTS
    if untrusted or len({entry.group for entry in ranking}) == 1:
        return note
    return f"Groups differ in what they do with calls like those of the tests. {note}"


def _tried(
    store: Store, run: Run, candidates: dict[int, Candidate], thoughts: dict[int, Thought]
) -> tuple[ThoughtTried, ...]:
    """The thoughts that were tried and those above them, each followed by those below it, where a model
    thought: of templates alone there are hundreds."""
    if run.task.models is None:
        return ()
    verdicts = {verdict.candidate: verdict for verdict in store.verdicts(run.id)}
    of_thought: dict[int, list[Candidate]] = {}
    for candidate in candidates.values():
        if candidate.seq in verdicts:
            of_thought.setdefault(candidate.thought, []).append(candidate)
    shown = {seq: _path_of(seq, thoughts) for tried in of_thought for seq in _path_of(tried, thoughts)}
    ordered = sorted(shown, key=lambda seq: shown[seq])[:THOUGHTS_MAX]
    return tuple(_thought_tried(thoughts[seq], of_thought.get(seq, []), verdicts) for seq in ordered)


def _path_of(thought: int, thoughts: dict[int, Thought]) -> tuple[int, ...]:
    path: list[int] = []
    while thought:
        path.append(thought)
        thought = thoughts[thought].parent
    return tuple(reversed(path))


def _thought_tried(thought: Thought, tried: list[Candidate], verdicts: dict[int, Verdict]) -> ThoughtTried:
    return ThoughtTried(
        thought=thought.seq,
        parent=thought.parent,
        depth=thought.depth,
        text=thought.text,
        rethought=tried[-1].rethought if tried else "",
        candidates=tuple(candidate.seq for candidate in tried),
        outcome="; then ".join(_outcome_words(one, verdicts[one.seq]) for one in tried),
    )


def _outcome_words(candidate: Candidate, verdict: Verdict) -> str:
    if candidate.duplicate_of is not None:
        return "no edit" if not candidate.edits else f"the same code as #{candidate.duplicate_of}"
    told = f"plausible, {share_words(verdict)}" if verdict.plausible else share_words(verdict)
    return told + (f", breaks {verdict.regressions[0]}" if verdict.regressions else "")


def _model_use(store: Store, run: Run) -> tuple[ModelUse, ...]:
    if run.task.models is None:
        return ()
    from treemend.agents.model.ledger import by_role

    calls = store.model_calls(run.id)
    return tuple(
        ModelUse(
            role=role,
            models=tuple(dict.fromkeys(call.model for call in calls if call.role == role)),
            prompts=tuple(dict.fromkeys(call.prompt for call in calls if call.role == role)),
            calls=spent.calls,
            tokens=spent.tokens,
            cached_share=round(spent.cached_share, 3),
            usd=spent.usd,
        )
        for role, spent in by_role(calls).items()
    )


def patch_text(patch: bytes) -> str:
    return patch.decode("utf-8", "backslashreplace")


def _last_by_test(executions: list[Execution]) -> dict[str, Execution]:
    return {execution.test: execution for execution in sorted(executions, key=lambda e: e.attempt)}


def _thought_text(candidate: Candidate, thoughts: dict[int, Thought]) -> str:
    """The path of thoughts that led to a candidate, as sentences."""
    sentences = [candidate.rethought] if candidate.rethought else []
    at = thoughts[candidate.thought].parent if candidate.rethought else candidate.thought
    while at:
        sentences.append(thoughts[at].text)
        at = thoughts[at].parent
    return " ".join(reversed(sentences))


def _changes(
    cases: list[TestCase],
    role: TestRole,
    before: dict[str, Execution],
    after: dict[str, Execution],
) -> tuple[TestChange, ...]:
    return tuple(
        TestChange(
            test=case.id,
            role=role,
            before=_seen(before, case.id),
            after=_seen(after, case.id),
            message=before[case.id].message if case.id in before else "",
        )
        for case in cases
        if case.role is role
    )


def _seen(executions: dict[str, Execution], test: str) -> str:
    return executions[test].outcome.value if test in executions else "not run"


def _refused(store: Store, run: Run, ranking: Sequence[RankedCandidate]) -> dict[int, tuple[str, ...]]:
    """What the verdict of record holds against candidates, by candidate."""
    judged = {entry.candidate: judgement_of(store, run.id, entry.candidate) for entry in ranking}
    return {seq: judgement.refused for seq, judgement in judged.items() if judgement is not None}


def _alternatives(
    ranking: list[RankedCandidate],
    answer: Candidate | None,
    candidates: dict[int, Candidate],
    thoughts: dict[int, Thought],
    refused: Mapping[int, tuple[str, ...]],
) -> tuple[Alternative, ...]:
    others = [entry for entry in ranking if answer is None or entry.candidate != answer.seq]
    return tuple(
        Alternative(
            candidate=entry.candidate,
            rank=entry.rank,
            group=entry.group,
            thought=_thought_text(candidates[entry.candidate], thoughts),
            patch=patch_text(candidates[entry.candidate].patch),
            refused=refused.get(entry.candidate, ()),
        )
        for entry in others[:ALTERNATIVES_MAX]
    )


def _counts(store: Store, run: Run, candidates: dict[int, Candidate], seconds: float) -> Counts:
    verdicts = store.verdicts(run.id)
    executed = [v for v in verdicts if candidates[v.candidate].duplicate_of is None]
    plausible = [number for number, verdict in enumerate(executed, 1) if verdict.plausible]
    return Counts(
        thoughts=len(store.thoughts(run.id)),
        candidates_executed=len(executed),
        duplicates=len(verdicts) - len(executed),
        plausible=len(plausible),
        until_plausible=plausible[0] if plausible else None,
        diversity=diversity_of(store, run.id),
        tests_run=sum(spend.tests_run for spend in store.spend(run.id)),
        seconds=round(seconds, 2),
    )
