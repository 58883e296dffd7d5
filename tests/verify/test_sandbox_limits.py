"""Resources and processes: what a command in a sandbox can't use up or leave behind.

The numbers are the cases of the threat model. Every attack says that it ran, and what would be won
is judged from outside of the sandbox where it can be. `control` runs it unconfined, harmlessly:
where it loses there too, nothing is proved.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from treemend.verify.sandbox import Limits
from treemend.verify.sandboxes import sweep_leftovers

if TYPE_CHECKING:
    from tests.verify.conftest import Attack, Confined

pytestmark = pytest.mark.sandbox


def says(confined: Confined, words: str) -> bool:
    """Whether the mechanism admits a gap with these words."""
    return any(words in line for line in confined.sandbox.not_covered)


async def test_E27_fork_bomb(attack: Attack, control: Attack, confined: Confined) -> None:
    body = """
        for number in range(400):
            try: pid = os.fork()
            except OSError: return number
            if pid == 0: time.sleep(1000)
        raise SystemExit("400 forks")
    """
    outcome = await attack(body, limits=Limits(processes=40, wall_s=30))
    shared = confined.sandbox.name == "landlock" and os.geteuid() != 0
    assert says(confined, "limit on processes is shared") == shared
    assert outcome.won and 0 <= int(outcome.said.split()[-1]) < (80 if shared else 40)
    if os.geteuid() == 0:
        assert "400 forks" in (await control(body, limits=Limits(processes=40, wall_s=30))).said


async def test_E28_memory_of_one_process(attack: Attack, control: Attack) -> None:
    body = "return len(bytearray(600 << 20))"
    assert "MemoryError" in (await attack(body, limits=Limits(memory_bytes=300 << 20))).said
    assert (await control(body)).won


@pytest.mark.parametrize("shared", [False, True])
async def test_E29_memory_of_many_processes(attack: Attack, shared: bool) -> None:
    """No single process passes the limit."""
    body = """
        import mmap
        for _ in range(5):
            if os.fork() == 0:
                held = mmap.mmap(-1, 100 << 20) if SHARED else bytearray(100 << 20)
                for page in range(0, 100 << 20, 4096): held[page] = 1
                time.sleep(1000)
        time.sleep(1000)
    """.replace("SHARED", str(shared))
    outcome = await attack(body, limits=Limits(memory_bytes=250 << 20, wall_s=20))
    assert outcome.result.ended_by == "memory"


HIDDEN_MEMORY = {
    "memfd": """
        held = [os.memfd_create("held") for _ in range(10)]
        for fd in held:
            for _ in range(10): os.write(fd, bytes(1 << 20))
        return len(held)
    """,
    "sysv": """
        libc.shmget.argtypes = [ctypes.c_int, ctypes.c_size_t, ctypes.c_int]
        for _ in range(10):
            if libc.shmget(0, SIZE, 0o1600) < 0: raise OSError(ctypes.get_errno(), "shmget")
    """,
    "partly mapped": """
        import signal
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
        libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        for _ in range(10):
            start = libc.mmap(None, 20 << 20, 3, 0x21, -1, 0)
            ctypes.memset(start, 1, 20 << 20)
            libc.munmap(start + 4096, (20 << 20) - 4096)
        signal.pause()
    """,
    "page tables": """
        import signal
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
        libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        start = libc.mmap(None, 1 << 37, 1, 0x4022, -1, 0)
        libc.madvise(start, 1 << 37, 15)
        for step in range(1 << 16): ctypes.c_char.from_address(start + (step << 21)).value
        signal.pause()
    """,
}


@pytest.mark.parametrize("case", ["partly mapped", "page tables"])
async def test_E29_memory_that_no_process_seems_to_hold(
    attack: Attack, confined: Confined, case: str
) -> None:
    """200 MiB, of which the processes' resident sets are a small part."""
    admitted = case == "partly mapped" and says(confined, "Shared memory that is mapped in part only")
    limits = Limits(memory_bytes=100 << 20, wall_s=1 if admitted else 20)
    outcome = await attack(HIDDEN_MEMORY[case], limits=limits)
    assert outcome.result.ended_by == ("time" if admitted else "memory")


