"""The command line: parses, makes one call, prints, and maps the answer to an exit code.

Nothing heavy is imported before a command needs it; `treemend --help` loads neither the graph nor a
model client nor the database.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Coroutine
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from treemend.agents import code_search_cli
from treemend.store.errors import TreemendError

if TYPE_CHECKING:
    from treemend.agents.api import RepairResult
    from treemend.store.database import Store
    from treemend.store.records import Run, Task

INTERRUPTED = 130
TEXT_ENDINGS = (".md", ".txt", ".rst", ".log")

app = typer.Typer(
    name="treemend",
    help="Repairs Python repositories: a patch with its evidence, or plainly none.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

code_search_cli.register(app)


class StrategyName(StrEnum):
    """How the tree of thoughts is searched."""

    mcts = "mcts"
    best_of_n = "best-of-n"


class SandboxName(StrEnum):
    """What confines the code under test."""

    auto = "auto"
    bubblewrap = "bubblewrap"
    landlock = "landlock"
    none = "none"


StoreOption = Annotated[
    str | None,
    typer.Option("--store", envvar="TREEMEND_STORE", help="Database of runs: a file or a URL."),
]
OutputOption = Annotated[
    Path | None, typer.Option(help="Folder for patch.diff, receipt.json and receipt.md.")
]
ApplyOption = Annotated[bool, typer.Option("--apply", help="Write the patch into the repository.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


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
    issue: Annotated[
        str,
        typer.Argument(help="The symptom: text, a file that holds it, or - for standard input."),
    ] = "",
    repo: Annotated[Path, typer.Option(help="The repository; it is only read.")] = Path("."),
    failing_test: Annotated[
        list[str] | None, typer.Option(help="Id of a test that should pass; may be given again.")
    ] = None,
    trace: Annotated[str, typer.Option(help="A file with a stack trace, or - for standard input.")] = "",
    junit: Annotated[Path | None, typer.Option(help="A JUnit XML report of the failure.")] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="A path or pattern that a patch may touch; may be given again."),
    ] = None,
    test_cmd: Annotated[str, typer.Option(help="The pytest command. (default: found)")] = "",
    python: Annotated[str, typer.Option(help="Interpreter that runs the tests. (default: found)")] = "",
    commit: Annotated[str, typer.Option(help="Work on this commit instead of the tree as it lies.")] = "",
    strategy: Annotated[StrategyName, typer.Option(help="How to search.")] = StrategyName.mcts,
    time: Annotated[float, typer.Option(help="Seconds after which the search ends.", min=1.0)] = 300.0,
    candidates: Annotated[int | None, typer.Option(help="Candidates to execute at most.", min=1)] = None,
    after: Annotated[
        int, typer.Option(help="Candidates to execute after the first plausible one.", min=0)
    ] = 100,
    seed: Annotated[int, typer.Option(help="Same inputs and seed give the same patch.")] = 0,
    test_timeout: Annotated[
        float | None,
        typer.Option(help="Seconds for each test. (default: from what it took before)", min=0.1),
    ] = None,
    sandbox: Annotated[SandboxName, typer.Option(help="What confines the tests.")] = SandboxName.auto,
    output: OutputOption = None,
    apply: ApplyOption = False,
    json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Find a patch for what goes wrong: an issue, failing tests, a trace; else whatever test fails.

    The diff goes to standard output and nothing else does, progress to standard error.
    """
    from treemend.agents.intake import make_task
    from treemend.store.records import Budget

    task = make_task(
        repo,
        issue=_text_or_file(issue),
        failing_tests=failing_test or (),
        trace=_read(trace) if trace else "",
        junit=_read_bytes(junit) if junit else b"",
        only=only or (),
        test_command=test_cmd,
        python=python,
        commit=commit,
        sandbox=sandbox.value,
        test_timeout_s=test_timeout,
        strategy=strategy.value,
        budget=Budget(time_s=time, candidates=candidates, after=after),
        seed=seed,
        command=("treemend", *sys.argv[1:]),
    )
    from treemend.agents.wiring import new_run
    from treemend.store.database import open_store

    opened = open_store(store)
    _carry_out(opened, new_run(opened, task), json=json, output=output, apply=apply)


