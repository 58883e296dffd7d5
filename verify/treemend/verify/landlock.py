"""Landlock: no namespace, no program to install; the kernel's own access rules for a process.

The command runs on a private copy in a temporary folder. Landlock binds its files, signals and
abstract sockets, the system call filter takes sockets and what Landlock doesn't mediate, resource
limits and a control group (where there may be one) bound it, and a launcher that stays outside
reaps it. Weaker than bubblewrap; `not_covered` says where.
"""

from __future__ import annotations

import contextlib
import ctypes
import marshal
import os
import platform
import shutil
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from treemend.store.errors import SandboxUnavailableError
from treemend.verify import confine, seccomp
from treemend.verify.cgroups import control_group, parent_group
from treemend.verify.disk import folder_over
from treemend.verify.processes import DEFAULT_PATH, Launch, supervise
from treemend.verify.rlimits import own_threads, resource_limits
from treemend.verify.sandbox import Command, CommandResult
from treemend.verify.staging import private_folder, write_overlay
from treemend.verify.uids import throwaway_uid

# <linux/landlock.h>
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_MAKE_CHAR, _MAKE_BLOCK = 1 << 6, 1 << 11
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_TCP, _SCOPES = 0b11, 0b11
_RIGHTS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_SYS_CREATE_RULESET, _VERSION_QUERY = 444, 1

_READABLE = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"),
    *("/etc/alternatives", "/etc/ld.so.cache", "/etc/mime.types", "/etc/nsswitch.conf"),
    *("/etc/protocols", "/etc/services", "/etc/passwd", "/etc/group", "/etc/hosts"),
    # Not all of /proc/self: its `net` shows the host's connections.
    *(f"/proc/self/{name}" for name in ("cmdline", "environ", "fd", "limits", "maps", "smaps")),
    *(f"/proc/self/{name}" for name in ("stat", "statm", "status")),
    *("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/uptime"),
    *("/proc/loadavg", "/proc/version", "/proc/filesystems", "/proc/sys/kernel/osrelease"),
    *("/proc/sys/kernel/ostype", "/proc/sys/vm/overcommit_memory", "/sys/devices/system/cpu"),
    *("/dev/random", "/dev/urandom"),
)
_WRITABLE = ("/dev/null", "/dev/zero", "/dev/full")


