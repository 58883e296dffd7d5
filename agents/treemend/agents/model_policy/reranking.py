"""What `locate` found in a model's order: first by one call over paths, then listwise over functions.

Sources: one call over paths, ChronoRepo (2026); windows from back to front, RankGPT (Sun et al., EMNLP 2023).
Whatever ends it, the order so far is one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, Field

from treemend.agents.model.client import Ask, ModelClient, Unusable
from treemend.agents.model.ledger import BudgetSpent, shown_spent
from treemend.agents.model.prompts import NEVER_LEFT_OUT, Prompt, Section, clean_prose
from treemend.agents.model_policy.passing import passing_client
from treemend.agents.model_policy.policy import template
from treemend.store.errors import ModelError
from treemend.store.records import Budget, Models
from treemend.tools.localization.locate import FunctionHit
from treemend.tools.repotools.conversion import source_lines

PATHS_MAX = 50
WINDOW = 20
STEP = 10
FUNCTION_CHARS_MAX = 3000
FAILURES_MAX = 2
ORDER_TOKENS_MAX = 1024
WORTH = 50


class Order(BaseModel):
    """Numbers of what was listed, best first; it may hold anything."""

    order: list[int] = Field(default_factory=list)


class Reranker:
    """The `rerank` of `locate`, by the models given; asked once.

    Attributes:
        note: Why it ended before its end, "" where it didn't.
        spent: What it cost, in words.
    """

    def __init__(self, root: Path, models: Models, budget: Budget) -> None:
        self._root = root
        self._models = models
        self._budget = budget
        self.note = ""
        self.spent = ""

    def __call__(self, symptom: str, hits: Sequence[FunctionHit]) -> list[int]:
        """The places of the hits, in a better order as far as the model got."""
        order = list(range(len(hits)))
        try:
            asyncio.run(self._rerank(symptom, hits, order))
        except BudgetSpent as spent:
            self.note = f"the budget ({spent.limit}) was spent before all of it was ranked by the model"
        except (ModelError, Unusable) as error:
            self.note = f"not all of it was ranked by the model: {error}"
        except KeyboardInterrupt:
            self.note = "interrupted: not all of it was ranked by the model"
        return order

    async def _rerank(self, symptom: str, hits: Sequence[FunctionHit], order: list[int]) -> None:
        async with passing_client(self._root, self._models, self._budget) as (client, ledger):
            try:
                asking = _Asking(client, self._root, clean_prose(symptom), hits)
                await asking.by_paths(order)
                await asking.by_functions(order)
            finally:
                self.spent = shown_spent(ledger.spent)


class _Asking:
    def __init__(self, client: ModelClient, root: Path, symptom: str, hits: Sequence[FunctionHit]) -> None:
        self._client = client
        self._root = root
        self._issue = (Section("issue", symptom, NEVER_LEFT_OUT),)
        self._hits = hits

    async def by_paths(self, order: list[int]) -> None:
        """Files in the model's order, each with its best function; then each one's second best, and so on."""
        paths = list(dict.fromkeys(self._hits[place].path for place in order))[:PATHS_MAX]
        if len(paths) < 2:
            return
        listed = "\n".join(f"{number} {path}" for number, path in enumerate(paths, 1))
        chosen = await self._order("rank_paths", "paths", Section("files", listed, WORTH), len(paths))
        ranks = {paths[one]: rank for rank, one in enumerate(chosen)}
        met: dict[str, int] = {}
        keys: dict[int, tuple[int, int]] = {}
        for place in order:
            path = self._hits[place].path
            keys[place] = (met.get(path, 0), ranks.get(path, len(ranks)))
            met[path] = met.get(path, 0) + 1
        order.sort(key=lambda place: keys[place])

    async def by_functions(self, order: list[int]) -> None:
        """Windows of functions in the model's order, the last ones first, so that what is good comes forward
        through all of them. A window that can't be ranked stays as it is; two of them end it."""
        failures = 0
        for begin in _windows(len(order)):
            window = order[begin : begin + WINDOW]
            listed = "\n\n".join(self._shown(number, self._hits[p]) for number, p in enumerate(window, 1))
            try:
                chosen = await self._order(
                    "rank_functions", f"functions/{begin}", Section("functions", listed, WORTH), len(window)
                )
            except Unusable:
                failures += 1
                if failures == FAILURES_MAX:
                    raise
                continue
            order[begin : begin + WINDOW] = [window[one] for one in chosen]

    async def _order(self, name: str, step: str, listed: Section, count: int) -> list[int]:
        """All places from 0, those first that the model names; it may name others, or one twice."""
        prompt = Prompt(
            template(name), template("system").text, self._issue, (listed,), template(name).fill()
        )
        ask = Ask("plan", step, prompt, max_tokens=ORDER_TOKENS_MAX)
        told = (await self._client.structured(ask, Order)).order
        chosen = (number - 1 for number in told if 1 <= number <= count)
        return list(dict.fromkeys([*chosen, *range(count)]))

    def _shown(self, number: int, hit: FunctionHit) -> str:
        lines = source_lines(self._root, hit.path)
        first, last = hit.spans[0]
        code = "\n".join(lines[first - 1 : last])
        return f"{number} {hit.path}:{hit.line} {hit.name}\n{code[:FUNCTION_CHARS_MAX]}"


def _windows(count: int) -> Iterator[int]:
    """Where windows begin, from the last to the first."""
    begin = max(0, count - WINDOW)
    while begin > 0:
        yield begin
        begin = max(0, begin - STEP)
    if count > 1:
        yield 0
