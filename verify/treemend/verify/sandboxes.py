"""Which sandbox works here, found by trying it, and what dead runners left behind."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from treemend.store.errors import SandboxUnavailableError
from treemend.verify.bubblewrap import find_bubblewrap
from treemend.verify.cgroups import parent_group, sweep_groups
from treemend.verify.landlock import find_landlock, run_launcher
from treemend.verify.sandbox import Command, CommandResult, Limits, Sandbox
from treemend.verify.staging import is_leftover, private_folder, remove_tree, staging_bases

Choice = Literal["auto", "bubblewrap", "landlock", "none"]

MECHANISMS: Mapping[str, Callable[[], Sandbox]] = MappingProxyType(
    {"bubblewrap": find_bubblewrap, "landlock": find_landlock}
)
"""The mechanisms that confine, strongest first."""

_MEND = (
    "Install bubblewrap 0.8 or later (`apt-get install bubblewrap`), or use Linux 5.13 or later "
    "with Landlock. `--sandbox none` runs the code under test with all that you may do."
)


@dataclass(frozen=True, slots=True)
class Unconfined:
    """A `Sandbox` in name only: a private copy and resource limits, for who asked for it."""

    @property
    def name(self) -> str:
        return "none"

    @property
    def not_covered(self) -> tuple[str, ...]:
        return (
            "Nothing is confined: the command may read, write, send and signal whatever you may.",
            "The copy does not appear at the repository's own path.",
            "The number of processes is not bounded for root.",
            "Processes survive if the launcher that reaps them is killed.",
        )

    @property
    def places_tree(self) -> bool:
        return False

    async def run(self, command: Command) -> CommandResult:
        """See `Sandbox.run`. The copy is the working directory and TREEMEND_TREE."""
        with private_folder(command.limits.tree_bytes) as private:
            return await run_launcher(command, self.name, private)


def find_sandbox(
    choice: Choice = "auto", *, mechanisms: Mapping[str, Callable[[], Sandbox]] = MECHANISMS
) -> Sandbox:
    """The sandbox that `choice` names, or for "auto" the first one that works.

    Each is tried by running a command in it, once per process. May be called with or without a
    running event loop.

    Raises:
        SandboxUnavailableError: it does not work here, or for "auto" none does.
    """
    if choice == "none":
        return Unconfined()
    failures = []
    for name in mechanisms if choice == "auto" else (choice,):
        found = _tried(mechanisms[name], os.environ.get("PATH", ""), os.geteuid())
        if isinstance(found, str):
            failures.append(found)
        else:
            return found
    raise SandboxUnavailableError(f"No sandbox works here. {' '.join(failures)}", mend=_MEND)


def try_mechanisms(
    mechanisms: Mapping[str, Callable[[], Sandbox]] = MECHANISMS,
) -> dict[str, Sandbox | str]:
    """Each mechanism by name, strongest first: its sandbox if a command runs in it, else why not."""
    path, user = os.environ.get("PATH", ""), os.geteuid()
    return {name: _tried(find, path, user) for name, find in mechanisms.items()}


@functools.cache
def _tried(find: Callable[[], Sandbox], path: str, uid: int) -> Sandbox | str:
    """The mechanism that `find` makes if `true` runs in it, else why not."""
    try:
        sandbox = find()
        result = _in_own_loop(sandbox)
    except SandboxUnavailableError as error:
        return error.message
    if result.exit_code != 0:
        return f"{sandbox.name}: `true` ended with {result.exit_code}."
    return sandbox


def _in_own_loop(sandbox: Sandbox) -> CommandResult:
    """Run the trial in a thread of its own, as the caller's may have a running loop."""
    results: list[CommandResult] = []
    errors: list[BaseException] = []

    def trial() -> None:
        try:
            with private_folder() as tree:
                limits = Limits(wall_s=10.0, tree_bytes=1 << 20)
                command = Command(argv=("true",), tree=tree, at=Path("/tmp/trial"), limits=limits)
                results.append(asyncio.run(sandbox.run(command)))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=trial, name="treemend-sandbox-trial")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def sweep_leftovers() -> None:
    """Remove folders and control groups of runners that died without cleaning up."""
    for base in staging_bases():
        with contextlib.suppress(OSError):
            for entry in sorted(base.glob("treemend-*")):
                if is_leftover(entry.name):
                    remove_tree(entry)
    group = parent_group()
    if group is not None:
        sweep_groups(group)
