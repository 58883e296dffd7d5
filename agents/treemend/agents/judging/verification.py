"""A patch that somebody else made, judged by the rules of a run's own candidates."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace

from treemend.agents.evaluation import patient_limits
from treemend.agents.judging.confirmation import Trial
from treemend.agents.judging.gate import observe_gate
from treemend.agents.judging.judge import Ruling, changed_functions, rule, with_concerns
from treemend.agents.judging.judgements import keep_judgement
from treemend.agents.plain_text import counted
from treemend.agents.preparation import copy_tree
from treemend.agents.progress import PhaseEnded, PhaseStarted
from treemend.agents.receipts.receipt import write_receipt
from treemend.agents.reproduction import (
    NotReproduced,
    Observation,
    check_suite,
    confirm_symptom,
    observe_repeats,
    observe_suite,
    resolve_named,
)
from treemend.agents.run_context import RunContext
from treemend.agents.runs import SUBMITTED
from treemend.store.errors import StoreError
from treemend.store.records import (
    Candidate,
    Check,
    CheckResult,
    Judgement,
    Outcome,
    RankedCandidate,
)
from treemend.tools.paths import is_protected
from treemend.tools.submitted import FileChange, make_patched_tree, read_changes
from treemend.verify.added_code import ChangedText
from treemend.verify.baseline import failing_tests, limits_by_test
from treemend.verify.runner import TestReport, TestRequest

CANDIDATE = 1
NOTHING_RAN = TestReport(results={}, collected=())


@dataclass(frozen=True, slots=True)
class Ground:
    """What the untouched tree showed."""

    suite: TestReport
    observation: Observation


async def verify_submitted(context: RunContext) -> None:
    """Carry out a run of kind "verify", whose patch lies in the store, and record its outcome and receipt.

    Raises:
        UsageError: the patch is none, does not apply, or the suite can't be asked.
        SandboxUnavailableError: the sandbox broke.
    """
    patch = context.store.get_blob(context.id, SUBMITTED)
    if patch is None:
        raise StoreError(f"The patch of run {context.id} is gone.", mend="Start it anew: treemend verify")
    context.listener(PhaseStarted("prepare", context.task.repo))
    await asyncio.to_thread(copy_tree, context)
    changes = read_changes(context.tree, patch)
    candidate = Candidate(seq=CANDIDATE, thought=0, edits=(), patch=patch, prior=1.0)
    context.store.add_candidate(context.id, candidate)
    submission = Submission(context, patch, changes)
    ground = await submission.observe()
    if isinstance(ground, NotReproduced):
        _end(context, Outcome.NOT_REPRODUCED, ground.reason)
        return
    ruling = await submission.judge(ground)
    _record(context, ruling)
    outcome, reason = outcome_of(ruling)
    context.listener(PhaseEnded(outcome.value))
    _end(context, outcome, reason)


def outcome_of(ruling: Ruling) -> tuple[Outcome, str]:
    """The outcome that a ruling stands for, with its reasons."""
    judgement = ruling.judgement
    if judgement.refused:
        return Outcome.REFUSED, "; ".join(judgement.refused)
    if judgement.review:
        return Outcome.NEEDS_REVIEW, "; ".join(judgement.review)
    return Outcome.ACCEPTED, ""


def _record(context: RunContext, ruling: Ruling) -> None:
    keep_judgement(context.store, context.id, CANDIDATE, ruling.judgement)
    entry = RankedCandidate(
        rank=1,
        candidate=CANDIDATE,
        group=1,
        group_size=1,
        score=0.0,
        prior=1.0,
        medoid_distance=0.0,
        confirmed=ruling.holds,
    )
    context.store.set_ranking(context.id, [entry])


def _end(context: RunContext, outcome: Outcome, reason: str) -> None:
    write_receipt(context, outcome, reason)
    context.store.finish_run(context.id, outcome, reason)


class Submission:
    """One patch on one tree: what it changes of the code, and what of its judges."""

    def __init__(self, context: RunContext, patch: bytes, changes: Sequence[FileChange]) -> None:
        self._context = context
        self._patch = patch
        self._changes = tuple(changes)
        self._judges = tuple(change for change in changes if is_protected(change.path))
        self._judged = tuple(change for change in changes if not is_protected(change.path))

    async def observe(self) -> Ground | NotReproduced:
        """Look at the untouched tree: what fails there, every time, and whether a failure shows."""
        context = self._context
        context.listener(PhaseStarted("reproduce"))
        suite = await observe_suite(context)
        trouble = check_suite(suite)
        if trouble is not None:
            return trouble
        named = resolve_named(context.task.symptom.failing_tests, suite)
        functions = changed_functions(self._trial(self._judged))
        repeats = await observe_repeats(context, suite, load_plugins=True, recorded=functions)
        observation = Observation(
            suite=suite, load_plugins=True, traced=NOTHING_RAN, repeats=repeats, named=named
        )
        trouble = confirm_symptom(context, observation)
        if trouble is not None:
            return trouble
        baseline = observation.baseline
        gate = await observe_gate(context, baseline.targets, baseline.regression)
        if not gate.trusted:
            return NotReproduced(f"the tests can't be trusted here: {gate.check.detail}")
        failed = f"{len(failing_tests(suite))} of {counted(len(suite.results), 'test')} failed"
        context.listener(PhaseEnded(f"{failed}, {len(baseline.targets)} every time"))
        return Ground(suite, observation)

    async def judge(self, ground: Ground) -> Ruling:
        """Judge the patch as its changes of what judges it allow."""
        self._context.listener(PhaseStarted("judge"))
        names = ", ".join(change.path for change in self._judges[:5])
        paths = Check(name="allowed paths", result=CheckResult.HELD, detail="only code is changed")
        modes = [c.path for c in self._changes if c.executable is not None and c.before == c.after]
        review = [f"makes {path} executable, or no more so" for path in modes]
        if self._context.task.allow_test_edits:
            if names:
                detail = f"judged with its own version of {names}, as --allow-test-edits says"
                paths = paths.model_copy(update={"detail": detail})
            ruling = await self._rule(ground, self._changes)
            return _with(ruling, review, paths)
        if not names:
            return _with(await self._rule(ground, self._judged), review, paths)
        paths = paths.model_copy(update={"result": CheckResult.FAILED, "detail": f"changes {names}"})
        if not self._judged:
            ruling = await self._rule(ground, self._changes)
            review.append(f"changes nothing but what judges it: {names}")
            return _with(ruling, review, paths)
        ruling = await self._rule(ground, self._judged)
        if ruling.holds:
            review.append(f"holds without them, and changes what judges it: {names}")
            return _with(ruling, review, paths)
        alone = ruling.judgement.refused
        ruling = await self._rule(ground, self._changes, whole=True)
        review.append(f"holds only with its own version of {names} (else: {'; '.join(alone)})")
        return _with(ruling, review, paths)

    async def _rule(self, ground: Ground, changes: Sequence[FileChange], *, whole: bool = False) -> Ruling:
        context = self._context
        trial = self._trial(changes, number=CANDIDATE + whole)
        folder = context.folder / f"patched-{trial.candidate}"
        await asyncio.to_thread(make_patched_tree, context.tree, folder, changes)
        target = None if context.target is None else replace(context.target, tree=folder)
        trial = replace(trial, runner=context.runner_on(folder), target=target)
        limits = limits_by_test(ground.suite.results, context.task.test_timeout_s)
        request = TestRequest(limits_s=patient_limits(limits, context.task.test_timeout_s))
        calls = ground.observation.repeats[0].calls if ground.observation.repeats else ()
        try:
            return await rule(context, trial, ground.observation.baseline, request, calls)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, True)

    def _trial(self, changes: Sequence[FileChange], number: int = CANDIDATE) -> Trial:
        texts = tuple(
            ChangedText(change.path, _text(change.before), _text(change.after))
            for change in changes
            if change.after is not None
        )
        runner = self._context.runner
        return Trial(candidate=number, patch=self._patch, texts=texts, runner=runner, base=runner)


def _text(data: bytes | None) -> str:
    return "" if data is None else data.decode("utf-8", "surrogateescape")


def _with(ruling: Ruling, review: Sequence[str], paths: Check) -> Ruling:
    judgement: Judgement = with_concerns(ruling.judgement, review, [paths])
    return replace(ruling, judgement=judgement)