@dataclass(frozen=True, slots=True)
class Landlock:
    """A `Sandbox` made of kernel calls.

    Attributes:
        abi: The kernel's Landlock version, from 1 (Linux 5.13).
        drops_root: Whether the command can get a throwaway user id.
        group: Where control groups can be made, if there is such a place.
    """

    abi: int
    drops_root: bool
    group: Path | None = None

    @property
    def name(self) -> str:
        return "landlock"

    @property
    def not_covered(self) -> tuple[str, ...]:
        return (*_NEVER_COVERED, *self._user_gaps(), *self._group_gaps(), *self._abi_gaps())

    def _user_gaps(self) -> Iterator[str]:
        if self.drops_root:
            yield (
                "Where the interpreter or a readable path lies in a folder closed to other users, "
                "the command keeps user id 0, without capabilities."
            )
        else:
            yield "The limit on processes is shared with what else this user starts meanwhile."
            yield "Changes of mode, owner, time and attributes of files do nothing."
            yield "Shared memory that is mapped in part only is not counted in full."

    def _group_gaps(self) -> Iterator[str]:
        if self.group is not None:
            yield "Processes survive until the next start if treemend and its launcher are killed at once."
        else:
            yield "Processes survive if the launcher that reaps them is killed from outside."
            if self.drops_root:
                yield "The number of processes is unbounded where user id 0 is kept: no cgroup."

    def _abi_gaps(self) -> Iterator[str]:
        if self.abi < 2:
            yield "Files can't be moved between folders (Landlock ABI 1)."
        if self.abi < 5:
            yield f"Device ioctls are not confined (Landlock ABI {self.abi})."
        if self.abi < 6 and not self.drops_root:
            yield f"Processes of the same user can be signalled (Landlock ABI {self.abi})."

    @property
    def places_tree(self) -> bool:
        return False

    async def run(self, command: Command) -> CommandResult:
        """See `Sandbox.run`. The copy is the working directory and TREEMEND_TREE.

        Raises:
            SandboxUnavailableError: confining or copying failed, so the command never ran.
            UsageError: a path of the overlay leaves the tree.
        """
        if command.network:
            raise SandboxUnavailableError(
                "landlock: a command can't be given the network here.",
                mend="Install bubblewrap (`apt-get install bubblewrap`).",
            )
        with contextlib.ExitStack() as stack:
            private = stack.enter_context(private_folder(command.limits.tree_bytes))
            uid = None
            cgroup: list[Path] = []
            keeps_root = os.geteuid() == 0
            if self.drops_root and _open_to_others((private.parent, *_needed_paths(command))):
                uid = stack.enter_context(throwaway_uid())
                keeps_root = False
            if keeps_root and self.abi < 6:
                raise SandboxUnavailableError(
                    "landlock: the interpreter lies in a folder closed to other users, and this "
                    f"kernel (Landlock ABI {self.abi}) can't keep root from signalling others.",
                    mend="Install bubblewrap, or an interpreter outside of root's home.",
                )
            if self.group is not None:
                cgroup = [stack.enter_context(control_group(self.group, command.limits))]
            return await run_launcher(
                command,
                self.name,
                private,
                uid=uid,
                cgroup=cgroup,
                landlock=ruleset(self.abi, private, command.readable),
                seccomp=seccomp.landlocked_filter(keeps_attributes=uid is None, denies_truncate=self.abi < 3),
            )


_NEVER_COVERED = (
    "The copy does not appear at the repository's own path.",
    "Sockets fail, also local ones, and so do POSIX semaphores and shared memory.",
    "Names, sizes and times of files outside of the copy can be seen, their content can't.",
    "The name of this machine can be seen.",
    "A process sees nothing of /proc/<pid> but its own first one's.",
    "Kernel memory, as of sockets and pipes, is bounded by the number of open files and processes alone.",
    "Memory, disk space and the number of files are watched every 0.1 s, so a burst may pass a limit before "
    "it is killed.",
)


async def run_launcher(
    command: Command,
    mechanism: str,
    private: Path,
    *,
    uid: int | None = None,
    cgroup: Sequence[Path] = (),
    landlock: confine.Landlocked | None = None,
    seccomp: bytes | None = None,
) -> CommandResult:
    """Run `command` under the launcher `confine`, on a copy in `private`, which it removes."""
    overlay = None
    if command.overlay:
        overlay = private / "overlay"
        write_overlay(command.overlay, command.tree, overlay)
    over_disk = folder_over(private, command.limits)
    with _order_file() as order_fd:

        def launch(report_fd: int, status_fd: int) -> Launch:
            orders: confine.Orders = {
                "caller": os.getpid(),
                "argv": [os.fsencode(word) for word in command.argv],
                "environment": _environment(command, private, report_fd),
                "tree": os.fsencode(command.tree),
                "private": os.fsencode(private),
                "overlay": None if overlay is None else os.fsencode(overlay),
                "limits": resource_limits(command.limits, threads_beside=own_threads() if uid is None else 0),
                "uid": uid,
                "cgroup": [os.fsencode(group) for group in cgroup],
                "landlock": landlock,
                "seccomp": seccomp,
                "report_fd": report_fd,
                "close": [status_fd],
            }
            os.write(order_fd, marshal.dumps(dict(orders)))
            os.lseek(order_fd, 0, os.SEEK_SET)
            argv = [sys.executable, "-I", "-S", str(confine.__file__), str(order_fd)]
            return Launch(argv, (order_fd,), grace_s=10.0, over_disk=over_disk)

        return await supervise(command, mechanism, launch)


