"""The server: it listens on loopback alone, and answers each request in a thread of its own."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from treemend.agents.scripted_provider.faults import FAULTS, reset_connection, send_error, send_reply
from treemend.agents.scripted_provider.script import Request, Rule, Script
from treemend.agents.scripted_provider.wire import Reply
from treemend.store.errors import UsageError

LOOPBACK = "127.0.0.1"
BODY_BYTES_MAX = 64_000_000
SHOWN_CHARS = 600


class ScriptedProvider:
    """A provider on loopback, listening from its entry to its exit. `on_request` is told of each request
    before it is answered, in the thread that answers it.

    Attributes:
        base_url: What a client takes as the API's address.
        requests: What was asked, in the order in which it came.

    Raises:
        UsageError: a rule names a fault that there is not, or the port is taken.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        *,
        port: int = 0,
        on_request: Callable[[Request], None] | None = None,
    ) -> None:
        for rule in rules:
            if rule.fault and rule.fault not in FAULTS:
                raise UsageError(
                    f"There is no fault {rule.fault!r}.", mend=f"Name one of: {', '.join(FAULTS)}."
                )
        self.requests: list[Request] = []
        self._script = Script(rules)
        self._on_request = on_request
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        try:
            self._server = _Server((LOOPBACK, port), _Handler)
        except OSError as error:
            raise UsageError(
                f"Port {port} can't be listened on: {error.strerror}.", mend="Give another, or 0 for any."
            ) from error
        self._server.provider = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def base_url(self) -> str:
        return f"http://{LOOPBACK}:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End it; requests that hang end, too."""
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()

    def wait(self) -> None:
        """Until it is stopped."""
        self._thread.join()

    def received(self, path: str, body: dict[str, Any], has_key: bool) -> Request:
        with self._lock:
            request = Request(len(self.requests) + 1, path, body, has_key)
            self.requests.append(request)
        if self._on_request is not None:
            self._on_request(request)
        return request

    def choose(self, request: Request) -> tuple[Rule, int] | None:
        return self._script.choose(request)

    @property
    def stopping(self) -> threading.Event:
        return self._stopping


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    provider: ScriptedProvider

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is none of ours to complain of."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body in one segment: two would wait 40 ms for each other's acknowledgement.
    wbufsize = -1
    server: _Server
    request_seen: Request
    rule: Rule
    key = ""

    def do_GET(self) -> None:
        models = {"object": "list", "data": [{"id": "scripted", "object": "model"}]}
        self.send(200, json.dumps(models).encode(), {"Content-Type": "application/json"})

    def do_POST(self) -> None:
        exchange = _Exchange(self)
        if exchange.request.path.endswith("/chat/completions"):
            with suppress(BrokenPipeError, ConnectionResetError):
                exchange.answer(self.server.provider)
        else:
            send_error(exchange, 404, f"There is nothing at {exchange.request.path}.")

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is logged: a header may hold a key."""

    def send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_head(status, {**headers, "Content-Length": str(len(body))})
        self.wfile.write(body)
        self.wfile.flush()

    def send_head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            # Its end is the end of the connection.
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()


class _Exchange:
    """One request and its answer."""

    def __init__(self, handler: _Handler) -> None:
        self._handler = handler
        provider = handler.server.provider
        length = min(int(handler.headers.get("Content-Length") or 0), BODY_BYTES_MAX)
        try:
            body = json.loads(handler.rfile.read(length) or b"{}")
        except ValueError:
            body = {}
        authorization = handler.headers.get("Authorization") or ""
        self.key = authorization.removeprefix("Bearer ")
        self.request = provider.received(handler.path, body, bool(authorization))
        self.rule = Rule()
        self.stopping = provider.stopping

    def answer(self, provider: ScriptedProvider) -> None:
        chosen = provider.choose(self.request)
        if chosen is None:
            end = self.request.last[-SHOWN_CHARS:]
            send_error(self, 400, f"No rule of the script answers this: {end}", code="no_rule")
            return
        self.rule, use = chosen
        if self.rule.delay_s and self.stopping.wait(self.rule.delay_s):
            return
        texts = self.rule.texts(self.request, use)
        reply = Reply(texts, self.rule.tool_calls, usage=self.rule.usage)
        (FAULTS[self.rule.fault] if self.rule.fault else send_reply)(self, reply)

    def send(self, status: int, body: bytes, headers: Mapping[str, str] = {}) -> None:
        self._handler.send(status, body, headers)

    def send_head(self, status: int, headers: Mapping[str, str]) -> None:
        self._handler.send_head(status, headers)

    def write(self, data: bytes) -> None:
        self._handler.wfile.write(data)
        self._handler.wfile.flush()

    def reset(self) -> None:
        self._handler.close_connection = True
        reset_connection(self._handler.connection)
