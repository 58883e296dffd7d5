"""How much memory a tree of processes holds, from /proc; needs no privilege and no cgroup."""

from __future__ import annotations

import contextlib
import os

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def tree_memory_bytes(pid: int, above_bytes: int) -> int | None:
    """Bytes held by `pid` and its descendants if that is more than `above_bytes`, else None.

    Resident sets are summed first: cheap, and never too low. Only a sum above the bound is checked
    against proportional set sizes, which count a page that n processes share once.
    """
    pids = _tree(pid)
    if sum(map(_resident_bytes, pids)) <= above_bytes:
        return None
    held = sum(map(_proportional_bytes, pids))
    return held if held > above_bytes else None


def _tree(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        found.extend(_children(parent))
    return found


def _children(pid: int) -> list[int]:
    children: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as listing:
                children.extend(map(int, listing.read().split()))
    return children


def _resident_bytes(pid: int) -> int:
    with contextlib.suppress(OSError, IndexError), open(f"/proc/{pid}/statm", "rb") as statm:
        return int(statm.read().split()[1]) * _PAGE_BYTES
    return 0


def _proportional_bytes(pid: int) -> int:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup", "rb") as rollup:
        for line in rollup:
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) << 10
    return 0