@app.command()
def resume(
    run: Annotated[str, typer.Argument(help="The run's id, as `treemend runs` prints it.")],
    output: OutputOption = None,
    apply: ApplyOption = False,
    json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Go on with a run that was interrupted, or print again what a finished one answered."""
    from treemend.store.database import open_store
    from treemend.store.records import RunId

    opened = open_store(store)
    _carry_out(opened, opened.get_run(RunId(run)), json=json, output=output, apply=apply)


@app.command()
def demo(
    json: JsonOption = False,
    store: StoreOption = None,
    seed: Annotated[int, typer.Option(help="Same seed, same search.")] = 0,
) -> None:
    """Repair a small buggy shop that ships with treemend, and show the search as it goes."""
    from treemend.agents.demo_shop import demo_task
    from treemend.agents.wiring import new_run
    from treemend.store.database import open_store

    opened = open_store(store)
    _carry_out(opened, new_run(opened, demo_task(seed)), json=json, output=None, apply=False)


@app.command()
def runs(
    limit: Annotated[int, typer.Option(help="How many, newest first.", min=1)] = 20,
    json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """List the runs."""
    from treemend.agents.presentation import print_runs
    from treemend.store.database import open_store

    print_runs(open_store(store).runs(limit), as_json=json)


@app.command()
def show(
    run: Annotated[str, typer.Argument(help="The run's id, as `treemend runs` prints it.")],
    patch: Annotated[bool, typer.Option("--patch", help="Print the patch alone.")] = False,
    json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Show a run's receipt: the answer and the evidence for it."""
    from treemend.agents.api import result_of
    from treemend.agents.presentation import print_patch, print_receipt
    from treemend.store.database import open_store
    from treemend.store.records import RunId

    opened = open_store(store)
    result = result_of(opened, opened.get_run(RunId(run)))
    if patch:
        print_patch(result.patch)
    else:
        print_receipt(result.receipt, as_json=json)


def _carry_out(store: Store, run: Run, *, json: bool, output: Path | None, apply: bool) -> NoReturn:
    """Work on a run with its progress on stderr, print the answer, and exit as it says."""
    import asyncio

    from treemend.agents.api import result_of
    from treemend.agents.presentation import make_output, print_answer, write_output
    from treemend.agents.screen import make_screen
    from treemend.agents.wiring import carry_out

    if output is not None:
        make_output(output)
    try:
        with make_screen(run.task) as screen:
            ended = asyncio.run(_until_terminated(carry_out(store, run, screen.show)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print(f"Interrupted. Go on with: treemend resume {run.id}", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    result = result_of(store, ended)
    if output is not None:
        write_output(result, output)
    if apply and result.patch:
        _apply(run.task, result)
    print_answer(result, as_json=json)
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
    print(f"Applied to {task.repo}.", file=sys.stderr)


def _text_or_file(value: str) -> str:
    """The issue's text: from standard input, from the file of this name, or the value itself."""
    from treemend.store.errors import UsageError

    if value == "-" or _is_file(value):
        return _read(value)
    if len(value.split()) == 1 and value.endswith(TEXT_ENDINGS):
        raise UsageError(
            f"There is no file {value}.", mend="Give the issue as text, or the path of a file that holds it."
        )
    return value


def _is_file(value: str) -> bool:
    try:
        return bool(value) and Path(value).is_file()
    except (OSError, ValueError):
        # Longer than a file's name can be: a text.
        return False


def _read(name: str) -> str:
    data = sys.stdin.buffer.read() if name == "-" else _read_bytes(Path(name))
    return data.decode("utf-8", "replace")


def _read_bytes(path: Path) -> bytes:
    from treemend.store.errors import UsageError

    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{path} can't be read: {error.strerror}.", mend="Give the path of a readable file."
        ) from error


def main() -> None:
    """The console script. A user's mistake ends in two lines and its exit code, with no traceback."""
    # A stream that the caller closed is a place where nobody reads.
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    try:
        app()
    except TreemendError as error:
        print(f"treemend: {error.message}\n{error.mend}", file=sys.stderr)
        sys.exit(error.exit_code)
