"""What is left of a sandbox when treemend itself is killed: no process, and no file after the next start."""

from __future__ import annotations

import os
import secrets
import select
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from treemend.store.errors import SandboxUnavailableError
from treemend.verify.cgroups import parent_group
from treemend.verify.sandboxes import Choice, find_sandbox
from treemend.verify.staging import staging_bases

Treemend = Callable[..., subprocess.CompletedProcess[bytes]]
Start = Callable[..., subprocess.Popen[bytes]]

pytestmark = pytest.mark.sandbox

# Children in sessions of their own that ignore what can be ignored.
STUBBORN = "trap '' TERM HUP INT; (setsid sh -c 'trap \"\" TERM HUP INT; sleep {0}; sleep {0}' &) ; \
            echo begun; sleep {0}; sleep {0}"


@pytest.fixture(params=["bubblewrap", "landlock"])
def mechanism(request: pytest.FixtureRequest) -> Choice:
    choice: Choice = request.param
    try:
        find_sandbox(choice)
    except SandboxUnavailableError as error:
        pytest.skip(str(error))
    return choice


@pytest.fixture
def marker() -> str:
    """A number of seconds that no other command line on this machine holds."""
    return f"1000.{secrets.randbelow(10**12)}"


def processes(words: Callable[[str], bool]) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if words((entry / "cmdline").read_text(errors="replace")):
                found.append(int(entry.name))
    return found


def leftovers(pid: int) -> list[Path]:
    """Folders and control groups that a process made."""
    group = parent_group()
    places = [*staging_bases(), *([group] if group else [])]
    return sorted(path for place in places for path in place.glob(f"treemend-*-{pid}-*"))


def assert_dead_soon(pidfds: list[int]) -> None:
    waiting = select.poll()
    for pidfd in pidfds:
        waiting.register(pidfd, select.POLLIN)
    left = set(pidfds)
    while left:
        ended = waiting.poll(20_000)
        assert ended, "processes of the sandbox outlived treemend"
        for pidfd, _ in ended:
            waiting.unregister(pidfd)
            left.discard(pidfd)
            os.close(pidfd)


@contextmanager
def begun(start: Start, mechanism: Choice, folder: Path, script: str) -> Iterator[subprocess.Popen[bytes]]:
    options = ("--sandbox", mechanism, "--workspace", str(folder))
    with start("sandbox", *options, "--", "sh", "-c", script) as process:
        assert process.stdout is not None and process.stdout.readline() == b"begun\n"
        try:
            yield process
        finally:
            process.kill()


def test_E38_treemend_is_killed(
    start: Start, treemend: Treemend, mechanism: Choice, tmp_path: Path, marker: str
) -> None:
    mounts = Path("/proc/self/mountinfo").read_text()
    with begun(start, mechanism, tmp_path, STUBBORN.format(marker)) as process:
        inside = [os.pidfd_open(pid) for pid in processes(lambda line: marker in line)]
        assert len(inside) >= 3 and leftovers(process.pid)
        process.kill()
    assert_dead_soon(inside)
    for pid in processes(lambda line: marker in line):
        # Forked while the others were counted.
        with suppress(ProcessLookupError):
            assert_dead_soon([os.pidfd_open(pid)])
    assert Path("/proc/self/mountinfo").read_text() == mounts
    assert treemend("sandbox", "--sandbox", mechanism, "--workspace", str(tmp_path), "true").returncode == 0
    assert leftovers(process.pid) == []


def test_E38_treemend_is_killed_with_what_it_started(
    start: Start, treemend: Treemend, mechanism: Choice, tmp_path: Path, marker: str
) -> None:
    """As the kernel may do when memory is short: the launcher, too, has no time to clean up."""
    with begun(start, mechanism, tmp_path, STUBBORN.format(marker)) as process:
        inside = [os.pidfd_open(pid) for pid in processes(lambda line: marker in line)]
        mine = [pid for pid in processes(bool) if parent_of(pid) == process.pid]
        assert mine
        process.send_signal(signal.SIGSTOP)
        for pid in (*mine, process.pid):
            os.kill(pid, signal.SIGKILL)
    swept = treemend("sandbox", "--sandbox", mechanism, "--workspace", str(tmp_path), "true")
    assert swept.returncode == 0
    admitted = find_sandbox(mechanism).not_covered
    if any("killed from outside" in sentence for sentence in admitted):
        for pid in processes(lambda line: marker in line):
            os.kill(pid, signal.SIGKILL)
    assert_dead_soon(inside)
    assert leftovers(process.pid) == []


def parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def test_a_living_run_is_never_swept(
    start: Start, treemend: Treemend, mechanism: Choice, tmp_path: Path
) -> None:
    """Others start and end meanwhile; its copy and its processes stay as they are."""
    with begun(start, mechanism, tmp_path, "echo begun; sleep 1000") as process:
        before = leftovers(process.pid)
        assert before
        for other in ("bubblewrap", "landlock"):
            treemend("sandbox", "--sandbox", other, "--workspace", str(tmp_path), "true")
        assert leftovers(process.pid) == before
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 128 + signal.SIGTERM
    assert leftovers(process.pid) == []
