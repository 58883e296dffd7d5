"""A warm pytest: one process in the sandbox imports everything once and forks for each request.

It serves candidates. What it can't serve alike it hands to the cold runner: coverage, another hash seed, a
suite whose outcomes differ here, that writes to its tree, or whose dependencies start threads.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from treemend.store.records import TestOutcome
from treemend.verify.probe_events import Event, Listener
from treemend.verify.pytest_runner import PytestRunner
from treemend.verify.pytest_target import PytestTarget
from treemend.verify.runner import TestReport, TestRequest
from treemend.verify.sandbox import CommandResult

SETTLED = CommandResult(exit_code=0, ended_by="exit", stdout=b"", stderr=b"", wall_s=0.0)
IDLE_LIMIT_S = 3600.0
"""The most that a warm process waits for its next request."""


@dataclass
class _Session:
    """One living server: how to write to it, and what it is answering."""

    load_plugins: bool
    task: asyncio.Task[CommandResult] | None = None
    write: Callable[[bytes], None] | None = None
    answer: Answer | None = None

    def hear(self, chunk: bytes) -> float | None:
        return None if self.answer is None else self.answer.hear(chunk)


@dataclass(frozen=True, slots=True)
class Settled:
    """How a request came to its end inside: `unsafe` says why warm forks can't serve at all."""

    unsafe: str = ""
    changed: tuple[str, ...] = ()
    lost: bool = False
    killed: bool = False
    swapped: bool = False


class Answer:
    """A request under way: its events, and the word that the fork is gone."""

    def __init__(self, nonce: str, request: TestRequest) -> None:
        self.listener = Listener(nonce, request, others=self._take)
        self.done: asyncio.Future[Settled] = asyncio.get_running_loop().create_future()
        self.loaded: tuple[str, ...] = ()
        self.reason = ""

    def hear(self, chunk: bytes) -> float | None:
        deadline_s = self.listener.hear(chunk)
        return IDLE_LIMIT_S if self.done.done() else deadline_s

    def _take(self, event: Event) -> None:
        kind = event["event"]
        if kind == "loaded":
            self.loaded = tuple(map(str, event["modules"]))
        elif kind in ("unswappable", "refused"):
            self.reason = str(event["reason"])
        elif kind == "unsafe":
            self._settle(Settled(unsafe=str(event["message"])))
        elif kind == "done":
            self._settle(
                Settled(
                    changed=tuple(map(str, event["changed"])),
                    lost=bool(event["lost"]),
                    killed=bool(event["killed"]),
                    swapped=bool(event["swapped"]),
                )
            )

    def _settle(self, settled: Settled) -> None:
        if not self.done.done():
            self.done.set_result(settled)


@dataclass
class Served:
    """How many requests were answered on each path, and why not on the fastest, the last reason first."""

    swapped: int = 0
    afresh: int = 0
    cold: int = 0
    reasons: dict[str, int] = field(default_factory=dict)


