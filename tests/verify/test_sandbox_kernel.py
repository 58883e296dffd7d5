"""The kernel's own doors: system calls, privileges and other processes.

The numbers are the cases of the threat model. Every attack says that it ran, and what would be won
is judged from outside of the sandbox where it can be. `control` runs it unconfined, harmlessly:
where it loses there too, nothing is proved.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.verify.conftest import Attack, Confined

pytestmark = pytest.mark.sandbox


@pytest.mark.parametrize(
    "path",
    [
        "/proc/sys/kernel/core_pattern",
        "/proc/sysrq-trigger",
        "/sys/fs/cgroup/pids/cgroup.procs",
        "/sys/fs/cgroup/cgroup.procs",
        "/dev/kmsg",
    ],
)
async def test_E40_E42_E53_kernel_files_are_not_opened_for_writing(
    attack: Attack, control: Attack, path: str
) -> None:
    """Opened, never written: the control runs on a real host."""
    body = "os.close(os.open(sys.argv[1], os.O_WRONLY))"
    if os.geteuid() == 0 and os.access(path, os.W_OK):
        assert (await control(body, path)).won
    assert not (await attack(body, path)).won


@pytest.mark.parametrize("root", ["/proc/1/root", "/proc/self/root", "/proc/1/cwd/../../../.."])
async def test_E41_root_of_the_first_process_is_not_the_host_s(
    attack: Attack, open_folder: Path, root: str
) -> None:
    secret = open_folder / "secret"
    secret.write_text("canary")
    secret.chmod(0o644)
    outcome = await attack("return open(sys.argv[1] + sys.argv[2]).read()", root, str(secret))
    assert not outcome.won


async def test_E42_kernel_memory(attack: Attack) -> None:
    assert not (await attack("open('/proc/kcore', 'rb').read(1)")).won


# Most have arguments that the kernel refuses for another reason than the filter does: a control
# runs on a real host, and must do no harm to it.
CALLS = {
    "E07-process_vm_readv": "call(310, os.getpid(), 0, 0, 0, 0, 0)",
    "E13-vsock": "socket.socket(40, socket.SOCK_STREAM)",
    "E14-packet": "socket.socket(17, socket.SOCK_RAW)",
    "E14-netlink": "socket.socket(16, socket.SOCK_RAW)",
    "E14-alg": "socket.socket(38, socket.SOCK_SEQPACKET)",
    "E14-raw": "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
    "E43-mount": "call(165, b'none', b'/no/such/folder', b'tmpfs', 0, 0)",
    "E43-fsopen": "call(430, b'no such file system', 0)",
    "E44-unshare": "call(272, 0x10000000)",
    "E44-clone": "call(56, 0x10000000 | 17, 0, 0, 0, 0) or os._exit(0)",
    "E45-mknod": "os.mknod('disk', 0o60600, os.makedev(8, 0))",
    "E45-mknod of a character device": "os.mknod('null', 0o20600, os.makedev(1, 3))",
    "E46-bpf": "call(321, 9999, 0, 0)",
    "E47-io_uring": "call(425, 0, 0)",
    "E48-perf": "call(298, 0, 0, -1, -1, 0)",
    "E49-keyctl": "call(250, 9999)",
    "E49-userfaultfd": "call(323, 0xFFFF)",
    "E51-sethostname": "call(170, b'', -1)",
    "E51-realtime": "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))",
    "E51-oom": "os.write(os.open('/proc/self/oom_score_adj', os.O_WRONLY), b'-900')",
    "E55-ptrace": "call(101, 9999, 0, 0, 0)",
    "E55-ptrace of an own child": "call(101, 0, 0, 0, 0)",
}
REFUSED = ("[Errno 1]", "[Errno 13]", "[Errno 97]")


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="system call numbers of x86_64")
@pytest.mark.parametrize("case", CALLS)
async def test_E07_E13_E14_E43_to_E55_system_calls(attack: Attack, control: Attack, case: str) -> None:
    outcome = await attack(CALLS[case])
    assert "\nlost" in outcome.said and any(errno in outcome.said for errno in REFUSED)
    controlled = await control(CALLS[case])
    if os.geteuid() == 0 and case not in ("E13-vsock", "E14-alg", "E51-oom"):  # not everywhere
        assert not any(errno in controlled.said for errno in REFUSED), controlled.said


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="machine code of x86_64")
@pytest.mark.parametrize("entry", ["int80", "x32"])
async def test_E50_other_entries_to_the_kernel(attack: Attack, control: Attack, entry: str) -> None:
    body = """
        import mmap
        if sys.argv[1] == "x32":
            libc.syscall(0x40000000 + 39)
            return "alive"
        code = mmap.mmap(-1, 4096, prot=7)
        code.write(bytes.fromhex("b814000000cd80c3"))  # getpid of the 32-bit table
        return ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
    """
    assert (await control(body, entry)).result.ended_by == "exit"
    outcome = await attack(body, entry)
    assert (outcome.result.ended_by, outcome.result.exit_code) == ("signal", -signal.SIGSYS)


async def test_E52_no_capabilities_no_new_privileges_and_a_filter(attack: Attack) -> None:
    outcome = await attack("return dict(line.split(':') for line in open('/proc/self/status'))")
    for wanted in (
        *("'CapPrm': '\\t0000000000000000\\n'", "'CapEff': '\\t0000000000000000\\n'"),
        *("'CapInh': '\\t0000000000000000\\n'", "'CapAmb': '\\t0000000000000000\\n'"),
        *("'NoNewPrivs': '\\t1\\n'", "'Seccomp': '\\t2\\n'"),
        *(["'CapBnd': '\\t0000000000000000\\n'"] if os.geteuid() == 0 else []),
    ):
        assert wanted in outcome.said


async def test_E52_setuid_programs_gain_nothing(attack: Attack, open_folder: Path, control: Attack) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to make a setuid program")
    shell = open_folder / "id"
    shell.write_bytes(Path("/usr/bin/id").read_bytes())
    os.chown(shell, 1234, 1234)
    shell.chmod(0o4755)
    body = "return subprocess.run([sys.argv[1], '-u'], capture_output=True).stdout"
    assert "1234" in (await control(body, str(shell))).said
    outcome = await attack(body, str(shell), readable=(open_folder,))
    assert "1234" not in outcome.said


HARMLESS_DEVICES = {
    *("console", "core", "fd", "full", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout"),
    *("tty", "urandom", "zero"),
}


async def test_E45_devices_are_harmless_or_take_no_orders(
    attack: Attack, control: Attack, confined: Confined
) -> None:
    """Reading the kernel's entropy count is an order to a device that anybody may open."""
    if confined.sandbox.name == "bubblewrap":
        outcome = await attack(
            "return sorted(set(os.listdir('/dev')) - set(sys.argv[1:]))", *HARMLESS_DEVICES
        )
        assert outcome.said.endswith("won []\n")
        return
    body = "import fcntl; fcntl.ioctl(os.open('/dev/urandom', os.O_RDONLY), 0x80045200, bytes(4))"
    assert (await control(body)).won
    admitted = any("Device ioctls are not confined" in line for line in confined.sandbox.not_covered)
    assert (await attack(body)).won == admitted


