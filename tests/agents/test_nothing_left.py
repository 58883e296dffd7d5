"""Nothing of a run is left on the machine: no process, no mount, no temp folder, no control group.

This process adopts whatever treemend leaves behind (as a subreaper does), so that other programs of the
machine, and other runs of treemend, don't count.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from sqlite3 import connect
from textwrap import dedent

import pytest

from treemend.store.errors import SandboxUnavailableError
from treemend.verify.cgroups import parent_group
from treemend.verify.sandboxes import Choice, find_sandbox

Treemend = Callable[..., subprocess.CompletedProcess[bytes]]
Start = Callable[..., subprocess.Popen[bytes]]
Adopted = Callable[..., list[str]]
FixCommand = Callable[[Path], tuple[str, ...]]

pytestmark = [pytest.mark.slow, pytest.mark.sandbox]

PR_SET_CHILD_SUBREAPER = 36
ENDING_MS_MAX = 20_000
CANDIDATES = 12
ANSWERS = (0, 4)
"""A patch, or none that is plausible."""
CODE = """
def steps(number):
    count = 0
    while number > 0:
        number -= 1
        count += 2
    return count
"""
# Each run of this test leaves a daemon that ignores SIGTERM, and its child.
SUITE = """
import subprocess, sys
from counting import steps

DAEMON = "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); os.fork(); time.sleep(9999)"

def test_steps():
    subprocess.Popen([sys.executable, "-c", DAEMON], start_new_session=True)
    assert steps(3) == 3

def test_nothing():
    assert steps(0) == 0
"""


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    folder.mkdir()
    (folder / "counting.py").write_text(dedent(CODE))
    (folder / "test_code.py").write_text(dedent(SUITE))
    return folder


@pytest.fixture
def adopted() -> Iterator[Adopted]:
    """Names the processes that were left to us, after the time that a kill takes to be done."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    before = set(children())
    alive: list[int] = []

    def search(wait_ms: int = ENDING_MS_MAX) -> list[str]:
        alive[:] = [pid for pid in children() if pid not in before and not ended(pid, wait_ms)]
        return [Path("/proc", str(pid), "cmdline").read_text().replace("\0", " ")[:200] for pid in alive]

    yield search
    assert libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) == 0
    for pid in alive:
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def children() -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit():
                _, _, rest = (entry / "stat").read_text().rpartition(")")
                if int(rest.split()[1]) == os.getpid():
                    found.append(int(entry.name))
    return found


def ended(pid: int, wait_ms: int) -> bool:
    """Whether a child of ours ends in time; then it is reaped."""
    pidfd = os.pidfd_open(pid)
    try:
        waiting = select.poll()
        waiting.register(pidfd, select.POLLIN)
        if not waiting.poll(wait_ms):
            return False
        os.waitpid(pid, 0)
        return True
    finally:
        os.close(pidfd)


def mounts() -> str:
    return Path("/proc/self/mountinfo").read_text()


def folders_and_groups(pid: int, temp: Path) -> list[str]:
    """What a treemend of this process id has in the temp folder, in memory and among the control groups."""
    group = parent_group()
    places = [Path("/dev/shm"), *([group] if group else [])]
    named = [str(path) for place in places for path in place.glob(f"treemend-*-{pid}-*")]
    return sorted([*named, *(str(path) for path in temp.iterdir())])


@pytest.fixture
def temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temp folder of the runs of this test, and of nothing else."""
    folder = tmp_path / "temp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def outcomes(state: Path) -> list[str]:
    """The outcomes of the tests of candidates, as far as they are recorded."""
    with suppress(Exception), closing(connect(f"file:{state / 'treemend.db'}?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT outcome FROM executions WHERE candidate > 0")
        return [outcome for (outcome,) in rows]
    return []


def options(fix_command: FixCommand, repo: Path, sandbox: Choice) -> list[str]:
    try:
        find_sandbox(sandbox)
    except SandboxUnavailableError as error:
        pytest.skip(str(error))
    limits = ("--candidates", str(CANDIDATES), "--test-timeout", "1", "--python", sys.executable)
    return [*fix_command(repo), "--sandbox", sandbox, "--verbose", *limits]


def wait_for_candidates(process: subprocess.Popen[bytes], count: int) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if line.lstrip().startswith(b"#%d " % count):
            return
    pytest.fail("it ended too early to be interrupted")


def test_what_is_left_would_be_seen(adopted: Adopted) -> None:
    subprocess.run(["sh", "-c", "sleep 9999 &"], check=True)
    # Before it becomes `sleep` it is the shell that was forked for it.
    (left,) = adopted(0)
    assert "sleep 9999" in left


def test_E34_after_candidates_that_hang_and_tests_that_leave_daemons(
    start: Start, fix_command: FixCommand, repo: Path, state: Path, temp: Path, adopted: Adopted
) -> None:
    before = mounts()
    process = start(*options(fix_command, repo, "bubblewrap"))
    _, told = process.communicate()
    assert process.returncode in ANSWERS, told.decode()
    assert "timeout" in outcomes(state), "no candidate hung"
    assert adopted() == []
    assert mounts() == before
    assert folders_and_groups(process.pid, temp) == []
    assert list((state / "runs").iterdir()) == []


def test_after_an_interrupt_that_leaves_a_resumable_run(
    treemend: Treemend, start: Start, fix_command: FixCommand, repo: Path, temp: Path, adopted: Adopted
) -> None:
    before = mounts()
    process = start(*options(fix_command, repo, "bubblewrap"))
    wait_for_candidates(process, 3)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate()
    assert process.returncode == 130
    assert b"treemend resume" in told
    assert b"Traceback" not in told
    assert adopted() == []
    assert mounts() == before
    assert folders_and_groups(process.pid, temp) == []
    (run,) = json.loads(treemend("runs", "--json").stdout)
    assert run["outcome"] == "not ended"


@pytest.mark.parametrize("sandbox", ["bubblewrap", "landlock"])
def test_S12_E34_after_a_kill_and_after_the_run_that_resumes(
    treemend: Treemend,
    start: Start,
    fix_command: FixCommand,
    repo: Path,
    state: Path,
    temp: Path,
    adopted: Adopted,
    sandbox: Choice,
) -> None:
    before = mounts()
    process = start(*options(fix_command, repo, sandbox))
    wait_for_candidates(process, 3)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert adopted() == []
    assert mounts() == before
    (run,) = (state / "runs").iterdir()
    assert treemend("resume", run.name).returncode in ANSWERS
    assert "timeout" in outcomes(state), "no candidate hung"
    assert adopted() == []
    assert folders_and_groups(process.pid, temp) == []
    assert list((state / "runs").iterdir()) == []
