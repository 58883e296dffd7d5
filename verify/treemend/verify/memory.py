"""How much memory a tree of processes holds, from /proc; needs no control group.

Each look is cheap and never too low; only what it can't rule out is counted exactly.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
from collections.abc import Sequence
from functools import cache

# What the kernel calls memory that has no file of a file system behind it.
_NAMELESS = ("/dev/zero (deleted)", "/memfd:", "/SYSV")
_CHUNK_BYTES = 1 << 16
_RESIDENT = re.compile(rb"^(?:VmRSS|VmPTE):\s+(\d+)", re.MULTILINE)
_TABLES = re.compile(rb"^VmPTE:\s+(\d+)", re.MULTILINE)
_PROPORTIONAL = re.compile(rb"^Pss:\s+(\d+)", re.MULTILINE)
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TABLES_MAX = 2
"""Pages of tables for a page that is mapped, where each lies a gigabyte from the next."""
_TOP_TABLES_BYTES = 2 << 20
"""What the tables above them take at most, one for each half of a terabyte."""
_ALONE = 3
"""The links of `task`, where a process has one thread: those of any folder, and one for each."""


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
        if sum(map(_mapped_at_most, pids)) <= self._limit_bytes:
            return False
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
        task = f"/proc/{pid}/task"
        alone = os.stat(task).st_nlink == _ALONE
        for thread in (pid,) if alone else os.listdir(task):
            children.extend(map(int, _content(f"{task}/{thread}/children").split()))
    return children


def _mapped_at_most(pid: int) -> int:
    """What `_resident_bytes` can be at most, which the kernel tells in a tenth of the time."""
    with contextlib.suppress(OSError):
        size, resident = map(int, _content(f"/proc/{pid}/statm").split()[:2])
        return (resident + _TABLES_MAX * size) * _PAGE_BYTES + _TOP_TABLES_BYTES
    return 0


def _resident_bytes(pid: int) -> int:
    return _bytes(f"/proc/{pid}/status", _RESIDENT)


def _proportional_bytes(pid: int) -> int:
    return _bytes(f"/proc/{pid}/smaps_rollup", _PROPORTIONAL) + _bytes(f"/proc/{pid}/status", _TABLES)


class _SystemInfo(ctypes.Structure):
    """`struct sysinfo` of sysinfo(2), which tells what /proc/meminfo does in a tenth of the time."""

    _fields_ = (
        ("uptime", ctypes.c_long),
        ("loads", ctypes.c_ulong * 3),
        ("total_ram", ctypes.c_ulong),
        ("free_ram", ctypes.c_ulong),
        ("shared_ram", ctypes.c_ulong),
        ("buffer_ram", ctypes.c_ulong),
        ("total_swap", ctypes.c_ulong),
        ("free_swap", ctypes.c_ulong),
        ("processes", ctypes.c_ushort),
        ("total_high", ctypes.c_ulong),
        ("free_high", ctypes.c_ulong),
        ("unit", ctypes.c_uint),
        ("room", ctypes.c_char * 64),
    )


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def _shared_in_system() -> int:
    info = _SystemInfo()
    _libc().sysinfo(ctypes.byref(info))
    return int(info.shared_ram) * int(info.unit)


def _bytes(path: str, sizes: re.Pattern[bytes]) -> int:
    """The sum of the sizes that a pattern finds in a file of /proc; 0 where it is gone."""
    with contextlib.suppress(OSError):
        return sum(int(size) << 10 for size in sizes.findall(_content(path)))
    return 0


def _content(path: str) -> bytes:
    # A tenth of a second has many files: a file object for each costs more than the kernel takes.
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return b"".join(iter(lambda: os.read(fd, _CHUNK_BYTES), b""))
    finally:
        os.close(fd)


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
