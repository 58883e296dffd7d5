"""The spend ledger: what was asked of models, what it cost, and what may still be spent.

A call is a row before it is sent and is settled after. A resumed run finds the rows: what was answered is
never asked again, and what was under way when the process died is booked at the price set aside for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from treemend.agents.model.calls import Call, Completion
from treemend.agents.model.failures import MAYBE_CHARGED, CallFailed, Kind
from treemend.agents.model.prices import AbilitiesOf, cost_at_most, cost_of, tokens_at_most
from treemend.agents.model.provider import answer_text, parse_answer
from treemend.store.database import Store
from treemend.store.records import Budget, CallStatus, ModelCall, RunId

KILLED = "the process ended before the answer came"


@dataclass(eq=False)
class BudgetSpent(Exception):
    """The next call could cost more than what is left, or take longer."""

    limit: Literal["usd", "tokens", "time", "written"]


@dataclass(frozen=True, slots=True)
class Spent:
    """What models cost so far, with what is set aside for calls under way. `usd` is None where a price is
    unknown."""

    calls: int
    usd: float | None
    tokens: int
    prompt_tokens: int
    cached_tokens: int

    @property
    def cached_share(self) -> float:
        """The part of the prompts that providers had in their caches, in [0, 1]."""
        return self.cached_tokens / self.prompt_tokens if self.prompt_tokens else 0.0


def spent_on(calls: list[ModelCall]) -> Spent:
    """The sum over calls."""
    costs = [call.usd for call in calls]
    return Spent(
        calls=sum(call.status is CallStatus.COMPLETED for call in calls),
        usd=None if None in costs else sum(cost for cost in costs if cost is not None),
        tokens=sum(call.tokens for call in calls),
        prompt_tokens=sum(call.prompt_tokens for call in calls),
        cached_tokens=sum(call.cached_tokens for call in calls),
    )


class Ledger:
    """The calls of one run, in this process and those before it; one process at a time has a run."""

    def __init__(self, store: Store, run: RunId, budget: Budget, abilities: AbilitiesOf) -> None:
        self._store = store
        self._run = run
        self._budget = budget
        self._abilities = abilities
        self._calls: dict[str, list[ModelCall]] = {}
        self._count = 0
        for call in store.model_calls(run):
            self._keep(self._as_lost(call) if call.status is CallStatus.SENT else call)

    def completed(self, call: Call) -> Completion | None:
        """The answer that was paid for already."""
        for row in self._calls.get(call.identity(self._run), ()):
            if row.status is CallStatus.COMPLETED:
                return parse_answer(row.answer)
        return None

    def failed(self, call: Call) -> bool:
        """Whether it was asked for, and each time failed."""
        rows = self._calls.get(call.identity(self._run), ())
        return bool(rows) and all(row.problem not in ("", KILLED) for row in rows)

    def overflowed(self, call: Call) -> bool:
        """Whether the model said that this prompt is too long for it."""
        rows = self._calls.get(call.identity(self._run), ())
        return any(row.problem.startswith(Kind.CONTEXT.value) for row in rows)

    def book(self, call: Call) -> ModelCall:
        """Set aside what a call may cost and record that it is sent.

        Raises:
            BudgetSpent: that is more than what is left.
        """
        usd = cost_at_most(call, self._abilities(call.model).charge)
        tokens = sum(tokens_at_most(call))
        self._check(usd, tokens)
        identity = call.identity(self._run)
        self._count += 1
        row = ModelCall(
            seq=self._count,
            identity=identity,
            attempt=1 + len(self._calls.get(identity, ())),
            role=call.role,
            step=call.step,
            sample=call.sample,
            model=call.model,
            prompt=call.prompt,
            status=CallStatus.SENT,
            usd=usd,
            tokens=tokens,
        )
        self._store.book_call(self._run, row)
        self._calls.setdefault(identity, []).append(row)
        return row

    def complete(self, row: ModelCall, completion: Completion) -> None:
        """Record an answer at its price. Counts that pass the bound on them are not believed: what was set
        aside is booked then."""
        counted = completion.prompt_tokens + completion.completion_tokens
        believed = completion.counted and counted <= row.tokens
        self._settle(
            row,
            status=CallStatus.COMPLETED,
            usd=cost_of(completion, self._abilities(row.model).charge) if believed else row.usd,
            tokens=counted if believed else row.tokens,
            prompt_tokens=completion.prompt_tokens if believed else 0,
            completion_tokens=completion.completion_tokens if believed else 0,
            cached_tokens=completion.cached_tokens if believed else 0,
            answer=answer_text(completion),
        )

    def fail(self, row: ModelCall, failure: CallFailed) -> None:
        """Record that no answer came: for nothing, or at the price set aside where the provider may have
        done the work."""
        if failure.kind in MAYBE_CHARGED:
            self._settle(row, status=CallStatus.LOST, problem=str(failure))
        else:
            usd = None if row.usd is None else 0.0
            self._settle(row, status=CallStatus.FAILED, usd=usd, tokens=0, problem=str(failure))

    def abandon(self, row: ModelCall) -> None:
        """Record that nobody waits for the answer any more."""
        self._settle(row, status=CallStatus.LOST, problem=KILLED)

    @property
    def spent(self) -> Spent:
        return spent_on([row for rows in self._calls.values() for row in rows])

    def _check(self, usd: float | None, tokens: int) -> None:
        limit_usd, limit_tokens = self._budget.usd, self._budget.tokens
        if limit_usd is None and limit_tokens is None:
            return
        spent = self.spent
        if limit_usd is not None and (usd is None or (spent.usd or 0.0) + usd > limit_usd):
            raise BudgetSpent("usd")
        if limit_tokens is not None and spent.tokens + tokens > limit_tokens:
            raise BudgetSpent("tokens")

    def _as_lost(self, row: ModelCall) -> ModelCall:
        lost = row.model_copy(update={"status": CallStatus.LOST, "problem": KILLED})
        self._store.settle_call(self._run, lost)
        return lost

    def _settle(self, row: ModelCall, **changed: object) -> None:
        settled = row.model_copy(update=changed)
        self._store.settle_call(self._run, settled)
        rows = self._calls[row.identity]
        rows[rows.index(row)] = settled

    def _keep(self, row: ModelCall) -> None:
        self._calls.setdefault(row.identity, []).append(row)
        self._count = max(self._count, row.seq)


def shown_spent(spent: Spent) -> str:
    """In a few words, for the progress line."""
    if not spent.calls:
        return ""
    usd = "cost unknown" if spent.usd is None else f"${spent.usd:.4f}"
    cached = f", {spent.cached_share:.0%} of the prompts cached" if spent.cached_tokens else ""
    return f"{spent.calls} calls, {spent.tokens:,} tokens, {usd}{cached}"


def by_role(calls: list[ModelCall]) -> Mapping[str, Spent]:
    """What each role cost, in the order in which they were first asked."""
    roles = list(dict.fromkeys(call.role for call in calls))
    return {role: spent_on([call for call in calls if call.role == role]) for role in roles}
