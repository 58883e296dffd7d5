"""One process at a time works on a run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from treemend.store.errors import StoreError
from treemend.store.locks import exclusive

HOLDER = """
import sys
from pathlib import Path
from treemend.store.locks import exclusive
with exclusive(Path(sys.argv[1]), "run x"):
    print("held", flush=True)
    sys.stdin.readline()
"""
CONTENDER = """
import os, sys
from pathlib import Path
from treemend.store.errors import StoreError
from treemend.store.locks import exclusive
path = Path(sys.argv[1])
won = 0
for _ in range(300):
    try:
        with exclusive(path, "run x"):
            marker = os.open(str(path) + ".in", os.O_CREAT | os.O_EXCL)  # fails if another is inside
            os.close(marker)
            os.unlink(str(path) + ".in")
            won += 1
    except StoreError:
        pass
print(won)
"""


def start(script: str, path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
    )


def test_a_lock_is_freed_when_its_process_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "locks/x.lock"
    process = start(HOLDER, path)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with pytest.raises(StoreError, match="Another process works on run x"), exclusive(path, "run x"):
        pass
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with exclusive(path, "run x"):
        assert path.exists()
    assert not path.exists()


@pytest.mark.slow
def test_S13_two_processes_are_never_inside_at_once(tmp_path: Path) -> None:
    processes = [start(CONTENDER, tmp_path / "x.lock") for _ in range(3)]
    told = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sum(int(won) for won in told) > 0


def test_S09_a_lock_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="lock file"), exclusive(tmp_path / "file/x.lock", "run x"):
        pass
