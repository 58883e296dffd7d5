"""`treemend doctor`, on this machine and on ones that lack something for real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Treemend = Callable[..., subprocess.CompletedProcess[bytes]]

pytestmark = pytest.mark.sandbox


def checks_of(result: subprocess.CompletedProcess[bytes]) -> dict[str, Any]:
    """The last check of each name."""
    told = json.loads(result.stdout)
    assert told["exit_code"] == result.returncode
    assert told["run_possible"] == (result.returncode == 0)
    return {check["name"]: check for check in told["checks"]}


def test_a_machine_that_can_run_is_told_so(treemend: Treemend, examples: Path, state: Path) -> None:
    result = treemend("doctor", "--repo", str(examples / "one-file"))
    assert result.returncode == 0, result.stderr.decode()
    told = result.stdout.decode()
    for name in ("sandbox", "git", "python", "target", "model", "state", "disk"):
        assert f" {name} " in told
    assert "starts here" in told
    assert "not covered: " in told
    assert f"with pytest {pytest.__version__}" in told
    assert f"{state / 'treemend.db'} opens, schema 2" in told
    assert "missing" not in told
    assert b"\x1b" not in result.stdout
    assert result.stderr == b""


def test_without_git_a_git_repository_can_not_be_read(
    treemend: Treemend, examples: Path, tmp_path: Path
) -> None:
    result = treemend("doctor", "--repo", str(examples / "one-file"), "--json", PATH=tmp_path)
    check = checks_of(result)["git"]
    assert result.returncode == 2
    assert (check["status"], check["mend"]) == ("missing", "apt-get install git")


def test_without_git_a_plain_folder_can_be_repaired(treemend: Treemend, tmp_path: Path) -> None:
    result = treemend("doctor", "--repo", str(tmp_path), "--json", PATH=tmp_path)
    assert result.returncode == 0
    assert checks_of(result)["git"]["status"] == "warning"


def test_E60_a_weaker_sandbox_is_a_warning_with_its_gaps(treemend: Treemend, tmp_path: Path) -> None:
    check = checks_of(treemend("doctor", "--repo", str(tmp_path), "--json", PATH=tmp_path))["sandbox"]
    if check["status"] == "missing":
        pytest.skip(check["fact"])
    assert check["status"] == "warning"
    assert check["fact"].startswith("landlock starts here")
    assert "bwrap is not installed" in check["fact"]
    assert check["mend"] == "apt-get install bubblewrap"
    assert "not covered: The copy does not appear at the repository's own path." in check["details"]


WITHOUT_LANDLOCK = """
import ctypes, errno, struct, sys
CREATE_RULESET = 444  # on every machine
program = b"".join(struct.pack("HBBI", *instruction) for instruction in (
    (0x20, 0, 0, 0), (0x15, 0, 1, CREATE_RULESET),
    (0x06, 0, 0, 0x50000 | errno.ENOSYS), (0x06, 0, 0, 0x7FFF0000),
))
class Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(Program(len(program) // 8, program)), 0, 0) == 0
sys.argv = ["treemend", "doctor", *sys.argv[1:]]
from treemend.agents.cli import main
main()
"""


def test_E62_a_machine_without_any_sandbox(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PATH": str(tmp_path),
        "TREEMEND_STATE": str(tmp_path / "state"),
    }
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_LANDLOCK, "--repo", str(tmp_path), "--json"],
        env=environment,
        capture_output=True,
        check=False,
    )
    assert result.returncode == 6, result.stderr.decode()
    found = checks_of(result)
    assert found["sandbox"]["status"] == "missing"
    assert "apt-get install bubblewrap" in found["sandbox"]["mend"]
    assert found["target"]["status"] == "warning", "nothing of the target was run to find out"


def test_an_interpreter_without_pytest(treemend: Treemend, tmp_path: Path) -> None:
    venv.create(tmp_path / "repo" / ".venv", symlinks=True)
    python = tmp_path / "repo" / ".venv" / "bin" / "python"
    result = treemend("doctor", "--repo", str(tmp_path / "repo"), "--json")
    check = checks_of(result)["target"]
    assert result.returncode == 2
    assert check["mend"] == f"{python} -m pip install pytest"
    assert "has no pytest" in check["fact"]


def test_an_interpreter_that_is_not_there(treemend: Treemend, tmp_path: Path) -> None:
    result = treemend("doctor", "--repo", str(tmp_path), "--python", "python9.9", "--json")
    assert result.returncode == 2
    assert "python9.9" in checks_of(result)["target"]["fact"]


def test_what_an_interpreter_of_the_repository_does_stays_in_the_sandbox(
    treemend: Treemend, tmp_path: Path
) -> None:
    repo, trace = tmp_path / "repo", tmp_path / "trace"
    venv.create(repo / ".venv", symlinks=True)
    (packages,) = (repo / ".venv").glob("lib/python3*/site-packages")
    reached = "os.write(2, b'\\x1b[31mreached')"
    (packages / "sitecustomize.py").write_text(
        f"import os\n{reached}\ntry:\n    open({str(trace)!r}, 'w')\nfinally:\n    os._exit(0)\n"
    )
    result = treemend("doctor", "--repo", str(repo))
    assert result.returncode == 2
    assert b"does not start in the sandbox: reached" in result.stdout
    assert b"\x1b" not in result.stdout
    assert not trace.exists()


def test_S09_a_state_folder_that_can_not_be_made(treemend: Treemend, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "state"
    result = treemend("doctor", "--repo", str(tmp_path), "--json", TREEMEND_STATE=folder)
    check = checks_of(result)["state"]
    assert result.returncode == 8
    assert check["status"] == "missing"
    assert str(folder) in check["fact"]
    assert "TREEMEND_STATE" in check["mend"]


def test_a_store_that_is_no_database(treemend: Treemend, tmp_path: Path) -> None:
    (tmp_path / "runs.db").write_text("not a database, whatever its name says" * 100)
    result = treemend("doctor", "--repo", str(tmp_path), "--json", "--store", str(tmp_path / "runs.db"))
    assert result.returncode == 8
    assert "runs.db" in checks_of(result)["state"]["fact"]


@pytest.mark.parametrize(("size", "status", "code"), [("64m", "warning", 0), ("8m", "missing", 8)])
def test_S04_a_disk_that_is_nearly_full(tmp_path: Path, size: str, status: str, code: int) -> None:
    (tmp_path / "small").mkdir()
    (tmp_path / "repo").mkdir()
    mount = f'mount -t tmpfs -o size={size} none "$1" && shift && exec "$@"'
    in_namespace = ["unshare", "--mount", "sh", "-c", mount, "sh", str(tmp_path / "small")]
    if subprocess.run([*in_namespace, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "TREEMEND_STATE": str(tmp_path / "small"),
    }
    main = "from treemend.agents.cli import main; main()"
    doctor = [sys.executable, "-c", main, "doctor", "--repo", str(tmp_path / "repo"), "--json"]
    result = subprocess.run([*in_namespace, *doctor], env=environment, capture_output=True, check=False)
    assert result.returncode == code, result.stderr.decode()
    (disk, _) = [check for check in json.loads(result.stdout)["checks"] if check["name"] == "disk"]
    assert disk["status"] == status
    assert "TREEMEND_STATE" in disk["mend"]


def test_a_folder_that_is_not_there(treemend: Treemend, tmp_path: Path) -> None:
    result = treemend("doctor", "--repo", str(tmp_path / "nowhere"))
    assert result.returncode == 2
    assert b"no folder" in result.stderr
    assert result.stdout == b""
