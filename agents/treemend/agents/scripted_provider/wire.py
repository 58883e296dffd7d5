"""Answers in OpenAI's wire format: whole, and as server-sent events."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from treemend.agents.scripted_provider.script import Request, ToolUse

CHUNK_CHARS = 24
CREATED = 1_700_000_000
CHARS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered: a text for each sample, tool calls, and why the model stopped."""

    texts: Sequence[str]
    tool_calls: Sequence[ToolUse] = ()
    finish: str = "stop"
    usage: dict[str, Any] | None = None
    model: str = ""
    refusal: str = ""


def count_usage(request: Request, reply: Reply) -> dict[str, Any]:
    """Tokens, four characters each. The prefix that all requests share with the one before is not known
    here, so nothing is reported as cached."""
    asked = len(json.dumps(request.body.get("messages", []))) // CHARS_PER_TOKEN
    said = sum(len(text) for text in reply.texts) + sum(len(call.wire) for call in reply.tool_calls)
    answered = said // CHARS_PER_TOKEN + 1
    return {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered}


def completion(request: Request, reply: Reply) -> dict[str, Any]:
    """The body of a chat completion."""
    return {
        "id": f"chatcmpl-{request.number}",
        "object": "chat.completion",
        "created": CREATED,
        "model": reply.model or request.body.get("model", ""),
        "choices": [
            {"index": index, "message": _message(text, reply), "finish_reason": _finish(reply)}
            for index, text in enumerate(reply.texts)
        ],
        "usage": reply.usage if reply.usage is not None else count_usage(request, reply),
    }


def _message(text: str, reply: Reply) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text or None if reply.tool_calls else text}
    if reply.tool_calls:
        message["tool_calls"] = [_tool_call(i, call) for i, call in enumerate(reply.tool_calls)]
    if reply.refusal:
        message["refusal"] = reply.refusal
        message["content"] = None
    return message


def _tool_call(index: int, call: ToolUse) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.wire}
    return {"id": f"call_{index}", "index": index, "type": "function", "function": function}


def _finish(reply: Reply) -> str:
    return "tool_calls" if reply.tool_calls and reply.finish == "stop" else reply.finish


def events(request: Request, reply: Reply) -> Iterator[bytes]:
    """The answer as server-sent events, `[DONE]` last."""
    head = {
        "id": f"chatcmpl-{request.number}",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": reply.model or request.body.get("model", ""),
    }
    for index, text in enumerate(reply.texts):
        yield from (_event(head, index, delta) for delta in _deltas(text, reply))
        yield _event(head, index, {}, _finish(reply))
    if (request.body.get("stream_options") or {}).get("include_usage"):
        usage = reply.usage if reply.usage is not None else count_usage(request, reply)
        yield _line({**head, "choices": [], "usage": usage})
    yield b"data: [DONE]\n\n"


def _deltas(text: str, reply: Reply) -> Iterator[dict[str, Any]]:
    yield {"role": "assistant", "content": ""}
    if reply.refusal:
        yield {"refusal": reply.refusal}
        return
    for start in range(0, len(text), CHUNK_CHARS):
        yield {"content": text[start : start + CHUNK_CHARS]}
    for index, call in enumerate(reply.tool_calls):
        yield {"tool_calls": [_tool_call(index, call)]}


def _event(head: dict[str, Any], index: int, delta: dict[str, Any], finish: str | None = None) -> bytes:
    return _line({**head, "choices": [{"index": index, "delta": delta, "finish_reason": finish}]})


def _line(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"
