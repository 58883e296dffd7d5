"""The HTTP client under litellm: it follows no redirect and takes no endless answer."""

from __future__ import annotations

import urllib.request
import zlib
from collections.abc import AsyncIterator
from contextvars import ContextVar
from dataclasses import dataclass

import httpx

ANSWER_BYTES_MAX = 4_000_000
CONNECT_S = 20.0


@dataclass
class Seen:
    """What the wire showed of the call under way."""

    status: int = 0
    retry_after: str = ""
    is_page: bool = False
    too_large: bool = False


seen: ContextVar[Seen] = ContextVar("seen")
"""Set by whoever calls; a provider's own exception rarely says all of this."""


class GuardedTransport(httpx.AsyncBaseTransport):
    """Sends by way of the environment's proxy where there is one, and bounds what comes back: an answer's
    bytes are counted after they were unpacked."""

    def __init__(self, bytes_max: int = ANSWER_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._proxies = urllib.request.getproxies()
        self._transports: dict[tuple[bool, str], httpx.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.headers["Accept-Encoding"] = "identity"
        response = await self._transport(request.url).handle_async_request(request)
        told = seen.get(Seen())
        told.status = response.status_code
        told.retry_after = response.headers.get("retry-after", "")
        told.is_page = "text/html" in response.headers.get("content-type", "")
        encoding = response.headers.pop("content-encoding", "identity")
        if encoding != "identity":
            response.headers.pop("content-length", None)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        body = _Bounded(response.stream, encoding, self._bytes_max, told)
        return httpx.Response(
            response.status_code, headers=response.headers, stream=body, extensions=response.extensions
        )

    def _transport(self, url: httpx.URL) -> httpx.AsyncHTTPTransport:
        proxy = self._proxies.get(url.scheme, "")
        if proxy and urllib.request.proxy_bypass(url.host):
            proxy = ""
        # Reading the certificates takes longer than many an answer: not for a server on this machine.
        encrypted = url.scheme == "https" or proxy.startswith("https")
        key = (encrypted, proxy)
        if key not in self._transports:
            self._transports[key] = httpx.AsyncHTTPTransport(verify=encrypted, proxy=proxy or None)
        return self._transports[key]

    async def aclose(self) -> None:
        for transport in self._transports.values():
            await transport.aclose()


class _Bounded(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, encoding: str, bytes_max: int, told: Seen) -> None:
        self._stream = stream
        self._left = bytes_max
        self._told = told
        # 32 more than the window's bits: gzip or zlib, whichever it is.
        self._unpack = None if encoding == "identity" else zlib.decompressobj(32 + zlib.MAX_WBITS)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            data = chunk
            if self._unpack is not None:
                try:
                    data = self._unpack.decompress(chunk, self._left + 1)
                except zlib.error as error:
                    raise httpx.DecodingError(str(error)) from error
            self._left -= len(data)
            if self._left < 0:
                self._told.too_large = True
                raise httpx.DecodingError("the answer is too large")
            yield data

    async def aclose(self) -> None:
        await self._stream.aclose()


def make_client(read_s: float, bytes_max: int = ANSWER_BYTES_MAX) -> httpx.AsyncClient:
    """A client whose reads wait `read_s` seconds for the next byte."""
    return httpx.AsyncClient(
        transport=GuardedTransport(bytes_max),
        follow_redirects=False,
        timeout=timeout_of(read_s),
    )


def timeout_of(read_s: float) -> httpx.Timeout:
    """`read_s` seconds for the next byte, and what it takes to reach a server at all."""
    return httpx.Timeout(CONNECT_S, read=read_s)
