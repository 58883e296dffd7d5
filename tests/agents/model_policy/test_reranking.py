"""`locate` with a model: its order where it has one, and a whole ranking whatever happens."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from tests.agents.conftest import environment
from tests.agents.model.answering import Answering
from tests.agents.model_policy.conftest import KEY, Models

from treemend.agents.model.calls import Call, Completion
from treemend.agents.model.prices import Abilities
from treemend.agents.model.settings import parse_models
from treemend.agents.model_policy import passing
from treemend.agents.model_policy.reranking import Reranker
from treemend.agents.scripted_provider import Rule, ScriptedProvider
from treemend.store.records import Budget
from treemend.tools.localization.locate import FunctionHit

COUNT = 30


def hit(number: int) -> FunctionHit:
    path = f"m{number % 3}.py"
    return FunctionHit(path, f"f{number}", "function", 1, 1, ((1, 2),), 1.0 / (number + 1))


HITS = [hit(number) for number in range(COUNT)]
PATHS = Rule(last="# Task: rank files", answer={"order": [3, 99, 3, 0, -1]})
BACKWARDS = Rule(last="# Task: rank functions", answer={"order": list(range(20, 0, -1))})


def reranked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answering: object, budget: Budget | None = None
) -> tuple[list[int], Reranker]:
    for number in range(3):
        (tmp_path / f"m{number}.py").write_text(f"def f():\n    return {'1 + ' * 300}1\n")
    monkeypatch.setattr(passing, "connect", lambda models: (answering, lambda model: Abilities(), None))
    models = parse_models(["openai/scripted"])
    assert models is not None
    reranker = Reranker(tmp_path, models, budget or Budget())
    order = reranker("The sum is wrong.", HITS)
    assert sorted(order) == list(range(COUNT)), "a whole ranking"
    return order, reranker


def test_files_are_ranked_by_one_call_and_functions_by_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering = Answering([PATHS, BACKWARDS])
    order, reranker = reranked(tmp_path, monkeypatch, answering)
    assert answering.steps() == ["paths", "functions/10", "functions/0"]
    by_path = [place for group in range(10) for place in (3 * group + 2, 3 * group, 3 * group + 1)]
    # The last window is turned round, then the first, which has what came forward.
    assert order == [*by_path[20:], *by_path[9::-1], *by_path[19:9:-1]]
    assert "3 calls" in reranker.spent and not reranker.note


@pytest.mark.parametrize(
    "rules, note",
    [
        pytest.param([Rule(fault="refusal")], "refuses", id="F16"),
        pytest.param([PATHS, Rule(answer="no numbers")], "no JSON", id="two windows fail"),
        pytest.param([Rule(answer={"order": []})], "", id="nothing named"),
    ],
)
def test_a_model_that_ranks_nothing_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rules: list[Rule], note: str
) -> None:
    _, reranker = reranked(tmp_path, monkeypatch, Answering(rules))
    assert note in reranker.note and bool(note) is bool(reranker.note)


def test_a_budget_that_is_spent_leaves_what_was_ranked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, reranker = reranked(tmp_path, monkeypatch, Answering([PATHS]), Budget(tokens=5000))
    assert order[:3] == [2, 0, 1] and "budget (tokens)" in reranker.note


def test_time_that_is_up_leaves_what_was_ranked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering = Answering([PATHS])

    async def send(call: Call) -> Completion:
        if answering.asked:
            await asyncio.Event().wait()
        return await answering(call)

    order, reranker = reranked(tmp_path, monkeypatch, send, Budget(time_s=1.0))
    assert order[:3] == [2, 0, 1] and "budget (time)" in reranker.note


def test_an_interrupt_leaves_what_was_ranked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering = Answering([PATHS])

    async def send(call: Call) -> Completion:
        if answering.asked:
            raise KeyboardInterrupt
        return await answering(call)

    order, reranker = reranked(tmp_path, monkeypatch, send)
    assert order[:3] == [2, 0, 1] and "interrupted" in reranker.note


@pytest.mark.slow
def test_locate_shows_the_models_order(models: Models, tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    repo.mkdir()
    (repo / "shop.py").write_text("def total(prices):\n    return sum(prices)\n")
    (repo / "cart.py").write_text("def total_of(cart):\n    return cart.total\n")
    rules = [
        Rule(last="# Task: rank files", respond=lambda request: _first(request.text, "cart.py")),
        Rule(last="# Task: rank functions", answer={"order": []}),
    ]
    with ScriptedProvider(rules) as provider:
        result = models.server.run(
            (
                *("locate", "The total is wrong.", "--repo", str(repo), "--json"),
                *("--model", "openai/scripted", "--api-base", provider.base_url),
            ),
            environment(tmp_path / "state", OPENAI_API_KEY=KEY),
            tmp_path,
        )
    assert result.returncode == 0, result.stderr.decode()
    told = json.loads(result.stdout)
    assert [one["name"] for one in told["functions"]] == ["total_of", "total"]
    assert told["files"][0]["path"] == "cart.py" and "2 calls" in told["model"]["spent"]


def _first(text: str, path: str) -> dict[str, list[int]]:
    (number,) = [int(line.split()[0]) for line in text.splitlines() if line.endswith(f" {path}")]
    return {"order": [number]}
