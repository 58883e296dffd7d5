"""What a provider can do wrong (specification F): each ends in an answer or a named failure, within bounds,
and the key stays where it is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.agents.model.conftest import ASKED, KEY, LITELLM_WARNINGS, MODEL, Bench, MakeBench, ask

from treemend.agents.model.client import (
    TIMEOUTS_MAX,
    TRIES_MAX,
    WAIT_S_MAX,
    ModelClient,
    NoAnswer,
    ToolRequests,
    Unusable,
)
from treemend.agents.model.failures import Kind
from treemend.agents.model.ledger import BudgetSpent
from treemend.agents.model.prices import Abilities, abilities_of
from treemend.agents.model.provider import LitellmProvider
from treemend.agents.scripted_provider import Rule, ScriptedProvider
from treemend.store.errors import ModelError
from treemend.store.records import Budget, CallStatus

pytestmark = LITELLM_WARNINGS

GOOD = Rule(answer="the bound is one short")


async def answered(bench: Bench, client: ModelClient | None = None, **more: Any) -> list[str]:
    try:
        return await (client or bench.client()).answer(ask("what?", **more))
    finally:
        for provider in bench.providers:
            await provider.close()


def rule(fault: str, times: int | None = 1, **options: Any) -> Rule:
    return Rule(fault=fault, times=times, options=options, answer="half an answer and then the other half")


@dataclass(frozen=True)
class Case:
    """A fault that passes: the next try is answered. `waits` says what was waited for."""

    id: str
    fault: str
    options: dict[str, Any] = field(default_factory=dict)
    waits: Callable[[float], bool] = lambda seconds: 0.0 <= seconds <= 2.0
    maybe_charged: bool = False
    hangs: bool = False


PASSING = [
    Case("F01", "rate limited", {"retry_after": 7}, lambda seconds: seconds == 7.0),
    Case("F03", "rate limited silently"),
    Case("F05-500", "server error", {"status": 500}),
    Case("F05-502", "server error", {"status": 502}),
    Case("F05-503", "server error", {"status": 503}),
    Case("F05-529", "server error", {"status": 529}),
    Case("F08", "hang", maybe_charged=True, hangs=True),
    Case("F09", "hang in the middle", maybe_charged=True, hangs=True),
    Case("F10", "drip", {"seconds": 60}, maybe_charged=True, hangs=True),
    Case("F11", "reset", maybe_charged=True),
    Case("F12", "truncated", maybe_charged=True),
    Case("F13", "html", maybe_charged=True),
    Case("F14", "no choices", maybe_charged=True),
    Case("F31", "invalid utf-8", maybe_charged=True),
]


@pytest.mark.parametrize("samples, streams", ASKED)
@pytest.mark.parametrize("case", PASSING, ids=lambda case: case.id)
async def test_what_passes_is_tried_again(bench: MakeBench, case: Case, samples: int, streams: bool) -> None:
    made = bench([rule(case.fault, **case.options), GOOD], streams)
    send = made.impatient_once() if case.hangs else made.send()
    client = made.client(known=lambda model: Abilities(samples=True), send=send)
    assert await answered(made, client, samples=samples) == ["the bound is one short"] * samples
    (waited_s,) = made.waited_s
    assert case.waits(waited_s)
    first, second = made.store.model_calls(made.run.id)
    assert first.status is (CallStatus.LOST if case.maybe_charged else CallStatus.FAILED)
    assert (first.tokens > 0) is case.maybe_charged, "what may be charged for is booked"
    assert second.status is CallStatus.COMPLETED


@dataclass(frozen=True)
class Lasting:
    """A fault that doesn't pass, and what becomes of it."""

    id: str
    fault: str
    kind: Kind
    tries: int = 1
    options: dict[str, Any] = field(default_factory=dict)


LASTING = [
    Lasting("F01-too-long", "rate limited", Kind.RATE_LIMITED, options={"retry_after": WAIT_S_MAX + 1}),
    Lasting("F02", "rate limited until", Kind.RATE_LIMITED),
    Lasting("F03", "rate limited silently", Kind.RATE_LIMITED, tries=TRIES_MAX),
    Lasting("F04", "quota exhausted", Kind.QUOTA),
    Lasting("F05", "server error", Kind.UNAVAILABLE, tries=TRIES_MAX),
    Lasting("F19", "context overflow", Kind.CONTEXT),
    Lasting("F27", "key revoked", Kind.KEY),
    Lasting("F29", "gzip bomb", Kind.TOO_LARGE),
    Lasting("F32", "redirect", Kind.REDIRECT),
]


@pytest.mark.parametrize("case", LASTING, ids=lambda case: case.id)
async def test_what_lasts_ends_with_its_name_and_a_mend(bench: MakeBench, case: Lasting) -> None:
    made = bench([rule(case.fault, None, **case.options)])
    with pytest.raises(ModelError) as told:
        await answered(made)
    assert case.kind.value in told.value.message
    assert told.value.exit_code == 9 and told.value.mend
    assert len(made.provider.requests) == case.tries
    assert KEY not in str(told.value) + str(made.store.model_calls(made.run.id))