@contextlib.contextmanager
def _order_file() -> Iterator[int]:
    fd = os.memfd_create("treemend")
    try:
        yield fd
    finally:
        os.close(fd)


def _environment(command: Command, private: Path, report_fd: int) -> dict[bytes, bytes]:
    environment = {
        "PATH": DEFAULT_PATH,
        "HOME": str(private / "home"),
        "TMPDIR": str(private / "tmp"),
        **command.env,
        "TREEMEND_TREE": str(private / "tree"),
        "TREEMEND_REPORT_FD": str(report_fd),
    }
    return {os.fsencode(name): os.fsencode(value) for name, value in environment.items()}


def ruleset(abi: int, private: Path, readable: Sequence[Path]) -> confine.Landlocked:
    """Everything is handled; the system and `readable` may be read and run, `private` written."""
    count = _RIGHTS_BY_ABI[min(abi, max(_RIGHTS_BY_ABI))]
    handled = (1 << count) - 1
    read = _READ_FILE | _READ_DIR
    # A device node is no part of a source tree.
    written = handled & ~(_MAKE_CHAR | _MAKE_BLOCK | _IOCTL_DEV)
    paths = [
        *((path, read | _EXECUTE) for path in (*_READABLE, *map(str, readable))),
        *((path, (_READ_FILE | _WRITE_FILE | _TRUNCATE) & handled) for path in _WRITABLE),
        *((str(private / name), written) for name in ("tree", "home", "tmp")),
    ]
    return {
        "handled": (handled, _TCP if abi >= 4 else 0, _SCOPES if abi >= 6 else 0),
        "size": 8 * (1 + (abi >= 4) + (abi >= 6)),
        "path_rights": [(os.fsencode(path), rights) for path, rights in paths],
        "file_mask": (_EXECUTE | _READ_FILE | _WRITE_FILE | _TRUNCATE | _IOCTL_DEV) & handled,
    }


def _needed_paths(command: Command) -> Iterator[Path]:
    yield from command.readable
    program = shutil.which(command.argv[0], path=command.env.get("PATH", DEFAULT_PATH))
    if program is not None:
        yield Path(program)


def _open_to_others(paths: Sequence[Path]) -> bool:
    """Whether any user can reach and read every path, as written and with its links resolved."""
    return all(
        _readable_by_others(each)
        for path in paths
        if path.exists()
        for each in (path.absolute(), path.resolve())
    )


def _readable_by_others(path: Path) -> bool:
    if any(not folder.stat().st_mode & stat.S_IXOTH for folder in path.parents):
        return False
    status = path.stat()
    wanted = stat.S_IROTH | (stat.S_IXOTH if stat.S_ISDIR(status.st_mode) else 0)
    # /dev/shm and its like are entered, never listed.
    return status.st_mode & wanted == wanted


def find_landlock() -> Landlock:
    """Landlock as this kernel offers it to this user; it is not tried.

    Raises:
        SandboxUnavailableError: the kernel has none, or the machine is not supported.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    arguments: tuple[Any, ...] = (_SYS_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION_QUERY)
    abi = int(libc.syscall(*arguments))
    if abi < 1:
        raise SandboxUnavailableError(
            "landlock: this kernel does not offer it "
            f"({os.strerror(ctypes.get_errno())}, Linux {platform.release()}).",
            mend="Use Linux 5.13 or later with Landlock switched on (`lsm=landlock,...`).",
        )
    seccomp.require_support("landlock")
    root = os.geteuid() == 0
    return Landlock(abi, drops_root=root and _may_change_user(), group=parent_group() if root else None)


def _may_change_user() -> bool:
    """Whether CAP_CHOWN (0), CAP_SETGID (6) and CAP_SETUID (7) are effective."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        held = next((int(line.split()[1], 16) for line in status if line.startswith("CapEff")), 0)
    return held & 0b1100_0001 == 0b1100_0001