async def test_E54_shared_memory_of_the_host(attack: Attack, control: Attack) -> None:
    if not os.access("/dev/shm", os.W_OK):
        pytest.skip("no /dev/shm here")
    segment = Path(f"/dev/shm/treemend-test-{os.getpid()}")
    segment.write_text("canary")
    segment.chmod(0o666)
    try:
        body = "return open(sys.argv[1], 'r+').read()"
        assert "canary" in (await control(body, str(segment))).said
        assert "canary" not in (await attack(body, str(segment))).said
    finally:
        segment.unlink()


async def test_E54_system_v_memory_of_the_host(attack: Attack, control: Attack) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p
    segment = libc.shmget(0, 4096, 0o1666)
    assert segment >= 0
    try:
        place = libc.shmat(segment, None, 0)
        ctypes.memmove(place, b"canary", 6)
        body = """
            libc.shmat.restype = ctypes.c_void_p
            place = libc.shmat(int(sys.argv[1]), None, 0o10000)
            if place in (None, 2**64 - 1): raise OSError(ctypes.get_errno(), "shmat")
            return ctypes.string_at(place, 6)
        """
        assert "canary" in (await control(body, str(segment))).said
        assert not (await attack(body, str(segment))).won
    finally:
        libc.shmdt(ctypes.c_void_p(place))
        libc.shmctl(segment, 0, None)


