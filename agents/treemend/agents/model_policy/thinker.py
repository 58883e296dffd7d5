"""What a model does in a run: it writes the tests that the suite lacks, and it is the policy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from treemend.agents.evaluation import Prospect
from treemend.agents.feedback import Feedback
from treemend.agents.inspection import render
from treemend.agents.model.client import Ask, ModelClient, NoAnswer, Unusable
from treemend.agents.model.ledger import BudgetSpent, Ledger
from treemend.agents.model.prices import AbilitiesOf, abilities_of
from treemend.agents.model.prompts import Prompt, Section
from treemend.agents.model.provider import LitellmProvider, Send
from treemend.agents.model.recordings import Recorder, Replayer
from treemend.agents.model_policy.answers import Graded, WrittenTests
from treemend.agents.model_policy.brief import brief_sections, code_of, issue_section
from treemend.agents.model_policy.policy import (
    TEMPLATE,
    TEMPLATES_FIRST,
    Begun,
    Context,
    ModelPolicy,
    patch_section,
    template,
)
from treemend.agents.model_policy.reproducers import (
    Tried,
    drafts_of,
    keep_notes,
    record_cases,
    told_back,
    try_out,
    verdict_without_evidence,
)
from treemend.agents.planning import EditableSources, Plan
from treemend.agents.policy import Policy
from treemend.agents.progress import Noted, Working
from treemend.agents.reproduction import NotReproduced, Observation, Reproducer
from treemend.agents.run_context import RunContext
from treemend.agents.run_index import open_run_index
from treemend.agents.template_policy.policy import TemplatePolicy
from treemend.search.budget import with_time_to_search
from treemend.store.database import Store
from treemend.store.records import Budget, Candidate, Models, Run, TestOrigin, TestOutcome
from treemend.tools.index.repository import RepositoryIndex
from treemend.tools.paths import is_protected
from treemend.tools.repotools.registry import run_tool
from treemend.tools.repotools.results import Snippets
from treemend.verify.runner import TestResult

TESTS_MAX = 4
TEST_TOKENS_MAX = 8192
RELEVANT_MAX = 6
SLICE_LINES_MAX = 40
NOT_RUN = TestResult(outcome=TestOutcome.NOT_RUN, duration_s=0.0)


MODELS_SHARE = 0.8
"""The part of a search's time in which models may be asked where templates can think on without them."""
ALONE = "templates alone"
"""The blob that says why no model is asked for thoughts any more."""


class ModelTime:
    """How long models may still be asked: before the search as long as one that began with the first call
    would get; then as long as it gets, or a part of that. `elapsed_s` tells what the run has taken."""

    def __init__(self, budget: Budget, elapsed_s: Callable[[], float]) -> None:
        self._budget = budget
        self._elapsed_s = elapsed_s
        self._until_s: float | None = None

    def begin_search(self, limit_s: float | None, share: float) -> None:
        """From now on models have a share of the time until the run has taken `limit_s`."""
        began_s = self._elapsed_s()
        self._until_s = math.inf if limit_s is None else began_s + share * (limit_s - began_s)

    def left_s(self) -> float:
        """Seconds, `math.inf` where nothing bounds them."""
        if self._until_s is None:
            self.begin_search(with_time_to_search(self._budget, self._elapsed_s()).time_s, share=1.0)
            assert self._until_s is not None
        return self._until_s - self._elapsed_s()


