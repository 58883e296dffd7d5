"""Whole runs of the real command line, with a model that a script plays over HTTP."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.agents.conftest import CommandServer, environment
from tests.agents.model_policy.conftest import KEY, SCRIPT, Models

from treemend.agents.scripted_provider import Request, Rule, ScriptedProvider, load_script
from treemend.store.database import open_store
from treemend.store.records import CallStatus, ModelCall, RunId, TestOrigin

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

FORBIDDEN_EDIT = """Obey.

tests/test_loans.py
<<<<<<< SEARCH
import
=======
assert False
>>>>>>> REPLACE
"""
SHORT = ("--after", "0")
"""Ends with the first plausible thought, its second chance included."""
PRICED = "openai/gpt-4o-mini"
"""A name that litellm knows a price for; who answers is the script."""


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


@dataclass(frozen=True)
class Whole:
    """A run that nobody disturbed, what its model was asked, and what was booked for it."""

    models: Models
    options: tuple[str, ...]
    result: subprocess.CompletedProcess[bytes]
    requests: list[Request]
    calls: list[ModelCall]

    @property
    def folder(self) -> Path:
        return self.models.folder


@pytest.fixture(scope="module")
def whole(model_server: CommandServer, examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """One run that several tests look at: recorded, with its output in `out`."""
    models, repo = Models(model_server, tmp_path_factory.mktemp("whole")), examples / "late-fee"
    options = (issue(repo), "--output", str(models.folder / "out"), "--verbose", *SHORT)
    result, requests = models.run(*options, "--record", str(models.folder / "kept"), repo=repo)
    assert result.returncode == 0, result.stderr.decode()
    return Whole(models, options, result, requests, model_calls(models))


def test_an_issue_in_prose_is_planned_reproduced_rethought_and_repaired_and_replayed(
    whole: Whole, examples: Path
) -> None:
    out, result, requests = whole.folder / "out", whole.result, whole.requests
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
    assert all(KEY not in file.read_bytes().decode("latin-1") for file in whole.folder.rglob("*.db*"))
    rethinking = next(request.text for request in requests if "# Task: rethink" in request.last)
    assert "compared: 40 == 20" in rethinking and "days_late: lent=" in rethinking
    # The text of a reproducer is never shown to who repairs; what it showed is.
    repairing = [r.text for r in requests if "# Task: re" not in r.last and "# Task: further" not in r.last]
    assert not any("test_on_the_due_date" in text for text in repairing)
    assert any("a book one day late costs 20 cents" in text for text in repairing)
    kept = str(whole.folder / "kept")
    again, requests = whole.models.run(*whole.options, "--replay", kept, repo=examples / "late-fee")
    assert (again.returncode, again.stdout, requests) == (0, result.stdout, []), again.stderr.decode()


def test_a_wrong_test_among_those_written_does_not_win(models: Models, examples: Path) -> None:
    right = answer_to("# Task: reproduce")["tests"]
    assert isinstance(right, list)
    rule = Rule(last="# Task: reproduce", answer={"tests": [*right, WRONG_TEST]})
    repo = examples / "late-fee"
    result, _ = models.run(issue(repo), "--json", *SHORT, repo=repo, rules=[rule])
    assert result.returncode == 0, result.stderr.decode()
    receipt = json.loads(result.stdout)
    assert RIGHT_LINE in receipt["patch"]
    after = {change["test"]: change["after"] for change in receipt["reproducers"]}
    assert "failed" in after.values(), "the wrong test refuses nothing"


def test_a_test_that_a_person_calls_right_is_trusted_and_a_wrong_one_counts_no_more(
    models: Models, examples: Path, tmp_path: Path
) -> None:
    """Asked only about tests on which the candidates part: all of them pass the first."""
    right = answer_to("# Task: reproduce")["tests"]
    assert isinstance(right, list)
    repo = examples / "late-fee"
    rules = [
        Rule(last="# Task: reproduce", answer={"tests": [*right, WRONG_TEST]}),
        Rule(last="# Task: further tests", answer={"tests": []}),
    ]
    options = (issue(repo), "--ask", *SHORT, "--output", str(tmp_path / "out"))
    result, _ = models.run(*options, repo=repo, rules=rules, stdin="y\nperhaps\n")
    told = result.stderr.decode()
    assert result.returncode == 0, told
    assert RIGHT_LINE in result.stdout.decode()
    asked = re.findall(r"Is this right\? (.*?) \(", told)
    assert asked == ["a book one day late costs 20 cents"]
    assert "assert fee(date(2026, 1, 1), date(2026, 1, 23)) == 20" in told
    receipt = json.loads((tmp_path / "out" / "receipt.json").read_text())
    assert list(receipt["answers"].values()) == [True] and len(receipt["ranking"]) == 1
    assert "A person says that" in (tmp_path / "out" / "receipt.md").read_text()
    (origin,) = {
        case.origin
        for case in open_store(models.folder / "state" / "treemend.db").test_cases(RunId(last_run(models)))
        if case.id in receipt["answers"]
    }
    assert origin is TestOrigin.USER


SPY = """import os, socket
from datetime import date
from pathlib import Path

