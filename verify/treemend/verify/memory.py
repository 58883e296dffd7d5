"""How much memory a tree of processes holds, from /proc; needs no control group.

Each look is cheap and never too low; only what it can't rule out is counted exactly.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence

# What the kernel calls memory that has no file of a file system behind it.
_NAMELESS = ("/dev/zero (deleted)", "/memfd:", "/SYSV")


class MemoryWatch:
    """Notices when a tree of processes holds more than `limit_bytes`.

    Held is what the processes map (a page that n processes share counts once) with the tables that map it,
    and apart from that the shared memory that one of them maps in part, in full. Only root is told of the
    latter.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._alarm_bytes = _shared_in_system() + limit_bytes

    def is_over(self, pid: int) -> bool:
        """Whether `pid` and its descendants do now."""
        pids = _tree(pid)
        return self._mapped_is_over(pids) or self._shared_is_over(pids)

    def _mapped_is_over(self, pids: Sequence[int]) -> bool:
        if sum(map(_resident_bytes, pids)) <= self._limit_bytes:
            return False
        return sum(map(_proportional_bytes, pids)) > self._limit_bytes

    def _shared_is_over(self, pids: Sequence[int]) -> bool:
        """The processes can't hold more than the limit before the whole system has grown by what was left."""
        in_system = _shared_in_system()
        if in_system <= self._alarm_bytes:
            return False
        left_bytes = self._limit_bytes - _shared_bytes(pids)
        self._alarm_bytes = in_system + left_bytes
        return left_bytes < 0


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
    status = f"/proc/{pid}/status"
    return sum(_fields(status, b"VmRSS:", b"VmPTE:"))


def _proportional_bytes(pid: int) -> int:
    return sum(_fields(f"/proc/{pid}/smaps_rollup", b"Pss:")) + sum(_fields(f"/proc/{pid}/status", b"VmPTE:"))


def _shared_in_system() -> int:
    return sum(_fields("/proc/meminfo", b"Shmem:"))


def _fields(path: str, *names: bytes) -> Iterator[int]:
    """The sizes, in bytes, on the lines of a file of /proc that start so; none where it is gone."""
    with contextlib.suppress(OSError), open(path, "rb") as file:
        for line in file:
            if line.startswith(names):
                yield int(line.split()[1]) << 10


def _shared_bytes(pids: Sequence[int]) -> int:
    sizes: dict[tuple[int, int], int] = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            for name in os.listdir(f"/proc/{pid}/map_files"):
                path = f"/proc/{pid}/map_files/{name}"
                with contextlib.suppress(OSError):
                    if os.readlink(path).startswith(_NAMELESS):
                        found = os.stat(path)
                        sizes[found.st_dev, found.st_ino] = found.st_blocks * 512
    return sum(sizes.values())
