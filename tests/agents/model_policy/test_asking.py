"""Questions: what a model cites is looked up."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.agents.model.answering import Answering

from treemend.agents.model.calls import Call, Completion
from treemend.agents.model.prices import Abilities
from treemend.agents.model.settings import parse_models
from treemend.agents.model_policy import passing
from treemend.agents.model_policy.asking import Answered, Citation, answer_question
from treemend.agents.scripted_provider import Rule
from treemend.store.errors import ModelError, UsageError
from treemend.store.records import Budget

LOOKED = Rule(
    last="# Task: search",
    answer={"calls": [{"tool": "get_callers", "arguments": {"name": "total"}}]},
    times=1,
)
ENOUGH = Rule(last="# Task: search", answer={"calls": []})


def said(*citations: tuple[str, int, str]) -> dict[str, Any]:
    cited = [{"path": path, "line": line, "quote": quote} for path, line, quote in citations]
    return {"answer": "`average` divides the total.", "citations": cited}


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TREEMEND_STATE", str(tmp_path / "state"))
    (tmp_path / "repo").mkdir()
    code = (
        "def total(prices):\n    return sum(prices)\n\n\ndef average(prices):\n    return total(prices) / 2\n"
    )
    (tmp_path / "repo" / "shop.py").write_text(code)
    (tmp_path / "secret.py").write_text("key = 1\n")
    return tmp_path / "repo"


async def answered(
    repo: Path, monkeypatch: pytest.MonkeyPatch, *rules: Rule, budget: Budget | None = None
) -> tuple[Answered, Answering]:
    answering = Answering(rules)
    monkeypatch.setattr(passing, "connect", lambda models: (answering, lambda model: Abilities(), None))
    models = parse_models(["openai/scripted"])
    assert models is not None
    return await answer_question("Where is it divided?", repo, models, budget or Budget()), answering


async def test_an_answer_rests_on_places_that_are_there(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = Rule(last="# Task: answer", answer=said(("shop.py", 5, "total(prices) / 2")))
    told, asked = await answered(repo, monkeypatch, LOOKED, ENOUGH, rule)
    assert told.citations == (Citation("shop.py", 6, "return total(prices) / 2"),)
    assert told.dropped == 0
    assert "shop.py:6" in asked.asked[-1].messages[1].content, "what the tools found is quoted"


@pytest.mark.parametrize(
    "path, line, quote",
    [
        ("shop.py", 60, "total"),
        ("shop.py", 2, "no such words"),
        ("basket.py", 1, ""),
        ("../secret.py", 1, "key"),
        ("/etc/passwd", 1, ""),
    ],
)
async def test_a_place_that_is_not_there_is_asked_about_once_and_left_out(
    repo: Path, monkeypatch: pytest.MonkeyPatch, path: str, line: int, quote: str
) -> None:
    right = ("shop.py", 6, "total")
    wrong = Rule(last="# Task: answer", answer=said(right, (path, line, quote)))
    again = Rule(last="These places are not there", answer=said(right, (path, line, quote)))
    told, asked = await answered(repo, monkeypatch, ENOUGH, wrong, again)
    assert [place.line for place in told.citations] == [6]
    assert told.dropped == 1
    assert asked.steps() == ["search/0", "answer", "answer/again"]


async def hangs(call: Call) -> Completion:
    await asyncio.Event().wait()
    raise AssertionError("nobody answers")


async def test_an_answer_is_waited_for_no_longer_than_it_may_take(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passing, "connect", lambda models: (hangs, lambda model: Abilities(), None))
    models = parse_models(["openai/scripted"])
    assert models is not None
    with pytest.raises(ModelError, match=r"The budget \(time\) was spent") as told:
        await answer_question("Where is it divided?", repo, models, Budget(time_s=0.1))
    assert "--time" in told.value.mend


async def test_a_question_that_can_not_be_answered_says_why(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match="refuses"):
        await answered(repo, monkeypatch, ENOUGH, Rule(last="# Task: answer", fault="refusal"))
    with pytest.raises(ModelError, match="budget"):
        await answered(repo, monkeypatch, ENOUGH, budget=Budget(tokens=10))
    models = parse_models(["openai/scripted"])
    assert models is not None
    with pytest.raises(UsageError, match="no question"):
        await answer_question(" ", repo, models, Budget())
