"""The real client over the real litellm, against a provider on loopback."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from treemend.agents.intake import make_task
from treemend.agents.model.calls import Call, Completion
from treemend.agents.model.client import Ask, ModelClient, TimeLeft
from treemend.agents.model.ledger import Ledger
from treemend.agents.model.prices import Abilities, AbilitiesOf, Price
from treemend.agents.model.prompts import NEVER_LEFT_OUT, Prompt, Section, Template
from treemend.agents.model.provider import LitellmProvider, Send
from treemend.agents.runs import new_run
from treemend.agents.scripted_provider import Rule, ScriptedProvider
from treemend.store.database import Store, open_store
from treemend.store.records import Budget, Models, Run

KEY = "sk-canary-0123456789abcdef"
CENT = Price(prompt=1e-5, completion=1e-5, cached=1e-6)
MODEL = "openai/scripted"
# litellm asks pydantic in ways that pydantic will not answer for ever, and builds its types when they are
# first needed or a little before, which is a matter of time.
LITELLM_WARNINGS = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Item .* on TypedDict class:UserWarning"),
]


def abilities(**known: Any) -> AbilitiesOf:
    return lambda model: Abilities(**{"price": CENT, **known})


@dataclass
class Bench:
    """A run in a store, a provider, and clients of both as a process would have them; `streams` says whether
    answers are looked at while they come."""

    store: Store
    run: Run
    provider: ScriptedProvider
    streams: bool = False
    waited_s: list[float] = field(default_factory=list)
    grown: list[int] = field(default_factory=list)
    providers: list[LitellmProvider] = field(default_factory=list)

    def ledger(self, budget: Budget | None = None, known: AbilitiesOf | None = None) -> Ledger:
        return Ledger(self.store, self.run.id, budget or Budget(), known or abilities())

    def client(
        self,
        *names: str,
        budget: Budget | None = None,
        known: AbilitiesOf | None = None,
        send: Send | None = None,
        time_left: TimeLeft = lambda: math.inf,
    ) -> ModelClient:
        """A client whose waits take no time."""
        known = known or abilities()
        chain = names or (MODEL,)
        models = Models(names={"plan": chain, "code": chain, "test": chain, "judge": chain})
        ledger = self.ledger(budget, known)
        return ModelClient(models, ledger, send or self.send(), known, self._sleep, time_left)

    def send(self, read_s: float = 120.0) -> LitellmProvider:
        on_growth = self.grown.append if self.streams else None
        self.providers.append(LitellmProvider(self.provider.base_url, on_growth=on_growth, read_s_max=read_s))
        return self.providers[-1]

    def impatient_once(self) -> Send:
        """A provider whose first answer is hardly waited for, and all others for as long as they take, so
        that no test depends on time."""
        left = [self.send(0.2)]
        patient = self.send()

        async def send(call: Call) -> Completion:
            if left:
                return await left.pop()(call)
            while not self.provider.requests:
                await asyncio.sleep(0.01)
            return await patient(call)

        return send

    async def _sleep(self, seconds: float) -> None:
        self.waited_s.append(seconds)
        await asyncio.sleep(0)


MakeBench = Callable[..., Bench]
ASKED = [
    pytest.param(1, False, id="one"),
    pytest.param(1, True, id="one-streamed"),
    pytest.param(2, False, id="two"),
]
"""How calls are made: their samples, and whether the answer is streamed."""


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MakeBench]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("TREEMEND_STATE", str(tmp_path / "state"))
    made: list[Bench] = []

    def make(rules: Sequence[Rule], streams: bool = False) -> Bench:
        provider = ScriptedProvider(rules)
        provider.__enter__()
        store = open_store(tmp_path / "store.db")
        made.append(Bench(store, new_run(store, make_task(tmp_path)), provider, streams))
        return made[-1]

    yield make
    for one in made:
        for client in one.providers:
            await client.close()
        one.provider.stop()


def ask(task: str, *, step: str = "step", issue: str = "the issue", code: str = "", **more: Any) -> Ask:
    sections = (Section("issue", issue, NEVER_LEFT_OUT), Section("code", code, 10))
    prompt = Prompt(Template("probe", "text"), "You repair code.", sections, (), task)
    return Ask("plan", step, prompt, **more)
