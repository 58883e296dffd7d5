"""What a provider does wrong, by name. Each is done to one request, on the server's own socket."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from email.utils import formatdate
from typing import Any, Protocol

from treemend.agents.scripted_provider.script import Request, Rule, ToolUse
from treemend.agents.scripted_provider.wire import Reply, completion, events

BOMB_BYTES = 40_000_000
HUGE_CHARS = 5_000_000
MANY_CALLS = 200


class Exchange(Protocol):
    """One request on its socket, as a fault sees it."""

    request: Request
    rule: Rule
    stopping: threading.Event
    key: str

    def send(self, status: int, body: bytes, headers: Mapping[str, str] = ...) -> None: ...

    def send_head(self, status: int, headers: Mapping[str, str]) -> None: ...

    def write(self, data: bytes) -> None: ...

    def reset(self) -> None: ...


Fault = Callable[[Exchange, Reply], None]


def _json(exchange: Exchange, body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
    told = {"Content-Type": "application/json", **(headers or {})}
    exchange.send(status, json.dumps(body).encode(), told)


def send_error(
    exchange: Exchange,
    status: int,
    message: str,
    *,
    code: str = "",
    kind: str = "",
    headers: Mapping[str, str] | None = None,
) -> None:
    """An error in OpenAI's form."""
    error = {"message": message, "type": kind or "error", "param": None, "code": code or None}
    _json(exchange, {"error": error}, status, headers)


def send_reply(exchange: Exchange, reply: Reply) -> None:
    """The answer, streamed where that was asked for."""
    if not exchange.request.streams:
        _json(exchange, completion(exchange.request, reply))
        return
    exchange.send_head(200, {"Content-Type": "text/event-stream"})
    for event in events(exchange.request, reply):
        exchange.write(event)


def _option(exchange: Exchange, name: str, usual: Any) -> Any:
    return exchange.rule.options.get(name, usual)


def _rate_limited(exchange: Exchange, reply: Reply) -> None:
    seconds = _option(exchange, "retry_after", 1)
    send_error(exchange, 429, "Rate limit reached.", headers={"Retry-After": str(seconds)})


def _rate_limited_until(exchange: Exchange, reply: Reply) -> None:
    at = _option(exchange, "at", 4_102_444_800)
    send_error(exchange, 429, "Rate limit reached.", headers={"Retry-After": formatdate(at, usegmt=True)})


def _rate_limited_silently(exchange: Exchange, reply: Reply) -> None:
    send_error(exchange, 429, "Rate limit reached.")


def _quota_exhausted(exchange: Exchange, reply: Reply) -> None:
    message = "You exceeded your current quota, please check your plan and billing details."
    send_error(exchange, 429, message, code="insufficient_quota", kind="insufficient_quota")


def _server_error(exchange: Exchange, reply: Reply) -> None:
    send_error(exchange, int(_option(exchange, "status", 500)), "The server had an error.")


def _hang(exchange: Exchange, reply: Reply) -> None:
    exchange.stopping.wait(float(_option(exchange, "seconds", 3600)))


