"""What a call costs treemend's own process: connections are kept, and litellm neither prices nor logs."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from treemend.agents.model.calls import Call, Completion, Message
from treemend.agents.model.provider import LitellmProvider, _unlogged, load_litellm
from treemend.agents.scripted_provider import Rule, ScriptedProvider


async def ask(send: LitellmProvider, text: str, model: str = "openai/scripted") -> Completion:
    message = Message(role="user", content=text)
    return await send(Call(role="code", step=text, model=model, messages=(message,)))


async def test_litellm_looks_for_no_price(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[object] = []
    load_litellm()
    cost_calculator = pytest.importorskip("litellm.cost_calculator")
    monkeypatch.setattr(cost_calculator, "completion_cost", lambda **told: looked.append(told))
    with ScriptedProvider([Rule(answer="yes")]) as provider:
        send = LitellmProvider(provider.base_url)
        assert (await ask(send, "one")).text == "yes"
        await send.close()
    assert not looked


def test_litellm_still_has_calls_that_it_does_not_log() -> None:
    """Where it lost them, all works as before, at more CPU time: look for what it has instead."""
    load_litellm()
    assert _unlogged() is not nullcontext


@pytest.mark.parametrize("model", ["openai/scripted", "hosted_vllm/scripted"])
async def test_calls_of_a_run_share_a_client_and_closing_ends_it(model: str) -> None:
    with ScriptedProvider([Rule(answer="yes")]) as provider:
        send = LitellmProvider(provider.base_url)
        first = send._known_address(model)
        assert [(await ask(send, text, model)).text for text in ("one", "two")] == ["yes", "yes"]
        assert send._known_address(model) is first
        await send.close()
        assert send._known_address(model)["client"] is not first["client"]
        assert (await ask(send, "three", model)).text == "yes"
        await send.close()
