"""Whole runs of the real command line, in the real sandbox."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

Treemend = Callable[..., subprocess.CompletedProcess[bytes]]
Start = Callable[..., subprocess.Popen[bytes]]

pytestmark = [pytest.mark.slow, pytest.mark.sandbox]


def digest_of(folder: Path) -> dict[str, str]:
    """Every file below a folder with its content and its time of change."""
    return {
        str(path.relative_to(folder)): f"{hashlib.sha256(path.read_bytes()).hexdigest()} "
        f"{path.stat().st_mtime_ns} {path.stat().st_mode}"
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def receipt_of(result: subprocess.CompletedProcess[bytes]) -> dict[str, object]:
    loaded = json.loads(result.stdout)
    assert isinstance(loaded, dict)
    return loaded


def applies(patch: bytes, repo: Path) -> bool:
    check = ["git", "apply", "--check", "-"]
    return subprocess.run(check, cwd=repo, input=patch, capture_output=True).returncode == 0


def medians_after(patch: bytes, repo: Path, folder: Path) -> list[float]:
    """What the patched function gives on lists that no test has."""
    (folder / "median.py").write_bytes((repo / "median.py").read_bytes())
    subprocess.run(["git", "apply", "-"], cwd=folder, input=patch, check=True)
    calls = "[median(x) for x in ([2], [5, 7, 6], [2, 3], [9, 1, 4, 3, 2, 8])]"
    code = f"import json; from median import median; print(json.dumps({calls}))"
    told = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, check=True)
    return list(json.loads(told.stdout))


def test_a_bug_in_one_file_is_repaired_and_the_diff_is_all_of_stdout(
    treemend: Treemend, examples: Path, tmp_path: Path
) -> None:
    repo = examples / "one-file"
    before = digest_of(repo)
    result = treemend("fix", "--repo", str(repo), "--after", "5")
    assert result.returncode == 0, result.stderr.decode()
    assert result.stdout.startswith(b"diff --git a/median.py b/median.py\n")
    assert applies(result.stdout, repo)
    assert medians_after(result.stdout, repo, tmp_path) == [2, 6, 2.5, 3.5]
    assert b"Repaired." in result.stderr
    assert digest_of(repo) == before, "the checkout is only read"


def test_a_bug_two_calls_away_is_found_in_its_own_file(treemend: Treemend, examples: Path) -> None:
    repo = examples / "two-files"
    result = treemend("fix", "--repo", str(repo), "--after", "5", "--json")
    receipt = receipt_of(result)
    assert result.returncode == 0
    assert "first <= day <= last" in str(receipt["patch"])
    assert receipt["regression_passed"] == receipt["regression_tests"] == 2
    targets = receipt["targets"]
    assert isinstance(targets, list)
    assert [(t["before"], t["after"]) for t in targets] == [("failed", "passed")]


def test_two_bugs_in_two_files_are_mended_together(treemend: Treemend, examples: Path) -> None:
    repo = examples / "two-edits"
    result = treemend("fix", "--repo", str(repo), "--after", "0", "--candidates", "300", "--json")
    receipt = receipt_of(result)
    assert result.returncode == 0
    assert "stored - reserved" in str(receipt["patch"])
    assert "reserved += wanted" in str(receipt["patch"])
    assert "shop/stock.py" in str(receipt["thought"]) and "shop/orders.py" in str(receipt["thought"])


def test_what_is_out_of_reach_is_said_plainly(treemend: Treemend, examples: Path) -> None:
    result = treemend("fix", "--repo", str(examples / "out-of-reach"), "--candidates", "20")
    assert result.returncode == 4
    assert result.stdout == b""
    assert b"No patch" in result.stderr
    (run,) = json.loads(treemend("runs", "--json").stdout)
    shown = treemend("show", run["run"], "--patch")
    assert (shown.returncode, shown.stdout) == (0, b"")
    assert b"has no patch: none of 20 candidates is plausible" in shown.stderr


def test_K03_a_flaky_test_is_named_and_is_no_target(treemend: Treemend, examples: Path) -> None:
    result = treemend("fix", "--repo", str(examples / "flaky"))
    assert result.returncode == 7
    assert result.stdout == b""
    assert b"flaky" in result.stderr
    assert b"tests/test_tags.py::test_tags_in_order" in result.stderr


def test_a_test_that_passes_is_a_result_not_an_error(treemend: Treemend, examples: Path) -> None:
    test = "tests/test_median.py::test_spread"
    result = treemend("fix", "--repo", str(examples / "one-file"), "--failing-test", test)
    assert result.returncode == 7
    assert b"already fixed here" in result.stderr


def test_apply_writes_the_patch_into_the_checkout(treemend: Treemend, examples: Path, tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    subprocess.run(["cp", "-a", str(examples / "one-file"), str(repo)], check=True)
    result = treemend("fix", "--repo", str(repo), "--after", "0", "--apply")
    assert result.returncode == 0, result.stderr.decode()
    changed = subprocess.run(["git", "diff", "--name-only"], cwd=repo, capture_output=True, check=True)
    assert changed.stdout == b"median.py\n"


def test_the_same_inputs_give_the_same_patch_whatever_the_hash_seed(
    treemend: Treemend, examples: Path
) -> None:
    options = ("fix", "--repo", str(examples / "two-files"), "--candidates", "20", "--seed", "3")
    patches = {treemend(*options, PYTHONHASHSEED=seed).stdout for seed in (1, 2)}
    assert len(patches) == 1
    assert patches != {b""}


def test_quiet_says_nothing_and_verbose_says_all(treemend: Treemend, examples: Path) -> None:
    options = ("fix", "--repo", str(examples / "two-files"), "--after", "1")
    quiet, verbose = treemend(*options, "--quiet"), treemend(*options, "--verbose")
    assert quiet.returncode == verbose.returncode == 0
    assert quiet.stderr == b""
    assert quiet.stdout == verbose.stdout != b""
    told = verbose.stderr.decode()
    tried = json.loads(
        treemend("show", json.loads(treemend("runs", "--json").stdout)[0]["run"], "--json").stdout
    )
    assert len(re.findall(r"^  #\d+ In `", told, re.MULTILINE)) == tried["counts"]["candidates_executed"]
    assert re.search(
        r"^    plausible: 1 of 1 target tests pass \(\d tests in [\d.]+ s\)$", told, re.MULTILINE
    )
    assert re.search(r"^  3 tests, 1 failed \([\d.]+ s\)$", told, re.MULTILINE)


def test_a_failure_in_which_only_tests_run_is_said_to_be_so(treemend: Treemend, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it():\n    assert 1 == 2\n")
    result = treemend("fix", "--repo", str(tmp_path))
    assert result.returncode == 4
    assert b"no line that may be patched runs in the failing tests" in result.stderr


def test_best_of_n_repairs_too(treemend: Treemend, examples: Path) -> None:
    repo = str(examples / "two-files")
    result = treemend("fix", "--repo", repo, "--strategy", "best-of-n", "--after", "0")
    assert result.returncode == 0
    assert b"first <= day <= last" in result.stdout


def test_only_keeps_the_patch_where_it_is_allowed(treemend: Treemend, examples: Path) -> None:
    repo = str(examples / "two-files")
    only = ("--only", "ledger/report.py", "--candidates", "15", "--json")
    result = treemend("fix", "--repo", repo, *only)
    assert "ledger/dates.py" not in str(receipt_of(result)["patch"])


def test_runs_and_show_tell_of_a_run(treemend: Treemend, examples: Path) -> None:
    treemend("fix", "--repo", str(examples / "two-files"), "--after", "0")
    (run,) = json.loads(treemend("runs", "--json").stdout)
    assert run["outcome"] == "repaired"
    shown = treemend("show", run["run"]).stdout.decode()
    assert "first <= day <= last" in shown
    assert "M = 0" in shown
    assert "sandbox: " in shown
    assert treemend("show", run["run"], "--patch").stdout.startswith(b"diff --git")


def test_output_holds_patch_and_receipt(treemend: Treemend, examples: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    repo = str(examples / "two-files")
    result = treemend("fix", "--repo", repo, "--after", "0", "--output", str(out))
    assert (out / "patch.diff").read_bytes() == result.stdout
    assert json.loads((out / "receipt.json").read_text())["outcome"] == "repaired"
    assert (out / "receipt.md").read_text().startswith("# treemend: repaired")


def rows_of(state: Path, table: str) -> list[tuple[object, ...]]:
    """All rows of a table as they lie in the database."""
    database = state / "treemend.db"
    if not database.is_file():
        return []
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        known = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        if connection.execute(known, (table,)).fetchone() is None:
            return []
        return connection.execute(f"SELECT * FROM {table}").fetchall()


def kill_when(process: subprocess.Popen[bytes], state: Path, table: str, rows: int) -> None:
    """SIGKILL the process as soon as so many rows are there."""
    while process.poll() is None and len(rows_of(state, table)) < rows:
        pass
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.fixture(scope="module")
def whole_patch(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What the run that the next test kills answers when nobody kills it."""
    state = tmp_path_factory.mktemp("whole")
    arguments = [sys.executable, "-c", MAIN, *killed_options(examples)]
    paths = os.pathsep.join(sys.path)
    env = {**os.environ, "PYTHONPATH": paths, "TREEMEND_STATE": str(state)}
    return subprocess.run(arguments, env=env, capture_output=True, check=True).stdout


