"""What a model can do, and what it costs."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache

from treemend.agents.model.calls import Call, Completion
from treemend.agents.model.provider import load_litellm
from treemend.store.records import Record

BYTES_PER_TOKEN_MIN = 2
"""No prompt of text or code has as many tokens as half its bytes."""
TOKENS_PER_MESSAGE = 10


class Price(Record):
    """Dollars a token."""

    prompt: float
    completion: float
    cached: float


FREE = Price(prompt=0.0, completion=0.0, cached=0.0)


class Abilities(Record):
    """What a model is known to take: several samples of one request, a JSON schema, tools; and its price,
    None where nobody knows it. What is replayed costs nothing, whatever it did."""

    samples: bool = False
    json_schema: bool = False
    tools: bool = False
    price: Price | None = None
    is_replayed: bool = False

    @property
    def charge(self) -> Price | None:
        """The price that is paid, None where nobody knows it."""
        return FREE if self.is_replayed else self.price


AbilitiesOf = Callable[[str], Abilities]


@cache
def abilities_of(model: str) -> Abilities:
    """What litellm's own table, which comes with it, says of a model; nothing where it doesn't know it."""
    litellm = load_litellm()
    try:
        info = litellm.get_model_info(model)
        known = litellm.get_supported_openai_params(model) or ()
    except Exception:
        return Abilities()
    asked, answered = info.get("input_cost_per_token"), info.get("output_cost_per_token")
    price = None
    if asked is not None and answered is not None and asked + answered > 0:
        cached = info.get("cache_read_input_token_cost")
        price = Price(prompt=asked, completion=answered, cached=asked if cached is None else cached)
    return Abilities(
        samples="n" in known,
        json_schema=bool(info.get("supports_response_schema")),
        tools=bool(info.get("supports_function_calling")),
        price=price,
    )


def tokens_at_most(call: Call) -> tuple[int, int]:
    """Upper bounds of a call's prompt and completion tokens."""
    schemas = json.dumps([call.answer_schema, *(tool.model_dump() for tool in call.tools)])
    size = len(schemas) + sum(len(m.content.encode("utf-8", "replace")) for m in call.messages)
    asked = size // BYTES_PER_TOKEN_MIN + TOKENS_PER_MESSAGE * len(call.messages)
    return asked, call.samples * call.max_tokens


def cost_at_most(call: Call, price: Price | None) -> float | None:
    """Dollars that a call may cost, None where that isn't known."""
    if price is None:
        return None
    asked, answered = tokens_at_most(call)
    return asked * price.prompt + answered * price.completion


def cost_of(completion: Completion, price: Price | None) -> float | None:
    """Dollars that an answer cost, None where that isn't known."""
    if price is None:
        return None
    fresh = completion.prompt_tokens - completion.cached_tokens
    asked = fresh * price.prompt + completion.cached_tokens * price.cached
    return asked + completion.completion_tokens * price.completion
