"""Throwaway user ids: a command started by root runs as one that nobody else uses."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import socket
from collections.abc import Iterator

from treemend.store.errors import SandboxUnavailableError

# Between the ranges that systemd hands out (homed, container maps, dynamic users).
_FIRST, _COUNT = 60_706, 478
_turn = itertools.count()


@contextlib.contextmanager
def throwaway_uid() -> Iterator[int]:
    """A user id without an account, held by this run alone on this machine.

    RLIMIT_NPROC counts by user id, and killing by user id must hit no other run. The claim is an
    abstract socket, which the kernel frees when this process dies.

    Raises:
        SandboxUnavailableError: all of them are taken.
    """
    start = os.getpid() * 31 + next(_turn)
    for step in range(_COUNT):
        uid = _FIRST + (start + step) % _COUNT
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as claim:
            if _has_account(uid) or not _claimed(claim, uid):
                continue
            yield uid
            return
    raise SandboxUnavailableError(
        f"all {_COUNT} throwaway user ids are in use by other runs.",
        mend="Wait for other runs of treemend to end.",
    )


def _has_account(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _claimed(claim: socket.socket, uid: int) -> bool:
    try:
        claim.bind(f"\0treemend-uid-{uid}")
    except OSError:
        return False
    return True