@dataclass
class WarmRunner:
    """Runs requests in forks of a warm process, and on the cold runner where that isn't the same.

    A change of function bodies alone is swapped into a process that has collected the tests already;
    `afresh_because` says why no change is any more, "" while they are. Any other is imported afresh.
    `cold_because` says why it gave up being warm, "" while it has not. `close` ends the process.
    """

    target: PytestTarget
    cold: PytestRunner
    cold_because: str = ""
    afresh_because: str = ""
    served: Served = field(default_factory=Served)
    _session: _Session | None = None
    _preload: tuple[str, ...] = ()
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def records_lines(self) -> bool:
        return True

    async def run(self, request: TestRequest) -> TestReport:
        """Run it in the fastest way that is valid for what it changes."""
        return await self._run(request, swap=not self.afresh_because)

    async def run_afresh(self, request: TestRequest) -> TestReport:
        """Run it in a fork that imports everything itself."""
        return await self._run(request, swap=False)

    async def _run(self, request: TestRequest, *, swap: bool) -> TestReport:
        report = None
        if not (self.cold_because or _needs_own_process(request)):
            async with self._turn:
                report = await self._run_warm(request, swap=swap)
        if report is None:
            self.served.cold += 1
            report = await self.cold.run(request)
        return report

    async def _run_warm(self, request: TestRequest, *, swap: bool) -> TestReport | None:
        """The report, None where only a cold run can tell."""
        started = asyncio.get_running_loop().time()
        session = await self._opened(request)
        answer = Answer(secrets.token_hex(16), request)
        session.answer = answer
        assert session.write is not None and session.task is not None
        session.write(self._message(request, answer.listener.nonce, swap=swap))
        waiting: set[asyncio.Future[Any]] = {session.task, answer.done}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done.done():
            return self._after_death(await self._ended(session), answer.listener, started)
        session.answer = None
        result = await self._settled(answer)
        if result is None:
            return None
        return answer.listener.report(replace(result, wall_s=asyncio.get_running_loop().time() - started))

    async def _settled(self, answer: Answer) -> CommandResult | None:
        """How the fork ended, None where it is not to be believed."""
        settled = answer.done.result()
        self._preload = tuple(dict.fromkeys((*self._preload, *answer.loaded)))
        if settled.unsafe:
            await self.give_up(settled.unsafe)
        elif settled.changed:
            await self.give_up(f"the suite writes to its tree ({settled.changed[0]})")
        elif not settled.lost:
            self._count(answer, swapped=settled.swapped)
            return replace(SETTLED, ended_by="deadline") if settled.killed else SETTLED
        return None

    def _count(self, answer: Answer, *, swapped: bool) -> None:
        self.served.swapped += swapped
        self.served.afresh += not swapped
        if not swapped:
            reason = answer.reason or "asked for"
            self.served.reasons[reason] = self.served.reasons.get(reason, 0) + 1

    def _after_death(self, result: CommandResult, listener: Listener, started: float) -> TestReport | None:
        """A fork that hung took the server with it, which is its verdict; any other death is a riddle."""
        wall_s = asyncio.get_running_loop().time() - started
        if result.ended_by in ("deadline", "memory", "disk", "output"):
            return listener.report(replace(result, wall_s=wall_s))
        self.cold_because = "the warm process ended by itself"
        return None

    def _message(self, request: TestRequest, nonce: str, *, swap: bool) -> bytes:
        """The request as a line, and behind it the contents of the overlay."""
        asked = {
            **self.target.probe_request(request, nonce),
            "overlay": [(path, len(data)) for path, data in request.overlay.items()],
            "preload": self._preload,
            "swap": swap,
        }
        return b"".join((json.dumps(asked).encode(), b"\n", *request.overlay.values()))

    async def _opened(self, request: TestRequest) -> _Session:
        if self._session is not None and self._session.load_plugins != request.load_plugins:
            await self.close()
        if self._session is None or (self._session.task is not None and self._session.task.done()):
            session = _Session(request.load_plugins)

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
    """Compare the warm runner with a cold report on each of its paths: imported afresh before and after it
    has loaded the dependencies, and after collecting once. It gives up the paths where outcomes differ."""
    expected = {test: report.results[test].outcome for test in tests}
    request = TestRequest(tests=tuple(tests), load_plugins=load_plugins)
    for _ in range(2):
        afresh = await runner.run_afresh(request)
        if not runner.cold_because and _outcomes(afresh) != expected:
            await runner.give_up("the outcomes in a warm process differ from those in a cold one")
    if not runner.cold_because and _outcomes(await runner.run(request)) != expected:
        runner.afresh_because = "the outcomes after collecting once differ from those in a cold process"


def _needs_own_process(request: TestRequest) -> bool:
    own = (
        request.coverage
        or request.recorded
        or request.explained
        or request.hash_seed
        or request.time_zone != "UTC"
    )
    return bool(own) or request.tests is None


def _outcomes(report: TestReport) -> dict[str, TestOutcome]:
    return {test: result.outcome for test, result in report.results.items()}
