"""The model client: asks the model of a role, again where that helps, another where it doesn't, and never
twice for what was answered."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pydantic import BaseModel, Field

from treemend.agents.model.calls import Call, Completion, ToolSpec
from treemend.agents.model.failures import MENDS, RETRIED, CallFailed, Kind
from treemend.agents.model.ledger import BudgetSpent, Ledger, shown_spent
from treemend.agents.model.parsing import Unparsed, parse_as
from treemend.agents.model.prices import AbilitiesOf
from treemend.agents.model.prompts import Prompt
from treemend.agents.model.provider import Send
from treemend.store.errors import ModelError
from treemend.store.records import ModelRole, Models

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]
TimeLeft = Callable[[], float]
"""Seconds that the run has left, `math.inf` where nothing bounds them."""

TRIES_MAX = 5
TIMEOUTS_MAX = 2
"""Tries of a call that may run out of time: each of them can take minutes."""
BACKOFF_S = 1.0
WAIT_S_MAX = 60.0
PROMPT_CHARS_MAX = 80_000
SHRINKS_MAX = 5
SHRINK = 0.4
SHOWN_CHARS = 300
PROMPT_SHARE = 0.8
"""Of the tokens of a call, when models are ordered by price."""


class NoAnswer(ModelError):
    """The models of a role let each try run out of time."""


class Unusable(Exception):
    """The model answered, and not with what was asked: it refused, or its answer has another form."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One question.

    Attributes:
        step: What it is for, unique within the run.
        samples: How many answers are wanted.
        turn: Whose turn it is where several models serve the role, counted round.
        answered_only: Whether nothing may be sent: what was not answered before raises BudgetSpent.
    """

    role: ModelRole
    step: str
    prompt: Prompt
    samples: int = 1
    max_tokens: int = 4096
    temperature: float = 0.0
    turn: int = 0
    answered_only: bool = False


class ToolRequest(BaseModel):
    """One call, in the protocol for models that know no tools."""

    tool: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class ToolRequests(BaseModel):
    """The calls that a model wants made."""

    calls: list[ToolRequest] = Field(default_factory=list)


class ModelClient:
    """Speaks to the models of one run.

    Raises (from every question):
        BudgetSpent: the answer could cost more than what is left, or did not come in the time left.
        NoAnswer: it did not come in the time that a call may take.
        ModelError: no model of the role can be reached.
        Unusable: the answer can't be used.
    """

    def __init__(
        self,
        models: Models,
        ledger: Ledger,
        send: Send,
        abilities: AbilitiesOf,
        sleep: Sleep = asyncio.sleep,
        time_left: TimeLeft = lambda: math.inf,
    ) -> None:
        self._models = models
        self._ledger = ledger
        self._send = send
        self._abilities = abilities
        self._sleep = sleep
        self._time_left = time_left

    @property
    def spent_words(self) -> str:
        """What was spent so far, for a progress line, "" before the first call."""
        told = shown_spent(self._ledger.spent)
        return f" · {told}" if told else ""

    def knows_tools(self, role: ModelRole, turn: int = 0) -> bool:
        """Whether the model of a role whose turn it is takes tools as such."""
        return self._abilities(self._chain(role, turn)[0]).tools

    def models(self, role: ModelRole) -> int:
        """How many models serve a role."""
        return len(self._models.names[role])

    async def answer(self, ask: Ask) -> list[str]:
        """The texts of the samples."""

        async def answered(name: str) -> list[str]:
            return [completion.text for completion in await self._ask_shrinking(ask, name)]

        return await self._first_usable(ask, None, (), answered)

    async def structured(self, ask: Ask, kind: type[M]) -> M:
        """The answer as a value: by the provider's own JSON schema where it has that; where the answer has
        another form, the model is told once what is wrong with it."""

        async def answered(name: str) -> M:
            (completion,) = await self._ask_shrinking(ask, name, kind)
            try:
                return parse_as(kind, completion.text)
            except Unparsed as error:
                problem = str(error)
            prompt = ask.prompt.said("assistant", completion.text[:SHOWN_CHARS] or "(nothing)").said(
                "user",
                f"That can't be used: {problem}. Answer again, with nothing but JSON of this schema:\n"
                f"{kind.model_json_schema()}",
            )
            again = replace(ask, prompt=prompt, step=f"{ask.step}/again")
            (completion,) = await self._ask_shrinking(again, name, kind)
            try:
                return parse_as(kind, completion.text)
            except Unparsed as error:
                raise Unusable(f"{ask.step}: {error}") from error

        return await self._first_usable(ask, kind, (), answered)

    async def tool_calls(self, ask: Ask, tools: Sequence[ToolSpec]) -> list[ToolRequest]:
        """The tool calls that the model wants, unchecked: a call whose arguments are no JSON object has
        none."""
        if not self.knows_tools(ask.role, ask.turn):
            return (await self.structured(ask, ToolRequests)).calls

        async def answered(name: str) -> list[ToolRequest]:
            (completion,) = await self._ask_shrinking(ask, name, tools=tools)
            return [_tool_request(call.name, call.arguments) for call in completion.tool_calls]

        return await self._first_usable(ask, None, tools, answered)

    def _chain(self, role: ModelRole, turn: int) -> tuple[str, ...]:
        """The models of a role: the cheapest first, of equal ones the one named first, and round from there
        by whose turn it is. Where no price is known nothing is paid for, as far as anybody knows."""
        names = sorted(self._models.names[role], key=self._usual_cost)
        first = turn % len(names)
        return (*names[first:], *names[:first])

    def _usual_cost(self, name: str) -> float:
        price = self._abilities(name).price
        return 0.0 if price is None else PROMPT_SHARE * price.prompt + (1.0 - PROMPT_SHARE) * price.completion

    async def _first_usable(
        self,
        ask: Ask,
        kind: type[BaseModel] | None,
        tools: Sequence[ToolSpec],
        answered: Callable[[str], Awaitable[T]],
    ) -> T:
        """The answer of the model whose turn it is, or of the next where that can't be reached or has
        nothing to say."""
        names = self._chain(ask.role, ask.turn)
        if len(names) > 1:
            names = self._after_a_resume(names, ask, kind, tools)
        for name in names[:-1]:
            try:
                return await answered(name)
            except (CallFailed, Unusable):
                continue
        try:
            return await answered(names[-1])
        except CallFailed as failure:
            raise _gave_up(ask, names[-1], failure) from failure

    def _after_a_resume(
        self,
        names: Sequence[str],
        ask: Ask,
        kind: type[BaseModel] | None,
        tools: Sequence[ToolSpec],
    ) -> tuple[str, ...]:
        """Those last who failed where another answered, so that they are not asked again."""
        calls = {name: self._calls(ask, name, kind, tools, PROMPT_CHARS_MAX) for name in names}
        if not any(self._ledger.completed(call) for of_one in calls.values() for call in of_one):
            return tuple(names)
        failed = [name for name in names if any(map(self._ledger.failed, calls[name]))]
        return (*(name for name in names if name not in failed), *failed)

    async def _ask_shrinking(
        self,
        ask: Ask,
        name: str,
        kind: type[BaseModel] | None = None,
        tools: Sequence[ToolSpec] = (),
    ) -> list[Completion]:
        """Ask with less and less to read while the model says that it is too much."""
        chars_max = PROMPT_CHARS_MAX
        for _ in range(SHRINKS_MAX):
            calls = self._calls(ask, name, kind, tools, chars_max)
            try:
                if not self._ledger.overflowed(calls[0]):
                    return _samples(await all_ended(self._ask(call, ask.answered_only) for call in calls))
            except CallFailed as failure:
                if failure.kind is not Kind.CONTEXT:
                    raise
            chars_max = int(SHRINK * min(chars_max, ask.prompt.size()))
        raise CallFailed(Kind.CONTEXT, "the issue and the question alone are too long")

    def _calls(
        self,
        ask: Ask,
        name: str,
        kind: type[BaseModel] | None,
        tools: Sequence[ToolSpec],
        chars_max: int,
    ) -> list[Call]:
        abilities = self._abilities(name)
        schema = kind.model_json_schema() if kind is not None and abilities.json_schema else None
        together = ask.samples if abilities.samples else 1
        return [
            Call(
                role=ask.role,
                step=ask.step,
                model=name,
                messages=ask.prompt.messages(chars_max),
                prompt=ask.prompt.template.version,
                sample=sample,
                samples=together,
                max_tokens=ask.max_tokens,
                temperature=ask.temperature,
                schema_name=kind.__name__ if kind is not None and schema is not None else "",
                answer_schema=schema,
                tools=tuple(tools),
            )
            for sample in range(ask.samples // together)
        ]

    async def _ask(self, call: Call, answered_only: bool) -> Completion:
        """One request, tried again where the failure may pass."""
        known = self._ledger.completed(call)
        if known is not None:
            return _usable(call, known)
        if answered_only:
            raise BudgetSpent("written")
        jitter = random.Random(call.content_digest)
        timeouts = 0
        for attempt in range(1, TRIES_MAX + 1):
            try:
                return _usable(call, await self._try(call))
            except CallFailed as failure:
                wait_s = failure.retry_after_s or 0.0
                timeouts += failure.kind is Kind.TIMEOUT
                lasts = failure.kind not in RETRIED or wait_s > WAIT_S_MAX
                if lasts or attempt == TRIES_MAX or timeouts == TIMEOUTS_MAX:
                    raise
                backoff_s = jitter.uniform(0.0, min(WAIT_S_MAX, BACKOFF_S * 2**attempt))
                await self._wait(max(wait_s, backoff_s))
        raise AssertionError("the last try returns or raises")

    async def _wait(self, seconds: float) -> None:
        if seconds >= self._time_left():
            raise BudgetSpent("time")
        await self._sleep(seconds)

    async def _try(self, call: Call) -> Completion:
        left_s = self._time_left()
        if left_s <= 0.0:
            raise BudgetSpent("time")
        row = self._ledger.book(call)
        try:
            async with asyncio.timeout(None if left_s == math.inf else left_s):
                completion = await self._send(call)
        except TimeoutError as late:
            self._ledger.fail(row, CallFailed(Kind.TIMEOUT, "the time of the run was up"))
            raise BudgetSpent("time") from late
        except CallFailed as failure:
            self._ledger.fail(row, failure)
            raise
        except BaseException:
            self._ledger.abandon(row)
            raise
        self._ledger.complete(row, completion)
        return completion


async def all_ended(asked: Iterable[Awaitable[T]]) -> list[T]:
    """All answers, after every one of them has ended; the first failure is raised."""
    ended = await asyncio.gather(*asked, return_exceptions=True)
    for one in ended:
        if isinstance(one, BaseException):
            raise one
    return [one for one in ended if not isinstance(one, BaseException)]


def _usable(call: Call, completion: Completion) -> Completion:
    if completion.refusal or completion.finish == "content_filter":
        raise Unusable(f"{call.step}: {call.model} refuses: {completion.refusal or 'its filter'}")
    if not (call.tools or completion.tool_calls) and not any(text.strip() for text in completion.texts):
        # A refusal that was streamed comes as nothing at all.
        raise Unusable(f"{call.step}: {call.model} says nothing")
    return completion


def _samples(completions: Sequence[Completion]) -> list[Completion]:
    """One completion for each sample, whether they came together or one by one."""
    return [one.model_copy(update={"texts": (text,)}) for one in completions for text in one.texts or ("",)]


def _tool_request(name: str, arguments: str) -> ToolRequest:
    try:
        return ToolRequest(tool=name, arguments=parse_as(_Anything, arguments or "{}").model_dump())
    except Unparsed:
        return ToolRequest(tool=name)


class _Anything(BaseModel, extra="allow"):
    pass


def _gave_up(ask: Ask, name: str, failure: CallFailed) -> ModelError:
    error = NoAnswer if failure.kind is Kind.TIMEOUT else ModelError
    return error(
        f"{name} gives no answer for {ask.step} ({failure.kind.value}): {failure.message}",
        mend=MENDS[failure.kind],
    )
