"""The composition root: from a task to a running graph. It alone names implementations."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from treemend.agents.judging.verification import verify_submitted
from treemend.agents.planning import Plan
from treemend.agents.policy import Policy
from treemend.agents.progress import AnswerGrew, Listener, Noted, SuiteProgress, ignore
from treemend.agents.run_context import RunContext
from treemend.agents.runners import make_runners
from treemend.agents.state import GRAPH_VERSION, GraphState
from treemend.agents.steps import Steps
from treemend.agents.template_policy.policy import TemplatePolicy
from treemend.store.database import Store
from treemend.store.errors import StoreError, UsageError
from treemend.store.records import Outcome, Run, RunId
from treemend.store.state import state_folder
from treemend.verify.b4 import B4
from treemend.verify.sandboxes import find_sandbox, sweep_leftovers

if TYPE_CHECKING:
    from treemend.agents.model_policy.thinker import Thinker
    from treemend.agents.run_context import AskPerson

RECURSION_LIMIT = 10_000_000
"""LangGraph's bound on steps, set out of reach: the budget of the run ends it."""


async def carry_out(
    store: Store, run: Run, listener: Listener, ask: AskPerson | None = None, *, shows_answers: bool = False
) -> Run:
    """Work on a run until it has an outcome, from wherever it stands.

    `ask` asks a person, where one is there. With `shows_answers` the listener is told how the models' answers
    grow. Cancelling leaves it resumable. Returns the run as recorded at its end.

    Raises:
        UsageError: the task can't be worked on (the run is then recorded as failed).
        StoreError: the run was made by another version of the graph, or someone else works on it.
        SandboxUnavailableError: nothing here can confine the tests.
    """
    if run.graph_version != GRAPH_VERSION:
        raise StoreError(
            f"Run {run.id} was begun by treemend {run.treemend_version}, whose steps differ.",
            mend=f"Start it anew with `treemend {run.task.kind}`, or resume it with that version.",
        )
    if run.outcome is not None:
        return run
    with store.claim(run.id):
        try:
            await _work(store, run, listener, ask, shows_answers)
        except UsageError as error:
            store.finish_run(run.id, Outcome.FAILED, error.message)
            _forget_folder(run)
            raise
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"Run {run.id} can't go on: {error}.",
                mend="Free space in, or give write access to, the state folder; then go on with: "
                f"treemend resume {run.id}",
            ) from error
    _forget_folder(run)
    return store.get_run(run.id)


async def _work(
    store: Store, run: Run, listener: Listener, ask: AskPerson | None, shows_answers: bool
) -> None:
    context = open_context(store, run, listener, ask)
    if run.task.kind == "verify":
        await verify_submitted(context)
        return
    thinker = _thinker(context, shows_answers)
    steps = Steps(context, _template_policy(run.task.seed), B4(), thinker)
    context.folder.mkdir(parents=True, exist_ok=True)
    from treemend.agents.checkpoints import open_checkpoints
    from treemend.agents.graph import build_graph

    async with open_checkpoints(context.folder / "checkpoints.db") as saver:
        graph = build_graph(steps, saver)
        config: Any = {
            "configurable": {"thread_id": run.id},
            "recursion_limit": RECURSION_LIMIT,
        }
        begun = await saver.aget_tuple(config) is not None
        first = None if begun else GraphState(run_id=run.id, graph_version=GRAPH_VERSION)
        try:
            await graph.ainvoke(first, config, durability="sync")
        finally:
            if context.warm is not None:
                await context.warm.close()
            if thinker is not None:
                await thinker.close()


def open_context(
    store: Store, run: Run, listener: Listener = ignore, ask: AskPerson | None = None
) -> RunContext:
    """The services that a run works with. Raises SandboxUnavailableError where nothing can confine tests."""
    task = run.task
    sweep_leftovers()
    _sweep_folders(store)
    sandbox = find_sandbox(task.sandbox)
    folder = _folder(run)
    runners = make_runners(
        sandbox,
        Path(task.repo),
        folder / "tree",
        test_command=task.test_command,
        junit_reports=task.junit_reports,
        python=task.python,
        progress=lambda done, total: listener(SuiteProgress(done, total)),
    )
    if runners.because:
        listener(Noted(f"tests run with `{runners.command}`: {runners.because}"))
    spent = store.spend(run.id)
    return RunContext(
        store=store,
        run=run,
        folder=folder,
        sandbox=sandbox,
        runner=runners.on(folder / "tree"),
        warm=runners.warm,
        target=runners.target,
        runner_on=runners.on,
        listener=listener,
        ask=ask,
        spent_before_s=sum(spend.wall_s for spend in spent),
        tests_run=sum(spend.tests_run for spend in spent),
    )


def _thinker(context: RunContext, shows_answers: bool) -> Thinker | None:
    models = context.task.models
    if models is None:
        return None
    from treemend.agents.model_policy.thinker import open_thinker

    def grew(chars: int) -> None:
        context.listener(AnswerGrew(chars))

    on_growth = grew if shows_answers else None
    return open_thinker(context.store, context.run, models, context.elapsed_s, on_growth)


def _template_policy(seed: int) -> Any:
    def make(plan: Plan) -> Policy:
        return TemplatePolicy(plan, seed)

    return make


def _folder(run: Run) -> Path:
    return state_folder() / "runs" / run.id


def _sweep_folders(store: Store) -> None:
    """Remove the private trees of runs that have ended and were killed before they could."""
    for folder in (state_folder() / "runs").glob("*"):
        # A run of another store is that store's own.
        with suppress(UsageError):
            run = store.get_run(RunId(folder.name))
            if run.id == folder.name and run.outcome is not None:
                _forget_folder(run)


def _forget_folder(run: Run) -> None:
    shutil.rmtree(_folder(run), ignore_errors=True)