@pytest.mark.parametrize("case", LASTING, ids=lambda case: case.id)
async def test_the_next_model_answers_where_the_first_can_not(bench: MakeBench, case: Lasting) -> None:
    lasting = rule(case.fault, None, **case.options).model_copy(update={"model": "scripted"})
    made = bench([lasting, GOOD])
    client = made.client(MODEL, "openai/another")
    assert await answered(made, client) == ["the bound is one short"]
    assert made.provider.requests[-1].body["model"] == "another"
    again = made.client(MODEL, "openai/another")
    assert await answered(made, again) == ["the bound is one short"]
    assert len(made.provider.requests) == case.tries + 1, "a resumed run asks nobody again"


async def test_F08_a_call_that_hangs_each_time_is_not_waited_for_often(bench: MakeBench) -> None:
    made = bench([rule("hang", None)])
    with pytest.raises(NoAnswer, match="timeout"):
        await answered(made, made.client(send=made.send(0.2)))
    assert len(made.store.model_calls(made.run.id)) == TIMEOUTS_MAX


async def test_no_wait_goes_beyond_the_time_of_the_run(bench: MakeBench) -> None:
    made = bench([rule("rate limited", None, retry_after=30)])
    with pytest.raises(BudgetSpent) as spent:
        await answered(made, made.client(time_left=lambda: 29.0))
    assert spent.value.limit == "time"
    assert made.waited_s == [] and len(made.provider.requests) == 1


@pytest.mark.parametrize(
    "base_url",
    [
        pytest.param("http://127.0.0.1:9/v1", id="F06-refused"),
        pytest.param("http://nowhere.invalid/v1", id="F07-name"),
    ],
)
async def test_who_can_not_be_reached(bench: MakeBench, base_url: str) -> None:
    made = bench([])
    send = LitellmProvider(base_url)
    with pytest.raises(ModelError, match="unreachable"):
        await answered(made, made.client(send=send))
    assert len(made.waited_s) == TRIES_MAX - 1
    assert made.ledger().spent.tokens == 0


async def test_F07_a_server_that_speaks_no_tls(bench: MakeBench) -> None:
    made = bench([GOOD])
    send = LitellmProvider(made.provider.base_url.replace("http:", "https:"))
    with pytest.raises(ModelError, match="unreachable"):
        await answered(made, made.client(send=send))


@pytest.mark.parametrize(
    "fault, streams, said",
    [
        pytest.param("null content", False, "says nothing", id="F15"),
        pytest.param("null content", True, "says nothing", id="F15-streamed"),
        pytest.param("refusal", False, "refuses", id="F16"),
        pytest.param("refusal", True, "says nothing", id="F16-streamed"),
    ],
)
async def test_an_answer_that_says_nothing_is_no_answer(
    bench: MakeBench, fault: str, streams: bool, said: str
) -> None:
    made = bench([rule(fault, None)], streams)
    for _ in range(2):
        with pytest.raises(Unusable, match=said):
            await made.client().structured(ask("what?"), ToolRequests)
    for provider in made.providers:
        await provider.close()
    assert len(made.provider.requests) == 1


TOOL_FAULTS = [
    ("F17", "cut tool call", {}, 1),
    ("F18-json", "bad tool call", {"kind": "invalid json"}, 1),
    ("F18-unknown", "bad tool call", {"kind": "unknown tool"}, 1),
    ("F18-types", "bad tool call", {"kind": "wrong types"}, 1),
    ("F18-many", "bad tool call", {"kind": "many"}, 200),
]


@pytest.mark.parametrize("streams", [False, True], ids=["", "streamed"])
@pytest.mark.parametrize("fault, options, count", [pytest.param(*c[1:], id=c[0]) for c in TOOL_FAULTS])
async def test_broken_tool_calls_come_as_data(
    bench: MakeBench, fault: str, options: dict[str, Any], count: int, streams: bool
) -> None:
    made = bench([rule(fault, **options)], streams)
    client = made.client(known=lambda model: Abilities(tools=True))
    calls = await client.tool_calls(ask("what?"), ())
    await made.providers[0].close()
    assert len(calls) == count
    assert all(isinstance(call.arguments, dict) for call in calls)


@pytest.mark.parametrize("samples, streams", ASKED)
async def test_F19_what_is_least_useful_is_left_out_and_the_issue_never(
    bench: MakeBench, samples: int, streams: bool
) -> None:
    made = bench([rule("context overflow", None, chars=4000)], streams)

    def asked() -> Awaitable[list[str]]:
        client = made.client(known=lambda model: Abilities(samples=True))
        return answered(made, client, issue="i" * 3000, code="c" * 9000, samples=samples)

    await asked()
    last = made.provider.requests[-1].text
    assert "i" * 3000 in last and len(last) <= 4000
    count = len(made.provider.requests)
    await asked()
    assert len(made.provider.requests) == count, "a resumed run knows what is too long"


