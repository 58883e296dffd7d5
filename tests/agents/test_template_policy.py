"""The order in which the template policy thinks of changes."""

from __future__ import annotations

from collections.abc import Mapping

from treemend.agents.feedback import Feedback
from treemend.agents.planning import Plan
from treemend.agents.policy import Idea, Parent
from treemend.agents.template_policy.policy import TemplatePolicy
from treemend.tools.edits import apply_edits
from treemend.tools.syntax import Module, parse_module
from treemend.verify.spectra import Line

CODE = """\
def first(a, b):
    return a < b


def second(a, b):
    return a - b
"""
MODULES = {"code.py": parse_module("code.py", CODE)}
NOTHING_SEEN = Feedback(passed=frozenset(), failures={})


def plan(modules: Mapping[str, Module], suspicion: Mapping[Line, float]) -> Plan:
    return Plan({}, modules, {}, NOTHING_SEEN, lambda failing: suspicion)


def policy(suspicion: dict[tuple[str, int], float], seed: int = 0) -> TemplatePolicy:
    return TemplatePolicy(plan(MODULES, suspicion), seed)


async def all_ideas(one: TemplatePolicy, parent: str = "") -> list[Idea]:
    ideas: list[Idea] = []
    reserve = 1.0
    while reserve:
        proposal = await one.propose(Parent(key=parent), len(ideas), 3)
        ideas += proposal.ideas
        reserve = proposal.reserve_prior
    return ideas


async def test_only_suspicious_lines_are_changed() -> None:
    for idea in await all_ideas(policy({("code.py", 2): 1.0})):
        assert idea.place is not None
        assert idea.place.function == "first"


async def test_priors_fall_and_sum_to_one_at_both_levels() -> None:
    one = policy({("code.py", 2): 1.0, ("code.py", 6): 0.5})
    faults = await all_ideas(one)
    for ideas in [faults, *[await all_ideas(one, fault.key) for fault in faults[:20]]]:
        priors = [idea.prior for idea in ideas]
        assert priors == sorted(priors, reverse=True)
        assert abs(sum(priors) - 1.0) < 1e-9


async def test_the_more_suspicious_place_comes_first_for_the_same_template() -> None:
    code = "def first(a, b):\n    return a - b\n\n\ndef second(a, b):\n    return a - b\n"
    modules = {"code.py": parse_module("code.py", code)}
    for leading in (2, 6):
        suspicion = {("code.py", 2): 0.5, ("code.py", 6): 0.5, ("code.py", leading): 1.0}
        faults = await all_ideas(TemplatePolicy(plan(modules, suspicion), 0))
        operands = [fault for fault in faults if "operand" in fault.text]
        assert operands[0].place is not None
        assert operands[0].place.line == leading


async def test_the_reserve_is_the_prior_of_the_next_idea() -> None:
    one = policy({("code.py", 2): 1.0})
    faults = await all_ideas(one)
    proposal = await one.propose(Parent(), 3, 3)
    assert proposal.reserve_prior == faults[6].prior


async def test_a_change_is_realized_as_its_sentence_says() -> None:
    one = policy({("code.py", 2): 1.0})
    texts = set()
    for fault in await all_ideas(one):
        for change in await all_ideas(one, fault.key):
            texts.add(apply_edits(CODE, (await one.realize(change.key, ())).edits))
    assert CODE.replace("a < b", "a <= b") in texts
    assert CODE not in texts


async def test_the_same_seed_gives_the_same_order() -> None:
    suspicion = {("code.py", 2): 1.0, ("code.py", 6): 1.0}
    first, again, other = [
        [idea.text for idea in await all_ideas(policy(suspicion, seed))] for seed in (1, 1, 2)
    ]
    assert first == again
    assert sorted(first) == sorted(other)


async def test_without_suspicion_there_is_nothing_to_think() -> None:
    assert await all_ideas(policy({})) == []
