"""The Python API: `repair` a repository, from a program.

It prints nothing and its import is cheap; the heavy parts load with the first call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from treemend.agents.exit_codes import BY_OUTCOME
from treemend.agents.progress import Listener, ignore
from treemend.store.records import Budget, Outcome, RunId, Strategy, Task

if TYPE_CHECKING:
    from treemend.agents.intake import SandboxChoice
    from treemend.agents.receipts.receipt import Receipt
    from treemend.agents.run_context import AskPerson
    from treemend.store.database import Store
    from treemend.store.records import Run

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class RepairResult:
    """What a run answered.

    Attributes:
        outcome: How it ended; `reason` says why where there is no patch.
        patch: A unified diff that `git apply` takes, b"" where there is none.
        receipt: The evidence.
    """

    run: RunId
    outcome: Outcome
    reason: str
    patch: bytes
    receipt: Receipt

    @property
    def exit_code(self) -> int:
        """What the command line exits with for this outcome."""
        return BY_OUTCOME[self.outcome]


async def repair_async(
    repo: str | Path,
    *,
    issue: str = "",
    failing_tests: Sequence[str] = (),
    trace: str = "",
    junit: bytes = b"",
    only: Sequence[str] = (),
    test_command: str = "",
    junit_reports: Sequence[str] = (),
    python: str = "",
    commit: str = "",
    sandbox: SandboxChoice = "auto",
    test_timeout_s: float | None = None,
    strategy: Strategy = "mcts",
    budget: Budget | None = None,
    models: Sequence[str] = (),
    api_base: str = "",
    record: str | Path = "",
    replay: str | Path = "",
    seed: int = 0,
    on_event: Listener = ignore,
    ask: AskPerson | None = None,
    store: str | Path | None = None,
) -> RepairResult:
    """Look for a patch that mends the symptom; with no symptom given, whatever test fails.

    Args:
        repo: The repository's folder; it is read, never written.
        issue: The symptom in words.
        failing_tests: Ids of tests that fail and should pass; an id may stand for a class or a file.
        trace: A stack trace, as text.
        junit: A JUnit XML report, whose failures are taken as failing tests.
        only: Files, folders or patterns that a patch may touch; () is all but what judges it.
        test_command: The command that runs the project's tests, "" to find it.
        junit_reports: Patterns of the JUnit XML files that it writes, where they are to tell.
        python: The interpreter that runs the tests, "" to find it.
        commit: The commit to repair, "" for the tree as it lies.
        sandbox: What confines the tests.
        test_timeout_s: Seconds for one test; None derives them from the suite's own time.
        budget: The limits, 300 seconds by default; with models also 40 candidates that they write, and 5
            candidates after the first plausible one.
        models: Models that think, by litellm's names, or `role=model`; () thinks with templates alone.
        api_base: The address of a model server of one's own.
        record: A folder that completions are kept in.
        replay: A folder that completions come from, with no network.
        on_event: Is told what goes on, in this thread, while it goes on.
        ask: Asks a person which of a model's tests are right, where candidates part (`questions.Question`).
        store: Where runs are recorded; None is the user's state folder.

    Cancelling the task ends the run at once and leaves it resumable.

    Raises:
        UsageError: the repository or a test isn't there, or there are no tests.
        SandboxUnavailableError: nothing on this machine can confine the tests.
        StoreError: the state folder or the database can't be used.
        ModelError: no model can be reached; the run can be resumed.
    """
    from treemend.agents.intake import make_task
    from treemend.agents.model.settings import check_prices, model_budget, parse_models
    from treemend.store.database import open_store

    chosen = parse_models(models, api_base=api_base, record=record, replay=replay)
    limits = budget or model_budget(Budget().time_s, None, None, None, None, chosen)
    if chosen is not None:
        check_prices(chosen, limits)
    task = make_task(
        repo,
        issue=issue,
        failing_tests=failing_tests,
        trace=trace,
        junit=junit,
        only=only,
        test_command=test_command,
        junit_reports=junit_reports,
        python=python,
        commit=commit,
        sandbox=sandbox,
        test_timeout_s=test_timeout_s,
        strategy=strategy,
        budget=limits,
        models=chosen,
        seed=seed,
    )
    return await run_task(open_store(store), task, on_event, ask)


def _blocking(function: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, R]:
    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        return asyncio.run(function(*args, **kwargs))

    return run


repair = _blocking(repair_async)
"""`repair_async` for programs without an event loop, with the same arguments."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What became of a patch that somebody else made.

    Attributes:
        outcome: ACCEPTED, NEEDS_REVIEW, REFUSED, or NOT_REPRODUCED where the tests can't tell.
        reason: Why it isn't accepted, "" where it is.
        receipt: The evidence, with each check that was made (`receipt.judgement`).
    """

    run: RunId
    outcome: Outcome
    reason: str
    receipt: Receipt

    @property
    def exit_code(self) -> int:
        """What the command line exits with for this outcome."""
        return BY_OUTCOME[self.outcome]


async def verify_async(
    patch: bytes | str,
    repo: str | Path,
    *,
    failing_tests: Sequence[str] = (),
    issue: str = "",
    test_command: str = "",
    python: str = "",
    commit: str = "",
    test_timeout_s: float | None = None,
    allow_test_edits: bool = False,
    on_event: Listener = ignore,
    store: str | Path | None = None,
) -> Verification:
    """Judge a unified diff by the rules of treemend's own candidates.

    Args:
        patch: The diff against the tree as it lies, or as it was at `commit`.
        repo: The repository's folder; it is read, never written.
        failing_tests: Tests that fail now and should pass with the patch; () is whatever fails every time.
        issue: The symptom in words, for the receipt.
        allow_test_edits: Judge the patch with its own version of tests and of what configures them.
        test_command, python, commit, test_timeout_s, on_event, store: As for `repair`.

    Raises:
        UsageError: the patch does not apply, the repository or a test isn't there, or there are no tests.
        SandboxUnavailableError: nothing on this machine can confine the tests.
        StoreError: the state folder or the database can't be used.
    """
    from treemend.agents.intake import make_task
    from treemend.agents.runs import new_run
    from treemend.agents.wiring import carry_out
    from treemend.store.database import open_store

    task = make_task(
        repo,
        kind="verify",
        issue=issue,
        failing_tests=failing_tests,
        test_command=test_command,
        python=python,
        commit=commit,
        test_timeout_s=test_timeout_s,
        allow_test_edits=allow_test_edits,
        budget=Budget(time_s=None),
    )
    data = patch.encode("utf-8", "surrogateescape") if isinstance(patch, str) else patch
    opened = open_store(store)
    ended = result_of(opened, await carry_out(opened, new_run(opened, task, data), on_event))
    return Verification(ended.run, ended.outcome, ended.reason, ended.receipt)


verify = _blocking(verify_async)
"""`verify_async` for programs without an event loop, with the same arguments."""


async def run_task(
    store: Store, task: Task, on_event: Listener = ignore, ask: AskPerson | None = None
) -> RepairResult:
    """Record a task as a new run and carry it out."""
    from treemend.agents.runs import new_run
    from treemend.agents.wiring import carry_out

    return result_of(store, await carry_out(store, new_run(store, task), on_event, ask))


def result_of(store: Store, run: Run) -> RepairResult:
    """The recorded answer of a run that has ended."""
    from treemend.agents.receipts.receipt import answer_of, read_receipt
    from treemend.store.errors import UsageError

    receipt = read_receipt(store, run)
    if run.outcome is Outcome.FAILED:
        raise UsageError(f"Run {run.id} failed: {run.reason}", mend="Start another with: treemend fix")
    if run.outcome is None or receipt is None:
        raise UsageError(
            f"Run {run.id} has no answer yet: it was interrupted, or is still at work.",
            mend=f"Go on with it: treemend resume {run.id}",
        )
    answer = answer_of(store, run)
    return RepairResult(
        run=run.id,
        outcome=run.outcome,
        reason=run.reason,
        patch=answer.patch if answer else b"",
        receipt=receipt,
    )