async def test_E29_memory_behind_descriptors(attack: Attack, control: Attack) -> None:
    """What is written to a memory file, or lies in a System V segment, need not be mapped by anybody."""
    for case, size in (("memfd", ""), ("sysv", "10 << 20"), ("sysv", "(1 << 40) | 4096")):
        body = HIDDEN_MEMORY[case].replace("SIZE", size)
        assert not (await attack(body)).won
        if "40" not in size:
            assert (await control(body)).won


async def test_E30_one_big_file(attack: Attack, control: Attack) -> None:
    body = """
        with open("big", "wb") as file:
            for _ in range(40): file.write(bytes(1 << 20))
    """
    outcome = await attack(body, limits=Limits(file_bytes=8 << 20))
    assert "File too large" in outcome.said or outcome.result.exit_code == -signal.SIGXFSZ
    assert (await control(body)).won


@pytest.mark.parametrize("folder", [".", "/tmp", "/dev/shm", "$HOME"])
async def test_E31_E32_disk_filled_with_many_files(attack: Attack, confined: Confined, folder: str) -> None:
    body = """
        folder = os.path.expandvars(sys.argv[1])
        for number in range(40):
            with open(f"{folder}/{number}", "wb") as file:
                file.write(bytes(1 << 20))
        time.sleep(1000)
    """
    outcome = await attack(body, folder, limits=Limits(tree_bytes=16 << 20, wall_s=15))
    if confined.sandbox.name == "bubblewrap":
        assert "No space left" in outcome.said
    elif folder in (".", "$HOME"):
        assert outcome.result.ended_by == "disk"
    else:
        assert "Permission denied" in outcome.said


@pytest.mark.parametrize("folder", [".", "/tmp", "/dev/shm", "$HOME"])
async def test_E33_more_files_than_the_limit(
    attack: Attack, control: Attack, confined: Confined, folder: str
) -> None:
    body = """
        folder = os.path.expandvars(sys.argv[1])
        for number in range(3000):
            os.close(os.open(f"{folder}/{number}", os.O_CREAT | os.O_WRONLY))
        if len(sys.argv) > 2: time.sleep(1000)
    """
    outcome = await attack(body, folder, "stay", limits=Limits(files=1000, wall_s=15))
    if confined.sandbox.name == "bubblewrap" or folder in (".", "$HOME"):
        assert outcome.result.ended_by == "disk"
    else:
        assert "Permission denied" in outcome.said
    if folder == ".":
        assert (await control(body, folder)).won


BOMBS = {
    "forks": ("while True:\n    try: os.fork()\n    except OSError: pass", "time"),
    "memory": ("held = []\nwhile True: held.append(bytearray(1 << 20))", "exit"),
    "shared memory": (
        "import mmap\nheld = []\n"
        "while True: held.append(mmap.mmap(-1, 1 << 20)); held[-1].write(bytes(1 << 20))",
        "memory",
    ),
    "bytes": ("for n in range(10**9): open(str(n), 'wb').write(bytes(1 << 20))", "disk"),
    "files": ("for n in range(10**9): open(str(n), 'wb').close()", "disk"),
    "output": ("while True: sys.stdout.write('x' * 9999)", "output"),
    "hang": ("while True: pass", "time"),
}


@pytest.mark.parametrize("bomb", BOMBS)
async def test_E27_to_E36_a_bomb_costs_one_command_and_its_limit(
    attack: Attack, confined: Confined, leftovers: Callable[[], list[str]], bomb: str
) -> None:
    body, ended_by = BOMBS[bomb]
    limits = Limits(1.0, 10.0, 64 << 20, 30, 8 << 20, 16 << 20, 2000, 1 << 16)
    outcome = await attack(body, limits=replace(limits, wall_s=1.0 if ended_by == "time" else 60.0))
    if bomb == "bytes" and confined.sandbox.name == "bubblewrap":
        assert "No space left" in outcome.said
    else:
        # The limit of a process and that of all of them are the same, and either may be hit first.
        seen = outcome.result.ended_by
        assert seen == ended_by or (bomb, seen) == ("memory", "memory")
    assert not outcome.won and outcome.result.wall_s < 30
    following = await confined.run(confined.python("print('the caller goes on')"))
    assert following.stdout == b"the caller goes on\n"
    assert leftovers() == []


