"""Launcher of the Landlock sandbox: copies the tree, confines a child, outlives and kills it.

Run as `python -I -S confine.py FD`, where FD holds a marshalled `Orders`. Standard library only,
and little of it: this start is paid for every candidate. It stays outside of the confinement as
the reaper of whatever the command leaves, and ends when its caller ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import marshal
import os
import resource
import signal
import struct
import sys
from typing import Any, NoReturn, TypedDict

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_CAPBSET_DROP = 1, 22, 24
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 36, 38
_SECCOMP_MODE_FILTER = 2
_CAPABILITY_VERSION_3 = 0x20080522
_SYS_CAPSET = {"x86_64": 126, "aarch64": 91}
# The same number on every architecture.
_SYS_CREATE_RULESET, _SYS_ADD_RULE, _SYS_RESTRICT_SELF = 444, 445, 446
_RULE_PATH_BENEATH = 1
_FAILED = 125

_libc = ctypes.CDLL(None, use_errno=True)


class Landlocked(TypedDict):
    """A ruleset: the handled rights of files, network and scope, and paths with rights."""

    handled: tuple[int, int, int]
    size: int
    path_rights: list[tuple[bytes, int]]
    file_mask: int


class Orders(TypedDict):
    """What to do; without `landlock` and `seccomp` nothing is confined, only bounded."""

    caller: int
    argv: list[bytes]
    environment: dict[bytes, bytes]
    tree: bytes
    private: bytes
    overlay: bytes | None
    limits: list[tuple[int, int]]
    uid: int | None
    cgroup: list[bytes]
    landlock: Landlocked | None
    seccomp: bytes | None
    report_fd: int
    close: list[int]


def main() -> NoReturn:
    with open(int(sys.argv[1]), "rb") as file:
        orders: Orders = marshal.load(file)
    for fd in orders["close"]:
        os.set_inheritable(fd, False)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != orders["caller"]:
        os._exit(_FAILED)
    awaited = {signal.SIGTERM, signal.SIGCHLD}
    signal.signal(signal.SIGCHLD, lambda *_: None)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    _copy(orders)
    child = os.fork()
    if child == 0:
        _become_command(orders, mask)
    code = _wait(child, awaited)
    _kill_all(orders["uid"], orders["cgroup"])
    _tool("rm", b"-rf", b"--", orders["private"], quiet=True)
    os._exit(code)


# -- the copy ----------------------------------------------------------------------------------


def _copy(orders: Orders) -> None:
    private = orders["private"]
    tree = private + b"/tree"
    os.umask(0o022)
    for name in (b"/tree", b"/home", b"/tmp"):
        os.mkdir(private + name)
    ok = _tool("cp", b"-dRp", b"--", orders["tree"] + b"/.", tree)
    if ok and orders["overlay"] is not None:
        source = orders["overlay"] + b"/."
        ok = _tool("cp", b"-dRp", b"--remove-destination", b"--", source, tree)
    if ok and orders["uid"] is not None:
        owner = b"%d:%d" % (orders["uid"], orders["uid"])
        ok = _tool("chown", b"-hR", owner, b"--", private)
    if not ok:
        _tool("rm", b"-rf", b"--", private, quiet=True)
        os._exit(_FAILED)


def _tool(name: str, *arguments: bytes, quiet: bool = False) -> bool:
    """Run a program of the system to its end; whether it succeeded."""
    quieten = [(os.POSIX_SPAWN_OPEN, 2, b"/dev/null", os.O_WRONLY, 0)] if quiet else []
    pid = os.posix_spawnp(
        name,
        [os.fsencode(name), *arguments],
        {"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        file_actions=quieten,
        setsigmask=(),
    )
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


# -- the command -------------------------------------------------------------------------------


def _become_command(orders: Orders, mask: set[Any]) -> NoReturn:
    try:
        _confine(orders)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.write(orders["report_fd"], b"\n")
    except BaseException as error:
        _die(_FAILED, f"{type(error).__name__}: {error}")
    try:
        os.execvpe(orders["argv"][0], orders["argv"], orders["environment"])
    except OSError as error:
        _die(127, f"{os.fsdecode(orders['argv'][0])}: {error.strerror}")


def _die(code: int, message: str) -> NoReturn:
    os.write(2, f"{message}\n".encode(errors="replace"))
    os._exit(code)


def _confine(orders: Orders) -> None:
    """Open paths and join groups while there are privileges; the filter comes last."""
    os.setsid()
    for group in orders["cgroup"]:
        with open(group + b"/cgroup.procs", "wb") as members:
            members.write(b"0")
    for kind, value in orders["limits"]:
        resource.setrlimit(kind, (value, value))
    os.chdir(orders["private"] + b"/tree")
    if orders["landlock"] is None or orders["seccomp"] is None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        return
    ruleset = _ruleset(orders["landlock"])
    _drop_privileges(orders["uid"])
    # A change of user id clears it, so it comes after that.
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _syscall(_SYS_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)
    _install_filter(orders["seccomp"])


def _drop_privileges(uid: int | None) -> None:
    if os.geteuid() == 0:
        for capability in range(64):
            if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
                break
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    _syscall(_SYS_CAPSET[os.uname().machine], header, bytes(24))


def _ruleset(wanted: Landlocked) -> int:
    attribute = struct.pack("=QQQ", *wanted["handled"])
    ruleset = _syscall(_SYS_CREATE_RULESET, attribute, wanted["size"], 0)
    for path, rights in wanted["path_rights"]:
        try:
            fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        if not os.path.isdir(b"/proc/self/fd/%d" % fd):
            rights &= wanted["file_mask"]
        _syscall(_SYS_ADD_RULE, ruleset, _RULE_PATH_BENEATH, struct.pack("=Qi", rights, fd), 0)
        os.close(fd)
    return ruleset


def _install_filter(program: bytes) -> None:
    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))

    filtered = Program(len(program) // 8, program)
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(filtered))


def _prctl(option: int, *arguments: Any) -> None:
    padded = [*arguments, 0, 0, 0, 0][:4]
    if _libc.prctl(option, *padded) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option} failed")


def _syscall(number: int, *arguments: Any) -> int:
    result = int(_libc.syscall(number, *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), f"system call {number} failed")
    return result


# -- the end -----------------------------------------------------------------------------------


def _wait(child: int, awaited: set[signal.Signals]) -> int:
    """The exit code of `child`, or 128 + its signal; SIGTERM ends the wait."""
    while True:
        if signal.sigwait(awaited) == signal.SIGTERM:
            return 128 + signal.SIGKILL
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == child:
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else 128 - code
            if pid == 0:
                break


def _kill_all(uid: int | None, groups: list[bytes]) -> None:
    """Kill every descendant; orphans became children of this process."""
    for _ in range(1000):
        if uid is not None:
            _kill_uid(uid)
        elif groups:
            _kill_groups(groups)
        else:
            _kill_descendants()
        if not _reap():
            return


def _kill_uid(uid: int) -> None:
    """Kill all processes of a throwaway user at one stroke, which no fork can outrun."""
    pid = os.fork()
    if pid == 0:
        os.setresuid(uid, uid, uid)
        with contextlib.suppress(OSError):
            os.kill(-1, signal.SIGKILL)
        os._exit(0)
    os.waitpid(pid, 0)


def _kill_groups(groups: list[bytes]) -> None:
    """Kill all members of control groups, in which nothing can be forked any more."""
    for group in groups:
        with contextlib.suppress(OSError):
            with open(group + b"/pids.max", "wb") as limit:
                limit.write(b"0")
            with open(group + b"/cgroup.procs", "rb") as members:
                for pid in members.read().split():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)


def _kill_descendants() -> None:
    stopped: list[int] = []
    while True:
        new = [pid for pid in _descendants(os.getpid()) if pid not in stopped]
        if not new:
            break
        for pid in new:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        stopped += new
    for pid in stopped:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _descendants(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{parent}/task"):
                with open(f"/proc/{parent}/task/{thread}/children", "rb") as listing:
                    found += map(int, listing.read().split())
    return found[1:]


def _reap() -> bool:
    """Reap children until the next one lives or none is left; whether one is left."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            signal.sigtimedwait({signal.SIGCHLD}, 0.01)
            return True


if __name__ == "__main__":
    main()
