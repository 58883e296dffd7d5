"""The system call filter of both sandboxes, as a classic BPF program; no library is needed.

A deny list: what can't be confined by a namespace, a mount or Landlock is refused. The checks of
architecture come first, since the same number means another call there (int 0x80, x32).
"""

from __future__ import annotations

import errno
import platform
import socket
import stat
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from treemend.store.errors import SandboxUnavailableError
from treemend.verify.syscalls import LAST_KNOWN, NUMBERS

# <linux/bpf_common.h> and <linux/filter.h>
_LOAD, _AND, _JUMP_EQUAL, _JUMP_ABOVE, _RETURN = 0x20, 0x54, 0x15, 0x25, 0x06
# <linux/seccomp.h>: offsets in struct seccomp_data, and what a program returns
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16
_KILL, _ERRNO, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
# <linux/audit.h>: AUDIT_ARCH_*, in the order of the columns of `NUMBERS`
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000

_CLONE_NAMESPACES = 0x7E020000  # CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_ALL_BITS = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Test:
    """Whether the low 32 bits of an argument, masked, are (or are not) one of some values."""

    argument: int
    values: Sequence[int]
    mask: int = _ALL_BITS
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Above:
    """Whether an argument is more than `most`."""

    argument: int
    most: int


@dataclass(frozen=True, slots=True)
class Rule:
    """Calls that return an error (0: that succeed and do nothing), always or if a test holds."""

    calls: Sequence[str]
    error: int = errno.EPERM
    test: Test | Above | None = None


_SYSTEM = Rule(
    (
        *("acct", "add_key", "adjtimex", "bpf", "chroot", "clock_adjtime", "clock_settime"),
        *("delete_module", "fanotify_init", "fanotify_mark", "finit_module", "fsconfig", "fsmount"),
        *("fsopen", "fspick", "init_module", "io_uring_enter", "io_uring_register"),
        *("io_uring_setup", "ioperm", "iopl", "kcmp", "kexec_file_load", "kexec_load", "keyctl"),
        *("listmount", "migrate_pages", "modify_ldt", "mount", "mount_setattr", "move_mount"),
        *("move_pages", "name_to_handle_at", "open_by_handle_at", "open_tree", "open_tree_attr"),
        *("perf_event_open", "pidfd_getfd", "pivot_root", "process_madvise", "process_mrelease"),
        *("process_vm_readv", "process_vm_writev", "ptrace", "quotactl", "quotactl_fd", "reboot"),
        *("request_key", "setdomainname", "sethostname", "setns", "settimeofday", "statmount"),
        *("swapoff", "swapon", "syslog", "umount2", "unshare", "userfaultfd", "vhangup"),
    )
)
_COMMON = (
    _SYSTEM,
    # Its flags lie in memory, out of the filter's sight; the C library falls back to clone.
    Rule(("clone3",), errno.ENOSYS),
    Rule(("clone",), test=Test(0, (0,), mask=_CLONE_NAMESPACES, negated=True)),
    # Memory that is held without being mapped, which no limit of a process counts.
    Rule(("memfd_create", "memfd_secret"), errno.ENOSYS),
    Rule(("ioctl",), test=Test(1, (_TIOCSTI, _TIOCLINUX))),
    Rule(("mknod",), test=Test(1, (stat.S_IFCHR, stat.S_IFBLK), mask=0o170000)),
    Rule(("mknodat",), test=Test(2, (stat.S_IFCHR, stat.S_IFBLK), mask=0o170000)),
)
_LOCAL_FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6)
_OWN_NAMESPACES = (
    Rule(("socket", "socketpair"), errno.EAFNOSUPPORT, Test(0, _LOCAL_FAMILIES, negated=True)),
    # As with memfd_create; there are 4096 segments at most.
    Rule(("shmget",), errno.EINVAL, Above(1, 64 << 10)),
)
# A connected pair of streams is a pipe; a pair of datagram sockets can still send anywhere.
_NO_SOCKETS = (
    Rule(("socket",), errno.EACCES),
    Rule(("socketpair",), errno.EACCES, Test(0, (socket.AF_UNIX,), negated=True)),
    Rule(
        ("socketpair",),
        errno.EACCES,
        Test(1, (socket.SOCK_STREAM, socket.SOCK_SEQPACKET), mask=0xF, negated=True),
    ),
    Rule(("bind", "connect", "listen"), errno.EACCES),
    Rule(("mq_open", "msgget", "semget", "shmat", "shmget"), errno.EACCES),
    Rule(("prlimit64",), test=Test(0, (0,), negated=True)),
)
# What one process may do to all others of its user.
_NO_PRIORITIES = (
    Rule(("setpriority",), test=Test(0, (0,), negated=True)),
    Rule(("setpriority",), test=Test(1, (0,), negated=True)),
    Rule(("ioprio_set",), test=Test(0, (1,), negated=True)),
    Rule(("ioprio_set",), test=Test(1, (0,), negated=True)),
    # Threads pin themselves by their number: let them believe it.
    Rule(
        ("sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler"),
        error=0,
        test=Test(0, (0,), negated=True),
    ),
)
# Landlock has no say over these, wherever the file lies.
_NO_ATTRIBUTES = (
    Rule(
        (
            *("chmod", "chown", "fchmod", "fchmodat", "fchmodat2", "fchown", "fchownat"),
            *("file_setattr", "fremovexattr", "fsetxattr", "futimesat", "lchown", "lremovexattr"),
            *("lsetxattr", "removexattr", "removexattrat", "setxattr", "setxattrat", "utime"),
            *("utimensat", "utimes"),
        ),
        error=0,
    ),
)
_NO_TRUNCATE = (Rule(("truncate",), errno.EACCES),)