async def test_E34_daemon_is_dead_when_the_run_ends(
    attack: Attack, processes_with: Callable[[str], list[int]]
) -> None:
    marker = f"marker-{os.urandom(8).hex()}"
    body = """
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                fds = [os.open("/dev/null", os.O_RDWR)] * 3
                for fd in range(3): os.dup2(fds[0], fd)
                sleeping = "import time; time.sleep(1000)"
                os.execv(sys.executable, [sys.executable, "-c", sleeping, sys.argv[1]])
            os._exit(0)
        os.wait()
    """
    assert (await attack(body, marker)).won
    assert processes_with(marker) == []


def test_E34_daemon_survives_a_naive_runner() -> None:
    script = "sleep 1000 </dev/null >/dev/null 2>&1 & echo $!"
    naive = subprocess.run(["sh", "-c", script], check=True, stdout=subprocess.PIPE)
    daemon = int(naive.stdout)
    assert os.path.exists(f"/proc/{daemon}")
    os.kill(daemon, signal.SIGKILL)


async def test_E35_grandchild_that_keeps_stdout_open(
    attack: Attack, processes_with: Callable[[str], list[int]]
) -> None:
    marker = f"marker-{os.urandom(8).hex()}"
    body = """
        sleeping = "import time; time.sleep(1000)"
        subprocess.Popen([sys.executable, "-c", sleeping, sys.argv[1]], start_new_session=True)
    """
    outcome = await attack(body, marker, limits=Limits(wall_s=60))
    assert outcome.result.ended_by == "exit"
    assert processes_with(marker) == []


async def test_E34_command_that_kills_its_own_group(
    attack: Attack, processes_with: Callable[[str], list[int]]
) -> None:
    """What supervises it is not in that group, and still finds what is in another."""
    marker = f"marker-{os.urandom(8).hex()}"
    body = """
        sleeping = "import time; time.sleep(1000)"
        subprocess.Popen([sys.executable, "-c", sleeping, sys.argv[1]], start_new_session=True)
        os.kill(0, 9)
    """
    assert (await attack(body, marker)).result.ended_by == "signal"
    assert processes_with(marker) == []


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
async def test_E36_flood_of_output(attack: Attack, stream: str) -> None:
    body = f"""
        for _ in range(150):
            sys.{stream}.write("x" * (1 << 20))
    """
    outcome = await attack(body, limits=Limits(output_bytes=1 << 20, wall_s=60))
    assert (outcome.result.ended_by, outcome.result.exit_code) == ("output", -9)
    assert len(getattr(outcome.result, stream)) == 1 << 20


async def test_E37_ignored_signals(attack: Attack) -> None:
    body = """
        import signal
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        while True: pass
    """
    assert (await attack(body, limits=Limits(wall_s=0.3))).result.ended_by == "time"


RUNNER = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
from treemend.verify.sandbox import Command
from treemend.verify.sandboxes import find_sandbox

choice, tree, marker, program, *readable = sys.argv[1:]
source = '''
import os, subprocess, sys, time
report = os.environ["TREEMEND_REPORT_FD"]
child = "import os, sys, time; os.write(int(sys.argv[2]), b'x'); time.sleep(1000)"
subprocess.Popen([sys.executable, "-c", child, sys.argv[1], report],
                 start_new_session=True, pass_fds=[int(report)])
time.sleep(1000)
'''
command = Command(
    argv=(program, "-c", source, marker), tree=Path(tree), at=Path("/home/x/repo"),
    readable=tuple(map(Path, readable)), on_report=lambda data: print("started", flush=True),
)
asyncio.run(find_sandbox(choice).run(command))
"""


async def test_E38_runner_killed(
    confined: Confined,
    processes_with: Callable[[str], list[int]],
    python: tuple[str, tuple[Path, ...]],
) -> None:
    marker = f"marker-{os.urandom(8).hex()}"
    program, _ = python
    argv = [sys.executable, "-c", RUNNER, confined.sandbox.name, str(confined.command.tree)]
    argv += [marker, program, *map(str, confined.command.readable)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env=environment) as runner:
        assert runner.stdout is not None and runner.stdout.readline() == b"started\n"
        inside = [os.pidfd_open(pid) for pid in processes_with(marker) if pid != runner.pid]
        assert len(inside) >= 2
        runner.kill()
    waiting = select.poll()
    for pidfd in inside:
        waiting.register(pidfd, select.POLLIN)
    while inside:
        ended = waiting.poll(20_000)
        assert ended, "the sandboxed processes outlived their runner"
        for pidfd, _ in ended:
            waiting.unregister(pidfd)
            inside.remove(pidfd)
            os.close(pidfd)
    sweep_leftovers()
