"""The resource limits (setrlimit) that every sandbox puts on a command."""

from __future__ import annotations

import contextlib
import os
import resource

from treemend.verify.sandbox import Limits

_OPEN_FILES = 1024


def resource_limits(limits: Limits, *, threads_beside: int = 0) -> list[tuple[int, int]]:
    """Pairs of an RLIMIT_ number and its value, none above what this process may have itself.

    The limit on processes counts all threads of a user id; `threads_beside` are those that share
    the command's and are none of its own.

    A core of one byte is none, and unlike one of zero it also keeps a crash from starting the program that
    `core_pattern` may name, which runs as root outside of every sandbox (core(5)).

    Memory is bounded as RLIMIT_DATA, not RLIMIT_AS: reserving addresses costs nothing, and some
    runtimes reserve terabytes.
    """
    wanted = (
        (resource.RLIMIT_CORE, 1),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_CPU, max(1, round(limits.cpu_s))),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_DATA, limits.memory_bytes),
        (resource.RLIMIT_NPROC, limits.processes + threads_beside),
    )
    return [(kind, _possible(kind, value)) for kind, value in wanted]


def own_threads() -> int:
    """How many threads this process's user has on this machine."""
    count = 0
    for entry in os.scandir("/proc"):
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and entry.stat().st_uid == os.geteuid():
                count += len(os.listdir(f"/proc/{entry.name}/task"))
    return count


def _possible(kind: int, wanted: int) -> int:
    hard = resource.getrlimit(kind)[1]
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
