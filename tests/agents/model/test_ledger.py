"""What was paid for is never asked again, and no more is spent than was allowed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.agents.model.conftest import CENT, LITELLM_WARNINGS, MODEL, Bench, MakeBench, abilities, ask

from treemend.agents.model.calls import Call, Completion, Message
from treemend.agents.model.client import ModelClient
from treemend.agents.model.ledger import BudgetSpent, by_role
from treemend.agents.model.prices import Abilities, Price
from treemend.agents.model.recordings import Recorder, Replayer
from treemend.agents.scripted_provider import Rule
from treemend.store.errors import ModelError, StoreError
from treemend.store.records import Budget, CallStatus, Models

SAY = Completion(texts=("said",), prompt_tokens=30, completion_tokens=10)

pytestmark = LITELLM_WARNINGS


def call(text: str = "what?", step: str = "step") -> Call:
    messages = (Message(role="user", content=text),)
    return Call(role="plan", step=step, model=MODEL, messages=messages, max_tokens=100)


class Killed(BaseException):
    """The process ends here."""


async def test_what_was_answered_is_never_asked_again(bench: MakeBench) -> None:
    made = bench([Rule(answers=("first", "second"))])
    (one,) = await made.client().answer(ask("what?"))
    (other,) = await made.client().answer(ask("what?"))
    assert one == other == "first"
    assert len(made.provider.requests) == 1
    (elsewhere,) = await made.client().answer(ask("what?", step="another step"))
    assert elsewhere == "second"
    for provider in made.providers:
        await provider.close()


@pytest.mark.parametrize("killed_at", range(4))
async def test_a_call_under_way_at_a_kill_is_booked_and_asked_again_once(
    bench: MakeBench, killed_at: int
) -> None:
    made = bench([])
    sent: list[str] = []
    dies = True

    async def send(asked: Call) -> Completion:
        nonlocal dies
        if len(sent) == killed_at and dies:
            dies = False
            raise Killed
        sent.append(asked.step)
        return SAY

    async def work(client: ModelClient) -> None:
        for number in range(4):
            await client.answer(ask("what?", step=str(number)))

    with pytest.raises(Killed):
        await work(made.client(send=send))
    # Dead processes settle nothing: as if the row had stayed as it was booked.
    *_, last = made.store.model_calls(made.run.id)
    made.store.settle_call(made.run.id, last.model_copy(update={"status": CallStatus.SENT, "problem": ""}))
    await work(made.client(send=send))
    assert sent == ["0", "1", "2", "3"], "no answer is asked for twice"
    calls = made.store.model_calls(made.run.id)
    assert [one.status for one in calls].count(CallStatus.LOST) == 1
    completed = sum(one.tokens for one in calls if one.status is CallStatus.COMPLETED)
    (lost,) = (one for one in calls if one.status is CallStatus.LOST)
    assert made.ledger().spent.tokens == completed + lost.tokens


def affordable(made: Bench, calls: int) -> float:
    ledger = made.ledger()
    booked = ledger.book(call(step="to see its price"))
    ledger.complete(booked, SAY)
    assert booked.usd is not None
    return (ledger.spent.usd or 0.0) + booked.usd * calls


async def test_calls_at_once_share_one_budget(bench: MakeBench) -> None:
    made = bench([])
    budget = Budget(usd=affordable(made, 3) * 1.0001)
    ledger = made.ledger(budget)
    most = 0.0

    async def spend(number: int) -> bool:
        nonlocal most
        try:
            row = ledger.book(call(step=str(number)))
        except BudgetSpent:
            return False
        most = max(most, ledger.spent.usd or 0.0)
        await asyncio.sleep(0)
        ledger.complete(row, Completion(texts=("x",), prompt_tokens=row.tokens - 100, completion_tokens=100))
        return True

    allowed = await asyncio.gather(*map(spend, range(10)))
    assert sum(allowed) == 3
    assert most <= (budget.usd or 0.0) and (ledger.spent.usd or 0.0) <= (budget.usd or 0.0)


def test_a_budget_holds_across_processes(bench: MakeBench) -> None:
    made = bench([])
    budget = Budget(tokens=1000)
    first = made.ledger(budget)
    first.complete(
        first.book(call(step="a")), Completion(texts=("x",), prompt_tokens=10, completion_tokens=90)
    )
    first.book(call(step="b"))
    then = made.ledger(budget)
    with pytest.raises(BudgetSpent) as told:
        for number in range(20):
            then.book(call(step=str(number)))
    assert told.value.limit == "tokens"
    assert then.spent.tokens <= 1000


def test_what_each_role_cost(bench: MakeBench) -> None:
    made = bench([])
    ledger = made.ledger()
    for number, role in enumerate(("plan", "code", "plan")):
        asked = call(step=str(number)).model_copy(update={"role": role})
        ledger.complete(ledger.book(asked), SAY.model_copy(update={"cached_tokens": 15}))
    told = by_role(made.store.model_calls(made.run.id))
    assert {role: spent.calls for role, spent in told.items()} == {"plan": 2, "code": 1}
    assert told["plan"].cached_share == 0.5
    assert told["code"].usd == pytest.approx(15 * 1e-5 + 15 * 1e-6 + 10 * 1e-5)


def test_a_damaged_answer_is_noticed(bench: MakeBench) -> None:
    made = bench([])
    ledger = made.ledger()
    ledger.complete(ledger.book(call()), SAY)
    with made.store._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE model_calls SET answer = replace(answer, 'said', 'sald')")
    with pytest.raises(StoreError, match="answer to model call 1"):
        made.store.model_calls(made.run.id)


async def test_what_was_recorded_is_replayed_without_a_provider(bench: MakeBench) -> None:
    made = bench([Rule(answer="kept")])
    folder = Path(made.run.task.repo) / "kept"
    known = abilities(json_schema=True)
    send = made.send()
    await made.client(send=Recorder(folder, send, known), known=known).answer(ask("what?"))
    await send.close()
    made.provider.stop()
    replayer = Replayer(folder)
    assert replayer.abilities(MODEL).json_schema
    another = bench([])
    models = Models(names={"plan": (MODEL,)})
    client = ModelClient(models, another.ledger(known=replayer.abilities), replayer, replayer.abilities)
    assert await client.answer(ask("what?")) == ["kept"]
    assert client.spent_words.endswith("$0.0000"), "what is replayed costs nothing"
    with pytest.raises(ModelError, match="the prompt, the repository or the options have changed"):
        await client.answer(ask("what else?"))


async def test_who_has_the_first_turn_is_the_same_in_a_replay(bench: MakeBench) -> None:
    made = bench([Rule(answer="kept")])
    folder = Path(made.run.task.repo) / "kept"
    dear = Price(prompt=1.0, completion=1.0, cached=1.0)

    def known(model: str) -> Abilities:
        return Abilities(price=dear if model == MODEL else CENT)

    send = made.send()
    names = (MODEL, "openai/cheap")
    await made.client(*names, send=Recorder(folder, send, known), known=known).answer(ask("what?"))
    await made.client(*names, send=Recorder(folder, send, known), known=known).answer(ask("?", turn=1))
    await send.close()
    assert [request.body["model"] for request in made.provider.requests] == ["cheap", "scripted"]
    replayer = Replayer(folder)
    client = bench([]).client(*names, send=replayer, known=replayer.abilities)
    assert await client.answer(ask("what?")) == await client.answer(ask("?", turn=1)) == ["kept"]
    assert client.spent_words.endswith("$0.0000")


async def test_an_answer_is_waited_for_no_longer_than_the_run_may_take(bench: MakeBench) -> None:
    made = bench([Rule(fault="hang")])
    client = made.client(time_left=lambda: 0.2)
    with pytest.raises(BudgetSpent) as spent:
        await client.answer(ask("what?"))
    assert spent.value.limit == "time"
    (row,) = made.store.model_calls(made.run.id)
    assert row.status is CallStatus.LOST
    assert row.tokens > 0, "what may be charged for is booked"


async def test_nothing_is_asked_when_the_time_is_up(bench: MakeBench) -> None:
    made = bench([Rule(answers=("answered before",))])
    assert await made.client().answer(ask("what?")) == ["answered before"]
    late = made.client(time_left=lambda: 0.0)
    assert await late.answer(ask("what?")) == ["answered before"], "what was paid for costs no time"
    with pytest.raises(BudgetSpent):
        await late.answer(ask("and what else?"))
    assert len(made.provider.requests) == 1
