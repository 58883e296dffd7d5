"""A warm pytest: one process in the sandbox imports everything once and forks for each request.

It serves candidates. What it can't serve alike it hands to the cold runner: coverage, another hash seed, a
suite whose outcomes differ here, that writes to its tree, or whose dependencies start threads.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from treemend.verify.probe_events import Listener
from treemend.verify.pytest_runner import PytestRunner
from treemend.verify.pytest_target import PytestTarget
from treemend.verify.runner import TestReport, TestRequest
from treemend.verify.sandbox import CommandResult

SETTLED = CommandResult(exit_code=0, ended_by="exit", stdout=b"", stderr=b"", wall_s=0.0)


@dataclass
class _Session:
    """One living server: how to write to it, and what it is answering."""

    task: asyncio.Task[CommandResult] | None = None
    write: Callable[[bytes], None] | None = None
    answer: Answer | None = None

    def hear(self, chunk: bytes) -> float | None:
        return None if self.answer is None else self.answer.hear(chunk)


@dataclass
class Answer:
    """A request under way: its events, and the word that the fork is gone."""

    listener: Listener
    done: asyncio.Future[dict[str, Any]]
    loaded: tuple[str, ...] = ()
    _buffer: bytes = b""

    def hear(self, chunk: bytes) -> float | None:
        deadline_s = self.listener.hear(chunk)
        self._buffer += chunk
        *lines, self._buffer = self._buffer.split(b"\n")
        prefix = self.listener.nonce.encode() + b" "
        for line in lines:
            if line.startswith(prefix):
                with suppress(ValueError, KeyError, TypeError, RecursionError):
                    self._take(json.loads(line[len(prefix) :]))
        return deadline_s

    def _take(self, event: dict[str, Any]) -> None:
        if event["event"] == "loaded":
            self.loaded = tuple(map(str, event["modules"]))
        if event["event"] in ("done", "unsafe") and not self.done.done():
            self.done.set_result(event)


@dataclass
class WarmRunner:
    """Runs requests in forks of a warm process, and on the cold runner where that isn't the same.

    `cold_because` says why it gave up being warm, "" while it has not. `close` ends the process.
    """

    target: PytestTarget
    cold: PytestRunner
    cold_because: str = ""
    _session: _Session | None = None
    _preload: tuple[str, ...] = ()
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self, request: TestRequest) -> TestReport:
        if self.cold_because or request.coverage or request.hash_seed or request.tests is None:
            return await self.cold.run(request)
        async with self._turn:
            report = await self._run_warm(request)
        return await self.cold.run(request) if report is None else report

    async def _run_warm(self, request: TestRequest) -> TestReport | None:
        """The report, None where only a cold run can tell."""
        started = asyncio.get_running_loop().time()
        session = await self._opened(request)
        listener = Listener(secrets.token_hex(16), request)
        answer = Answer(listener, asyncio.get_running_loop().create_future())
        session.answer = answer
        assert session.write is not None and session.task is not None
        session.write(self._line(request, listener.nonce))
        waiting: set[asyncio.Future[Any]] = {session.task, answer.done}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done.done():
            return self._after_death(await self._ended(session), listener, started)
        event = answer.done.result()
        session.answer = None
        self._preload = tuple(dict.fromkeys((*self._preload, *answer.loaded)))
        if event["event"] == "unsafe":
            await self.give_up(str(event["message"]))
            return None
        if event["changed"]:
            await self.give_up(f"the suite writes to its tree ({event['changed'][0]})")
            return None
        result = replace(SETTLED, wall_s=asyncio.get_running_loop().time() - started)
        return listener.report(result)

    def _after_death(self, result: CommandResult, listener: Listener, started: float) -> TestReport | None:
        """A fork that hung took the server with it, which is its verdict; any other death is a riddle."""
        wall_s = asyncio.get_running_loop().time() - started
        if result.ended_by in ("deadline", "memory", "output"):
            return listener.report(replace(result, wall_s=wall_s))
        self.cold_because = "the warm process ended by itself"
        return None

    def _line(self, request: TestRequest, nonce: str) -> bytes:
        asked = self.target.probe_request(request, nonce)
        overlay = {path: base64.b64encode(data).decode() for path, data in request.overlay.items()}
        preload = list(self._preload)
        return json.dumps({**asked, "overlay": overlay, "preload": preload}).encode() + b"\n"

    async def _opened(self, request: TestRequest) -> _Session:
        if self._session is None or (self._session.task is not None and self._session.task.done()):
            session = _Session()

            def keep(write: Callable[[bytes], None]) -> None:
                session.write = write

            command = self.target.command("pytest_server.py", request, session.hear)
            command = replace(command, on_start=keep)
            session.task = asyncio.create_task(self.target.sandbox.run(command))
            # The task's first turn starts the process, and that calls `keep`.
            await asyncio.sleep(0)
            if session.write is None:
                session.task.result()
            self._session = session
        return self._session

    async def _ended(self, session: _Session) -> CommandResult:
        self._session = None
        assert session.task is not None
        return await session.task

    async def give_up(self, reason: str) -> None:
        """Be cold from now on."""
        self.cold_because = reason
        await self.close()

    async def close(self) -> None:
        """End the warm process; the next request starts another."""
        session, self._session = self._session, None
        if session is not None and session.task is not None:
            session.task.cancel()
            # Waits without taking a cancellation of the caller for that of the task.
            await asyncio.wait({session.task})
            if not session.task.cancelled():
                session.task.exception()


async def check_agreement(
    runner: WarmRunner, report: TestReport, tests: Sequence[str], load_plugins: bool
) -> None:
    """Compare the warm runner with a cold report, twice: before and after it has loaded the dependencies.
    Where the outcomes differ, it is cold from then on."""
    expected = {test: report.results[test].outcome for test in tests}
    for _ in range(2):
        warm = await runner.run(TestRequest(tests=tuple(tests), load_plugins=load_plugins))
        seen = {test: result.outcome for test, result in warm.results.items()}
        if not runner.cold_because and seen != expected:
            await runner.give_up("the outcomes in a warm process differ from those in a cold one")
