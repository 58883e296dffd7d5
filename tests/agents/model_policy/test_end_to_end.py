"""Whole runs of the real command line, with a model that a script plays over HTTP."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from tests.agents.model_policy.conftest import KEY, SCRIPT, Models

from treemend.agents.scripted_provider import Request, Rule, load_script
from treemend.store.database import open_store
from treemend.store.records import CallStatus, RunId

pytestmark = [pytest.mark.slow, pytest.mark.sandbox]

WRONG_TEST = {
    "behaviour": "a book one day late costs nothing",
    "fails_with": "`40` instead of 0",
    "code": "from datetime import date\n\nfrom loans import fee\n\n\n"
    "def test_a_day_of_grace():\n    assert fee(date(2026, 1, 1), date(2026, 1, 23)) == 0\n",
}
RIGHT_LINE = """-    return max(0, (returned - due_date(lent)).days + 1)
+    return max(0, (returned - due_date(lent)).days)
"""

SHORT = ("--after", "0")
"""Ends with the first plausible thought, its second chance included."""


def issue(repo: Path) -> str:
    return str(repo / "issue.md")


def changed(repo: Path, target: Path, old: str, new: str) -> Path:
    """The example with a piece of loans.py replaced."""
    shutil.copytree(repo, target)
    code = (target / "loans.py").read_text()
    assert old in code
    (target / "loans.py").write_text(code.replace(old, new))
    return target


def answer_to(task: str) -> dict[str, object]:
    """What the example's script answers to a task."""
    found = next(rule.answer for rule in load_script(SCRIPT) if rule.last == task)
    assert isinstance(found, dict)
    return found


def test_an_issue_in_prose_is_planned_reproduced_rethought_and_repaired(
    models: Models, examples: Path, tmp_path: Path
) -> None:
    repo, out = examples / "late-fee", tmp_path / "out"
    result, requests = models.run(issue(repo), "--output", str(out), "--verbose", repo=repo)
    assert result.returncode == 0, result.stderr.decode()
    assert RIGHT_LINE in result.stdout.decode()
    asked = "\n".join(request.last for request in requests)
    for task in ("reproduce", "observations", "idea", "look", "edit", "rethink"):
        assert f"# Task: {task}" in asked
    receipt = json.loads((out / "receipt.json").read_text())
    reproduced = {c["test"]: (c["before"], c["after"]) for c in receipt["reproducers"]}
    assert set(reproduced.values()) >= {("failed", "passed")}
    assert receipt["thoughts"][0]["rethought"].startswith("The due date is not special")
    assert "counts a day too many" in receipt["rationale"]
    assert {use["role"] for use in receipt["models"]} == {"plan", "code", "test"}
    told = (out / "receipt.md").read_text() + result.stderr.decode() + json.dumps(receipt)
    assert "rethought" in told and KEY not in told
    assert all(KEY not in file.read_bytes().decode("latin-1") for file in tmp_path.rglob("*.db*"))
    # The text of a reproducer is never shown to who repairs; what it showed is.
    repairing = [r.text for r in requests if "# Task: re" not in r.last and "# Task: further" not in r.last]
    assert not any("test_on_the_due_date" in text for text in repairing)
    assert any("a book one day late costs 20 cents" in text for text in repairing)


def test_a_wrong_test_among_those_written_does_not_win(models: Models, examples: Path) -> None:
    right = answer_to("# Task: reproduce")["tests"]
    assert isinstance(right, list)
    rule = Rule(last="# Task: reproduce", answer={"tests": [*right, WRONG_TEST]})
    repo = examples / "late-fee"
    result, _ = models.run(issue(repo), "--json", repo=repo, rules=[rule])
    assert result.returncode == 0, result.stderr.decode()
    receipt = json.loads(result.stdout)
    assert RIGHT_LINE in receipt["patch"]
    after = {change["test"]: change["after"] for change in receipt["reproducers"]}
    assert "failed" in after.values(), "the wrong test refuses nothing"


