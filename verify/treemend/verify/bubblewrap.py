"""Bubblewrap: namespaces, an empty root and a copy in memory.

Started by root, no user namespace is made: the mounts are made by real root, then the command gets
a throwaway user id. That works where user namespaces are refused, reaches toolchains in root's
home (by way of closed folders, but not files that are closed themselves), and keeps kernel uid 0
out of reach. Started by anybody else, a user namespace does it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from treemend.store.errors import SandboxUnavailableError
from treemend.verify import seccomp
from treemend.verify.disk import mounts_over
from treemend.verify.handover import UserDrop, first_command
from treemend.verify.mounts import HOME, SCRATCH, place, system_arguments, workspace_arguments
from treemend.verify.processes import Launch, supervise
from treemend.verify.sandbox import Command, CommandResult
from treemend.verify.staging import private_folder, write_overlay
from treemend.verify.uids import throwaway_uid

_NAMESPACES = (
    *("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
    *("--die-with-parent", "--hostname", "sandbox", "--cap-drop", "ALL"),
)
# What the first inner command needs to own the copy and to read whatever root may read; it is
# gone before the command starts.
_ROOT_CAPABILITIES = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", "CAP_CHOWN", "CAP_DAC_READ_SEARCH")
# What finding and trusting a host of the network takes.
_NETWORK = (
    *("--dir", "/etc/ssl", "--dir", "/etc/pki", "--dir", "/etc/pki/tls"),
    *(
        word
        for path in ("/etc/resolv.conf", "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/pki/tls/certs")
        for word in ("--ro-bind-try", os.path.realpath(path), path)
    ),
)
_USER_ID = 1000
_UNPRIVILEGED_GAPS = (
    "Shared memory that is mapped in part only is not counted in full.",
    "A socket that lies in the tree itself can be connected to.",
)


@dataclass(frozen=True, slots=True)
class Bubblewrap:
    """A `Sandbox` made by the program `bwrap`, 0.8 or later.

    Attributes:
        bwrap: The program.
        setpriv: Drops root in root mode; None means that an ordinary user starts it.
    """

    bwrap: Path
    setpriv: Path | None = None

    @property
    def name(self) -> str:
        return "bubblewrap"

    @property
    def not_covered(self) -> tuple[str, ...]:
        return (
            *(() if self.setpriv is not None else _UNPRIVILEGED_GAPS),
            "Kernel memory, as of sockets and pipes, is bounded by the number of open files and processes "
            "alone.",
            "Memory and the number of files are watched every 0.1 s, so a burst may pass a limit before it "
            "is killed.",
        )

    @property
    def places_tree(self) -> bool:
        return True

    async def run(self, command: Command) -> CommandResult:
        """See `Sandbox.run`.

        Raises:
            SandboxUnavailableError: bwrap or the copying failed, so the command never ran.
            UsageError: a path of the command can't be shown in a sandbox.
        """
        placement = place(command)
        with contextlib.ExitStack() as stack:
            drop = None
            if self.setpriv is not None:
                drop = UserDrop(self.setpriv, stack.enter_context(throwaway_uid()))
            overlay = None
            if command.overlay:
                overlay = stack.enter_context(private_folder()) / "overlay"
                write_overlay(command.overlay, command.tree, overlay)
            files = {
                path: stack.enter_context(_memory_file(data))
                for path, data in _etc(drop.uid if drop else _USER_ID, network=command.network).items()
            }
            filtered = stack.enter_context(_memory_file(seccomp.namespaced_filter()))
            options = [
                *self._identity(),
                *(() if command.network else ("--unshare-net",)),
                *system_arguments(command.limits.tree_bytes // 4),
                *(_NETWORK if command.network else ()),
                *_file_arguments(files),
                *workspace_arguments(command, placement, overlay),
                *("--chdir", str(placement.at), "--seccomp", str(filtered)),
            ]
            arguments = stack.enter_context(_memory_file(_nul_separated(options)))
            over_disk = stack.enter_context(mounts_over((placement.at, *SCRATCH), command.limits))

            def launch(report_fd: int, status_fd: int) -> Launch:
                argv = [
                    *(str(self.bwrap), "--args", str(arguments)),
                    *("--json-status-fd", str(status_fd), "--"),
                    *first_command(command, placement, drop, report_fd),
                ]
                return Launch(argv, (arguments, filtered, *files.values()), over_disk=over_disk)

            return await supervise(command, self.name, launch)

    def _identity(self) -> list[str]:
        if self.setpriv is not None:
            return [*_NAMESPACES, *(a for c in _ROOT_CAPABILITIES for a in ("--cap-add", c))]
        mapped = ("--uid", str(_USER_ID), "--gid", str(_USER_ID))
        return [*_NAMESPACES, "--unshare-user", "--disable-userns", *mapped]


def _etc(uid: int, *, network: bool) -> Mapping[str, bytes]:
    hosts = b"127.0.0.1 localhost sandbox\n::1 localhost sandbox\n"
    if network:
        hosts = Path("/etc/hosts").read_bytes()
    accounts = f"root:x:0:0::/:/bin/sh\nsandbox:x:{uid}:{uid}::{HOME}:/bin/sh\n"
    return {
        "/etc/passwd": accounts.encode(),
        "/etc/group": f"root:x:0:\nsandbox:x:{uid}:\n".encode(),
        "/etc/hosts": hosts,
    }


def _file_arguments(files: Mapping[str, int]) -> list[str]:
    return [word for path, fd in files.items() for word in ("--file", str(fd), path)]


def _nul_separated(options: list[str]) -> bytes:
    return b"".join(os.fsencode(option) + b"\0" for option in options)


@contextlib.contextmanager
def _memory_file(data: bytes) -> Iterator[int]:
    fd = os.memfd_create("treemend")
    try:
        os.write(fd, data)
        os.lseek(fd, 0, os.SEEK_SET)
        yield fd
    finally:
        os.close(fd)


def find_bubblewrap() -> Bubblewrap:
    """The installed bwrap, in the mode that this user can start; it is not tried.

    Raises:
        SandboxUnavailableError: a program is missing, or the machine is not supported.
    """
    bwrap = _program("bwrap", "bubblewrap")
    setpriv = _program("setpriv", "util-linux") if os.geteuid() == 0 else None
    seccomp.require_support("bubblewrap")
    return Bubblewrap(bwrap, setpriv)


def _program(name: str, package: str) -> Path:
    found = shutil.which(name)
    if found is None:
        raise SandboxUnavailableError(
            f"bubblewrap: the program {name} is not installed.",
            mend=f"Install the package {package}, for instance with `apt-get install {package}`.",
        )
    return Path(found)
