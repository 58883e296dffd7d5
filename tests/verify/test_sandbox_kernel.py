"""The kernel's own doors: system calls, privileges and other processes.

The numbers are the cases of the threat model. Every attack says that it ran, and what would be won
is judged from outside of the sandbox where it can be. `control` runs it unconfined, harmlessly:
where it loses there too, nothing is proved.
"""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.verify.conftest import Attack

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
    "E46-bpf": "call(321, 9999, 0, 0)",
    "E47-io_uring": "call(425, 0, 0)",
    "E48-perf": "call(298, 0, 0, -1, -1, 0)",
    "E49-keyctl": "call(250, 9999)",
    "E49-userfaultfd": "call(323, 0xFFFF)",
    "E51-sethostname": "call(170, b'', -1)",
    "E51-realtime": "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))",
    "E51-oom": "os.write(os.open('/proc/self/oom_score_adj', os.O_WRONLY), b'-900')",
    "E55-ptrace": "call(101, 9999, 0, 0, 0)",
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
