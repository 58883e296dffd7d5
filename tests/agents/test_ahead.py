"""What is run beside a wait: as much as fits into it, in order, and never at the cost of the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import cast

import pytest

from treemend.agents.ahead import Ahead
from treemend.agents.evaluation import Evaluator, Prospect


@dataclass
class Ran:
    """Stands for an evaluator: notes what it was to run ahead, and says so."""

    prospects: list[Prospect] = field(default_factory=list)
    after: Callable[[int], None] = lambda count: None

    async def run_ahead(self, prospect: Prospect) -> None:
        await asyncio.sleep(0)
        self.prospects.append(prospect)
        self.after(len(self.prospects))


PROSPECTS = [Prospect((), ()) for _ in range(6)]


def ahead_of(ran: Ran) -> Ahead:
    return Ahead(cast(Evaluator, ran), PROSPECTS)


async def test_prospects_run_in_order_as_long_as_the_answer_lacks() -> None:
    answers = (asyncio.Event(), asyncio.Event())

    def answer(count: int) -> None:
        if count in (2, 5):
            answers[count > 2].set()

    async def slow(event: asyncio.Event) -> str:
        await event.wait()
        return "told"

    ran = Ran(after=answer)
    ahead = ahead_of(ran)
    assert await ahead.beside(slow(answers[0])) == "told"
    assert ran.prospects == PROSPECTS[:2]
    assert await ahead.beside(slow(answers[1])) == "told"
    assert ran.prospects == PROSPECTS[:5], "goes on where it stopped"


async def test_an_answer_at_hand_has_nothing_run_beside_it() -> None:
    ran = Ran()

    async def known() -> str:
        await asyncio.sleep(0)
        return "told"

    assert await ahead_of(ran).beside(known()) == "told"
    assert ran.prospects == []


async def test_when_all_have_run_the_answer_is_waited_for() -> None:
    done = asyncio.Event()

    def last(count: int) -> None:
        if count == len(PROSPECTS):
            asyncio.get_running_loop().call_soon(done.set)

    ran = Ran(after=last)
    await ahead_of(ran).beside(done.wait())
    assert len(ran.prospects) == len(PROSPECTS)


async def test_a_failure_of_either_is_raised_and_leaves_nothing_under_way() -> None:
    async def fails() -> None:
        raise ValueError("no answer")

    with pytest.raises(ValueError, match="no answer"):
        await ahead_of(Ran()).beside(fails())
    ended: list[str] = []

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("waiting")

    def breaks(count: int) -> None:
        raise RuntimeError("the sandbox broke")

    with pytest.raises(RuntimeError, match="sandbox"):
        await ahead_of(Ran(after=breaks)).beside(waits())
    assert ended == ["waiting"]


async def test_a_cancelled_wait_ends_what_it_waited_for() -> None:
    started, ended = asyncio.Event(), list[str]()

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("waiting")

    ran = Ran(after=lambda count: started.set())
    task = asyncio.ensure_future(_endless(ran).beside(waits()))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["waiting"]


def _endless(ran: Ran) -> Ahead:
    def prospects() -> Iterator[Prospect]:
        while True:
            yield Prospect((), ())

    return Ahead(cast(Evaluator, ran), prospects())