def namespaced_filter(machine: str = "") -> bytes:
    """The filter for a command in its own network, ipc and pid namespaces: local sockets work."""
    return compile_filter((*_COMMON, *_OWN_NAMESPACES), machine)


def landlocked_filter(*, keeps_attributes: bool, denies_truncate: bool, machine: str = "") -> bytes:
    """The filter for a command without namespaces: no sockets but pairs, no System V ipc.

    Args:
        keeps_attributes: Changes of mode, owner, time and extended attributes do nothing, nor do those
            of another process's priority, for a command whose user id owns files and processes outside.
        denies_truncate: truncate(2) fails, where Landlock does not mediate it (ABI 1 and 2).
    """
    rules = [*_COMMON, *_NO_SOCKETS]
    if keeps_attributes:
        rules += (*_NO_ATTRIBUTES, *_NO_PRIORITIES)
    if denies_truncate:
        rules += _NO_TRUNCATE
    return compile_filter(rules, machine)


def require_support(mechanism: str) -> None:
    """Refuse a machine whose system calls the filter does not know.

    Raises:
        SandboxUnavailableError: this is such a machine.
    """
    if platform.machine() not in _ARCHITECTURES:
        raise SandboxUnavailableError(
            f"{mechanism}: no system call filter for {platform.machine()}.",
            mend="Use a machine of x86_64 or aarch64.",
        )


def compile_filter(rules: Sequence[Rule], machine: str = "") -> bytes:
    """Compile `rules` to an array of `struct sock_filter` for `machine` (default: this one).

    Raises:
        ValueError: the machine's system calls are not known.
    """
    machine = machine or platform.machine()
    if machine not in _ARCHITECTURES:
        raise ValueError(f"no system call filter for {machine}")
    column = list(_ARCHITECTURES).index(machine)
    code = [
        _op(_LOAD, _ARCHITECTURE_AT),
        _op(_JUMP_EQUAL, _ARCHITECTURES[machine], 1, 0),
        _op(_RETURN, _KILL),
        _op(_LOAD, _NUMBER_AT),
    ]
    if machine == "x86_64":
        code += [_op(_JUMP_ABOVE, _X32_BIT - 1, 0, 1), _op(_RETURN, _KILL)]
    code += [_op(_JUMP_ABOVE, LAST_KNOWN, 0, 1), _op(_RETURN, _ERRNO | errno.ENOSYS)]
    for rule in rules:
        for call in rule.calls:
            number = NUMBERS[call][column]
            if number is not None:
                code += _compiled(rule, number)
    return b"".join([*code, _op(_RETURN, _ALLOW)])


def _compiled(rule: Rule, number: int) -> list[bytes]:
    refuse = _op(_RETURN, _ERRNO | rule.error)
    if rule.test is None:
        return [_op(_JUMP_EQUAL, number, 0, 1), refuse]
    tested = _above(rule.test, refuse) if isinstance(rule.test, Above) else _tested(rule.test, refuse)
    body = [*tested, _op(_LOAD, _NUMBER_AT)]
    return [_op(_JUMP_EQUAL, number, 0, len(body)), *body]


def _above(test: Above, refuse: bytes) -> list[bytes]:
    """Compare both halves of the argument; reach `refuse` if it is above, else step past it."""
    low = _ARGUMENTS_AT + 8 * test.argument
    return [
        *(_op(_LOAD, low + 4), _op(_JUMP_EQUAL, 0, 0, 2)),
        *(_op(_LOAD, low), _op(_JUMP_ABOVE, test.most, 0, 1), refuse),
    ]


def _tested(test: Test, refuse: bytes) -> list[bytes]:
    """Load and mask the argument; reach `refuse` if the test holds, else step past it."""
    code = [_op(_LOAD, _ARGUMENTS_AT + 8 * test.argument), _op(_AND, test.mask)]
    for index, value in enumerate(test.values):
        left = len(test.values) - index - 1
        # On equality jump over the other comparisons: past `refuse` when the test is negated.
        code.append(_op(_JUMP_EQUAL, value, left + 1 if test.negated else left, 0))
    if not test.negated:
        # No value matched: step past `refuse`.
        code[-1] = _op(_JUMP_EQUAL, test.values[-1], 0, 1)
    return [*code, refuse]


def _op(code: int, value: int, on_true: int = 0, on_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, on_true, on_false, value)