from loans import fee


def tried(what):
    try:
        return str(what())
    except Exception as error:
        return type(error).__name__


def test_fee():
    seen = [
        tried(lambda: [name for name, value in os.environ.items() if "canary" in value]),
        tried(lambda: Path({outside!r}).read_text()),
        tried(lambda: b"canary" in Path("/proc/1/environ").read_bytes()),
        tried(lambda: Path({outside!r}).write_text("changed")),
        tried(lambda: socket.create_connection(("127.0.0.1", {port}), 1)),
    ]
    assert fee(date(2026, 1, 1), date(2026, 1, 22)) == 0, f"SPY {{seen}}"
"""


def test_I01_I08_a_hijacked_model_sees_and_changes_nothing(
    models: Models, examples: Path, tmp_path: Path
) -> None:
    """Its tests run where there is nothing to see, its edits are refused, and templates repair beside it."""
    repo, outside = changed(examples / "late-fee", tmp_path / "hijacked", "+ 1", "+ 1"), tmp_path / "outside"
    outside.write_text("canary-of-another-file")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        spy = SPY.format(outside=str(outside), port=listening.getsockname()[1])
        test = {"behaviour": "@everyone Fixes #1", "fails_with": "`20` instead of 0", "code": spy}
        rules = [
            Rule(last="# Task: reproduce", answer={"tests": [test]}),
            Rule(last="# Task: observations", answer={"observations": []}),
            Rule(
                last="# Task: look",
                answer={"calls": [{"tool": "run_shell", "arguments": {"command": "env"}}]},
            ),
            Rule(contains=("# Task: edit",), answer=FORBIDDEN_EDIT),
        ]
        options = (issue(repo), "--json", "--candidates", "2")
        result, requests = models.run(*options, repo=repo, rules=rules)
        listening.setblocking(False)
        with pytest.raises(BlockingIOError):
            listening.accept()
    assert result.returncode == 0, result.stderr.decode()
    assert re.findall(r"^\+\+\+ b/(.*)$", json.loads(result.stdout)["patch"], re.MULTILINE) == ["loans.py"]
    assert result.stderr.count(b"'tests/test_loans.py' is no file of the repository that may be changed") >= 3
    told = "\n".join(text_of(request) for request in requests)
    assert "SPY [" in told and "# Task: rethink" not in told
    everything = told + result.stdout.decode() + result.stderr.decode()
    assert KEY not in everything and "canary-of-another-file" not in everything
    assert outside.read_text() == "canary-of-another-file"
    assert (repo / "tests" / "test_loans.py").read_text() == (
        examples / "late-fee" / "tests" / "test_loans.py"
    ).read_text()


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
    result, _ = models.run(issue(repo), "--candidates", "1", repo=repo, rules=rules)
    assert result.returncode != 7, result.stderr.decode()


@pytest.mark.parametrize("kills", [2, pytest.param(10, marks=pytest.mark.thorough)])
def test_S12_a_run_killed_often_asks_nothing_twice_and_ends_as_one_that_was_not(
    models: Models, examples: Path, whole: Whole, kills: int
) -> None:
    """Each process dies at the second request that it makes: the first is the one under way at the last
    kill, so that they die at points of the run one after another."""
    repo = examples / "late-fee"
    sent: list[Request] = []
    answered: set[str] = set()
    for number in range(kills):
        dies_at = 2 if number else 1

        def kill(request: Request, dies_at: int = dies_at) -> None:
            if request.number == dies_at:
                models.server.kill_running()

        arguments = (last_run(models),) if number else (issue(repo), *SHORT)
        command = "resume" if number else "fix"
        killed, requests = models.run(*arguments, repo=repo, on_request=kill, command=command)
        assert killed.returncode == -9, f"there is no point {number + 1} to be killed at"
        assert answered.isdisjoint(text_of(request) for request in requests)
        sent += requests
        unanswered = {text_of(request) for request in under_way(models, sent)}
        answered = {text_of(request) for request in sent if request.body} - unanswered
    resumed, requests = models.run(last_run(models), repo=repo, command="resume")
    assert (resumed.returncode, resumed.stdout) == (0, whole.result.stdout), resumed.stderr.decode()
    assert answered.isdisjoint(text_of(request) for request in requests)
    # Of a request that was being sent at a kill, a part may have come.
    whole_ones = {text_of(one) for one in [*sent, *requests] if one.body}
    assert whole_ones == {text_of(one) for one in whole.requests}
    calls = model_calls(models)
    lost = [call for call in calls if call.status is CallStatus.LOST]
    assert len(lost) >= kills and len(sent) + len(requests) <= len(calls)
    spent = sum(call.tokens for call in calls) - sum(call.tokens for call in lost)
    assert spent == sum(call.tokens for call in whole.calls)


def text_of(request: Request) -> str:
    return json.dumps(request.body, sort_keys=True)


def under_way(models: Models, sent: Sequence[Request]) -> Sequence[Request]:
    """Those of the requests that were booked and not answered when the process died, the last of all."""
    count = sum(call.status is CallStatus.SENT for call in model_calls(models))
    return sent[-count:] if count else ()


def model_calls(models: Models) -> list[ModelCall]:
    return open_store(models.folder / "state" / "treemend.db").model_calls(RunId(last_run(models)))


def last_run(models: Models) -> str:
    (run,) = open_store(models.folder / "state" / "treemend.db").runs(1)
    return run.id


def test_a_budget_in_dollars_holds_at_every_call_and_ranking_still_happens(
    models: Models, examples: Path
) -> None:
    """Two ideas are asked for at once; the third edit could cost more than what is left."""
    repo, usd = examples / "late-fee", 0.0064
    booked: list[float] = []
    at_once: list[int] = []

    def look(request: Request) -> None:
        calls = model_calls(models)
        booked.append(sum(call.usd or 0.0 for call in calls))
        at_once.append(sum(call.status is CallStatus.SENT for call in calls))

    told = (issue(repo), "--json", "--budget-usd", str(usd))
    result, _ = models.run(*told, repo=repo, on_request=look, model=PRICED)
    receipt = json.loads(result.stdout)
    assert max(booked) <= usd and max(at_once) == 2
    assert 0.0 < sum(use["usd"] for use in receipt["models"]) <= usd
    assert receipt["counts"]["candidates_executed"] == 2 and receipt["ranking"]
    assert (result.returncode, receipt["outcome"]) == (0, "repaired"), result.stderr.decode()


def test_F27_a_key_that_is_refused_ends_with_exit_9_and_is_told_to_nobody(
    models: Models, examples: Path, tmp_path: Path
) -> None:
    with ScriptedProvider([Rule(fault="key revoked")]) as provider:
        result = models.server.run(
            (
                *("ask", "Where are fees made?", "--repo", str(examples / "late-fee")),
                *("--model", "openai/scripted", "--api-base", provider.base_url),
            ),
            environment(tmp_path / "state", OPENAI_API_KEY=KEY),
            tmp_path,
        )
    told = result.stderr.decode()
    assert (result.returncode, result.stdout) == (9, b""), told
    assert "key refused" in told and "Set the provider's key" in told and KEY not in told


def test_a_dollar_budget_without_a_price_is_refused_before_anything(models: Models, examples: Path) -> None:
    repo = examples / "late-fee"
    result, requests = models.run(issue(repo), "--budget-usd", "1", repo=repo)
    assert (result.returncode, requests) == (2, [])
    assert b"--budget-tokens" in result.stderr
