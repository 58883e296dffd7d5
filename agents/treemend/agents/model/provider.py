"""One call through litellm: a request in, a completion or a named failure out."""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from treemend.agents.model.calls import Call, Completion, Message, ToolCall
from treemend.agents.model.failures import CallFailed, Kind
from treemend.agents.model.secrets import hide_keys

if TYPE_CHECKING:
    import httpx

    from treemend.agents.model.http import GuardedTransport, Seen

Send = Callable[[Call], Awaitable[Completion]]
"""Answers a call. Raises CallFailed."""

CALL_S_MAX = 600.0
READ_S_MAX = 120.0
TOKENS_BELIEVED_MAX = 10_000_000
MESSAGE_CHARS = 400
NO_KEY = "none"
"""What a server of one's own is sent where there is no key."""


@cache
def load_litellm() -> Any:
    """litellm, told to look nothing up on the network, read no `.env`, and print nothing."""
    # Read on import: a `.env` beside the repository under repair must not configure anything.
    os.environ["LITELLM_MODE"] = "PRODUCTION"
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    litellm: Any = importlib.import_module("litellm")
    litellm.suppress_debug_info = True
    litellm.drop_params = True
    # It looks three times for the price of each answer and once more for its address, to tell them beside the
    # answer, which takes a quarter of a call's CPU time; what is paid is in our own ledger.
    litellm.utils.update_response_metadata = _told_elsewhere
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy", "litellm", "httpx", "openai"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    return litellm


def _told_elsewhere(**_: object) -> None:
    return None


@cache
def _unlogged() -> Callable[[], AbstractContextManager[None]]:
    """What litellm has for calls whose spending and logging somebody else sees to, where it has it."""
    try:
        context: Any = importlib.import_module("litellm._internal_context").internal_sub_call
    except (ImportError, AttributeError):
        return nullcontext
    return cast(Callable[[], AbstractContextManager[None]], context)


class LitellmProvider:
    """Sends calls to whichever provider the model's name says; `close` ends its connections.

    `on_growth` is told the length of a call's answer while it comes; where nobody wants to know, answers are
    not streamed, which takes a third of the CPU time. `call_s_max` bounds a call as a whole, `read_s_max`
    the wait for the next byte: of an answer that isn't streamed all bytes come at the end.
    """

    def __init__(
        self,
        api_base: str = "",
        *,
        on_growth: Callable[[int], None] | None = None,
        call_s_max: float = CALL_S_MAX,
        read_s_max: float | None = None,
    ) -> None:
        self._api_base = api_base
        self._on_growth = on_growth
        self._call_s_max = call_s_max
        usual_s = call_s_max if on_growth is None else READ_S_MAX
        self._read_s_max = usual_s if read_s_max is None else read_s_max
        self._litellm = load_litellm()
        self._http: httpx.AsyncClient | None = None
        self._transport: GuardedTransport | None = None
        self._addresses: dict[str, dict[str, Any]] = {}

    async def __call__(self, call: Call) -> Completion:
        from treemend.agents.model.http import Seen, seen

        told = Seen()
        seen.set(told)
        try:
            async with asyncio.timeout(self._call_s_max):
                with _unlogged()():
                    completion = await self._complete(call)
        except CallFailed:
            raise
        except TimeoutError as error:
            raise CallFailed(Kind.TIMEOUT, f"no whole answer within {self._call_s_max:g} s") from error
        except Exception as error:
            raise _failure(error, told) from error
        if told.is_page:
            raise CallFailed(Kind.UNUSABLE, "the answer is a web page")
        return completion

    async def close(self) -> None:
        if self._http is not None:
            await self._http.aclose()
            self._http = None
        if self._transport is not None:
            await self._transport.aclose()
            self._transport = None
        self._addresses.clear()

    async def _complete(self, call: Call) -> Completion:
        arguments = self._arguments(call)
        if self._on_growth is None or call.samples > 1:
            answer = await self._litellm.acompletion(**arguments)
        else:
            answer = await self._streamed(arguments, self._on_growth)
        return _completion(call, answer)

    async def _streamed(self, arguments: dict[str, Any], on_growth: Callable[[int], None]) -> Any:
        """The whole answer, taken as it comes."""
        stream = await self._litellm.acompletion(
            **arguments, stream=True, stream_options={"include_usage": True}
        )
        chunks, chars = [], 0
        async for chunk in stream:
            chunks.append(chunk)
            chars += sum(len(choice.delta.content or "") for choice in chunk.choices)
            on_growth(chars)
        return self._litellm.stream_chunk_builder(chunks, messages=arguments["messages"])

    def _arguments(self, call: Call) -> dict[str, Any]:
        from treemend.agents.model.http import timeout_of

        arguments: dict[str, Any] = {
            "model": call.model,
            "messages": self._messages(call),
            "max_tokens": call.max_tokens,
            "temperature": call.temperature,
            # Tries are counted in one place, which is not here.
            "max_retries": 0,
            "num_retries": 0,
            "timeout": timeout_of(self._read_s_max),
            **self._known_address(call.model),
        }
        if call.samples > 1:
            arguments["n"] = call.samples
        if call.answer_schema is not None:
            named = {"name": call.schema_name, "schema": call.answer_schema, "strict": True}
            arguments["response_format"] = {"type": "json_schema", "json_schema": named}
        if call.tools:
            arguments["tools"] = [{"type": "function", "function": tool.model_dump()} for tool in call.tools]
        return arguments

    def _known_address(self, model: str) -> dict[str, Any]:
        if model not in self._addresses:
            self._addresses[model] = self._address(model)
        return self._addresses[model]

    def _address(self, model: str) -> dict[str, Any]:
        """Where a model is asked, by a client that keeps its connections for the next call."""
        name, provider, key, base = self._litellm.get_llm_provider(model, api_base=self._api_base or None)
        if provider != "openai":
            from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler

            from treemend.agents.model.http import GuardedTransport

            if self._transport is None:
                self._transport = GuardedTransport()
            handler = AsyncHTTPHandler(transport=self._transport, follow_redirects=False)
            return {"client": handler, **({"api_base": self._api_base} if self._api_base else {})}
        from openai import AsyncOpenAI

        from treemend.agents.model.http import make_client

        if self._http is None:
            self._http = make_client(self._read_s_max)
        key = key or os.environ.get("OPENAI_API_KEY") or (NO_KEY if self._api_base else None)
        if key is None:
            raise CallFailed(Kind.KEY, f"there is no OPENAI_API_KEY in the environment for {name}")
        http_client: Any = self._http
        client = AsyncOpenAI(
            api_key=key,
            base_url=base or os.environ.get("OPENAI_BASE_URL") or None,
            http_client=http_client,
            max_retries=0,
        )
        return {"client": client, "api_key": key}

    def _messages(self, call: Call) -> list[dict[str, Any]]:
        """As the wire wants them. Most providers find by themselves what a prompt shares with earlier ones;
        Anthropic's are told where that ends."""
        told_where = call.model.startswith(("anthropic/", "claude"))
        return [
            {"role": m.role, "content": _marked(m) if told_where and m.stable else m.content}
            for m in call.messages
        ]