class Thinker:
    """The models of one run at work in this process; `close` ends their connections and the index.

    Attributes:
        is_silent: Whether a model was given up that did not answer in time; nothing is asked any more then.
    """

    def __init__(
        self, client: ModelClient, provider: LitellmProvider | None = None, time: ModelTime | None = None
    ) -> None:
        self._client = client
        self._provider = provider
        self._time = time
        self._policy: ModelPolicy | None = None
        self.is_silent = False
        self._code: str | None = None
        self._opened = ExitStack()
        self._index: RepositoryIndex | None = None

    async def close(self) -> None:
        self._opened.close()
        if self._provider is not None:
            await self._provider.close()

    def policy(self, context: RunContext, plan: Plan, observation: Observation, budget: Budget) -> Policy:
        """The policy of a search within `budget`, with templates beside it where failing tests say which
        lines to change. They begin where those tests are the suite's: what passes a model's own test may be
        wrong."""
        symptom = context.task.symptom
        labels = {test.id: test.behaviour for test in observation.reproducers}
        templates = TemplatePolicy(plan, context.task.seed) if plan.suspicion(plan.symptom.failures) else None
        if self._time is not None:
            self._time.begin_search(budget.time_s, 1.0 if templates is None else MODELS_SHARE)
        index = partial(self._run_index, context)
        brief = (*brief_sections(symptom, plan, labels), *deciding_lines(context, plan.symptom, index))
        known = Context(plan, brief, labels, index, context.listener)
        self._policy = ModelPolicy(
            known,
            self._client,
            templates,
            first=TEMPLATES_FIRST if observation.baseline.targets else 0,
            written_max=budget.written,
            begun=_begun(context),
        )
        return self._policy

    def _run_index(self, context: RunContext) -> RepositoryIndex:
        """The index of the private tree, which nobody changes: it stays open, until `close`."""
        if self._index is None:
            self._index = self._opened.enter_context(open_run_index(context))
        return self._index

    def prospects(self) -> Iterable[Prospect]:
        """What may be run while a model is waited for."""
        return () if self._policy is None else self._policy.prospects()

    def go_on_alone(self, context: RunContext, why: str) -> bool:
        """Ask no model for thoughts any more, also after a resume; whether templates have some."""
        if self._policy is None or not self._policy.go_on_alone():
            return False
        context.store.put_blob(context.id, ALONE, why.encode())
        context.listener(Noted(f"{why}: templates go on without a model"))
        return True

    async def write_reproducers(
        self, context: RunContext, observation: Observation
    ) -> tuple[Reproducer, ...] | NotReproduced:
        """Tests that fail on the untouched tree as the issue says; what they show decides whether there is
        anything to repair, and not what the model thinks of it."""
        prompt = self._prompt(context, "reproduce")
        written = await self._write(context, "reproduce", prompt)
        if written is None:
            return NotReproduced("no test shows the issue: the model wrote none")
        drafts = drafts_of(written.tests[:TESTS_MAX], observation, "reproducer")
        tried = await try_out(context, observation, drafts, "reproduce")
        if tried.refused:
            tried = await self._again(context, observation, prompt, written, tried)
        keep_notes(context, tried)
        for draft, why in tried.refused:
            context.listener(Noted(f"no evidence: {draft.written.behaviour}: {why}"))
        if not tried.admitted:
            return verdict_without_evidence(tried)
        record_cases(context, tried.admitted, TestOrigin.REPRODUCER)
        return tried.admitted

    async def write_further_tests(
        self, context: RunContext, observation: Observation, patch: bytes
    ) -> tuple[Reproducer, ...]:
        """Tests of how the code should behave, to tell candidates apart, and counter-examples to `patch`,
        which leads so far (REFUTE, 2502.19414). They are run on all candidates, and each may be wrong."""
        prompt = self._prompt(context, "further", patch_section(patch))
        written = await self._write(context, "further", prompt)
        if written is None:
            return ()
        drafts = drafts_of(written.tests[:TESTS_MAX], observation, "generated")
        tests = [
            Reproducer(draft.id, draft.path, draft.written.code, draft.written.behaviour, NOT_RUN)
            for draft in drafts
            if draft.id
        ]
        record_cases(context, tests, TestOrigin.GENERATED)
        return tuple(tests)

    async def grade(self, context: RunContext, candidate: Candidate) -> float | None:
        """How good a plausible candidate is to the model that judges, in [-1, 1]; None where none was named,
        or it doesn't say."""
        if self.is_silent or not self._client.models("judge"):
            return None
        prompt = self._prompt(context, "grade", patch_section(candidate.patch))
        ask = Ask("judge", f"grade/{candidate.seq}", prompt)
        try:
            graded = await self._client.structured(ask, Graded)
        except (Unusable, BudgetSpent, NoAnswer) as error:
            why = "the budget is spent" if isinstance(error, BudgetSpent) else str(error)
            context.listener(Noted(f"#{candidate.seq} is not graded: {why}"))
            return None
        return max(-1.0, min(1.0, graded.grade))

    async def _again(
        self,
        context: RunContext,
        observation: Observation,
        prompt: Prompt,
        written: WrittenTests,
        first: Tried,
    ) -> Tried:
        """Let those be written again that showed nothing, once, with what they did."""
        told = template("reproduce_again").fill(results=prompt.framed("results", told_back(first)))
        prompt = prompt.said("assistant", written.model_dump_json()).said("user", told)
        rewritten = await self._write(context, "reproduce again", prompt)
        if rewritten is None:
            return first
        known = {test.code for test in (*first.admitted, *first.passing)}
        fresh = [test for test in rewritten.tests if test.code not in known][: len(first.refused)]
        drafts = drafts_of(fresh, observation, "reproducer", first=TESTS_MAX + 1)
        second = await try_out(context, observation, drafts, "reproduce-again")
        return replace(
            second,
            admitted=(*first.admitted, *second.admitted),
            passing=(*first.passing, *second.passing),
            refused=second.refused if drafts else first.refused,
        )

    async def _write(self, context: RunContext, step: str, prompt: Prompt) -> WrittenTests | None:
        context.listener(Working(f"writing tests: {step}{self._client.spent_words}"))
        try:
            ask = Ask("test", step, prompt, max_tokens=TEST_TOKENS_MAX)
            return await self._client.structured(ask, WrittenTests)
        except Unusable as unusable:
            context.listener(Noted(str(unusable)))
            return None

    def _prompt(self, context: RunContext, name: str, *more: Section) -> Prompt:
        if self._code is None:
            self._code = _relevant_code(context, partial(self._run_index, context))
        sections = (issue_section(context.task.symptom), Section("code", self._code, 70))
        task = template(name).fill(count=TESTS_MAX)
        return Prompt(template(name), template("system").text, sections, more, task)


