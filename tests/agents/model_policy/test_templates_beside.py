"""Templates beside a model: they find what they find alone, however slow the model is, and its pace
decides nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.agents.conftest import BARE_PYTEST
from tests.agents.model.answering import Answering
from tests.agents.model_policy.policy_bench import NO_LOOK, idea

from treemend.agents.api import RepairResult, repair_async
from treemend.agents.evaluation import Evaluator, Prospect
from treemend.agents.model import client
from treemend.agents.model.calls import Call, Completion
from treemend.agents.model.failures import CallFailed, Kind
from treemend.agents.model.prices import Abilities
from treemend.agents.model.provider import Send
from treemend.agents.model_policy import thinker
from treemend.agents.model_policy.policy import TEMPLATE, TEMPLATES_FIRST
from treemend.agents.progress import Event, Noted
from treemend.agents.scripted_provider import Request, Rule
from treemend.store.database import open_store
from treemend.store.records import Budget, Outcome

pytestmark = [pytest.mark.slow, pytest.mark.sandbox]

CODE = '''"""A till."""


def change(paid, prices, discount):
    """What is given back."""
    total = 0
    for price in prices:
        if price > discount:
            total += price + discount
        else:
            total += price
    if paid < total:
        return 0
    return paid - total
'''
TESTS = """from till import change


def test_gives_back_the_rest():
    assert change(20, [3, 12], 5) == 10


def test_gives_nothing_where_too_little_was_paid():
    assert change(5, [3, 12], 5) == 0


def test_gives_back_all_for_nothing():
    assert change(7, [], 5) == 7
"""
WRONG = """The total begins elsewhere.

till.py
<<<<<<< SEARCH
    total = 0
=======
    total = {}
>>>>>>> REPLACE
"""
BESIDE = ("observations", "derived", "idea", "next", "look", "write")
"""Steps beside which changes are run."""
LIMITS = Budget(time_s=None, after=2)


def rules() -> list[Rule]:
    """A model that is always wrong, and always otherwise."""
    numbers = iter(range(1, 1000))

    def observed(_: Request) -> dict[str, Any]:
        return {"observations": [{"text": f"the total ({n})", "plausibility": 0.5} for n in range(3)]}

    def thought(request: Request) -> dict[str, Any]:
        number = next(numbers)
        return idea(f"The total begins at {number}.", f"The total begins at -{number}.")

    return [
        NO_LOOK,
        Rule(last="# Task: observations", respond=observed),
        Rule(last="# Task: further observations", answer={"observations": []}),
        Rule(last="# Task: idea", respond=thought),
        Rule(last="# Task: edit", respond=lambda request: WRONG.format(next(numbers))),
        Rule(last="# Task: rethink", answer={"thought": ""}),
        Rule(last="# Task: further tests", answer={"tests": []}),
    ]


@dataclass
class Pace:
    """Lets calls wait until so many prospects were run beside them."""

    run: int = 0
    more: int = 0

    def __post_init__(self) -> None:
        self._changed = asyncio.Event()

    def count(self) -> None:
        self.run += 1
        self._changed.set()

    async def wait(self) -> None:
        wanted = self.run + self.more
        while self.run < wanted:
            self._changed.clear()
            await self._changed.wait()


@dataclass
class Till:
    """Repairs the till with a model in the place of `connect`'s."""

    repo: Path
    folder: Path
    monkeypatch: pytest.MonkeyPatch

    async def repair(
        self, send: Send | None, pace: Pace | None = None, budget: Budget = LIMITS
    ) -> tuple[RepairResult, list[str]]:
        """The answer, and what was noted on the way."""
        events: list[Event] = []
        run_ahead = Evaluator.run_ahead

        async def counted(evaluator: Evaluator, prospect: Prospect) -> None:
            await run_ahead(evaluator, prospect)
            if pace is not None:
                pace.count()

        with self.monkeypatch.context() as patch:
            patch.setattr(thinker, "connect", lambda models, on_growth: (send, lambda m: Abilities(), None))
            patch.setattr(client, "BACKOFF_S", 0.0)
            patch.setattr(Evaluator, "run_ahead", counted)
            result = await repair_async(
                self.repo,
                test_command=BARE_PYTEST,
                models=[] if send is None else ["openai/scripted"],
                budget=budget,
                on_event=events.append,
                store=self.folder / "store.db",
            )
        return result, [event.text for event in events if isinstance(event, Noted)]

    def tried(self, result: RepairResult) -> list[tuple[str, bytes]]:
        """The key of each candidate's thought, and its patch, in their order."""
        store = open_store(self.folder / "store.db")
        keys = {thought.seq: thought.key for thought in store.thoughts(result.run)}
        return [(keys[c.thought], c.patch) for c in store.candidates(result.run)]


@pytest.fixture
def till(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Till:
    monkeypatch.setenv("TREEMEND_STATE", str(tmp_path / "state"))
    repo = tmp_path / "repo"
    repo.mkdir()
    (repo / "till.py").write_text(CODE)
    (repo / "test_till.py").write_text(TESTS)
    return Till(repo, tmp_path, monkeypatch)


def paced(pace: Pace, answer: Send) -> Send:
    async def send(call: Call) -> Completion:
        if call.step.startswith(BESIDE):
            await pace.wait()
        return await answer(call)

    return send


async def silent(call: Call) -> Completion:
    raise CallFailed(Kind.TIMEOUT, "no whole answer")


async def test_beside_a_model_that_hangs_templates_find_what_they_find_alone(till: Till) -> None:
    alone, _ = await till.repair(None)
    assert alone.outcome is Outcome.REPAIRED
    pace = Pace(more=10)
    result, notes = await till.repair(paced(pace, silent), pace)
    assert (result.outcome, result.patch) == (Outcome.REPAIRED, alone.patch)
    assert pace.run >= 20, "both tries of the call had changes run beside them"
    assert "no model answers in time: templates go on without a model" in notes
    assert len(till.tried(result)) > TEMPLATES_FIRST, "not one of those that were tried before the model"


async def test_how_soon_a_model_answers_decides_nothing(till: Till) -> None:
    seen = []
    for more in (0, 3):
        pace = Pace(more=more)
        budget = LIMITS.model_copy(update={"candidates": 14})
        result, _ = await till.repair(paced(pace, Answering(rules())), pace, budget)
        assert bool(pace.run) is bool(more)
        seen.append((till.tried(result), result.patch))
    assert seen[0] == seen[1]
    keys = [key for key, _ in seen[0][0]]
    assert keys[0].startswith(TEMPLATE), "the first are the templates', which cost nothing"
    assert any(not key.startswith(TEMPLATE) for key in keys)


@pytest.mark.parametrize(
    "limits, why",
    [
        pytest.param({"tokens": 10}, "the tokens are spent", marks=pytest.mark.thorough),
        ({"written": 2}, "as many candidates are written"),
    ],
)
async def test_when_no_more_may_be_asked_templates_go_on(
    till: Till, limits: dict[str, int], why: str
) -> None:
    answering = Answering(rules())
    result, notes = await till.repair(answering, budget=LIMITS.model_copy(update=limits))
    assert result.outcome is Outcome.REPAIRED
    assert any(note.startswith(why) for note in notes)
    written = [key for key, patch in till.tried(result) if patch and not key.startswith(TEMPLATE)]
    assert len(written) == limits.get("written", 0)


async def test_candidates_that_a_user_numbers_are_all_there_are(till: Till) -> None:
    result, _ = await till.repair(silent, budget=Budget(time_s=None, candidates=3))
    assert result.outcome is Outcome.NOTHING_PLAUSIBLE
    assert len(till.tried(result)) == 3
