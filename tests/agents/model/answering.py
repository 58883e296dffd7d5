"""Answers from rules without a socket, for what doesn't depend on how they come."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from treemend.agents.model.calls import Call, Completion, ToolCall
from treemend.agents.scripted_provider import Request, Rule
from treemend.agents.scripted_provider.script import Script


@dataclass
class Answering:
    """Answers calls by the first rule that fits, as the scripted provider does; keeps what was asked."""

    rules: Sequence[Rule]
    asked: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._script = Script(self.rules)

    async def __call__(self, call: Call) -> Completion:
        self.asked.append(call)
        # As any answer that comes over a wire, it lets others be asked for meanwhile.
        await asyncio.sleep(0)
        tools = [{"function": {"name": tool.name}} for tool in call.tools]
        body = {"messages": [m.model_dump() for m in call.messages], "model": call.model, "tools": tools}
        request = Request(len(self.asked), "", body, True)
        chosen = self._script.choose(request)
        assert chosen is not None, f"no rule answers {request.last}"
        rule, use = chosen
        if rule.fault == "refusal":
            return Completion(texts=("",), refusal="I can't help with that.")
        (text,) = rule.texts(request, use)
        calls = tuple(ToolCall(name=one.name, arguments=one.wire) for one in rule.tool_calls)
        return Completion(texts=(text,), tool_calls=calls, prompt_tokens=10, completion_tokens=5)

    def steps(self) -> list[str]:
        return [call.step for call in self.asked]