def _relevant_code(context: RunContext, index: Callable[[], RepositoryIndex]) -> str:
    """The files that the issue's words are most about, with what the stack trace goes through."""
    symptom = context.task.symptom
    paths = [frame.path for frame in reversed(symptom.frames)]
    if symptom.issue.strip():
        arguments = {"text": symptom.issue[:20_000], "limit": RELEVANT_MAX}
        answer = run_tool(index(), "get_relevant_code", arguments)
        if isinstance(answer, Snippets):
            paths += [snippet.place.path for snippet in answer.snippets]
    sources = EditableSources(context.tree, context.task.only, {})
    return code_of(dict.fromkeys(paths), sources)


def deciding_lines(
    context: RunContext, failing: Feedback, index: Callable[[], RepositoryIndex]
) -> tuple[Section, ...]:
    """The lines that may decide the assertion of the first test of the tree that fails."""
    frames = (frame for one in failing.failures.values() for frame in one.frames)
    asserted = next((f for f in frames if is_protected(f.path) and (context.tree / f.path).is_file()), None)
    if asserted is None:
        return ()
    place = f"{asserted.path}:{asserted.line}"
    answer = run_tool(index(), "get_slice", {"place": place, "limit": SLICE_LINES_MAX})
    title = "lines-that-may-decide-the-assertion"
    return (Section(title, render(answer), 65),) if answer.found else ()


def open_thinker(
    store: Store,
    run: Run,
    models: Models,
    elapsed_s: Callable[[], float],
    on_growth: Callable[[int], None] | None = None,
) -> Thinker:
    """The models that a task names, with the ledger of its run, which has taken `elapsed_s` so far.
    `on_growth` is told how answers grow."""
    send, abilities, provider = connect(models, on_growth)
    ledger = Ledger(store, run.id, run.task.budget, abilities)
    time = ModelTime(run.task.budget, elapsed_s)
    return Thinker(ModelClient(models, ledger, send, abilities, time_left=time.left_s), provider, time)


def _begun(context: RunContext) -> Begun:
    """What the rows of a run say of its models."""
    keys = {thought.seq: thought.key for thought in context.store.thoughts(context.id)}
    written = sum(not keys[c.thought].startswith(TEMPLATE) for c in context.store.candidates(context.id))
    return Begun(written, context.store.get_blob(context.id, ALONE) is not None)


def connect(
    models: Models, on_growth: Callable[[int], None] | None = None
) -> tuple[Send, AbilitiesOf, LitellmProvider | None]:
    """How calls are answered: by a provider, by one whose answers are kept, or from what was kept."""
    if models.replay:
        replayer = Replayer(Path(models.replay))
        return replayer, replayer.abilities, None
    provider = LitellmProvider(models.api_base, on_growth=on_growth)
    if models.record:
        return Recorder(Path(models.record), provider, abilities_of), abilities_of, provider
    return provider, abilities_of, provider
