"""The model policy: PlanSearch for the first thoughts, RethinkMCTS for those that follow, and edits written
after a look into the repository."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from pydantic import BaseModel

from treemend.agents.evaluation import Prospect
from treemend.agents.feedback import Feedback
from treemend.agents.model.client import Ask, ModelClient, Unusable, all_ended
from treemend.agents.model.ledger import BudgetSpent
from treemend.agents.model.prompts import Prompt, Section, Template, clean_prose, load_template
from treemend.agents.model_policy.answers import (
    NextThoughts,
    Observations,
    Observed,
    OneThought,
    Rethought,
    TwoIdeas,
)
from treemend.agents.model_policy.diagnosis import describe, describe_run, describe_tried
from treemend.agents.model_policy.edit_blocks import EditFailed, Written, read_edits
from treemend.agents.model_policy.looking import CALLS_MAX, look, protocol, tool_specs
from treemend.agents.model_policy.plan_search import SECOND_ORDER_MASS, Slot, slots_of
from treemend.agents.planning import Plan
from treemend.agents.policy import Explain, Idea, Parent, Proposal, Realization
from treemend.agents.progress import Listener, Noted, Working
from treemend.agents.template_policy.policy import TemplatePolicy
from treemend.store.records import ModelRole, Place
from treemend.tools.index.repository import RepositoryIndex
from treemend.tools.syntax import functions_of, parse_module

PACKAGE = "treemend.agents.model_policy"
OBSERVATIONS_MAX = 4
DERIVED_MAX = 3
DEPTH_MAX = 3
CHILDREN = 3
EDIT_REPAIRS_MAX = 2
TEMPLATE_MASS = 0.2
"""The part of the priors that template candidates share, where there are any."""
TEMPLATES_FIRST = 9
"""Faults of the templates that are offered before a model is asked anything."""
PLAUSIBILITY_UNKNOWN = 0.5
IDEA = "idea/"
"""How the keys of the model's own thoughts begin."""
WORTH = 75
"""Of what a candidate showed, among the sections of a prompt."""
TEMPLATE = "template/"
"""How the keys of thoughts begin that are the template policy's."""
WRITE_TOKENS_MAX = 8192

M = TypeVar("M", bound=BaseModel)


def patch_section(patch: bytes) -> Section:
    """The patch that a question is about."""
    return Section("patch", patch.decode("utf-8", "replace"), WORTH)


def template(name: str) -> Template:
    """A prompt of this package."""
    return load_template(PACKAGE, name)


@dataclass(frozen=True, slots=True)
class Context:
    """What the policy knows of the run.

    Attributes:
        brief: The sections that every prompt begins with.
        labels: Words for tests whose names a model must not see.
        index: Gives the index of the private tree, for the repository tools.
    """

    plan: Plan
    brief: tuple[Section, ...]
    labels: Mapping[str, str]
    index: Callable[[], RepositoryIndex]
    listener: Listener


@dataclass(frozen=True, slots=True)
class Begun:
    """How far the run has come with its models.

    Attributes:
        written: Candidates that were written so far.
        is_alone: Whether no model is asked for thoughts any more.
    """

    written: int = 0
    is_alone: bool = False


