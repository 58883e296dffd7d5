"""What a person is asked about a model's tests, and what becomes of the answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from treemend.agents.intake import make_task
from treemend.agents.questions import answers_of, ask_person
from treemend.agents.reproduction import Reproducer
from treemend.agents.run_context import Question, RunContext
from treemend.agents.runs import new_run
from treemend.store.database import open_store
from treemend.store.records import Candidate, TestCase, TestOrigin, TestOutcome, TestRole
from treemend.verify.runner import TestResult

NOT_RUN = TestResult(outcome=TestOutcome.NOT_RUN, duration_s=0.0)
CANDIDATES = [Candidate(seq=seq, thought=seq, edits=(), patch=b"", prior=0.5) for seq in (1, 2, 3, 4)]
PASSING = {
    "all": (1, 2, 3, 4),
    "none": (),
    "one": (1,),
    "half": (1, 2),
    "other half": (3, 4),
    "three": (1, 2, 3),
}
TESTS = [Reproducer(name, f"{name}.py", "code", f"does {name}", NOT_RUN) for name in PASSING]
PASSES = {(c.seq, name): c.seq in seqs for name, seqs in PASSING.items() for c in CANDIDATES}


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunContext:
    monkeypatch.setenv("TREEMEND_STATE", str(tmp_path / "state"))
    store = open_store("sqlite://")
    nothing: Any = None
    run = new_run(store, make_task(tmp_path))
    cases = [TestCase(id=t.id, origin=TestOrigin.GENERATED, role=TestRole.EVIDENCE) for t in TESTS]
    store.add_test_cases(run.id, cases)
    return RunContext(store, run, tmp_path, nothing, nothing, None, None, nothing)


async def test_those_that_part_the_candidates_most_evenly_are_asked_about_and_once(
    context: RunContext,
) -> None:
    asked: list[str] = []

    async def ask(question: Question) -> bool | None:
        asked.append(question.test)
        if question.test == "one":
            raise KeyboardInterrupt
        return {"half": True, "other half": None}[question.test]

    context.ask = ask
    with pytest.raises(KeyboardInterrupt):
        await ask_person(context, TESTS, CANDIDATES, PASSES)
    assert asked == ["half", "other half", "one"]

    async def ask_again(question: Question) -> bool | None:
        asked.append(question.test)
        return False

    context.ask = ask_again
    assert await ask_person(context, TESTS, CANDIDATES, PASSES) == {"half": True, "one": False}
    assert asked[3:] == ["one"], "what was answered before is asked no more"
    trusted = [t.id for t in context.store.test_cases(context.id) if t.origin is TestOrigin.USER]
    assert trusted == ["half"]


async def test_without_a_person_nobody_is_asked(context: RunContext) -> None:
    assert await ask_person(context, TESTS, CANDIDATES, PASSES) == {}
    assert answers_of(context.store, context.id) == {}
