"""How much room a command's files take, looked at from outside while it runs.

A look costs a few calls of statvfs; only what they can't tell is counted file by file.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path

from treemend.verify.sandbox import Limits

IsOver = Callable[[int], bool]
"""Whether a command is over its limits of disk, given the id of its first process."""

_DU_LIMIT_S = 20.0
_LOOKS_PER_COUNT = 30


@contextlib.contextmanager
def mounts_over(mounts: Sequence[Path], limits: Limits) -> Iterator[IsOver]:
    """Watches the number of files in file systems of the command's own, whose bytes are bounded.

    They are opened at the first look, by way of the first process's root, so that renaming what lies above
    a mount hides nothing later on.
    """
    with contextlib.ExitStack() as stack:
        opened: list[int] = []

        def is_over(pid: int) -> bool:
            if not opened:
                for mount in mounts:
                    fd = os.open(f"/proc/{pid}/root{mount}", os.O_PATH | os.O_CLOEXEC)
                    stack.callback(os.close, fd)
                    opened.append(fd)
            return any(_files(os.statvfs(fd)) > limits.files for fd in opened)

        yield is_over


def folder_over(folder: Path, limits: Limits) -> IsOver:
    """Watches a folder in a file system that others use, too.

    It is counted once the whole file system has grown by what was left to it, and at every so many looks
    besides: where others free space meanwhile, the file system hides what the folder takes.
    """
    looks = count(1)
    alarm_bytes, alarm_files = (used + left for used, left in zip(_used(folder), _left(limits), strict=True))

    def is_over(pid: int) -> bool:
        nonlocal alarm_bytes, alarm_files
        is_due = next(looks) % _LOOKS_PER_COUNT == 0
        used_bytes, used_files = _used(folder)
        if not is_due and used_bytes <= alarm_bytes and used_files <= alarm_files:
            return False
        left_bytes = limits.tree_bytes - _counted(folder, "--block-size=1")
        left_files = limits.files - _counted(folder, "--inodes")
        alarm_bytes, alarm_files = used_bytes + left_bytes, used_files + left_files
        return left_bytes < 0 or left_files < 0

    return is_over


def _left(limits: Limits) -> tuple[int, int]:
    return limits.tree_bytes, limits.files


def _used(folder: Path) -> tuple[int, int]:
    found = os.statvfs(folder)
    return (found.f_blocks - found.f_bfree) * found.f_frsize, _files(found)


def _files(found: os.statvfs_result) -> int:
    return found.f_files - found.f_ffree


def _counted(folder: Path, unit: str) -> int:
    """What `du` counts: it walks what is deeper than any path, which a walk in Python can't."""
    argv = ["du", "--summarize", "--one-file-system", unit, "--", str(folder)]
    try:
        counted = subprocess.run(
            argv,
            check=False,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_DU_LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        # More than it can walk in this time is more than any limit allows.
        return 1 << 62
    return int(counted.stdout.split(b"\t")[0] or 0)