def test_on_the_mended_tree_nothing_is_repaired(models: Models, examples: Path, tmp_path: Path) -> None:
    repo = changed(examples / "late-fee", tmp_path / "mended", ".days + 1)", ".days)")
    result, requests = models.run(issue(repo), repo=repo)
    assert result.returncode == 7, result.stderr.decode()
    assert result.stdout == b""
    assert b"already right here" in result.stderr
    assert not any("# Task: edit" in request.last for request in requests)


def test_on_a_half_mended_tree_the_rest_is_repaired_whatever_the_model_claims(
    models: Models, examples: Path, tmp_path: Path
) -> None:
    half = "    if returned == due_date(lent):\n        return 0\n    return min(FEE_MAX"
    repo = changed(examples / "late-fee", tmp_path / "half", "    return min(FEE_MAX", half)
    claim = {**answer_to("# Task: reproduce"), "already_right": True}
    rules = [
        Rule(last="# Task: reproduce", answer=claim),
        Rule(last="Write those again", answer={"tests": []}),
    ]
    result, _ = models.run(issue(repo), "--candidates", "3", repo=repo, rules=rules)
    assert result.returncode != 7, result.stderr.decode()


@pytest.mark.parametrize("at", [1, 4, 9])
def test_S12_a_run_killed_while_it_asks_goes_on_and_asks_nothing_twice(
    models: Models, examples: Path, at: int
) -> None:
    repo = examples / "late-fee"

    def kill(request: Request) -> None:
        if request.number == at:
            models.server.kill_running()

    killed, before = models.run(issue(repo), *SHORT, repo=repo, on_request=kill)
    assert killed.returncode == -9
    resumed, after = models.run(last_run(models), repo=repo, command="resume")
    assert resumed.returncode == 0, resumed.stderr.decode()
    assert RIGHT_LINE in resumed.stdout.decode()
    asked = Counter(json.dumps(request.body, sort_keys=True) for request in [*before, *after])
    repeated = {text: count for text, count in asked.items() if count > 1}
    assert json.dumps(before[at - 1].body, sort_keys=True) in repeated
    calls = open_store(models.folder / "state" / "treemend.db").model_calls(RunId(last_run(models)))
    lost = [call for call in calls if call.status is CallStatus.LOST]
    assert set(repeated.values()) == {2} and len(repeated) == len(lost), "only what was under way"


def last_run(models: Models) -> str:
    (run,) = open_store(models.folder / "state" / "treemend.db").runs(1)
    return run.id


def test_a_budget_in_tokens_ends_the_search_and_ranking_still_happens(models: Models, examples: Path) -> None:
    """The second writing of an edit could cost more than what is left."""
    repo = examples / "late-fee"
    result, _ = models.run(issue(repo), "--json", "--budget-tokens", "15200", *SHORT, repo=repo)
    receipt = json.loads(result.stdout)
    assert sum(use["tokens"] for use in receipt["models"]) <= 15200
    assert receipt["counts"]["candidates_executed"] == 1
    assert (result.returncode, receipt["outcome"]) == (0, "repaired"), result.stderr.decode()


def test_a_dollar_budget_without_a_price_is_refused_before_anything(models: Models, examples: Path) -> None:
    repo = examples / "late-fee"
    result, requests = models.run(issue(repo), "--budget-usd", "1", repo=repo)
    assert (result.returncode, requests) == (2, [])
    assert b"--budget-tokens" in result.stderr


def test_what_was_recorded_is_replayed_with_no_provider(
    models: Models, examples: Path, tmp_path: Path
) -> None:
    repo, kept = examples / "late-fee", str(tmp_path / "kept")
    first, _ = models.run(issue(repo), "--record", kept, *SHORT, repo=repo)
    again, requests = models.run(issue(repo), "--replay", kept, *SHORT, repo=repo)
    assert (again.returncode, again.stdout) == (0, first.stdout), again.stderr.decode()
    assert requests == []
    other, requests = models.run("Late books cost too much.", "--replay", kept, repo=repo)
    assert (other.returncode, requests) == (9, [])
    assert b"Record it anew" in other.stderr
