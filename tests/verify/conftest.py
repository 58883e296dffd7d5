"""What the tests of the sandboxes share: each mechanism, an interpreter to run in it, attacks."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from treemend.store.errors import SandboxUnavailableError
from treemend.verify.cgroups import parent_group
from treemend.verify.sandbox import Command, CommandResult, Limits, Sandbox
from treemend.verify.sandboxes import Choice, find_sandbox
from treemend.verify.staging import run_prefix, staging_bases


@dataclass(frozen=True)
class Confined:
    """A sandbox and the commands that run in it."""

    sandbox: Sandbox
    command: Command

    def python(self, source: str, *arguments: str) -> Command:
        return replace(self.command, argv=(*self.command.argv, textwrap.dedent(source), *arguments))

    async def run(self, command: Command) -> CommandResult:
        return await self.sandbox.run(command)


@dataclass(frozen=True)
class Outcome:
    """What an attack said about itself; it ran in any case."""

    won: bool
    said: str
    result: CommandResult


Attack = Callable[..., Awaitable[Outcome]]

ATTACK = """
print("ran", flush=True)
import ctypes, errno, os, socket, subprocess, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    result = libc.syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
def attempt():
{body}
try:
    outcome = attempt()
except BaseException as error:
    print("lost", type(error).__name__, error)
else:
    print("won", outcome)
"""


def _sandbox(choice: Choice) -> Sandbox:
    try:
        return find_sandbox(choice)
    except SandboxUnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture
def python() -> tuple[str, tuple[Path, ...]]:
    """An interpreter that may run in a sandbox, and what must be readable for it."""
    system = Path("/usr/bin/python3")
    if system.exists():
        return str(system), ()
    return os.path.realpath(sys.executable), (Path(sys.base_prefix),)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "a tree ünï"
    (folder / "pkg").mkdir(parents=True)
    (folder / "pkg" / "module.py").write_text("value = 1\n")
    return folder


@pytest.fixture
def command(tree: Path, python: tuple[str, tuple[Path, ...]]) -> Command:
    program, readable = python
    return Command(
        argv=(program, "-I", "-S", "-c"),
        tree=tree,
        at=Path("/home/some body/répo"),
        readable=readable,
        limits=Limits(wall_s=30.0, tree_bytes=64 << 20),
    )


@pytest.fixture(params=["bubblewrap", "landlock", "none"])
def runner(request: pytest.FixtureRequest, command: Command) -> Confined:
    """Every `Sandbox`, also the one that confines nothing."""
    return Confined(_sandbox(request.param), command)


@pytest.fixture
def placing(command: Command) -> Confined:
    """The mechanism that can show the copy at any path."""
    return Confined(_sandbox("bubblewrap"), command)


KEEPS_ROOT = ("landlock as uid 0",) if os.geteuid() == 0 else ()


@pytest.fixture(params=("bubblewrap", "landlock", *KEEPS_ROOT))
def confined(request: pytest.FixtureRequest, command: Command, tmp_path: Path) -> Confined:
    """Every mechanism that confines; Landlock also where it must keep root's user id."""
    mechanism, _, keeps_root = request.param.partition(" ")
    sandbox = _sandbox(mechanism)
    if keeps_root:
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o700)
        (closed / "interpreter").mkdir()
        command = replace(command, readable=(*command.readable, closed / "interpreter"))
    return Confined(sandbox, command)


@pytest.fixture
def attack(confined: Confined) -> Attack:
    """Runs the body of a function in the sandbox; raising is losing, returning is winning."""
    return _attacker(confined)


@pytest.fixture
def control(command: Command) -> Attack:
    """The same, unconfined: what shows that an attack would win. It must do no harm."""
    return _attacker(Confined(find_sandbox("none"), command))


def _attacker(confined: Confined) -> Attack:
    async def attack(body: str, *arguments: str, **changes: object) -> Outcome:
        source = ATTACK.format(body=textwrap.indent(textwrap.dedent(body), "    "))
        command = replace(confined.python(source, *arguments), **changes)  # type: ignore[arg-type]
        result = await confined.run(command)
        said = result.stdout.decode()
        assert said.startswith("ran\n"), f"the attack did not run: {result}"
        return Outcome("\nwon" in said, said, result)

    return attack


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder in memory that any user may enter, so that file modes confine nothing."""
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=base, prefix="outside-") as name:
        os.chmod(name, 0o777)
        yield Path(name)


@pytest.fixture
def victim() -> Iterator[tuple[int, str]]:
    """A process of this user's that holds a secret in its environment: its id and the secret."""
    secret = f"canary-{os.urandom(8).hex()}"
    with subprocess.Popen(["sleep", "1000"], env={"SECRET": secret}) as process:
        yield process.pid, secret
        process.kill()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A host service on TCP."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


@pytest.fixture
def processes_with() -> Callable[[str], list[int]]:
    """Finds live processes of this machine by a word on their command line."""

    def search(marker: str) -> list[int]:
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with contextlib.suppress(OSError):
                    if marker.encode() in (entry / "cmdline").read_bytes():
                        found.append(int(entry.name))
        return found

    return search


@pytest.fixture
def leftovers() -> Callable[[], list[str]]:
    """Lists folders and control groups that this process made and did not remove."""

    def search() -> list[str]:
        group = parent_group()
        places = [*staging_bases(), *([group] if group else [])]
        return sorted(str(p) for place in places for p in place.glob(f"{run_prefix()}*"))

    return search
