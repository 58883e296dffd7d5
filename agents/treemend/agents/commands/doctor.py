"""What a run needs of this machine, each thing looked at as a run would use it."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from treemend.agents.intake import check_repo
from treemend.agents.plain_text import one_line
from treemend.agents.target_python import target_interpreter
from treemend.store.errors import SandboxUnavailableError, StoreError, TreemendError, UsageError
from treemend.store.state import state_folder
from treemend.tools.git_data import find_git, find_repository
from treemend.verify.interpreter import Interpreter
from treemend.verify.sandbox import Command, CommandResult, Limits
from treemend.verify.sandboxes import find_sandbox, try_mechanisms
from treemend.verify.staging import private_folder

Status = Literal["ok", "warning", "missing"]

DISK_BYTES_WANTED, DISK_BYTES_MIN = 1 << 30, 16 << 20
NAMESPACES_MEND = "Make `bwrap --unshare-all --ro-bind / / true` work: bubblewrap 0.8 or later, and a kernel \
that lets you make user namespaces (sysctl kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu)."
ASK_PYTHON = """
import importlib.util, json, platform
found = {"python": platform.python_version(), "pytest": ""}
if importlib.util.find_spec("pytest"):
    import pytest
    found["pytest"] = pytest.__version__
print(json.dumps(found))
"""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a run needs.

    Attributes:
        status: "warning" where a run is possible without it, "missing" where none is.
        mend: What to type or to do, "" where all is well.
        exit_code: What a run would end with for it, 0 unless it is missing.
        details: More to know, a sentence each.
    """

    name: str
    status: Status
    fact: str
    mend: str = ""
    exit_code: int = 0
    details: tuple[str, ...] = ()


def exit_code_of(checks: Sequence[Check]) -> int:
    """That of the first thing that is missing, 0 where a run is possible."""
    return next((check.exit_code for check in checks if check.exit_code), 0)


async def examine(repo: Path, python: str = "", store: str | None = None) -> list[Check]:
    """Look at the sandbox, git, both Pythons, the model, the state folder and the disk.

    What lies in the repository runs in the sandbox or not at all.

    Raises:
        UsageError: there is no folder `repo`.
    """
    root = check_repo(repo)
    return [
        check_sandbox(),
        check_git(root),
        check_own_python(),
        await check_target_python(root, python),
        check_model(),
        check_state(store),
        *check_disks(),
    ]


def check_sandbox() -> Check:
    """Which mechanism would be used, found by starting each."""
    try:
        found = find_sandbox()
    except SandboxUnavailableError as error:
        return _missing("sandbox", error)
    gaps = tuple(f"not covered: {gap}" for gap in found.not_covered)
    failures = [one_line(tried) for tried in try_mechanisms().values() if isinstance(tried, str)]
    if found.name == next(iter(try_mechanisms())):
        return Check("sandbox", "ok", f"{found.name} starts here", details=gaps)
    return Check(
        "sandbox",
        "warning",
        f"{found.name} starts here, the stronger one does not. {' '.join(failures)}",
        "apt-get install bubblewrap" if shutil.which("bwrap") is None else NAMESPACES_MEND,
        details=gaps,
    )


def check_git(root: Path) -> Check:
    """Whether git is there; only a git repository needs it."""
    git = find_git()
    if git is not None:
        told = subprocess.run([git, "--version"], capture_output=True, text=True, check=False)
        if told.returncode == 0:
            return Check("git", "ok", f"{one_line(told.stdout).removeprefix('git version ')} at {git}")
        return _without_git(root, f"{git} fails: {one_line(told.stderr)}")
    return _without_git(root, "git is not installed")


def _without_git(root: Path, fact: str) -> Check:
    mend = "apt-get install git"
    if find_repository(root) is None:
        return Check("git", "warning", f"{fact}; repositories that use it can't be read", mend)
    return Check("git", "missing", f"{fact}, and {root} is a git repository", mend, UsageError.exit_code)


