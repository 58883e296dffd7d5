"""Forks a child, watches over its deadline, and leaves nothing of it behind.

Standard library only, Python 3.8 on.
"""

from __future__ import annotations

import mmap
import os
import signal
import stat
import struct
import time

POLL_S = 0.2
_LAYOUT = "d?"


class Shared:
    """A page that a child shares with its parent: when it must have ended, and whether it began."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)

    def reset(self, seconds: float) -> None:
        struct.pack_into(_LAYOUT, self._memory, 0, time.monotonic() + seconds, False)

    def set(self, seconds: float) -> None:
        """Move the deadline to so many seconds from now."""
        struct.pack_into("d", self._memory, 0, time.monotonic() + seconds)

    def begin(self) -> None:
        """Say that code of the candidate runs from here on."""
        struct.pack_into("?", self._memory, 8, True)

    @property
    def began(self) -> bool:
        return bool(struct.unpack_from(_LAYOUT, self._memory)[1])

    @property
    def late(self) -> bool:
        return time.monotonic() > float(struct.unpack_from(_LAYOUT, self._memory)[0])


def start() -> int:
    """Fork into a process group of its own; 0 in the child. The parent calls `finish` next."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return child


def finish(child: int, shared: Shared) -> tuple[int, bool]:
    """Wait until the child ends or its deadline passes; its whole group is dead afterwards.

    Returns its wait status and whether it was killed for being late.
    """
    status, killed = _await(child, shared)
    kill_group(child)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    return status, killed


def _await(child: int, shared: Shared) -> tuple[int, bool]:
    killed = False
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status, killed
        if shared.late:
            killed = True
            kill_group(child)
            os.kill(child, signal.SIGKILL)
        signal.sigtimedwait({signal.SIGCHLD}, POLL_S)


def kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except OSError:
        return


def quiet() -> None:
    """Turn the standard streams to nothing."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nothing, fd)
    os.close(nothing)


def own_nameless_files() -> None:
    """Give this process its own copy of every open file that has no name any more.

    They are temporary files, as pytest captures output with, and a fork shares their content and position.
    """
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        try:
            facts = os.fstat(fd)
            if stat.S_ISREG(facts.st_mode) and not facts.st_nlink:
                _own(fd, facts.st_size)
        except OSError:
            # The descriptor of the listing itself.
            continue


def _own(fd: int, size: int) -> None:
    position = os.lseek(fd, 0, os.SEEK_CUR)
    path = f"/proc/self/fd/{fd}"
    content = b""
    if size:
        with open(path, "rb") as file:
            content = file.read()
    copy = os.memfd_create("copy")
    try:
        os.write(copy, content)
        os.lseek(copy, position, os.SEEK_SET)
        os.dup2(copy, fd, os.get_inheritable(fd))
    finally:
        os.close(copy)
