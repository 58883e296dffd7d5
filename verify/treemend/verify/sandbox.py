"""The seam between treemend and whatever confines the code under test.

A sandbox runs one command on a fresh, private, writable copy of a tree. Nothing that the command
does outlives the call: not its processes, not its files. What comes back are its exit, its output
and the bytes it wrote to the report pipe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one command. A sandbox that can't hold one of them says so in `not_covered`."""

    wall_s: float = 60.0
    cpu_s: float = 600.0
    memory_bytes: int = 2 << 30
    processes: int = 256
    file_bytes: int = 256 << 20
    tree_bytes: int = 1 << 30
    files: int = 400_000
    output_bytes: int = 1 << 20
    report_bytes: int = 64 << 20


Stream = Literal["stdout", "stderr"]


@dataclass(frozen=True, slots=True)
class Command:
    """One command on one tree.

    Attributes:
        argv: Program and arguments; the program is an absolute path, or found on its PATH.
        tree: Host folder that is copied in; it is never written.
        at: Where the copy appears to the command, if the mechanism can do so (`places_tree`).
        overlay: Files put over the copy before the command starts, by path relative to the tree.
        readable: Host files and folders that the command may read, at their own paths.
        env: The whole environment of the command (PATH, HOME and TMPDIR are set where absent).
        stdin: What the command reads on its standard input.
        on_start: Called once it was started, with a function that writes more to its standard
            input, which then stays open until the end. None closes the input behind `stdin`.
        on_report: Called in the caller's process with each chunk written to the report pipe, as it
            comes; the command finds the pipe's number in TREEMEND_REPORT_FD. Returning a number
            sets a new deadline, that many seconds from now, at which everything is killed.
        on_output: Called with each chunk of output that is kept, as it comes; it may not raise.
        network: Whether it may use the machine's network: for a step that runs nothing of a repository's.
    """

    argv: Sequence[str]
    tree: Path
    at: Path
    overlay: Mapping[str, bytes] = field(default_factory=dict)
    readable: Sequence[Path] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes = b""
    on_start: Callable[[Callable[[bytes], None]], None] | None = None
    limits: Limits = Limits()
    on_report: Callable[[bytes], float | None] | None = None
    on_output: Callable[[Stream, bytes], None] | None = None
    network: bool = False


Ending = Literal["exit", "signal", "time", "memory", "disk", "output", "deadline"]


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How a command ended. A command that fails is a result; a sandbox that breaks is an error.

    `ended_by` is "exit" with `exit_code`, "signal" with the negative signal number in `exit_code`
    (an exit code of 128 + n counts as signal n, as in a shell), or the limit at which treemend
    killed it ("deadline" is one that `on_report` set); `exit_code` is -9 then.
    `stdout` and `stderr` are cut at the limit of output, their first bytes kept.
    """

    exit_code: int
    ended_by: Ending
    stdout: bytes
    stderr: bytes
    wall_s: float


class Sandbox(Protocol):
    """Confines one command at a time; several may run at once.

    Raises (from `run`):
        SandboxUnavailableError: the mechanism itself failed, so the command never ran.
    """

    @property
    def name(self) -> str:
        """The mechanism's name, as receipts print it."""
        ...

    @property
    def not_covered(self) -> tuple[str, ...]:
        """What this mechanism does not confine on this machine, a sentence each."""
        ...

    @property
    def places_tree(self) -> bool:
        """Whether the copy appears at `Command.at`; else at a path of the mechanism's choosing."""
        ...

    async def run(self, command: Command) -> CommandResult:
        """Run to the end, or to the first limit. Cancelling the task kills everything first."""
        ...
