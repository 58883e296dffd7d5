"""The command line: parses, makes one call, prints, and maps the answer to an exit code.

Nothing heavy is imported before a command needs it; `treemend --help` loads neither the graph nor a
model client nor the database.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Coroutine, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.main import get_command_name

from treemend.agents.commands import code_search, locate, options
from treemend.agents.commands.sandbox import sandbox_command
from treemend.store.errors import TreemendError

if TYPE_CHECKING:
    from treemend.agents.api import RepairResult
    from treemend.agents.screens.screen import Detail
    from treemend.store.database import Store
    from treemend.store.records import Run, Task

INTERRUPTED = 130

app = typer.Typer(
    name="treemend",
    help="Repairs Python repositories: a patch with its evidence, or plainly none.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

code_search.register(app)
locate.register(app)


app.command("sandbox", context_settings={"allow_interspersed_args": False})(sandbox_command)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(version("treemend"))
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    pass


@app.command()
def fix(
    issue: options.Issue = "",
    repo: options.Repo = Path("."),
    failing_test: options.FailingTest = None,
    trace: options.Trace = "",
    junit: options.Junit = None,
    only: options.Only = None,
    test_cmd: options.TestCmd = "",
    junit_report: options.JunitReport = None,
    python: options.Python = "",
    commit: options.Commit = "",
    strategy: options.Strategy = options.StrategyName.mcts,
    time: options.Time = 300.0,
    candidates: options.Candidates = None,
    after: options.After = None,
    model: options.Model = None,
    api_base: options.ApiBase = "",
    budget_usd: options.BudgetUsd = None,
    budget_tokens: options.BudgetTokens = None,
    dry_run: options.DryRun = False,
    ask: options.Ask = False,
    record: options.Record = None,
    replay: options.Replay = None,
    seed: options.Seed = 0,
    test_timeout: options.TestTimeout = None,
    sandbox: options.Sandbox = options.SandboxName.auto,
    output: options.Output = None,
    apply: options.Apply = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    store: options.Store = None,
) -> None:
    """Find a patch for what goes wrong: an issue, failing tests, a trace; else whatever test fails.

    The diff goes to standard output and nothing else does, progress to standard error.
    """
    from treemend.agents.commands.reading import read_bytes, read_issue, read_text
    from treemend.agents.intake import make_task
    from treemend.agents.model.settings import check_prices, model_budget, parse_models

    wanted = _wanted(json=json, output=output, apply=apply, quiet=quiet, verbose=verbose, ask=ask)
    models = parse_models(model or (), api_base=api_base, record=record or "", replay=replay or "")
    budget = model_budget(time, candidates, after, budget_usd, budget_tokens, models)
    task = make_task(
        repo,
        issue=read_issue(issue),
        failing_tests=failing_test or (),
        trace=read_text(trace) if trace else "",
        junit=read_bytes(junit) if junit else b"",
        only=only or (),
        test_command=test_cmd,
        junit_reports=junit_report or (),
        python=python,
        commit=commit,
        sandbox=sandbox.value,
        test_timeout_s=test_timeout,
        strategy=strategy.value,
        budget=budget,
        models=models,
        seed=seed,
        command=("treemend", *sys.argv[1:]),
    )
    if dry_run:
        _tell_cost(task)
    if models is not None:
        check_prices(models, budget)
    _start(task, store, wanted)


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="The question, in words, or - for standard input.")],
    repo: options.Repo = Path("."),
    time: options.AskingTime = 300.0,
    model: options.Model = None,
    api_base: options.ApiBase = "",
    budget_usd: options.BudgetUsd = None,
    budget_tokens: options.BudgetTokens = None,
    record: options.Record = None,
    replay: options.Replay = None,
    json: options.Json = False,
) -> None:
    """Let a model answer a question about the repository; every place that it cites is looked up."""
    import asyncio

    from treemend.agents.commands.presentation import print_answered
    from treemend.agents.commands.reading import read_issue
    from treemend.agents.model.settings import check_prices, parse_models
    from treemend.agents.model_policy.asking import answer_question
    from treemend.store.errors import UsageError
    from treemend.store.records import Budget

    models = parse_models(model or (), api_base=api_base, record=record or "", replay=replay or "")
    if models is None:
        raise UsageError(
            "A question needs a model.", mend="Name one with --model; `treemend search` needs none."
        )
    budget = Budget(time_s=time, usd=budget_usd, tokens=budget_tokens)
    check_prices(models, budget)
    answered = asyncio.run(answer_question(read_issue(question), repo, models, budget))
    print_answered(answered, as_json=json)
    raise typer.Exit(0 if answered.citations else code_search.NOTHING_FOUND)


def _tell_cost(task: Task) -> NoReturn:
    """Print what models may cost at most, and end."""
    from treemend.agents.commands.presentation import print_cost
    from treemend.agents.model_policy.cost import most_by_role

    print_cost(most_by_role(task), task.budget)
    raise typer.Exit(0)


@app.command()
def verify(
    patch: options.Patch,
    repo: options.Repo = Path("."),
    failing_test: options.FailingTest = None,
    issue: options.IssueOption = "",
    test_cmd: options.TestCmd = "",
    junit_report: options.JunitReport = None,
    python: options.Python = "",
    commit: options.Commit = "",
    test_timeout: options.TestTimeout = None,
    sandbox: options.Sandbox = options.SandboxName.auto,
    allow_test_edits: options.AllowTestEdits = False,
    output: options.Output = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    store: options.Store = None,
) -> None:
    """Judge a patch that somebody else made, by the rules of treemend's own candidates.

    Exit code 0: accepted; 3: somebody should look at it; 4: refused; 7: the tests can't tell. The verdict
    goes to standard output.
    """
    from treemend.agents.commands.reading import read_issue, read_patch
    from treemend.agents.intake import make_task
    from treemend.store.records import Budget

    wanted = _wanted(json=json, output=output, quiet=quiet, verbose=verbose)
    data = read_patch(patch)
    task = make_task(
        repo,
        kind="verify",
        issue=read_issue(issue),
        failing_tests=failing_test or (),
        test_command=test_cmd,
        junit_reports=junit_report or (),
        python=python,
        commit=commit,
        sandbox=sandbox.value,
        test_timeout_s=test_timeout,
        allow_test_edits=allow_test_edits,
        budget=Budget(time_s=None),
        command=("treemend", *sys.argv[1:]),
    )
    _start(task, store, wanted, data)


@app.command()
def resume(
    run: options.RunArgument,
    output: options.Output = None,
    apply: options.Apply = False,
    ask: options.Ask = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    store: options.Store = None,
) -> None:
    """Go on with a run that was interrupted, or print again what a finished one answered."""
    from treemend.store.database import open_store
    from treemend.store.records import RunId

    wanted = _wanted(json=json, output=output, apply=apply, quiet=quiet, verbose=verbose, ask=ask)
    opened = open_store(store)
    _carry_out(opened, opened.get_run(RunId(run)), wanted)


@app.command()
def demo(
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    store: options.Store = None,
    seed: options.Seed = 0,
) -> None:
    """Repair a small buggy shop that ships with treemend, and show the search as it goes."""
    from treemend.agents.commands.demo_shop import demo_task

    _start(demo_task(seed), store, _wanted(json=json, quiet=quiet, verbose=verbose))


@app.command()
def doctor(
    repo: options.Repo = Path("."),
    python: options.Python = "",
    json: options.Json = False,
    store: options.Store = None,
) -> None:
    """Say what a run needs of this machine, what is missing, and how to mend that."""
    import asyncio

    from treemend.agents.commands.doctor import examine, exit_code_of
    from treemend.agents.commands.presentation import print_checks

    checks = asyncio.run(examine(repo, python, store))
    print_checks(checks, as_json=json)
    raise typer.Exit(exit_code_of(checks))


@app.command()
def env(
    repo: options.Repo = Path("."),
    python: options.Python = "",
    build: Annotated[
        bool, typer.Option("--build", help="Build one from the declared dependencies, of wheels alone.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Show what the tests of a repository run with, and why; build an environment for them.

    Nothing of the repository is executed. Only --build uses the network, in a sandbox of its own.
    """
    from treemend.agents.commands import environment
    from treemend.agents.commands.presentation import print_environment

    found = environment.build(repo, python) if build else environment.describe_environment(repo, python)
    print_environment(found, as_json=json)


