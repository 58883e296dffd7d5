"""What is run while a model is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

from treemend.agents.evaluation import Evaluator, Prospect

T = TypeVar("T")

AT_HAND_S = 0.2
"""An answer that comes within it is not worth running anything beside."""


class Ahead:
    """Runs prospects, the likeliest first, while somebody else thinks, so that the search finds their
    reports when it comes to them.

    It records nothing and decides nothing: how many there was time for changes how soon the search goes on,
    and not where.
    """

    def __init__(self, evaluator: Evaluator, prospects: Iterable[Prospect]) -> None:
        self._evaluator = evaluator
        self._prospects = iter(prospects)

    async def beside(self, work: Awaitable[T]) -> T:
        """What `work` comes to; a prospect that is under way then is run to its end before."""
        waited = asyncio.ensure_future(work)
        try:
            await asyncio.wait({waited}, timeout=AT_HAND_S)
            while not waited.done():
                prospect = next(self._prospects, None)
                if prospect is None:
                    break
                await self._evaluator.run_ahead(prospect)
                # A prospect that was known needed no turn of the loop.
                await asyncio.sleep(0)
            return await waited
        finally:
            if not waited.done():
                waited.cancel()
                await asyncio.wait({waited})
