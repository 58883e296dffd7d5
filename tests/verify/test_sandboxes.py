"""Which sandbox is chosen, and what is swept up after dead runners."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from types import MappingProxyType

import pytest

from treemend.store.errors import SandboxUnavailableError
from treemend.verify.sandbox import Command, CommandResult
from treemend.verify.sandboxes import (
    MECHANISMS,
    Choice,
    Unconfined,
    find_sandbox,
    sweep_leftovers,
)
from treemend.verify.staging import run_prefix, staging_bases


class Broken:
    """A mechanism that is installed and does not work."""

    name = "broken"
    not_covered = ()
    places_tree = True

    async def run(self, command: Command) -> CommandResult:
        raise SandboxUnavailableError("broken: the kernel refused.", mend="Mend it.")


class Works(Broken):
    name = "works"

    async def run(self, command: Command) -> CommandResult:
        return CommandResult(0, "exit", b"", b"", 0.0)


def missing() -> Broken:
    raise SandboxUnavailableError("missing: not installed.", mend="Install it.")


def test_first_mechanism_that_works_is_taken() -> None:
    mechanisms = MappingProxyType({"missing": missing, "broken": Broken, "works": Works})
    assert find_sandbox("auto", mechanisms=mechanisms).name == "works"


def test_E62_without_any_mechanism_it_refuses() -> None:
    mechanisms = MappingProxyType({"missing": missing, "broken": Broken})
    with pytest.raises(SandboxUnavailableError) as raised:
        find_sandbox("auto", mechanisms=mechanisms)
    assert raised.value.exit_code == 6
    assert "not installed" in raised.value.message and "kernel refused" in raised.value.message
    for remedy in ("apt-get install bubblewrap", "5.13", "--sandbox none"):
        assert remedy in raised.value.mend
    assert "\n" not in raised.value.mend


def test_none_has_to_be_asked_for() -> None:
    assert isinstance(find_sandbox("none"), Unconfined)


async def test_may_be_called_inside_a_running_loop() -> None:
    mechanisms = MappingProxyType({"works": Works})
    assert find_sandbox("auto", mechanisms=mechanisms).name == "works"
    assert asyncio.get_running_loop().is_running()


@pytest.mark.sandbox
@pytest.mark.parametrize("choice", MECHANISMS)
def test_found_mechanism_is_the_one_asked_for(choice: Choice) -> None:
    try:
        assert find_sandbox(choice).name == choice
    except SandboxUnavailableError as error:
        pytest.skip(str(error))


def test_E60_bubblewrap_is_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxUnavailableError) as raised:
        find_sandbox("bubblewrap")
    assert "bwrap is not installed" in raised.value.message
    assert "apt-get install bubblewrap" in raised.value.mend


@pytest.mark.sandbox
def test_E60_landlock_is_taken_then(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    try:
        find_sandbox("landlock")
    except SandboxUnavailableError as error:
        pytest.skip(str(error))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_sandbox("auto").name == "landlock"


def test_E60_bubblewrap_that_fails_is_not_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An old version, or one that the kernel refuses."""
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho 'bwrap: Unknown option --size' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(SandboxUnavailableError, match="Unknown option --size"):
        find_sandbox("bubblewrap")


REFUSING = """
import ctypes, errno, sys
from treemend.verify.seccomp import Rule, Test, compile_filter
from treemend.verify.sandboxes import find_sandbox

user_namespace = Test(0, (0,), mask=0x10000000, negated=True)
program = compile_filter([Rule(("clone", "unshare"), test=user_namespace),
                          Rule(("clone3",), errno.ENOSYS)])
class Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(Program(len(program) // 8, program)), 0, 0) == 0
print(find_sandbox("auto").name)
"""


@pytest.mark.sandbox
def test_E61_user_namespaces_are_refused() -> None:
    """Root's bubblewrap makes none; for others the next mechanism is taken."""
    try:
        find_sandbox("landlock")
        bubblewrap = find_sandbox("bubblewrap")
    except SandboxUnavailableError as error:
        pytest.skip(str(error))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    found = subprocess.run(
        [sys.executable, "-c", REFUSING], env=environment, capture_output=True, check=False
    )
    expected = bubblewrap.name if os.geteuid() == 0 else "landlock"
    assert found.stdout.decode().strip() == expected, found.stderr


def test_leftovers_of_dead_runners_only_are_swept() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    base = staging_bases()[-1]
    own = run_prefix()
    dead = base / own.replace(f"-{os.getpid()}-", f"-{process.pid}-")
    dead = dead.with_name(dead.name + "test")
    alive = base / f"{own}test"
    foreign = base / f"treemend-1-{process.pid}-test"
    stranger = base / f"treemend-notes-{os.getpid()}"
    try:
        for folder in (dead, alive, foreign, stranger):
            (folder / "closed").mkdir(parents=True)
            (folder / "closed" / "file").touch()
            (folder / "closed").chmod(0)
        sweep_leftovers()
        assert [f.exists() for f in (dead, alive, foreign, stranger)] == [False, True, True, True]
    finally:
        for folder in (alive, foreign, stranger):
            (folder / "closed").chmod(0o700)
            (folder / "closed" / "file").unlink()
            (folder / "closed").rmdir()
            folder.rmdir()
