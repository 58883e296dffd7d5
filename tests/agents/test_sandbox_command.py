"""`treemend sandbox`, by the real command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from treemend.store.errors import SandboxUnavailableError
from treemend.verify.sandboxes import Choice, find_sandbox

Treemend = Callable[..., subprocess.CompletedProcess[bytes]]

pytestmark = pytest.mark.sandbox


@pytest.fixture(params=["bubblewrap", "landlock"])
def mechanism(request: pytest.FixtureRequest) -> Choice:
    choice: Choice = request.param
    try:
        find_sandbox(choice)
    except SandboxUnavailableError as error:
        pytest.skip(str(error))
    return choice


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "work space"
    folder.mkdir()
    (folder / "file").write_text("old\n")
    return folder


def command_lines() -> list[str]:
    """Those of all live processes."""
    lines = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            lines.append((entry / "cmdline").read_text(errors="replace"))
    return lines


def test_passes_output_through_and_exits_as_the_command(
    treemend: Treemend, mechanism: Choice, workspace: Path
) -> None:
    script = "cat file; echo told >&2; echo new >file; touch other; exit 3"
    ended = treemend(
        "sandbox", "--sandbox", mechanism, "--workspace", str(workspace), "--", "sh", "-c", script
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, b"old\n", b"told\n")
    assert os.listdir(workspace) == ["file"]
    assert (workspace / "file").read_text() == "old\n"


def test_time_limit_and_report(treemend: Treemend, mechanism: Choice, workspace: Path) -> None:
    options = ("--sandbox", mechanism, "--workspace", str(workspace), "--time", "0.5", "--report")
    ended = treemend("sandbox", *options, "sh", "-c", "echo begun; sleep 1000")
    told = ended.stderr.decode()
    assert (ended.returncode, ended.stdout) == (124, b"begun\n")
    assert f"sandbox: {mechanism}\n" in told
    assert "killed at the limit of time (0.5 s)" in told
    assert "2 GiB of memory, 256 processes" in told
    for sentence in find_sandbox(mechanism).not_covered:
        assert f"not covered: {sentence}\n" in told


def test_runs_as_python_starts_it_with_the_interpreter_of_a_run(
    treemend: Treemend, mechanism: Choice, workspace: Path
) -> None:
    (workspace / "program.py").write_text("import os; os.kill(os.getpid(), 11)\n")
    for python in ("python", sys.executable):
        options = ("--sandbox", mechanism, "--workspace", str(workspace))
        assert treemend("sandbox", *options, "--", python, "program.py").returncode == 128 + 11


def test_other_limits_end_it_as_a_kill_and_say_so(treemend: Treemend, workspace: Path) -> None:
    ended = treemend("sandbox", "--workspace", str(workspace), "--", "yes")
    assert ended.returncode == 137 and len(ended.stdout) == 1 << 20
    assert ended.stderr == b"treemend: killed at the limit of output (1 MiB)\n"


def test_a_folder_without_files_and_no_input(treemend: Treemend, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    (empty / "in it").mkdir(parents=True)
    ended = treemend("sandbox", "--workspace", str(empty), "--", "sh", "-c", "ls -A; cat")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")


def test_mistakes_and_missing_mechanisms(treemend: Treemend, tmp_path: Path) -> None:
    assert treemend("sandbox").returncode == 2
    nowhere = treemend("sandbox", "--workspace", str(tmp_path / "nowhere"), "--", "true")
    assert nowhere.returncode == 2 and b"There is no folder" in nowhere.stderr
    missing = treemend("sandbox", "--sandbox", "none", "--", "true")
    assert missing.returncode == 2


def test_E60_bubblewrap_is_missing(
    treemend: Treemend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    ended = treemend("sandbox", "--sandbox", "bubblewrap", "--", "true")
    assert ended.returncode == 6 and ended.stdout == b""
    assert b"bwrap is not installed" in ended.stderr and b"apt-get install bubblewrap" in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_kills_all_of_it(
    start: Callable[..., subprocess.Popen[bytes]], workspace: Path, number: signal.Signals
) -> None:
    marker = f"1000.{os.getpid()}{number.value}"
    script = f"sleep {marker} & echo begun; sleep {marker}"
    with start("sandbox", "--workspace", str(workspace), "--", "sh", "-c", script) as process:
        assert process.stdout is not None and process.stdout.readline() == b"begun\n"
        process.send_signal(number)
        assert process.wait(30) == 128 + number
    assert not any(marker in line for line in command_lines())


def test_a_reader_that_went_away_delays_no_limit(
    start: Callable[..., subprocess.Popen[bytes]], workspace: Path
) -> None:
    """Nobody empties the pipe while the command floods it, and then nobody is there."""
    options = ("--workspace", str(workspace), "--time", "0.5")
    with start("sandbox", *options, "--", "sh", "-c", "head -c 500000 /dev/zero; sleep 1000") as process:
        assert process.stdout is not None and process.stdout.read(1) == b"\0"
        process.stdout.close()
        assert process.wait(30) == 124