MAIN = "from treemend.agents.cli import main; main()"


def killed_options(examples: Path) -> tuple[str, ...]:
    return ("fix", "--repo", str(examples / "two-files"), "--after", "5", "--seed", "1")


@pytest.mark.parametrize(
    "table, rows", [("executions", 1), ("executions", 16), ("verdicts", 4), ("ranking", 1)]
)
def test_S12_a_killed_run_resumes_to_the_same_patch_and_repeats_nothing(
    treemend: Treemend,
    start: Start,
    examples: Path,
    state: Path,
    table: str,
    rows: int,
    whole_patch: bytes,
) -> None:
    kill_when(start(*killed_options(examples)), state, table, rows)
    before = rows_of(state, "executions")
    (run,) = json.loads(treemend("runs", "--json").stdout)
    assert run["outcome"] == "not ended"
    resumed = treemend("resume", run["run"])
    assert resumed.returncode == 0, resumed.stderr.decode()
    assert resumed.stdout == whole_patch
    assert rows_of(state, "executions")[: len(before)] == before, "no execution was made again"


def test_interrupting_leaves_a_resumable_run(
    start: Start, treemend: Treemend, examples: Path, state: Path
) -> None:
    process = start("fix", "--repo", str(examples / "out-of-reach"), "--candidates", "500")
    while process.poll() is None and len(rows_of(state, "executions")) < 8:
        pass
    process.send_signal(signal.SIGINT)
    _, told = process.communicate()
    assert process.returncode == 130
    assert b"treemend resume" in told
    assert b"Traceback" not in told
    (run,) = json.loads(treemend("runs", "--json").stdout)
    assert run["outcome"] == "not ended"