async def test_E55_E56_other_processes_are_not_signalled(
    attack: Attack, control: Attack, victim: tuple[int, str]
) -> None:
    pid, _ = victim
    body = "os.kill(int(sys.argv[1]), 0)"
    assert (await control(body, str(pid))).won
    assert not (await attack(body, str(pid))).won
    assert not (await attack("os.kill(int(sys.argv[1]), 0)", str(os.getpid()))).won


async def test_limits_of_other_processes_are_not_changed(attack: Attack, victim: tuple[int, str]) -> None:
    pid, _ = victim
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    body = "import resource; resource.prlimit(int(sys.argv[1]), resource.RLIMIT_NOFILE, (1, 1))"
    assert not (await attack(body, str(pid))).won
    assert resource.prlimit(pid, resource.RLIMIT_NOFILE) == before


async def test_priority_of_other_processes_is_not_changed(attack: Attack, control: Attack) -> None:
    """The victim has no privileges: another user id is no protection for the user's own processes."""
    body = """
        pid, worked = int(sys.argv[1]), 0
        for step in (
            lambda: os.setpriority(os.PRIO_PROCESS, pid, 7),
            lambda: os.setpriority(os.PRIO_PGRP, pid, 8),
            lambda: os.sched_setaffinity(pid, {max(os.sched_getaffinity(0))}),
            lambda: os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0)),
        ):
            try: step()
            except OSError: continue
            worked += 1
        return worked
    """
    process = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    pid = process.pid

    def priorities() -> tuple[object, ...]:
        return os.getpriority(os.PRIO_PROCESS, pid), os.sched_getaffinity(pid), os.sched_getscheduler(pid)

    try:
        before = priorities()
        await attack(body, str(pid))
        assert priorities() == before
        assert (await control(body, str(pid))).said.endswith("won 4\n")
        assert priorities() != before
    finally:
        process.kill()
        process.wait()


TERMINAL = """
import asyncio, fcntl, os, pty, select, sys, termios, time
from pathlib import Path

attack = '''
import fcntl, os, sys
print("ran", flush=True)
for path in (0, 1, 2, "/dev/tty", sys.argv[1]):
    try:
        fd = path if isinstance(path, int) else os.open(path, os.O_RDWR | os.O_NOCTTY)
        for letter in b"evil": fcntl.ioctl(fd, 0x5412, bytes([letter]))
    except OSError as error: print(path, error)
    else: print("won")
'''

def pushed(slave):
    '''What lies in the terminal for whoever reads from it next.'''
    flags = termios.tcgetattr(slave)
    flags[3] &= ~termios.ICANON
    termios.tcsetattr(slave, termios.TCSANOW, flags)
    return os.read(slave, 100) if select.select([slave], [], [], 0)[0] else b""

choice, tree, program = sys.argv[1:]
master, slave = pty.openpty()
os.setsid()
fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
name = os.ttyname(slave)
if choice == "naive":
    import subprocess
    out = subprocess.run([program, "-c", attack, name], stdin=slave, stdout=subprocess.PIPE).stdout
else:
    from treemend.verify.sandbox import Command
    from treemend.verify.sandboxes import find_sandbox
    argv = (program, "-I", "-S", "-c", attack, name)
    command = Command(argv=argv, tree=Path(tree), at=Path("/home/x/repo"))
    out = asyncio.run(find_sandbox(choice).run(command)).stdout
print(out.startswith(b"ran"), b"won" in out, pushed(slave))
"""


def in_a_terminal(choice: str, tree: Path, program: str) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    argv = [sys.executable, "-c", TERMINAL, choice, str(tree), program]
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def test_E39_nothing_is_typed_into_the_user_s_terminal(
    confined: Confined, tree: Path, python: tuple[str, tuple[Path, ...]]
) -> None:
    assert in_a_terminal(confined.sandbox.name, tree, python[0]) == "True False b''"


def test_E39_a_naive_runner_lets_it_type(tree: Path, python: tuple[str, tuple[Path, ...]]) -> None:
    switch = Path("/proc/sys/dev/tty/legacy_tiocsti")
    possible = not switch.exists() or switch.read_text().strip() != "0"
    expected = "True True b'evil" if possible else "True False b''"
    assert in_a_terminal("naive", tree, python[0]).startswith(expected)
