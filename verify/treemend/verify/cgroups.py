"""A control group of its own for a command: it bounds its processes and finds them all again.

Only below the group that this process is in, so that no bound set from outside is ever escaped.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from treemend.verify.sandbox import Limits
from treemend.verify.staging import is_leftover, run_prefix

_ROOT = Path("/sys/fs/cgroup")


def parent_group(root: Path = _ROOT, membership: str | None = None) -> Path | None:
    """The folder in which groups with a bound on processes can be made, if there is one.

    Args:
        root: Where the hierarchies are mounted.
        membership: What /proc/self/cgroup says (lines "number:controllers:/path").
    """
    if membership is None:
        try:
            membership = Path("/proc/self/cgroup").read_text(encoding="utf-8")
        except OSError:
            return None
    for line in membership.splitlines():
        _, controllers, path = line.split(":", 2)
        folder = None
        if "pids" in controllers.split(","):
            folder = root / controllers / path.lstrip("/")
        elif not controllers:
            folder = root / path.lstrip("/")
            if "pids" not in _words(folder / "cgroup.subtree_control"):
                continue
        if folder is not None and os.access(folder, os.W_OK):
            return folder
    return None


def _words(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").split()
    except OSError:
        return []


@contextlib.contextmanager
def control_group(parent: Path, limits: Limits) -> Iterator[Path]:
    """A fresh group below `parent` that bounds processes (and memory, where it can); removed after.

    Raises:
        OSError: the group can't be made.
    """
    group = parent / f"{run_prefix()}{time.monotonic_ns():x}"
    group.mkdir()
    try:
        (group / "pids.max").write_text(str(limits.processes))
        memory = group / "memory.max"
        if memory.exists():
            memory.write_text(str(limits.memory_bytes))
        yield group
    finally:
        _remove(group)


def _remove(group: Path) -> None:
    """Kill what is still in it, and take it away.

    A killed process leaves its group a little after its parent has reaped it.
    """
    for _ in range(50):
        _kill_members(group)
        try:
            group.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.002)
        else:
            return


def _kill_members(group: Path) -> None:
    members = _words(group / "cgroup.procs")
    with contextlib.suppress(OSError):
        if members:
            # None is born after the list was read.
            (group / "pids.max").write_text("0")
            members = _words(group / "cgroup.procs")
    for pid in members:
        with contextlib.suppress(OSError):
            os.kill(int(pid), signal.SIGKILL)


def sweep_groups(parent: Path) -> None:
    """Kill what dead runners left running in groups below `parent`, and remove these."""
    for group in parent.glob("treemend-*"):
        if is_leftover(group.name):
            _remove(group)
