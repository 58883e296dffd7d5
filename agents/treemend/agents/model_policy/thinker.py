"""What a model does in a run: it writes the tests that the suite lacks, and it is the policy."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

from treemend.agents.feedback import Feedback
from treemend.agents.inspection import render
from treemend.agents.model.client import Ask, ModelClient, Unusable
from treemend.agents.model.ledger import BudgetSpent, Ledger
from treemend.agents.model.prices import AbilitiesOf, abilities_of
from treemend.agents.model.prompts import Prompt, Section
from treemend.agents.model.provider import LitellmProvider, Send
from treemend.agents.model.recordings import Recorder, Replayer
from treemend.agents.model_policy.answers import Graded, WrittenTests
from treemend.agents.model_policy.brief import brief_sections, code_of, issue_section
from treemend.agents.model_policy.policy import Context, ModelPolicy, patch_section, template
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
from treemend.agents.template_policy import TemplatePolicy
from treemend.search.budget import with_time_to_search
from treemend.store.database import Store
from treemend.store.records import Candidate, Models, Run, TestOrigin, TestOutcome
from treemend.tools.paths import is_protected
from treemend.tools.repotools.registry import run_tool
from treemend.tools.repotools.results import Snippets
from treemend.verify.runner import TestResult

TESTS_MAX = 4
TEST_TOKENS_MAX = 8192
RELEVANT_MAX = 6
SLICE_LINES_MAX = 40
NOT_RUN = TestResult(outcome=TestOutcome.NOT_RUN, duration_s=0.0)


class Thinker:
    """The models of one run at work in this process; `close` ends their connections."""

    def __init__(self, client: ModelClient, provider: LitellmProvider | None) -> None:
        self._client = client
        self._provider = provider
        self._code: str | None = None

    async def close(self) -> None:
        if self._provider is not None:
            await self._provider.close()

    def policy(self, context: RunContext, plan: Plan, observation: Observation) -> Policy:
        """The policy of a run, with templates beside it where failing tests say which lines to change."""
        symptom = context.task.symptom
        labels = {test.id: test.behaviour for test in observation.reproducers}
        templates = TemplatePolicy(plan, context.task.seed) if plan.suspicion(plan.symptom.failures) else None
        brief = (*brief_sections(symptom, plan, labels), *deciding_lines(context, plan.symptom))
        known = Context(plan, brief, labels, lambda: open_run_index(context), context.listener)
        return ModelPolicy(known, self._client, templates)

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
        if not self._client.models("judge"):
            return None
        prompt = self._prompt(context, "grade", patch_section(candidate.patch))
        ask = Ask("judge", f"grade/{candidate.seq}", prompt)
        try:
            graded = await self._client.structured(ask, Graded)
        except (Unusable, BudgetSpent) as error:
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
            self._code = _relevant_code(context)
        sections = (issue_section(context.task.symptom), Section("code", self._code, 70))
        task = template(name).fill(count=TESTS_MAX)
        return Prompt(template(name), template("system").text, sections, more, task)


def _relevant_code(context: RunContext) -> str:
    """The files that the issue's words are most about, with what the stack trace goes through."""
    symptom = context.task.symptom
    paths = [frame.path for frame in reversed(symptom.frames)]
    if symptom.issue.strip():
        with open_run_index(context) as index:
            arguments = {"text": symptom.issue[:20_000], "limit": RELEVANT_MAX}
            answer = run_tool(index, "get_relevant_code", arguments)
        if isinstance(answer, Snippets):
            paths += [snippet.place.path for snippet in answer.snippets]
    sources = EditableSources(context.tree, context.task.only, {})
    return code_of(dict.fromkeys(paths), sources)


def deciding_lines(context: RunContext, failing: Feedback) -> tuple[Section, ...]:
    """The lines that may decide the assertion of the first test of the tree that fails."""
    frames = (frame for one in failing.failures.values() for frame in one.frames)
    asserted = next((f for f in frames if is_protected(f.path) and (context.tree / f.path).is_file()), None)
    if asserted is None:
        return ()
    place = f"{asserted.path}:{asserted.line}"
    with open_run_index(context) as index:
        answer = run_tool(index, "get_slice", {"place": place, "limit": SLICE_LINES_MAX})
    title = "lines-that-may-decide-the-assertion"
    return (Section(title, render(answer), 65),) if answer.found else ()


def open_thinker(store: Store, run: Run, models: Models, elapsed_s: Callable[[], float]) -> Thinker:
    """The models that a task names, with the ledger of its run, which has taken `elapsed_s` so far."""
    send, abilities, provider = connect(models)
    budget = run.task.budget
    ledger = Ledger(store, run.id, budget, abilities)
    limit_s = cache(lambda: with_time_to_search(budget, elapsed_s()).time_s)

    def time_left() -> float:
        """From the first call on there is as much time as a search gets."""
        limit = limit_s()
        return math.inf if limit is None else limit - elapsed_s()

    return Thinker(ModelClient(models, ledger, send, abilities, time_left=time_left), provider)


def connect(models: Models) -> tuple[Send, AbilitiesOf, LitellmProvider | None]:
    """How calls are answered: by a provider, by one whose answers are kept, or from what was kept."""
    if models.replay:
        replayer = Replayer(Path(models.replay))
        return replayer, replayer.abilities, None
    provider = LitellmProvider(models.api_base)
    if models.record:
        return Recorder(Path(models.record), provider, abilities_of), abilities_of, provider
    return provider, abilities_of, provider
