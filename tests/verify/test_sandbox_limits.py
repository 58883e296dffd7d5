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


async def test_E28_memory_of_one_process(attack: Attack) -> None:
    outcome = await attack("bytearray(600 << 20)", limits=Limits(memory_bytes=300 << 20))
    assert "MemoryError" in outcome.said


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
    outcome = await attack(body, limits=Limits(memory_bytes=250 << 20, wall_s=60))
    assert outcome.result.ended_by == "memory"


@pytest.mark.parametrize("folder", [".", "/tmp", "/dev/shm"])
async def test_E31_E32_disk_filled_with_many_files(attack: Attack, confined: Confined, folder: str) -> None:
    body = """
        for number in range(40):
            with open(f"{sys.argv[1]}/{number}", "wb") as file:
                file.write(bytes(1 << 20))
    """
    outcome = await attack(body, folder, limits=Limits(tree_bytes=16 << 20))
    if confined.sandbox.name == "landlock" and folder == ".":
        assert says(confined, "Disk space is bounded by file, not in total")
    else:
        assert not outcome.won
        assert ("No space left" in outcome.said) == (confined.sandbox.name == "bubblewrap")


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
    os.kill(int(naive.stdout), signal.SIGKILL)


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
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)", sys.argv[1]],
                 start_new_session=True)
os.write(int(os.environ["TREEMEND_REPORT_FD"]), b"x")
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
