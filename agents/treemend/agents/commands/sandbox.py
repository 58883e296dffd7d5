"""`treemend sandbox`: any command in the sandbox of a run, on the copy that a run would make."""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from treemend.tools.worktree import PrivateTree
    from treemend.verify.sandbox import Command, CommandResult, Limits, Sandbox

TIMED_OUT = 124
_SIGNALLED = 128
_UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


class Mechanism(StrEnum):
    """What confines the command."""

    auto = "auto"
    bubblewrap = "bubblewrap"
    landlock = "landlock"


def sandbox_command(
    command: Annotated[list[str], typer.Argument(help="The program and its arguments.", metavar="COMMAND")],
    workspace: Annotated[
        Path, typer.Option(help="The folder whose copy the command works on; it is only read.")
    ] = Path("."),
    time: Annotated[
        float, typer.Option(help="Seconds after which everything is killed (exit 124).", min=0.01)
    ] = 60.0,
    sandbox: Annotated[Mechanism, typer.Option(help="What confines the command.")] = Mechanism.auto,
    report: Annotated[
        bool, typer.Option("--report", help="Say on standard error what confined it, and how it ended.")
    ] = False,
) -> None:
    """Run any command in exactly the sandbox of a run, on a private copy of a folder.

    The copy holds what a run's tests see: what git tracks or would not ignore; history, caches and virtual
    environments are left out. Standard input is empty. The exit code is the command's, 124 at the time limit,
    128 + n where signal n ended it (137 at any other limit).
    """
    from treemend.agents.commands.pass_through import run_passing_through
    from treemend.tools.worktree import make_private_tree
    from treemend.verify.sandboxes import find_sandbox, sweep_leftovers
    from treemend.verify.staging import private_folder

    sweep_leftovers()
    mechanism = find_sandbox(sandbox.value)
    with private_folder() as private:
        copy = make_private_tree(workspace, private / "tree")
        made = _command(command, workspace.resolve(), copy.root, time)
        result = run_passing_through(mechanism, made)
    if report:
        print(*_report(mechanism, made.limits, copy, result), sep="\n", file=sys.stderr)
    elif result.ended_by not in ("exit", "signal"):
        print(f"treemend: {_ending(made.limits, result)}", file=sys.stderr)
    raise typer.Exit(_exit_code(result))


def _command(argv: list[str], workspace: Path, tree: Path, wall_s: float) -> Command:
    """As a run starts its tests: with the interpreter of the workspace, and nothing of this environment."""
    from treemend.agents.target_python import target_interpreter
    from treemend.verify.sandbox import Command, Limits

    interpreter = target_interpreter(_named_interpreter(argv[0], workspace), workspace)
    return Command(
        argv=tuple(argv),
        tree=tree,
        at=workspace,
        readable=(*interpreter.readable, *_named_program(argv[0], workspace)),
        env={"PATH": f"{interpreter.path.parent}:/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"},
        limits=replace(Limits(), wall_s=wall_s),
    )


def _named_interpreter(program: str, workspace: Path) -> str:
    """The program, where it is a Python named by its path outside of the workspace; else none."""
    path = Path(program)
    outside = path.is_absolute() and not path.is_relative_to(workspace)
    return program if outside and path.name.startswith("python") and shutil.which(program) else ""


def _named_program(program: str, workspace: Path) -> tuple[Path, ...]:
    path = Path(program)
    if not path.is_absolute() or path.is_relative_to(workspace) or not path.is_file():
        return ()
    return (path, path.resolve())


# -- what is told --------------------------------------------------------------------------------


def _exit_code(result: CommandResult) -> int:
    if result.ended_by in ("time", "deadline"):
        return TIMED_OUT
    return result.exit_code if result.exit_code >= 0 else _SIGNALLED - result.exit_code


def _report(sandbox: Sandbox, limits: Limits, copy: PrivateTree, result: CommandResult) -> Iterator[str]:
    yield f"sandbox: {sandbox.name}"
    yield f"ended: {_ending(limits, result)}, after {result.wall_s:.2f} s"
    yield f"limits: {_limits(limits)}"
    for sentence in sandbox.not_covered:
        yield f"not covered: {sentence}"
    for note in copy.notes:
        yield f"copy: {note}"


def _ending(limits: Limits, result: CommandResult) -> str:
    if result.ended_by == "exit":
        return f"exit code {result.exit_code}"
    if result.ended_by == "signal":
        number = -result.exit_code
        known = number in signal.valid_signals() and number in list(signal.Signals)
        return f"killed by {signal.Signals(number).name if known else f'signal {number}'}"
    return {
        "time": f"killed at the limit of time ({limits.wall_s:g} s)",
        "deadline": f"killed at the limit of time ({limits.wall_s:g} s)",
        "memory": f"killed at the limit of memory ({_size(limits.memory_bytes)})",
        "disk": f"killed at the limit of disk ({_room(limits)})",
        "output": f"killed at the limit of output ({_size(limits.output_bytes)})",
    }[result.ended_by]


def _limits(limits: Limits) -> str:
    return ", ".join(
        (
            f"{limits.wall_s:g} s",
            f"{limits.cpu_s:g} s of CPU time for each process",
            f"{_size(limits.memory_bytes)} of memory",
            f"{limits.processes} processes",
            f"{_room(limits)} on disk",
            f"{_size(limits.file_bytes)} for each file",
            f"{_size(limits.output_bytes)} for each stream of output",
        )
    )


def _room(limits: Limits) -> str:
    return f"{_size(limits.tree_bytes)} in {limits.files} files"


def _size(count_bytes: int) -> str:
    for unit, name in _UNITS:
        if count_bytes >= unit and count_bytes % unit == 0:
            return f"{count_bytes // unit} {name}"
    return f"{count_bytes} bytes"
