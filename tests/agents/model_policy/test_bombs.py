"""Candidates that eat processes, memory, disk or time: each costs itself and its limit; the run goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.agents.model_policy.conftest import Models

from treemend.agents.scripted_provider import Rule
from treemend.store.database import open_store

pytestmark = [pytest.mark.slow, pytest.mark.sandbox]

CODE = "def reading(text):\n    raise NotImplementedError\n"
TESTS = """from meter import reading


def test_reading():
    assert reading("12 kWh") == 12


def test_nothing_to_read():
    assert callable(reading)
"""
BOMBS = {
    "processes": "import os\n    while True:\n        os.fork()\n",
    "memory": "kept = []\n    while True:\n        kept.append(b'x' * (1 << 28))\n",
    "disk": "with open('filler', 'wb') as out:\n        while out.write(bytes(1 << 20)):\n            pass\n",
    "time": "while True:\n        pass\n",
}
REPAIR = "return int(text.split()[0])\n"


def edit(thought: str, body: str) -> Rule:
    block = f"meter.py::reading\n<<<<<<< FUNCTION\ndef reading(text):\n    {body}>>>>>>> END\n"
    return Rule(contains=("# Task: edit", thought), answer=f"It was never written.\n\n{block}")


def idea(first: str, second: str) -> dict[str, object]:
    thoughts = [{"thought": text, "path": "meter.py", "function": "reading"} for text in (first, second)]
    return {"first": thoughts[0], "counter_example": "None is known.", "second": thoughts[1]}


def observed(text: str, plausibility: float) -> dict[str, object]:
    return {"text": text, "plausibility": plausibility}


THOUGHTS = {name: f"Spend {name} on it." for name in BOMBS}
RIGHT = "Take the number before the unit."
OBSERVED = [
    observed("Nothing is forked or kept.", 0.9),
    observed("Nothing is written or awaited.", 0.8),
    observed("Nothing is parsed.", 0.1),
]
RULES = (
    Rule(last="# Task: reproduce", answer={"tests": []}),
    Rule(last="# Task: observations", answer={"observations": OBSERVED}),
    Rule(last="1. Nothing is forked", answer=idea(THOUGHTS["processes"], THOUGHTS["memory"])),
    Rule(last="1. Nothing is written", answer=idea(THOUGHTS["disk"], THOUGHTS["time"])),
    Rule(last="# Task: idea", answer=idea(RIGHT, RIGHT)),
    Rule(last="# Task: look", answer={"calls": []}),
    Rule(last="# Task: rethink", answer={"thought": ""}),
    Rule(last="# Task: further tests", answer={"tests": []}),
    edit(RIGHT, REPAIR),
    *(edit(THOUGHTS[name], body) for name, body in BOMBS.items()),
)


@pytest.mark.thorough
def test_E27_E28_E31_bombs_and_a_hang_cost_a_candidate_each(models: Models, tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    repo.mkdir()
    (repo / "meter.py").write_text(CODE)
    (repo / "test_meter.py").write_text(TESTS)
    result, _ = models.run(
        *("--failing-test", "test_meter.py::test_reading", "--after", "0", "--test-timeout", "2"),
        *("--strategy", "linear"),
        repo=repo,
        rules=RULES,
    )
    assert result.returncode == 0, result.stderr.decode()
    assert f"+    {REPAIR}" in result.stdout.decode()
    store = open_store(models.folder / "state" / "treemend.db")
    (run,) = store.runs(1)
    thoughts = {thought.seq: thought.text for thought in store.thoughts(run.id)}
    tried = {candidate.seq: thoughts[candidate.thought] for candidate in store.candidates(run.id)}
    verdicts = {tried[verdict.candidate]: verdict.plausible for verdict in store.verdicts(run.id)}
    assert {text: verdicts[text] for text in THOUGHTS.values()} == dict.fromkeys(THOUGHTS.values(), False)
    assert verdicts[RIGHT]
    told = {tried[row.candidate]: row.message for row in store.executions(run.id) if row.candidate}
    assert "Resource temporarily unavailable" in told[THOUGHTS["processes"]]
    assert "File too large" in told[THOUGHTS["disk"]]
    assert "ran past its time limit" in told[THOUGHTS["time"]]