@pytest.mark.parametrize(
    "fault, options",
    [
        pytest.param("no usage", {}, id="F20"),
        pytest.param("absurd usage", {"tokens": 10**12}, id="F21-huge"),
        pytest.param("absurd usage", {"tokens": -5}, id="F21-negative"),
        pytest.param("absurd usage", {"tokens": 5_000_000}, id="F21-above-the-bound"),
    ],
)
@pytest.mark.parametrize("samples, streams", ASKED)
async def test_counts_that_nobody_can_believe_are_booked_at_what_was_set_aside(
    bench: MakeBench, fault: str, options: dict[str, Any], samples: int, streams: bool
) -> None:
    made = bench([rule(fault, **options)], streams)
    await answered(made, made.client(known=lambda m: Abilities(samples=True)), samples=samples)
    spent = made.ledger().spent
    assert 0 < spent.tokens < 20_000


async def test_F22_a_budget_in_dollars_stops_a_model_of_unknown_price(bench: MakeBench) -> None:
    made = bench([GOOD])
    assert abilities_of("openai/never-heard-of").price is None
    client = made.client(budget=Budget(usd=1.0), known=abilities_of)
    with pytest.raises(BudgetSpent):
        await answered(made, client)
    assert made.provider.requests == []


async def test_F23_repeated_events_do_no_harm_but_to_the_text(bench: MakeBench) -> None:
    repeated = Rule(fault="repeated events", answer='{"calls": []}', times=1)
    made = bench([repeated, Rule(answer={"calls": []})], streams=True)
    assert (await made.client().structured(ask("what?"), ToolRequests)).calls == []
    await made.providers[0].close()


async def test_an_answer_is_streamed_only_where_somebody_looks(bench: MakeBench) -> None:
    for streams in (False, True):
        made = bench([GOOD], streams)
        assert await answered(made) == ["the bound is one short"]
        assert made.provider.requests[-1].streams is streams
    assert made.grown == sorted(made.grown) and made.grown[-1] == len("the bound is one short")
    assert len(made.grown) > 1


async def test_F24_another_model_than_was_asked(bench: MakeBench) -> None:
    made = bench([rule("wrong model")])
    assert await answered(made) == ["half an answer and then the other half"]


async def test_F26_an_answer_that_comes_too_late_is_booked_and_asked_for_again(bench: MakeBench) -> None:
    made = bench([Rule(answer="late", delay_s=30.0, times=1), GOOD])
    client = made.client(send=made.impatient_once())
    assert await answered(made, client) == ["the bound is one short"]
    first, second = made.store.model_calls(made.run.id)
    assert first.status is CallStatus.LOST and first.usd is not None and first.usd > 0.0
    assert made.ledger().spent.usd == pytest.approx(first.usd + (second.usd or 0.0))


async def test_F28_back_off_looks_at_no_clock(bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    made = bench([rule("server error", 2), GOOD])
    monkeypatch.setattr("time.time", lambda: 0.0)
    assert await answered(made) == ["the bound is one short"]
    assert all(0.0 <= seconds <= WAIT_S_MAX for seconds in made.waited_s)


@pytest.mark.parametrize("samples, streams", ASKED)
async def test_F30_an_answer_without_end_is_cut_off(bench: MakeBench, samples: int, streams: bool) -> None:
    made = bench([rule("huge", None)], streams)
    with pytest.raises(ModelError, match=r"too large|unusable"):
        await answered(made, made.client(known=lambda m: Abilities(samples=True)), samples=samples)
    assert len(made.provider.requests) <= TRIES_MAX


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_F32_neither_key_nor_prompt_follows_a_redirect(bench: MakeBench, status: int) -> None:
    with ScriptedProvider([GOOD]) as elsewhere:
        to = f"{elsewhere.base_url}/chat/completions"
        made = bench([rule("redirect", None, status=status, to=to)])
        with pytest.raises(ModelError, match="redirect refused"):
            await answered(made)
        assert elsewhere.requests == []


async def test_a_key_in_an_answer_is_kept_nowhere(bench: MakeBench) -> None:
    made = bench([rule("key echo")])
    (text,) = await answered(made)
    assert KEY not in text
    (call,) = made.store.model_calls(made.run.id)
    assert KEY not in call.answer


async def test_waits_are_bounded_and_each_its_own(bench: MakeBench) -> None:
    made = bench([rule("server error", None)])
    client = made.client()
    steps = [ask("what?", step=str(number), code=str(number)) for number in range(2)]
    await asyncio.gather(*map(client.answer, steps), return_exceptions=True)
    await made.providers[0].close()
    assert len(set(made.waited_s)) == len(made.waited_s) == 2 * (TRIES_MAX - 1)