def check_own_python() -> Check:
    return Check("python", "ok", f"{platform.python_version()} runs treemend, at {sys.executable}")


async def check_target_python(root: Path, python: str) -> Check:
    """Which interpreter would run the tests, and whether it has pytest, asked in the sandbox."""
    try:
        interpreter = target_interpreter(python, root)
        result = await _ask(interpreter, root)
    except SandboxUnavailableError:
        fact = "the interpreter of the tests can't be asked without a sandbox"
        return Check("target", "warning", fact, "Mend the sandbox first.")
    except UsageError as error:
        return _missing("target", error)
    except OSError as error:
        fact = f"the interpreter of the tests can't be read: {error}"
        return Check("target", "missing", fact, _other_python(), UsageError.exit_code)
    return _target(interpreter, result)


async def _ask(interpreter: Interpreter, root: Path) -> CommandResult:
    sandbox = find_sandbox()
    with private_folder() as empty:
        command = Command(
            argv=(str(interpreter.path), "-c", ASK_PYTHON),
            tree=empty,
            at=root,
            readable=interpreter.readable,
            env={"LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"},
            limits=Limits(wall_s=60.0),
        )
        return await sandbox.run(command)


def _target(interpreter: Interpreter, result: CommandResult) -> Check:
    path = interpreter.path
    try:
        found = {key: one_line(str(value)) for key, value in json.loads(result.stdout).items()}
        version, pytest = found["python"], found["pytest"]
    except (ValueError, AttributeError, KeyError, RecursionError):
        said = one_line(result.stderr.decode("utf-8", "replace"))[-300:]
        fact = f"{path} does not start in the sandbox: {said or f'it ends with {result.exit_code}'}"
        return Check("target", "missing", fact, _other_python(), UsageError.exit_code)
    if not pytest:
        fact = f"{version} at {path} would run the tests, and has no pytest"
        return Check("target", "missing", fact, f"{path} -m pip install pytest", UsageError.exit_code)
    return Check("target", "ok", f"{version} with pytest {pytest} runs the tests, at {path}")


def _other_python() -> str:
    return "Give --python the interpreter that the tests run with, or the folder of its environment."


def check_model() -> Check:
    named = os.environ.get("TREEMEND_MODEL", "")
    if named:
        return Check("model", "ok", f"TREEMEND_MODEL names {one_line(named)}; nothing was sent to try it")
    return Check("model", "ok", "none configured, and none needed: the template policy thinks")


def check_state(store: str | None) -> Check:
    """Whether the state folder can be written to and the store in it opens."""
    from treemend.store.database import open_store
    from treemend.store.tables import SCHEMA_VERSION

    try:
        folder = state_folder()
        name = open_store(store).name
    except StoreError as error:
        return _missing("state", error)
    return Check("state", "ok", f"{folder} can be written to; {name} opens, schema {SCHEMA_VERSION}")


def check_disks() -> list[Check]:
    """The room where runs are kept and where trees are copied to."""
    places = {"temp folder": Path(tempfile.gettempdir())}
    with contextlib.suppress(StoreError):  # `check_state` tells it
        places = {"state folder": state_folder(), **places}
    return [_disk(what, folder) for what, folder in places.items()]


def _disk(what: str, folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    fact = f"{_size(free)} free in the {what} {folder}"
    if free >= DISK_BYTES_WANTED:
        return Check("disk", "ok", fact)
    variable = "TREEMEND_STATE" if what == "state folder" else "TMPDIR"
    mend = f"Free some space there, or set {variable} to a folder that has {_size(DISK_BYTES_WANTED)}."
    if free >= DISK_BYTES_MIN:
        return Check("disk", "warning", fact, mend)
    return Check("disk", "missing", fact, mend, StoreError.exit_code)


def _size(count: int) -> str:
    return f"{count / (1 << 30):.1f} GiB" if count >= 1 << 30 else f"{count / (1 << 20):.0f} MiB"


def _missing(name: str, error: TreemendError) -> Check:
    return Check(name, "missing", error.message, error.mend, error.exit_code)
