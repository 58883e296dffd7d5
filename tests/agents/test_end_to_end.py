"""Whole runs of the real command line, in the real sandbox."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.agents.conftest import BARE_PYTEST, git

from treemend.agents.api import repair
from treemend.store.records import Budget

Treemend = Callable[..., subprocess.CompletedProcess[bytes]]
Start = Callable[..., subprocess.Popen[bytes]]
FixCommand = Callable[[Path], tuple[str, ...]]

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


def test_a_program_repairs_a_commit_whatever_lies_in_the_checkout(
    examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = tmp_path / "repo"
    shutil.copytree(examples / "one-file", repo)
    (repo / "median.py").write_text("raise SystemExit('half written')\n")
    monkeypatch.setenv("TREEMEND_STATE", str(tmp_path / "state"))
    limits = Budget(time_s=None, after=0)
    result = repair(repo, test_command=BARE_PYTEST, commit="HEAD", test_timeout_s=30, budget=limits)
    assert result.exit_code == 0, result.reason
    git(repo, "checkout", "--quiet", "--", ".")
    assert applies(result.patch, repo)


def test_a_wrong_number_in_a_table_of_another_module_is_repaired_there(fix: Treemend, tmp_path: Path) -> None:
    """No test executes the table: it is suspicious because a line that fails reads it."""
    (tmp_path / "rates.py").write_text('PRICES = {\n    "letter": 1,\n    "parcel": 6,\n}\n')
    (tmp_path / "ship.py").write_text("import rates\n\n\ndef price(kind):\n    return rates.PRICES[kind]\n")
    (tmp_path / "test_ship.py").write_text(
        "from ship import price\n\n\ndef test_parcel():\n    assert price('parcel') == 5\n\n\n"
        "def test_letter():\n    assert price('letter') == 1\n"
    )
    result = fix(tmp_path, "--after", "1")
    assert result.returncode == 0, result.stderr.decode()
    assert b'-    "parcel": 6,\n+    "parcel": 5,\n' in result.stdout


@dataclass(frozen=True)
class Repaired:
    """A run that nobody disturbed, and what it left."""

    result: subprocess.CompletedProcess[bytes]
    treemend: Treemend
    run: str
    output: Path

    @property
    def receipt(self) -> dict[str, Any]:
        return dict(json.loads((self.output / "receipt.json").read_text()))


SEARCH = ("--after", "5", "--seed", "1")


@pytest.fixture(scope="module")
def repaired(
    treemend_in: Treemend,
    fix_command: FixCommand,
    examples: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Repaired:
    """One run that several tests look at."""
    folder = tmp_path_factory.mktemp("repaired")
    treemend = partial(treemend_in, folder / "state")
    output = folder / "output"
    told = ("--verbose", "--output", str(output))
    result = treemend(*fix_command(examples / "two-files"), *SEARCH, *told)
    assert result.returncode == 0, result.stderr.decode()
    (run,) = json.loads(treemend("runs", "--json").stdout)
    assert run["outcome"] == "repaired"
    return Repaired(result, treemend, run["run"], output)


def test_a_bug_two_calls_away_is_found_in_its_own_file(repaired: Repaired) -> None:
    receipt = repaired.receipt
    assert "first <= day <= last" in str(receipt["patch"])
    assert receipt["regression_passed"] == receipt["regression_tests"] == 2
    targets = receipt["targets"]
    assert isinstance(targets, list)
    assert [(t["before"], t["after"]) for t in targets] == [("failed", "passed")]


def test_two_bugs_in_two_files_are_mended_together(fix: Treemend, tmp_path: Path) -> None:
    (tmp_path / "stock.py").write_text("def left(stored, reserved):\n    return stored + reserved\n")
    (tmp_path / "orders.py").write_text(
        "from stock import left\n\n\ndef fits(stored, reserved, wanted):\n"
        "    return left(stored, reserved) > wanted\n"
    )
    (tmp_path / "test_orders.py").write_text(
        "from orders import fits\nfrom stock import left\n\n\n"
        "def test_left():\n    assert left(5, 2) == 3\n\n\n"
        "def test_all_that_is_left_fits():\n    assert fits(5, 0, 5)\n\n\n"
        "def test_less_fits():\n    assert fits(9, 0, 3)\n\n\n"
        "def test_more_does_not_fit():\n    assert not fits(5, 0, 9)\n"
    )
    result = fix(tmp_path, "--after", "0", "--candidates", "50", "--json")
    assert result.returncode == 0, result.stderr.decode()
    receipt = receipt_of(result)
    assert "stored - reserved" in str(receipt["patch"])
    assert ">= wanted" in str(receipt["patch"])
    assert "stock.py" in str(receipt["thought"]) and "orders.py" in str(receipt["thought"])


@pytest.mark.thorough
def test_so_they_are_where_hundreds_of_changes_come_before(fix: Treemend, examples: Path) -> None:
    repo = examples / "two-edits"
    result = fix(repo, "--after", "0", "--candidates", "300", "--json")
    receipt = receipt_of(result)
    assert result.returncode == 0
    assert "stored - reserved" in str(receipt["patch"])
    assert "reserved += wanted" in str(receipt["patch"])
    assert "shop/stock.py" in str(receipt["thought"]) and "shop/orders.py" in str(receipt["thought"])


def test_what_is_out_of_reach_is_said_plainly(fix: Treemend, treemend: Treemend, examples: Path) -> None:
    result = fix(examples / "out-of-reach", "--candidates", "20")
    assert result.returncode == 4
    assert result.stdout == b""
    assert b"No patch" in result.stderr
    (run,) = json.loads(treemend("runs", "--json").stdout)
    shown = treemend("show", run["run"], "--patch")
    assert (shown.returncode, shown.stdout) == (0, b"")
    assert b"has no patch: none of 20 candidates is plausible" in shown.stderr


def test_K03_a_flaky_test_is_named_and_is_no_target(fix: Treemend, examples: Path) -> None:
    result = fix(examples / "flaky")
    assert result.returncode == 7
    assert result.stdout == b""
    assert b"flaky" in result.stderr
    assert b"tests/test_tags.py::test_tags_in_order" in result.stderr


def test_a_test_that_passes_is_a_result_not_an_error(fix: Treemend, examples: Path) -> None:
    test = "tests/test_median.py::test_spread"
    result = fix(examples / "one-file", "--failing-test", test)
    assert result.returncode == 7
    assert b"already fixed here" in result.stderr


def test_best_of_n_repairs_too_and_apply_writes_the_patch_into_the_checkout(
    fix: Treemend, examples: Path, tmp_path: Path
) -> None:
    repo = tmp_path / "repo"
    subprocess.run(["cp", "-a", str(examples / "two-files"), str(repo)], check=True)
    result = fix(repo, "--strategy", "best-of-n", "--after", "0", "--apply")
    assert result.returncode == 0, result.stderr.decode()
    assert b"first <= day <= last" in result.stdout
    changed = subprocess.run(["git", "diff", "--name-only"], cwd=repo, capture_output=True, check=True)
    assert changed.stdout == b"ledger/dates.py\n"


def test_the_same_inputs_give_the_same_patch_whatever_the_hash_seed_and_quiet_says_nothing(
    start: Start, repaired: Repaired, fix_command: FixCommand, examples: Path, tmp_path: Path
) -> None:
    told = ("--output", str(tmp_path / "output"), "--quiet")
    other = start(*fix_command(examples / "two-files"), *SEARCH, *told, PYTHONHASHSEED=2)
    patch, said = other.communicate()
    assert (other.returncode, said) == (0, b"")
    assert patch == repaired.result.stdout != b""
    receipt = json.loads((tmp_path / "output" / "receipt.json").read_text())
    for kept in ("thought", "ranking", "alternatives"):
        assert receipt[kept] == repaired.receipt[kept]
    for counted in ("thoughts", "candidates_executed", "plausible", "until_plausible"):
        assert receipt["counts"][counted] == repaired.receipt["counts"][counted]


def test_verbose_says_all(repaired: Repaired) -> None:
    told = repaired.result.stderr.decode()
    tried = repaired.receipt["counts"]["candidates_executed"]
    assert len(re.findall(r"^  #\d+ In `", told, re.MULTILINE)) == tried
    assert re.search(
        r"^    plausible: 1 of 1 target tests pass \(\d tests in [\d.]+ s\)$", told, re.MULTILINE
    )
    assert re.search(r"^  3 tests, 1 failed \([\d.]+ s\)$", told, re.MULTILINE)


def test_a_failure_in_which_only_tests_run_is_said_to_be_so(fix: Treemend, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it():\n    assert 1 == 2\n")
    result = fix(tmp_path)
    assert result.returncode == 4
    assert b"no line that may be patched runs in the failing tests" in result.stderr


def test_only_keeps_the_patch_where_it_is_allowed(fix: Treemend, examples: Path) -> None:
    only = ("--only", "ledger/report.py", "--candidates", "15", "--json")
    result = fix(examples / "two-files", *only)
    assert "ledger/dates.py" not in str(receipt_of(result)["patch"])


def test_runs_and_show_tell_of_a_run(repaired: Repaired) -> None:
    shown = repaired.treemend("show", repaired.run).stdout.decode()
    assert "first <= day <= last" in shown
    assert "M = 0" in shown
    assert "sandbox: " in shown
    assert repaired.treemend("show", repaired.run, "--patch").stdout == repaired.result.stdout
    assert json.loads(repaired.treemend("show", repaired.run, "--json").stdout) == repaired.receipt


def test_output_holds_patch_and_receipt(repaired: Repaired) -> None:
    assert (repaired.output / "patch.diff").read_bytes() == repaired.result.stdout
    assert repaired.result.stdout.startswith(b"diff --git")
    assert repaired.receipt["outcome"] == "repaired"
    assert (repaired.output / "receipt.md").read_text().startswith("# treemend: repaired")


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
    while len(rows_of(state, table)) < rows:
        # The wait leaves the processor to what is waited for.
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
            break
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.mark.parametrize(
    "table, rows",
    [
        pytest.param("executions", 1, marks=pytest.mark.thorough),
        pytest.param("executions", 16, marks=pytest.mark.thorough),
        ("verdicts", 4),
        ("ranking", 1),
    ],
)
def test_S12_a_killed_run_resumes_to_the_same_patch_and_repeats_nothing(
    treemend: Treemend,
    start: Start,
    examples: Path,
    state: Path,
    table: str,
    rows: int,
    repaired: Repaired,
    fix_command: FixCommand,
) -> None:
    kill_when(start(*fix_command(examples / "two-files"), *SEARCH), state, table, rows)
    before = rows_of(state, "executions")
    (run,) = json.loads(treemend("runs", "--json").stdout)
    assert run["outcome"] == "not ended"
    resumed = treemend("resume", run["run"])
    assert resumed.returncode == 0, resumed.stderr.decode()
    assert resumed.stdout == repaired.result.stdout
    assert rows_of(state, "executions")[: len(before)] == before, "no execution was made again"