class ModelPolicy:
    """Thinks with a model; `templates`, where there are any, join as cheap siblings. `first` of their faults
    are offered before a model is asked, since they cost nothing.

    It keeps nothing that the run's rows haven't got: asked the same after a resume, it answers the same.

    Raises (from `propose`, `realize` and `rethink`):
        BudgetSpent: the models may not be asked any more, `written_max` candidates that they wrote included.
        ModelError: no model can be reached.
    """

    name = "model"

    def __init__(
        self,
        context: Context,
        client: ModelClient,
        templates: TemplatePolicy | None,
        *,
        first: int = 0,
        written_max: int | None = None,
        begun: Begun = Begun(),
    ) -> None:
        self._context = context
        self._client = client
        self._templates = templates
        self._first = first
        self._written_max = written_max
        self._written_count = begun.written
        self._is_alone = begun.is_alone
        self._ideas: dict[str, TwoIdeas | None] = {}
        self._observed: list[Observed] | None = None
        self._derived_of: list[Observed] | None = None

    def go_on_alone(self) -> bool:
        """Ask no model for thoughts any more; whether anybody else has some."""
        self._is_alone = self._templates is not None
        return self._is_alone

    def prospects(self) -> Iterable[Prospect]:
        """What may be run while a model is waited for."""
        return () if self._templates is None or self._is_alone else self._templates.prospects()

    async def propose(self, parent: Parent, opened: int, count: int) -> Proposal:
        if parent.key.startswith(TEMPLATE) and self._templates is not None:
            key = parent.key.removeprefix(TEMPLATE)
            gains = {k.removeprefix(TEMPLATE): v for k, v in parent.gains.items() if k.startswith(TEMPLATE)}
            below = Parent(key, parent.feedback, gains)
            return _as_templates(await self._templates.propose(below, opened, count), 1.0)
        if parent.key:
            return await self._think_on(parent)
        return await self._first_thoughts(parent, opened, count)

    async def realize(self, key: str, texts: Sequence[str]) -> Realization:
        if key.startswith(TEMPLATE) and self._templates is not None:
            return await self._templates.realize(key.removeprefix(TEMPLATE), texts)
        if self._is_alone:
            return Realization(())
        if self._written_max is not None and self._written_count >= self._written_max:
            raise BudgetSpent("written")
        realized = await self._write(key, texts)
        self._written_count += 1
        return realized

    async def rethink(
        self, key: str, texts: Sequence[str], patch: bytes, feedback: Feedback, explain: Explain
    ) -> str:
        if key.startswith(TEMPLATE) or self._is_alone:
            return ""
        explanation = await explain()
        shown = (
            patch_section(patch),
            Section("what-it-showed", describe(feedback, self._context.labels), WORTH),
            Section("how-it-came", "" if explanation is None else describe_run(explanation), WORTH),
        )
        task = template("rethink").fill(path=_numbered(texts))
        told = await self._structured("plan", f"rethink/{key}", "rethink", task, Rethought, shown)
        text = "" if told is None else _sentence(told.thought)
        return "" if text == texts[-1] else text

    async def _first_thoughts(self, parent: Parent, opened: int, count: int) -> Proposal:
        """The next of all first thoughts: some of the templates', then all others, likeliest first.
        No idea is asked for before the search wants it."""
        wanted = opened + count
        free = await self._first_templates()
        if wanted <= len(free):
            following = free[wanted].prior if wanted < len(free) else self._usual_prior
            return Proposal(free[opened:wanted], following)
        found = {one.text: one for one in free}
        for second_order in (False, True):
            if len(found) == wanted:
                return Proposal(tuple(found.values())[opened:], SECOND_ORDER_MASS * self._mass)
            offers = await self._offers(second_order=second_order, without=len(free))
            for number, offer in enumerate(offers):
                if len(found) == wanted:
                    return Proposal(tuple(found.values())[opened:], offer.prior)
                if isinstance(offer, Slot):
                    await self._fetch(_slots(offers[number:], wanted - len(found)), parent)
                idea = self._idea(offer) if isinstance(offer, Slot) else offer
                if idea is not None:
                    found.setdefault(idea.text, idea)
        return Proposal(tuple(found.values())[opened:], 0.0)

    async def _first_templates(self) -> tuple[Idea, ...]:
        """The faults that are offered before a model is asked."""
        if self._templates is None or not self._first:
            return ()
        return _as_templates(await self._templates.propose(Parent(), 0, self._first), TEMPLATE_MASS).ideas

    @cached_property
    def _usual_prior(self) -> float:
        """The prior of the likeliest idea, as long as nobody was asked for any."""
        plausibility = [PLAUSIBILITY_UNKNOWN] * OBSERVATIONS_MAX
        return slots_of(plausibility, 0, (1.0 - SECOND_ORDER_MASS) * self._mass)[0].prior

    async def _offers(self, *, second_order: bool, without: int) -> list[Slot | Idea]:
        """What may be thought first, by prior: ideas that can be had, and those of templates, `without` the
        first of them."""
        observed = await self._observations()
        plausibility = [one.plausibility for one in observed]
        if second_order:
            derived = [one.plausibility for one in await self._derived(observed)]
            slots = slots_of(derived, 1, SECOND_ORDER_MASS * self._mass) if derived else []
            return list(slots)
        offers: list[Slot | Idea] = []
        offers += slots_of(plausibility, 0, (1.0 - SECOND_ORDER_MASS) * self._mass)
        if self._templates is not None:
            everything = await self._templates.propose(Parent(), without, 10_000)
            offers += _as_templates(everything, TEMPLATE_MASS).ideas
        return sorted(offers, key=lambda offer: -offer.prior)

    @cached_property
    def _mass(self) -> float:
        return 1.0 if self._templates is None else 1.0 - TEMPLATE_MASS

    async def _observations(self) -> list[Observed]:
        if self._observed is None:
            task = template("observe").fill(count=OBSERVATIONS_MAX)
            told = await self._structured("plan", "observations", "observe", task, Observations)
            self._observed = [] if told is None else told.observations[:OBSERVATIONS_MAX]
        return self._observed

    async def _derived(self, observed: Sequence[Observed]) -> list[Observed]:
        if self._derived_of is None:
            known = _numbered([one.text for one in observed])
            task = template("derive").fill(observations=known, count=DERIVED_MAX)
            told = (
                await self._structured("plan", "derived observations", "derive", task, Observations)
                if observed
                else None
            )
            self._derived_of = [] if told is None else told.observations[:DERIVED_MAX]
        return self._derived_of

    async def _fetch(self, slots: Sequence[Slot], parent: Parent) -> None:
        """Ask for the ideas of several subsets at once."""
        missing = {slot.subset_name: slot for slot in slots if slot.subset_name not in self._ideas}
        answers = await all_ended(self._ask_ideas(slot, parent) for slot in missing.values())
        self._ideas.update(zip(missing, answers, strict=True))

    async def _ask_ideas(self, slot: Slot, parent: Parent) -> TwoIdeas | None:
        observed = await self._observations()
        known = await self._derived(observed) if slot.layer else observed
        texts = [known[number].text for number in slot.subset]
        task = template("idea").fill(observations=_numbered(texts) or "none of them")
        tried, step = self._tried(parent), f"idea/{slot.subset_name}"
        return await self._structured("plan", step, "idea", task, TwoIdeas, tried, slot.turn)

    def _tried(self, parent: Parent) -> tuple[Section, ...]:
        return (Section("tried-already", describe_tried(parent.siblings, self._context.labels), WORTH),)

    def _idea(self, slot: Slot) -> Idea | None:
        ideas = self._ideas[slot.subset_name]
        thought = None if ideas is None else (ideas.first, ideas.second)[slot.index]
        if thought is None or not thought.thought.strip():
            return None
        return self._as_idea(IDEA + slot.name, thought, slot.prior, depth=1)

    async def _think_on(self, parent: Parent) -> Proposal:
        """Thoughts below one that gained a test; below any other another place is tried instead."""
        feedback = parent.feedback
        if feedback is None or not feedback.passed or not feedback.failures:
            return Proposal((), 0.0)
        shown = Section("what-is-left", describe(feedback, self._context.labels), WORTH)
        task = template("next").fill(path=_numbered(parent.texts), count=CHILDREN)
        more = (shown, *self._tried(parent))
        told = await self._structured("plan", f"next/{parent.key}", "next", task, NextThoughts, more)
        thoughts = [] if told is None else [one for one in told.thoughts if one.thought.strip()][:CHILDREN]
        weights = [max(0.05, min(1.0, one.reasonableness)) for one in thoughts]
        depth = len(parent.texts) + 1
        ideas = [
            self._as_idea(f"{parent.key}>{number}", one, weight / sum(weights), depth)
            for number, (one, weight) in enumerate(zip(thoughts, weights, strict=True))
        ]
        return Proposal(tuple(sorted(ideas, key=lambda idea: -idea.prior)), 0.0)

    def _as_idea(self, key: str, thought: OneThought, prior: float, depth: int) -> Idea:
        text, place = _sentence(thought.thought), self._place(thought)
        return Idea(key, text, prior, place, has_edit=True, expandable=depth < DEPTH_MAX)

    def _place(self, thought: OneThought) -> Place | None:
        """Where a thought points, if that is there and may be changed."""
        path = thought.path.strip().removeprefix("./").partition(":")[0]
        try:
            source = self._context.plan.sources[path]
        except KeyError:
            return None
        wanted = thought.function.strip().removesuffix("()")
        for name, node in functions_of(parse_module(path, source.text).root):
            if wanted and (name == wanted or name.rsplit(".", 1)[-1] == wanted):
                line = node.start_point[0] + 1
                return Place(path=path, line=line, end_line=line, function=name)
        return None

    async def _write(self, key: str, texts: Sequence[str]) -> Realization:
        """The edits of the model whose turn it is, or of the next one where that makes none."""
        turn = await self._turn(key)
        for shift in range(self._client.models("code")):
            realized = await self._written(key, texts, turn + shift)
            if realized.edits:
                return realized
        return Realization(())

    async def _turn(self, key: str) -> int:
        """Whose turn it is to write a thought's edits, counted in the order in which thoughts are offered,
        so that unlike models have their share of the candidates."""
        if self._client.models("code") == 1:
            return 0
        idea, *below = key.removeprefix(IDEA).split(">")
        observed = await self._observations()
        known = [slot.name for slot in slots_of([one.plausibility for one in observed], 0, 1.0)]
        if idea not in known:
            derived = await self._derived(observed)
            known += [slot.name for slot in slots_of([one.plausibility for one in derived], 1, 1.0)]
        return known.index(idea) + sum(int(number) + 1 for number in below)

    async def _written(self, key: str, texts: Sequence[str], turn: int) -> Realization:
        """Look into the repository, write the edits, and write them again where they can't be made."""
        results = await self._look(key, texts, turn)
        prompt = self._prompt("write", template("write").fill(path=_numbered(texts)), results)
        for attempt in range(EDIT_REPAIRS_MAX + 1):
            ask = Ask("code", f"write/{key}", prompt, max_tokens=WRITE_TOKENS_MAX, turn=turn)
            try:
                (answer,) = await self._client.answer(ask)
            except Unusable as unusable:
                self._note(str(unusable))
                break
            try:
                return _realization(read_edits(answer, self._context.plan.sources))
            except EditFailed as failed:
                self._note(f"edit {attempt + 1} of {key}: {str(failed).splitlines()[0]}")
                again = template("edit_failed").fill(problem=prompt.framed("problem", str(failed)))
                prompt = prompt.said("assistant", answer).said("user", again)
        return Realization(())

    async def _look(self, key: str, texts: Sequence[str], turn: int) -> list[Section]:
        knows_tools = self._client.knows_tools("code", turn)
        task = template("look").fill(
            path=_numbered(texts), count=CALLS_MAX, protocol="" if knows_tools else protocol()
        )
        ask = Ask("code", f"look/{key}", self._prompt("look", task), turn=turn)
        try:
            requests = await self._client.tool_calls(ask, tool_specs())
        except Unusable as unusable:
            self._note(str(unusable))
            return []
        if not requests:
            return []
        return look(self._context.index(), requests)

    async def _structured(
        self,
        role: ModelRole,
        step: str,
        name: str,
        task: str,
        kind: type[M],
        more: Sequence[Section] = (),
        turn: int = 0,
    ) -> M | None:
        """The answer, None where it can't be used or had: the search goes on without it."""
        if not self._is_alone:
            self._context.listener(Working(f"thinking: {step}{self._client.spent_words}"))
        prompt = self._prompt(name, task, more)
        ask = Ask(role, step, prompt, turn=turn, answered_only=self._is_alone)
        try:
            return await self._client.structured(ask, kind)
        except Unusable as unusable:
            self._note(str(unusable))
        except BudgetSpent:
            if not self._is_alone:
                raise
        return None

    def _prompt(self, name: str, task: str, more: Sequence[Section] = ()) -> Prompt:
        return Prompt(template(name), template("system").text, self._context.brief, tuple(more), task)

    def _note(self, text: str) -> None:
        self._context.listener(Noted(text))


def _slots(offers: Sequence[Slot | Idea], count: int) -> list[Slot]:
    """The next ideas of the model's among so many offers."""
    return [offer for offer in offers[:count] if isinstance(offer, Slot)]


def _realization(written: Written) -> Realization:
    return Realization(written.edits, clean_prose(written.rationale))


def _as_templates(proposal: Proposal, mass: float) -> Proposal:
    ideas = (
        Idea(TEMPLATE + one.key, one.text, one.prior * mass, one.place, one.has_edit)
        for one in proposal.ideas
    )
    return Proposal(tuple(ideas), proposal.reserve_prior * mass)


def _numbered(texts: Sequence[str]) -> str:
    return "\n".join(f"{number}. {text}" for number, text in enumerate(texts, 1))


def _sentence(text: str) -> str:
    return " ".join(clean_prose(text).split())
