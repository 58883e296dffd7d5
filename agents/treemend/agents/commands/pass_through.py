"""Runs a command in a sandbox while its output goes to this process's own streams."""

from __future__ import annotations

import asyncio
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from treemend.agents.plain_text import plain
from treemend.verify.sandbox import Command, CommandResult, Sandbox, Stream

SIGNALLED = 128
"""What a shell adds to the number of the signal that ended a command."""


def run_passing_through(sandbox: Sandbox, command: Command) -> CommandResult:
    """Run it with its output passed on to this process's own streams as it comes.

    SIGINT, SIGTERM and SIGHUP kill all of it, then raise `SystemExit` with 128 + the signal. Where a stream
    is a terminal, escape sequences are left out.
    """
    caught: list[int] = []
    with _passed_through() as take:
        try:
            return asyncio.run(_until_signalled(sandbox, replace(command, on_output=take), caught))
        except KeyboardInterrupt:
            raise SystemExit(SIGNALLED + signal.SIGINT) from None
        except asyncio.CancelledError:
            raise SystemExit(SIGNALLED + caught[0]) from None


async def _until_signalled(sandbox: Sandbox, command: Command, caught: list[int]) -> CommandResult:
    task = asyncio.ensure_future(sandbox.run(command))

    def stop(number: int) -> None:
        caught.append(number)
        task.cancel()

    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop, number)
    return await task


class _Writer:
    """Writes chunks to this process's own streams, in a thread: a reader that is slow, or gone, delays
    no limit. What is kept of a command's output is bounded, so the queue is."""

    def __init__(self) -> None:
        self._chunks: queue.SimpleQueue[tuple[Stream, bytes] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_all, name="treemend-output", daemon=True)
        self._thread.start()

    def take(self, stream: Stream, data: bytes) -> None:
        self._chunks.put((stream, data))

    def finish(self) -> None:
        self._chunks.put(None)
        self._thread.join()

    def _write_all(self) -> None:
        closed: set[Stream] = set()
        while (chunk := self._chunks.get()) is not None:
            stream, data = chunk
            if stream in closed:
                continue
            target = sys.stdout if stream == "stdout" else sys.stderr
            try:
                target.buffer.write(_shown(data) if target.isatty() else data)
                target.buffer.flush()
            except (OSError, ValueError):
                closed.add(stream)


def _shown(data: bytes) -> bytes:
    """What a terminal may be shown of output that nobody trusts: no escape sequences."""
    return plain(data.decode("utf-8", "replace")).encode()


@contextmanager
def _passed_through() -> Iterator[Callable[[Stream, bytes], None]]:
    writer = _Writer()
    try:
        yield writer.take
    finally:
        writer.finish()