@app.command()
def runs(
    limit: Annotated[int, typer.Option(help="How many, newest first.", min=1)] = 20,
    json: options.Json = False,
    store: options.Store = None,
) -> None:
    """List the runs."""
    from treemend.agents.commands.presentation import print_runs
    from treemend.store.database import open_store

    print_runs(open_store(store).runs(limit), as_json=json)


@app.command()
def show(
    run: options.RunArgument,
    patch: Annotated[bool, typer.Option("--patch", help="Print the patch alone.")] = False,
    json: options.Json = False,
    store: options.Store = None,
) -> None:
    """Show a run's receipt: the answer and the evidence for it."""
    from treemend.agents.api import result_of
    from treemend.agents.commands.presentation import print_patch, print_receipt
    from treemend.store.database import open_store
    from treemend.store.records import RunId

    opened = open_store(store)
    result = result_of(opened, opened.get_run(RunId(run)))
    if patch:
        print_patch(result.patch)
        if not result.patch:
            print(f"Run {result.run} has no patch: {result.reason}.", file=sys.stderr)
    else:
        print_receipt(result.receipt, as_json=json)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What becomes of an answer, and how much is told on the way to it."""

    json: bool
    output: Path | None
    apply: bool
    detail: Detail
    ask: bool


def _wanted(
    *,
    json: bool,
    quiet: bool,
    verbose: bool,
    output: Path | None = None,
    apply: bool = False,
    ask: bool = False,
) -> _Wanted:
    if quiet and verbose:
        from treemend.store.errors import UsageError

        raise UsageError("--quiet and --verbose contradict each other.", mend="Give one of them.")
    detail: Detail = "quiet" if quiet else "verbose" if verbose else "usual"
    return _Wanted(json, output, apply, detail, ask)


def _start(task: Task, store: str | None, wanted: _Wanted, patch: bytes = b"") -> NoReturn:
    from treemend.agents.runs import new_run
    from treemend.store.database import open_store

    opened = open_store(store)
    _carry_out(opened, new_run(opened, task, patch), wanted)


def _carry_out(store: Store, run: Run, wanted: _Wanted) -> NoReturn:
    """Work on a run with its progress on stderr, print the answer, and exit as it says."""
    import asyncio

    from treemend.agents.api import result_of
    from treemend.agents.commands.presentation import make_output, print_answer, print_summary, write_output
    from treemend.agents.screens.screen import make_screen
    from treemend.agents.screens.terminal_questions import ask_on_terminal
    from treemend.agents.wiring import carry_out

    if wanted.output is not None:
        make_output(wanted.output)
    try:
        spent_s = sum(spend.wall_s for spend in store.spend(run.id))
        asker = ask_on_terminal if wanted.ask else None
        with make_screen(run.task, wanted.detail, spent_s=spent_s, asks=wanted.ask) as screen:
            work = carry_out(store, run, screen.show, asker, shows_answers=screen.shows_answers)
            ended = asyncio.run(_until_terminated(work))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print(f"Interrupted. Go on with: treemend resume {run.id}", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    result = result_of(store, ended)
    if wanted.output is not None:
        write_output(result, wanted.output)
    if wanted.apply and result.patch:
        _apply(run.task, result)
    print_answer(result, as_json=wanted.json)
    if wanted.detail != "quiet":
        print_summary(result, applied=wanted.apply)
    raise typer.Exit(result.exit_code)


async def _until_terminated(work: Coroutine[Any, Any, Run]) -> Run:
    """Let SIGTERM end the work as Ctrl-C does."""
    import asyncio
    import signal

    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def _apply(task: Task, result: RepairResult) -> None:
    from treemend.tools.patches import apply_patch_to_checkout

    apply_patch_to_checkout(Path(task.repo), result.patch)


def _app_for(arguments: Sequence[str]) -> typer.Typer:
    """The command line with the command that is asked for alone, since each one takes its time to be made."""
    name = next((word for word in arguments if not word.startswith("-")), "")
    known = [
        one
        for one in app.registered_commands
        if name == one.name or (one.callback and name == get_command_name(one.callback.__name__))
    ]
    chosen = copy(app)
    chosen.registered_commands = known or app.registered_commands
    return chosen


def main() -> None:
    """The console script. A user's mistake ends in two lines and its exit code, with no traceback."""
    # A stream that the caller closed is a place where nobody reads.
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    try:
        _app_for(sys.argv[1:])()
    except TreemendError as error:
        print(f"treemend: {error.message}\n{error.mend}", file=sys.stderr)
        sys.exit(error.exit_code)