def _marked(message: Message) -> list[dict[str, Any]]:
    stable, rest = message.content[: message.stable], message.content[message.stable :]
    kept = {"type": "text", "text": stable, "cache_control": {"type": "ephemeral"}}
    return [kept, {"type": "text", "text": rest}] if rest else [kept]


def _completion(call: Call, answer: Any) -> Completion:
    choices = list(getattr(answer, "choices", None) or ())
    if not choices:
        raise CallFailed(Kind.UNUSABLE, "the answer has no choices")
    messages = [choice.message for choice in choices]
    usage = _usage(getattr(answer, "usage", None))
    return Completion(
        texts=tuple(hide_keys(_text(message)) for message in messages),
        tool_calls=tuple(
            ToolCall(name=str(one.function.name), arguments=hide_keys(str(one.function.arguments or "")))
            for one in getattr(messages[0], "tool_calls", None) or ()
        ),
        finish=str(choices[0].finish_reason or "stop"),
        model=str(getattr(answer, "model", "") or call.model),
        refusal=hide_keys(_refusal(messages[0])),
        **usage,
    )


def _text(message: Any) -> str:
    text = getattr(message, "content", None) or ""
    return str(text).replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def _refusal(message: Any) -> str:
    extra: Mapping[str, Any] = getattr(message, "provider_specific_fields", None) or {}
    return str(getattr(message, "refusal", None) or extra.get("refusal") or "")


def _usage(usage: Any) -> dict[str, Any]:
    asked, answered = (getattr(usage, name, None) for name in ("prompt_tokens", "completion_tokens"))
    details = getattr(usage, "prompt_tokens_details", None)
    cached = getattr(details, "cached_tokens", None) or 0
    believed = all(isinstance(n, int) and 0 <= n <= TOKENS_BELIEVED_MAX for n in (asked, answered))
    if not believed or not asked:
        return {"counted": False}
    cached = cached if isinstance(cached, int) and 0 <= cached <= asked else 0
    return {"prompt_tokens": asked, "completion_tokens": answered, "cached_tokens": cached}


BY_STATUS = {
    401: Kind.KEY,
    402: Kind.QUOTA,
    403: Kind.KEY,
    408: Kind.TIMEOUT,
    413: Kind.CONTEXT,
    429: Kind.RATE_LIMITED,
}
OVERFLOW = ("context_length_exceeded", "maximum context length", "context window", "prompt is too long")
EXHAUSTED = ("insufficient_quota", "exceeded your current quota", "billing")


def _failure(error: Exception, told: Seen) -> CallFailed:
    message = hide_keys(" ".join(str(error).split()))[:MESSAGE_CHARS]
    return CallFailed(_kind(error, told, message.lower()), message, _wait_s(told.retry_after))


def _kind(error: Exception, told: Seen, message: str) -> Kind:
    names = {base.__name__ for base in type(error).__mro__}
    if told.too_large:
        return Kind.TOO_LARGE
    if "ContextWindowExceededError" in names or any(words in message for words in OVERFLOW):
        return Kind.CONTEXT
    if told.status == 429 and any(words in message for words in EXHAUSTED):
        return Kind.QUOTA
    if 300 <= told.status < 400:
        return Kind.REDIRECT
    if told.status >= 400:
        return BY_STATUS.get(told.status, Kind.REQUEST if told.status < 500 else Kind.UNAVAILABLE)
    if names & {"Timeout", "TimeoutException", "APITimeoutError"}:
        return Kind.TIMEOUT
    if told.status:
        return Kind.CUT if names & {"APIConnectionError", "TransportError", "OSError"} else Kind.UNUSABLE
    return Kind.REQUEST if names & {"BadRequestError", "NotFoundError"} else _unsent(names)


def _unsent(names: set[str]) -> Kind:
    return Kind.KEY if "AuthenticationError" in names else Kind.UNREACHABLE


def _wait_s(header: str) -> float | None:
    """The seconds that a Retry-After header asks for, in either of its forms."""
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def answer_text(completion: Completion) -> str:
    """A completion as the ledger and a recording keep it."""
    return completion.model_dump_json()


def parse_answer(text: str) -> Completion:
    """What `answer_text` wrote. Raises ValueError where it is something else."""
    return Completion.model_validate(json.loads(text))