def _pieces(exchange: Exchange, reply: Reply) -> Iterator[bytes]:
    """The answer in the pieces in which it goes over the wire."""
    if exchange.request.streams:
        exchange.send_head(200, {"Content-Type": "text/event-stream"})
        yield from events(exchange.request, reply)
        return
    body = json.dumps(completion(exchange.request, reply)).encode()
    head = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    exchange.send_head(200, head)
    yield body[: len(body) // 2]
    yield body[len(body) // 2 :]


def _hang_in_the_middle(exchange: Exchange, reply: Reply) -> None:
    exchange.write(next(_pieces(exchange, reply)))
    _hang(exchange, reply)


def _drip(exchange: Exchange, reply: Reply) -> None:
    for piece in _pieces(exchange, reply):
        for byte in piece:
            exchange.write(bytes([byte]))
            if exchange.stopping.wait(float(_option(exchange, "seconds", 1.0))):
                return


def _reset(exchange: Exchange, reply: Reply) -> None:
    exchange.write(next(_pieces(exchange, reply)))
    exchange.reset()


def _truncated(exchange: Exchange, reply: Reply) -> None:
    if exchange.request.streams:
        exchange.send_head(200, {"Content-Type": "text/event-stream"})
        exchange.write(b"".join(events(exchange.request, reply))[:120] + b"\n\n")
        return
    body = json.dumps(completion(exchange.request, reply)).encode()
    exchange.send(200, body[: len(body) // 2], {"Content-Type": "application/json"})


def _html(exchange: Exchange, reply: Reply) -> None:
    page = b"<!doctype html><title>Sign in</title><h1>502 Bad Gateway</h1>"
    exchange.send(200, page, {"Content-Type": "text/html"})


def _no_choices(exchange: Exchange, reply: Reply) -> None:
    send_reply(exchange, replace(reply, texts=()))


def _null_content(exchange: Exchange, reply: Reply) -> None:
    body = completion(exchange.request, replace(reply, tool_calls=()))
    if exchange.request.streams:
        send_reply(exchange, replace(reply, texts=[""], tool_calls=()))
        return
    for choice in body["choices"]:
        choice["message"]["content"] = None
    _json(exchange, body)


def _refusal(exchange: Exchange, reply: Reply) -> None:
    send_reply(exchange, replace(reply, texts=[""], tool_calls=(), refusal="I can't help with that."))


def _cut_tool_call(exchange: Exchange, reply: Reply) -> None:
    cut = ToolUse(name="get_signature", arguments='{"name": "shop.car')
    send_reply(exchange, replace(reply, texts=[""], tool_calls=(cut,), finish="length"))


_BAD_CALLS: Mapping[str, tuple[ToolUse, ...]] = {
    "invalid json": (ToolUse(name="get_signature", arguments="{name: cart}"),),
    "unknown tool": (ToolUse(name="run_shell", arguments={"command": "id"}),),
    "wrong types": (ToolUse(name="get_signature", arguments={"name": ["cart"], "limit": "many"}),),
    "many": (ToolUse(name="get_signature", arguments={"name": "cart"}),) * MANY_CALLS,
}


def _bad_tool_call(exchange: Exchange, reply: Reply) -> None:
    calls = _BAD_CALLS[_option(exchange, "kind", "invalid json")]
    send_reply(exchange, replace(reply, texts=[""], tool_calls=calls))


def _context_overflow(exchange: Exchange, reply: Reply) -> None:
    most = int(_option(exchange, "chars", 0))
    if most and len(exchange.request.text) <= most:
        send_reply(exchange, reply)
        return
    message = "This model's maximum context length is 8192 tokens. However, your messages are longer."
    send_error(exchange, 400, message, code="context_length_exceeded", kind="invalid_request_error")


def _no_usage(exchange: Exchange, reply: Reply) -> None:
    if exchange.request.streams:
        exchange.request.body.pop("stream_options", None)
        send_reply(exchange, reply)
        return
    body = completion(exchange.request, reply)
    del body["usage"]
    _json(exchange, body)


def _absurd_usage(exchange: Exchange, reply: Reply) -> None:
    count = int(_option(exchange, "tokens", 10**12))
    usage = {"prompt_tokens": count, "completion_tokens": count, "total_tokens": 2 * count}
    send_reply(exchange, replace(reply, usage=usage))


def _repeated_events(exchange: Exchange, reply: Reply) -> None:
    if not exchange.request.streams:
        send_reply(exchange, reply)
        return
    exchange.send_head(200, {"Content-Type": "text/event-stream"})
    for event in events(exchange.request, reply):
        exchange.write(event + (b"" if b"[DONE]" in event else event))


def _wrong_model(exchange: Exchange, reply: Reply) -> None:
    send_reply(exchange, replace(reply, model="some-other-model"))


def _key_revoked(exchange: Exchange, reply: Reply) -> None:
    message = f"Incorrect API key provided: {exchange.key}. You can find your API key in your settings."
    send_error(exchange, 401, message, code="invalid_api_key", kind="invalid_request_error")


def _key_echo(exchange: Exchange, reply: Reply) -> None:
    send_reply(exchange, replace(reply, texts=[f"{text} {exchange.key}" for text in reply.texts]))


def _gzip_bomb(exchange: Exchange, reply: Reply) -> None:
    packed = gzip.compress(bytes(int(_option(exchange, "bytes", BOMB_BYTES))), 1)
    told = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    exchange.send(200, packed, told)


def _huge(exchange: Exchange, reply: Reply) -> None:
    send_reply(exchange, replace(reply, texts=["x" * int(_option(exchange, "chars", HUGE_CHARS))]))


def _invalid_utf8(exchange: Exchange, reply: Reply) -> None:
    marked = replace(reply, texts=[f"{text}@@" for text in reply.texts])
    if exchange.request.streams:
        exchange.send_head(200, {"Content-Type": "text/event-stream"})
        exchange.write(b"".join(events(exchange.request, marked)).replace(b"@@", b"\xff\xfe"))
        return
    body = json.dumps(completion(exchange.request, marked)).encode().replace(b"@@", b"\xff\xfe")
    exchange.send(200, body, {"Content-Type": "application/json"})


def _redirect(exchange: Exchange, reply: Reply) -> None:
    status, to = int(_option(exchange, "status", 307)), str(_option(exchange, "to", "http://127.0.0.2:9/v1"))
    exchange.send(status, b"", {"Location": to})


FAULTS: Mapping[str, Fault] = {
    "rate limited": _rate_limited,
    "rate limited until": _rate_limited_until,
    "rate limited silently": _rate_limited_silently,
    "quota exhausted": _quota_exhausted,
    "server error": _server_error,
    "hang": _hang,
    "hang in the middle": _hang_in_the_middle,
    "drip": _drip,
    "reset": _reset,
    "truncated": _truncated,
    "html": _html,
    "no choices": _no_choices,
    "null content": _null_content,
    "refusal": _refusal,
    "cut tool call": _cut_tool_call,
    "bad tool call": _bad_tool_call,
    "context overflow": _context_overflow,
    "no usage": _no_usage,
    "absurd usage": _absurd_usage,
    "repeated events": _repeated_events,
    "wrong model": _wrong_model,
    "key revoked": _key_revoked,
    "key echo": _key_echo,
    "gzip bomb": _gzip_bomb,
    "huge": _huge,
    "invalid utf-8": _invalid_utf8,
    "redirect": _redirect,
}
"""By name: what `Rule.fault` may be."""

LINGER_NONE = struct.pack("ii", 1, 0)


def reset_connection(connection: socket.socket) -> None:
    """Close it so that the other side sees a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NONE)
    connection.close()
