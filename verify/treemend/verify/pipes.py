"""Bounded, non-blocking ends of a process's pipes on an asyncio loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable

_CHUNK_BYTES = 1 << 16


class Reader:
    """Hands what comes out of a pipe to `take`, chunk by chunk, until its end. Owns `fd`."""

    def __init__(self, fd: int, take: Callable[[bytes], None]) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._take = take
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(fd, self._read_once)

    @property
    def open(self) -> bool:
        return self._fd >= 0

    def _read_once(self) -> None:
        try:
            data = os.read(self._fd, _CHUNK_BYTES)
        except BlockingIOError:
            return
        if data:
            self._take(data)
        else:
            self.close()

    def drain(self, most_bytes: int) -> None:
        """Take what lies in the pipe now, about `most_bytes` of it; never waits."""
        for _ in range(most_bytes // _CHUNK_BYTES + 1):
            if not self.open:
                return
            try:
                data = os.read(self._fd, _CHUNK_BYTES)
            except BlockingIOError:
                return
            if not data:
                return
            self._take(data)

    def close(self) -> None:
        if self.open:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1


class Writer:
    """Feeds `data` into a pipe, then what `write` is given, or closes it. Owns `fd`."""

    def __init__(self, fd: int, data: bytes, *, stays_open: bool = False) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._left = data
        self._stays_open = stays_open
        self._loop = asyncio.get_running_loop()
        self._loop.add_writer(fd, self._write_once)

    def write(self, data: bytes) -> None:
        """Feed more, behind what is left; nothing where the pipe is closed already."""
        if self._fd >= 0:
            self._left += data
            self._loop.add_writer(self._fd, self._write_once)

    def _write_once(self) -> None:
        try:
            self._left = self._left[os.write(self._fd, self._left) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self.close()
            return
        if not self._left and self._stays_open:
            self._loop.remove_writer(self._fd)
        elif not self._left:
            self.close()

    def close(self) -> None:
        if self._fd >= 0:
            self._loop.remove_writer(self._fd)
            with contextlib.suppress(OSError):
                os.close(self._fd)
            self._fd = -1


class Capped:
    """The first `limit_bytes` of a stream, also handed to `on_kept` as they come; calls `on_over` once
    when more comes."""

    def __init__(
        self, limit_bytes: int, on_over: Callable[[], None], on_kept: Callable[[bytes], None] | None = None
    ) -> None:
        self._limit_bytes = limit_bytes
        self._on_over = on_over
        self._on_kept = on_kept
        self._kept = bytearray()
        self._over = False

    def take(self, data: bytes) -> None:
        room = self._limit_bytes - len(self._kept)
        self._kept += data[:room]
        if room and self._on_kept is not None:
            self._on_kept(data[:room])
        if len(data) > room and not self._over:
            self._over = True
            self._on_over()

    def value(self) -> bytes:
        return bytes(self._kept)
