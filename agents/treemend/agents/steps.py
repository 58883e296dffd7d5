"""The steps of a run, as the graph's nodes call them.

Each step may run again after a crash: what it did is rows, and it looks for them first. What a step
needs of an earlier one it reads from the store, so a resumed process can begin at any of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from treemend.agents.ahead import Ahead
from treemend.agents.evaluation import Evaluator
from treemend.agents.exploration import EXHAUSTED, Exploration
from treemend.agents.judging.gate import observe_gate
from treemend.agents.judging.judgements import judgement_of
from treemend.agents.plain_text import counted
from treemend.agents.planning import Plan, make_plan
from treemend.agents.policy import Policy
from treemend.agents.preparation import copy_tree
from treemend.agents.progress import Noted, Phase, PhaseEnded, PhaseStarted, SearchBegan, Working
from treemend.agents.questions import answers_of
from treemend.agents.ranking import decide
from treemend.agents.receipts.receipt import answer_of, write_receipt
from treemend.agents.reproduction import (
    REPRODUCERS,
    REPRODUCERS_NAME,
    NotReproduced,
    Observation,
    Reproducer,
    check_suite,
    confirm_symptom,
    needs_plugins,
    observe_lines,
    observe_repeats,
    observe_suite,
    resolve_named,
)
from treemend.agents.run_context import RunContext
from treemend.agents.state import GRAPH_VERSION, GraphState
from treemend.agents.target_python import target_interpreter
from treemend.search.budget import with_time_to_search
from treemend.store.records import Outcome
from treemend.verify.baseline import failing_tests
from treemend.verify.missing_modules import missing_module
from treemend.verify.runner import TestReport
from treemend.verify.selection import Selector
from treemend.verify.warm_runner import check_agreement

if TYPE_CHECKING:
    from treemend.agents.model_policy.thinker import Thinker

MakePolicy = Callable[[Plan], Policy]
NOT_REPRODUCED = "not reproduced"
TRYING = "trying changes"
NOTHING_TO_CHANGE = (
    "no line that may be patched runs in the failing tests "
    "(tests and what configures them never are, nor what --only leaves out)"
)
NOTHING_RECORDED = (
    "this test command records no lines, and no failure names a line of Python that may be patched; "
    "the policy changes Python alone"
)
COMPARED_MAX = 50
NO_ANSWER = "no answer"
WITHOUT_MODELS = {
    "usd": "the dollars are spent",
    "tokens": "the tokens are spent",
    "time": "the time that models may take is over",
    "written": "as many candidates are written as models may write",
    NO_ANSWER: "no model answers in time",
}


@dataclass
class _Search:
    plan: Plan
    evaluator: Evaluator
    exploration: Exploration


class Steps:
    """The work of each node, over one run's context; `thinker` writes tests where a model is at hand."""

    def __init__(
        self,
        context: RunContext,
        make_policy: MakePolicy,
        selector: Selector,
        thinker: Thinker | None = None,
    ) -> None:
        self._context = context
        self._thinker = thinker
        self._make_policy = make_policy
        self._selector = selector
        self._search: _Search | None = None

    async def prepare(self, state: GraphState) -> GraphState:
        self._context.listener(PhaseStarted("prepare", self._context.task.repo))
        await asyncio.to_thread(copy_tree, self._context)
        return {"run_id": self._context.id, "graph_version": GRAPH_VERSION}

    async def localize(self, state: GraphState) -> GraphState:
        self._context.listener(PhaseStarted("localize"))
        suite = await observe_suite(self._context)
        trouble = check_suite(suite)
        if trouble is not None:
            return self._end(trouble, suite)
        resolve_named(self._context.task.symptom.failing_tests, suite)
        await observe_lines(self._context, suite, await needs_plugins(self._context, suite))
        failed = len(failing_tests(suite)) or "none"
        self._context.listener(PhaseEnded(f"{counted(len(suite.results), 'test')}, {failed} failed"))
        return {}

    async def reproduce(self, state: GraphState) -> GraphState:
        self._context.listener(PhaseStarted("reproduce"))
        observation = await self._observation()
        trouble = confirm_symptom(self._context, observation)
        thinker = self._writer_for(observation)
        if trouble is not None and thinker is not None:
            return await self._within_budget(lambda: self._reproduce_issue(thinker, observation))
        trouble = trouble or await self._distrust(observation)
        count = len(observation.baseline.targets)
        every_time = f"{count} {'fails' if count == 1 else 'fail'} every time"
        self._context.listener(PhaseEnded(every_time if count else "nothing fails every time"))
        return {} if trouble is None else self._end(trouble, observation.suite)

    def _writer_for(self, observation: Observation) -> Thinker | None:
        """Who writes tests of the issue, where the suite leaves it open what that is about: it imports, and
        nobody named a test."""
        told = bool(self._context.task.symptom.issue.strip())
        settled = observation.named or observation.suite.collection_errors
        return self._thinker if told and not settled and self._context.runner.records_lines else None

    async def _reproduce_issue(self, thinker: Thinker, observation: Observation) -> GraphState:
        """Where the suite shows nothing, let the model write tests that show what the issue says."""
        context = self._context
        if context.store.get_blob(context.id, REPRODUCERS_NAME) is None:
            told = await thinker.write_reproducers(context, observation)
            if isinstance(told, NotReproduced):
                context.listener(PhaseEnded("nothing fails"))
                return self._end(told, observation.suite)
            context.store.put_blob(context.id, REPRODUCERS_NAME, REPRODUCERS.dump_json(told))
        count = len(self._reproducers())
        context.listener(PhaseEnded(f"{counted(count, 'test')} of the issue fail as it says"))
        return {}

    def _reproducers(self) -> tuple[Reproducer, ...]:
        recorded = self._context.store.get_blob(self._context.id, REPRODUCERS_NAME)
        return () if recorded is None else REPRODUCERS.validate_json(recorded)

    async def _within_budget(self, work: Callable[[], Awaitable[GraphState | None]]) -> GraphState:
        """Do what may ask a model; a budget that is spent ends the search, and nothing else."""
        if self._thinker is None:
            return await work() or {}
        from treemend.agents.model.ledger import BudgetSpent

        try:
            return await work() or {}
        except BudgetSpent as spent:
            return {"ended": spent.limit}

    async def _thinking(self, work: Callable[[], Awaitable[None]]) -> GraphState:
        """Do what may ask a model for thoughts. Where no more may be asked, or none answers in time, what was
        found is ranked; where nothing was, templates go on alone, if there are any, which cost nothing."""
        thinker, search = self._thinker, await self._searching()
        if thinker is None:
            await work()
            return {}
        from treemend.agents.model.client import NoAnswer
        from treemend.agents.model.ledger import BudgetSpent

        try:
            await work()
        except (BudgetSpent, NoAnswer) as ended:
            limit = ended.limit if isinstance(ended, BudgetSpent) else NO_ANSWER
            thinker.is_silent = limit == NO_ANSWER
            if search.exploration.plausible():
                return {"ended": limit}
            if not thinker.go_on_alone(self._context, WITHOUT_MODELS[limit]):
                if isinstance(ended, NoAnswer):
                    raise
                return {"ended": limit}
            await work()
        return {}

    async def _distrust(self, observation: Observation) -> NotReproduced | None:
        """Why no test result is to be believed here, None where nothing speaks against them."""
        baseline = observation.baseline
        gate = await observe_gate(self._context, baseline.targets, baseline.regression)
        return None if gate.trusted else NotReproduced(f"the tests can't be trusted: {gate.check.detail}")

    def _end(self, trouble: NotReproduced, suite: TestReport) -> GraphState:
        task = self._context.task
        said = (*suite.collection_errors.values(), *([] if suite.results else [suite.output]))
        repo = Path(task.repo)
        missing = missing_module(said, target_interpreter(task.python, repo), repo)
        reason = trouble.reason if missing is None else f"{trouble.reason}. {missing}"
        self._context.store.put_blob(self._context.id, "reason", reason.encode())
        return {"ended": NOT_REPRODUCED}

    async def plan(self, state: GraphState) -> GraphState:
        search = await self._searching("plan")
        for path, reason in search.plan.refused.items():
            self._context.listener(Noted(f"not edited: {path}: {reason}"))
        self._context.listener(PhaseEnded(search.plan.summary))
        self._context.listener(PhaseStarted("search", TRYING))
        return {}

    async def select(self, state: GraphState) -> GraphState:
        return (await self._searching()).exploration.select(state)

    async def expand(self, state: GraphState) -> GraphState:
        exploration = (await self._searching()).exploration
        return await self._thinking(lambda: exploration.expand(state))

    async def realize(self, state: GraphState) -> GraphState:
        exploration = (await self._searching()).exploration
        return await self._thinking(lambda: exploration.realize(state))

    async def evaluate(self, state: GraphState) -> GraphState:
        await (await self._searching()).exploration.evaluate(state)
        return {}

    async def rethink(self, state: GraphState) -> GraphState:
        exploration = (await self._searching()).exploration
        return await self._thinking(lambda: exploration.rethink(state))

    async def backpropagate(self, state: GraphState) -> GraphState:
        (await self._searching()).exploration.backpropagate(state)
        return {}

    async def rank(self, state: GraphState) -> GraphState:
        search = await self._searching()
        found = len(search.exploration.plausible())
        executed = search.exploration.executed
        self._context.listener(PhaseEnded(f"{counted(executed, 'candidate')} tried, {found} plausible"))
        self._context.listener(PhaseStarted("rank"))
        tests = [*self._reproducers(), *await self._further_tests(search)]
        best = await decide(self._context, search.exploration, search.evaluator, self._selector, tests)
        held = "none holds" if best is None else f"#{best.candidate} holds in cold runs of all tests"
        self._context.listener(PhaseEnded(held if found else "nothing to rank"))
        return {}

    async def _further_tests(self, search: _Search) -> list[Reproducer]:
        """Tests that a model writes to tell the plausible candidates apart, and to refute the leading one."""
        thinker, leading = self._thinker, search.exploration.leading()
        if thinker is None or thinker.is_silent or leading is None:
            return []
        from treemend.agents.model.client import NoAnswer

        context, found = self._context, list[Reproducer]()

        async def write() -> None:
            found.extend(await thinker.write_further_tests(context, await self._observation(), leading.patch))

        try:
            await self._within_budget(write)
        except NoAnswer as error:
            context.listener(Noted(error.message))
        return found

    async def report(self, state: GraphState) -> GraphState:
        self._context.listener(PhaseStarted("report"))
        outcome, reason = self._outcome(state)
        write_receipt(self._context, outcome, reason)
        self._context.store.finish_run(self._context.id, outcome, reason)
        return {}

    def _outcome(self, state: GraphState) -> tuple[Outcome, str]:
        store, run_id = self._context.store, self._context.id
        if state.get("ended") == NOT_REPRODUCED:
            return Outcome.NOT_REPRODUCED, (store.get_blob(run_id, "reason") or b"").decode()
        answer = answer_of(store, self._context.run)
        if answer is not None:
            judgement = judgement_of(store, run_id, answer.seq)
            review = judgement.review if judgement is not None else ()
            return (Outcome.NEEDS_REVIEW, "; ".join(review)) if review else (Outcome.REPAIRED, "")
        executed = sum(c.duplicate_of is None for c in store.candidates(run_id))
        nothing = NOTHING_TO_CHANGE if self._context.runner.records_lines else NOTHING_RECORDED
        why = _why_ended(state.get("ended", ""), executed, nothing)
        if executed == 0 and state.get("ended") in ("time", "usd", "tokens"):
            return Outcome.BUDGET_SPENT, why
        if any(answers_of(store, run_id).values()) and not store.ranking(run_id):
            why = "no candidate passes the tests that you called right"
        if store.ranking(run_id):
            why = "the whole suite or the judge refused every candidate that the nearer tests let through"
            first = judgement_of(store, run_id, store.ranking(run_id)[0].candidate)
            if first is not None and first.refused:
                why += f": {first.refused[0]}"
        return Outcome.NOTHING_PLAUSIBLE, why

    async def _observation(self) -> Observation:
        suite = await observe_suite(self._context)
        load_plugins = await needs_plugins(self._context, suite)
        return Observation(
            suite=suite,
            load_plugins=load_plugins,
            traced=await observe_lines(self._context, suite, load_plugins),
            repeats=await observe_repeats(self._context, suite, load_plugins),
            named=resolve_named(self._context.task.symptom.failing_tests, suite),
            reproducers=self._reproducers(),
        )

    async def _searching(self, phase: Phase = "search") -> _Search:
        """The search of this process, begun in `phase`: a resumed run plans in the midst of its search."""
        if self._search is None:
            self._context.listener(PhaseStarted(phase))
            self._search = await self._begin_search()
            if phase == "search":
                self._context.listener(Working(TRYING))
        return self._search

    async def _begin_search(self) -> _Search:
        observation = await self._observation()
        await self._check_warm(observation)
        self._context.listener(Working("thinking of causes"))
        plan = make_plan(self._context, observation)
        thinker = self._thinker
        grade = None if thinker is None else partial(thinker.grade, self._context)
        evaluator = Evaluator(self._context, observation, plan.sources, grade)
        budget = with_time_to_search(self._context.task.budget, self._began_s())
        self._context.listener(SearchBegan(budget))
        policy = (
            self._make_policy(plan)
            if thinker is None
            else thinker.policy(self._context, plan, observation, budget)
        )
        ahead = None
        if thinker is not None and observation.baseline.targets:
            ahead = Ahead(evaluator, thinker.prospects())
        exploration = Exploration(self._context, policy, evaluator, plan.symptom, budget, ahead)
        await exploration.restore()
        return _Search(plan, evaluator, exploration)

    def _began_s(self) -> float:
        """Seconds that the run had taken when its search first began."""
        store, run_id = self._context.store, self._context.id
        recorded = store.get_blob(run_id, "search began")
        if recorded is None:
            recorded = f"{self._context.elapsed_s():.3f}".encode()
            store.put_blob(run_id, "search began", recorded)
        return float(recorded)

    async def _check_warm(self, observation: Observation) -> None:
        """Let the warm runner show on the untouched tree that it sees what a cold one sees."""
        context, suite = self._context, observation.suite
        if context.warm is None:
            return
        context.listener(Working("starting a warm process for the candidates"))
        known = (*observation.baseline.targets, *observation.baseline.regression)
        tests = [test for test in known if suite.results[test].outcome != "timeout"]
        await check_agreement(context.warm, suite, tests[:COMPARED_MAX], observation.load_plugins)
        if context.warm.cold_because:
            context.listener(Noted(f"each candidate runs cold: {context.warm.cold_because}"))


def _why_ended(ended: str, executed: int, nothing: str) -> str:
    if ended == EXHAUSTED and not executed:
        return nothing
    limits = {
        "time": "the time was spent (more with --time)",
        "usd": "the dollars were spent (more with --budget-usd)",
        "tokens": "the tokens were spent (more with --budget-tokens)",
        "candidates": "the number of candidates was reached (more with --candidates)",
        "written": "the models wrote as many candidates as they may (more with --candidates)",
        NO_ANSWER: "no model answered in time",
        EXHAUSTED: "every change that the policy could think of was tried",
    }
    return f"none of {counted(executed, 'candidate')} is plausible; {limits.get(ended, ended)}"
