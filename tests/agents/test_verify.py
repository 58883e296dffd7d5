"""`treemend verify`: somebody else's patches, judged by the real command line, and wrong ones that look
right."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest

from treemend.agents.judging.judge import Ruling
from treemend.agents.judging.verification import outcome_of
from treemend.store.records import Outcome
from treemend.tools.patches import unified_diff

Treemend = Callable[..., subprocess.CompletedProcess[bytes]]

pytestmark = [pytest.mark.slow, pytest.mark.sandbox]

BARE_PYTEST = "pytest -p no:asyncio -p no:hypothesispytest -p no:anyio -p no:xdist -p no:xdist.looponfail"


class Bench(Protocol):
    """One observed tree, on which any patch can be judged (tests/agents/conftest.py)."""

    folder: Path

    def diff(self, after: Mapping[str, str | None]) -> bytes: ...

    async def judge(self, patch: bytes) -> Ruling: ...


MakeBench = Callable[[Path, Mapping[str, str | None]], Bench]


def changed(repo: Path, path: str, *changes: tuple[str, str]) -> dict[str, str | None]:
    text = (repo / path).read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return {path: text}


@pytest.fixture
def verify(treemend: Treemend, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """`treemend verify` of a diff."""

    def run(repo: Path, patch: bytes, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        file = tmp_path / "patch.diff"
        file.write_bytes(patch)
        return treemend("verify", str(file), "--repo", str(repo), "--test-cmd", BARE_PYTEST, *arguments)

    return run


def diff_of(repo: Path, path: str, *changes: tuple[str, str]) -> bytes:
    before = (repo / path).read_bytes()
    (after,) = changed(repo, path, *changes).values()
    assert after is not None
    return unified_diff(path, before, after.encode())


def test_a_right_patch_is_accepted_with_its_receipt(
    verify: Treemend, treemend: Treemend, examples: Path, tmp_path: Path
) -> None:
    repo = examples / "one-file"
    patch = diff_of(repo, "median.py", ("% 2 == 0", "% 2 == 1"))
    output = tmp_path / "output"
    result = verify(repo, patch, "--output", str(output))
    assert result.returncode == 0, result.stderr.decode()
    assert result.stdout.startswith(b"Accepted.\n")
    receipt: dict[str, Any] = json.loads((output / "receipt.json").read_text())
    assert (receipt["kind"], receipt["outcome"], receipt["patch"]) == ("verify", "accepted", patch.decode())
    assert [target["after"] for target in receipt["targets"]] == ["passed"] * 5
    assert {check["result"] for check in receipt["judgement"]["checks"]} == {"held"}
    assert "## What was checked" in (output / "receipt.md").read_text()
    (run,) = json.loads(treemend("runs", "--json").stdout)
    shown = treemend("show", run["run"])
    assert b"Nothing speaks against the patch." in shown.stdout


def test_a_patch_with_a_test_of_its_own_needs_a_review_unless_that_is_allowed(
    verify: Treemend, examples: Path
) -> None:
    repo = examples / "one-file"
    test = b"--- /dev/null\n+++ b/tests/test_more.py\n@@ -0,0 +1,2 @@\n+def test_more():\n+    pass\n"
    patch = diff_of(repo, "median.py", ("% 2 == 0", "% 2 == 1")) + test
    result = verify(repo, patch)
    assert (result.returncode, b"tests/test_more.py" in result.stdout) == (3, True)
    result = verify(repo, patch, "--allow-test-edits", "--json")
    (paths,) = (c for c in json.loads(result.stdout)["judgement"]["checks"] if c["name"] == "allowed paths")
    assert (result.returncode, paths["result"]) == (0, "held")
    assert "tests/test_more.py, as --allow-test-edits says" in paths["detail"]


def test_a_wrong_patch_is_refused_with_the_reason_on_stdout(verify: Treemend, examples: Path) -> None:
    repo = examples / "two-files"
    patch = diff_of(repo, "ledger/dates.py", ("first <= day < last", "first <= day"))
    result = verify(repo, patch, "--json")
    assert result.returncode == 4
    receipt = json.loads(result.stdout)
    assert receipt["outcome"] == "refused"
    assert "breaks what passed before: tests/test_report.py::test_balance_leaves_out" in receipt["reason"]


def test_what_does_not_apply_is_a_mistake_that_names_hunk_and_line(verify: Treemend, examples: Path) -> None:
    patch = b"--- a/median.py\n+++ b/median.py\n@@ -8,1 +8,1 @@\n-    if odd(ordered):\n+    pass\n"
    result = verify(examples / "one-file", patch)
    assert (result.returncode, result.stdout) == (2, b"")
    assert b"Hunk 1 of median.py (line 8) does not apply: line 8 is" in result.stderr


def test_K03_a_symptom_that_is_flaky_can_not_be_judged_by(verify: Treemend, examples: Path) -> None:
    repo = examples / "flaky"
    result = verify(repo, diff_of(repo, "tags.py", ("in {", "in sorted({"), ('("#")}]', '("#")})]')))
    assert result.returncode == 7
    assert b"No verdict: flaky, fails only sometimes" in result.stdout


def test_a_repository_where_nothing_fails_can_not_show_it(verify: Treemend, tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    repo.mkdir()
    (repo / "a.py").write_text("x = 1\n")
    (repo / "test_a.py").write_text("from a import x\n\ndef test_x():\n    assert x\n")
    result = verify(repo, unified_diff("a.py", b"x = 1\n", b"x = 2\n"))
    assert result.returncode == 7
    assert b"nothing fails" in result.stdout


def test_no_sandbox_is_exit_6(
    start: Callable[..., subprocess.Popen[bytes]], examples: Path, tmp_path: Path
) -> None:
    repo = examples / "one-file"
    file = tmp_path / "patch.diff"
    file.write_bytes(diff_of(repo, "median.py", ("% 2 == 0", "% 2 == 1")))
    (tmp_path / "bin").mkdir()
    git = shutil.which("git")
    assert git is not None
    os.symlink(git, tmp_path / "bin" / "git")
    process = start(
        "verify", str(file), "--repo", str(repo), "--sandbox", "bubblewrap", PATH=tmp_path / "bin"
    )
    process.communicate()
    assert process.returncode == 6


# Wrong patches that a reader may take for repairs: operators, special cases, deleted behaviour.
WRONG: dict[str, tuple[str, str, tuple[tuple[str, str], ...], Outcome]] = {
    "odd lengths take the mean": (
        "one-file",
        "median.py",
        (("[middle - 1] + ordered[middle]", "[middle] + ordered[middle]"),),
        Outcome.REFUSED,
    ),
    "the other neighbour": (
        "one-file",
        "median.py",
        (("% 2 == 0", "% 2 != 0"), ("ordered[middle - 1]", "ordered[middle - 2]")),
        Outcome.REFUSED,
    ),
    "no distinction of lengths": (
        "one-file",
        "median.py",
        (("    if len(ordered) % 2 == 0:\n        return ordered[middle]\n", ""),),
        Outcome.REFUSED,
    ),
    "a table of known lists": (
        "one-file",
        "median.py",
        (
            (
                "    ordered = sorted(values)\n",
                "    known = {(3,): 3, (1, 9, 2): 2, (9, 1, 8, 2, 7, 3, 6): 6, (4, 1): 2.5,\n"
                "             (1, 2, 3, 4): 2.5, (5, 1, 7, 3, 2, 8): 4}\n"
                "    if tuple(values) in known:\n        return known[tuple(values)]\n"
                "    ordered = sorted(values)\n",
            ),
        ),
        Outcome.NEEDS_REVIEW,
    ),
    "the last day of one month": (
        "two-files",
        "ledger/dates.py",
        (("first <= day < last", "first <= day < last or day == last == (2024, 1, 31)"),),
        Outcome.NEEDS_REVIEW,
    ),
    "no end of the span": (
        "two-files",
        "ledger/dates.py",
        (("first <= day < last", "first <= day"),),
        Outcome.REFUSED,
    ),
    "the first day goes instead": (
        "two-files",
        "ledger/dates.py",
        (("first <= day < last", "first < day <= last"),),
        Outcome.REFUSED,
    ),
    "all of the month": (
        "two-files",
        "ledger/report.py",
        (("first, last))", "first, (last[0], last[1] + 1, 1)))"),),
        Outcome.REFUSED,
    ),
    "orders are counted, not pieces": (
        "two-edits",
        "shop/orders.py",
        (("reserved = wanted", "reserved += 1"),),
        Outcome.REFUSED,
    ),
    "what is reserved is forgotten": (
        "two-edits",
        "shop/stock.py",
        (("return stored + reserved", "return stored"),),
        Outcome.REFUSED,
    ),
    "errors are taken for zero": (
        "out-of-reach",
        "roman.py",
        (("    raise NotImplementedError\n", '    return "I" * number\n'),),
        Outcome.REFUSED,
    ),
}


@pytest.fixture(scope="session")
def benches(make_bench: MakeBench, examples: Path) -> Callable[[str], Bench]:
    """The examples, each observed once."""
    made: dict[str, Bench] = {}

    def bench_of(name: str) -> Bench:
        if name not in made:
            repo = examples / name
            files = {path for example, path, _, _ in WRONG.values() if example == name}
            made[name] = make_bench(repo, {path: (repo / path).read_text() + "\n" for path in files})
        return made[name]

    return bench_of


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_patch_is_not_accepted_and_it_is_said_why(
    benches: Callable[[str], Bench], wrong: str
) -> None:
    example, path, changes, expected = WRONG[wrong]
    bench = benches(example)
    patch = bench.diff(changed(bench.folder, path, *changes))
    outcome, reason = outcome_of(asyncio.run(bench.judge(patch)))
    assert outcome is expected, reason
    assert reason
