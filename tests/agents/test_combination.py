"""What is tried beside a change that made progress."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from treemend.agents.feedback import Failure, Feedback
from treemend.agents.planning import Plan
from treemend.agents.policy import Idea, Parent
from treemend.agents.template_policy.policy import TemplatePolicy
from treemend.store.records import Frame
from treemend.tools.edits import apply_edits
from treemend.tools.syntax import parse_module
from treemend.verify.spectra import Line

CODE = """\
def first(a, b):
    return a < b


def second(a, b):
    return a - b
"""
MODULES = {"code.py": parse_module("code.py", CODE)}
FAILS = Feedback(passed=frozenset(), failures={t: Failure(message="assert 1 == 2") for t in ("one", "two")})
HALF = Feedback(passed=frozenset({"one"}), failures={"two": Failure(message="assert 1 == 2")})


def policy(suspicion: Mapping[Line, float]) -> TemplatePolicy:
    return TemplatePolicy(Plan({}, MODULES, {}, FAILS, lambda failing: suspicion), seed=0)


async def changes_of(one: TemplatePolicy, line: int) -> list[Idea]:
    ideas: list[Idea] = []
    for root in (await one.propose(Parent(), 0, 1000)).ideas:
        if root.place and root.place.line == line:
            ideas += (await one.propose(Parent(key=root.key), 0, 1000)).ideas
    return ideas


async def added(one: TemplatePolicy, parent: Parent) -> tuple[Idea, ...]:
    return (await one.propose(parent, 0, 1000)).ideas


EVERYWHERE = {("code.py", 2): 1.0, ("code.py", 6): 0.5}


async def test_what_is_added_leaves_the_first_change_as_it_is() -> None:
    one = policy(EVERYWHERE)
    made = next(idea for idea in await changes_of(one, 2) if "Use `>` instead of `<`" in idea.text)
    ideas = await added(one, Parent(key=made.key, feedback=HALF))
    assert ideas
    for idea in ideas:
        text = apply_edits(CODE, list((await one.realize(idea.key, ())).edits))
        assert ">" in text.split("def second")[0]
        assert text != CODE.replace("<", ">")
    assert abs(sum(idea.prior for idea in ideas) - 1.0) < 1e-9


async def test_a_change_that_mends_the_rest_by_itself_comes_first() -> None:
    one = policy(EVERYWHERE)
    made = next(idea for idea in await changes_of(one, 2) if "Use `>` instead of `<`" in idea.text)
    partner = (await changes_of(one, 6))[-1]
    gains = {partner.key: frozenset({"two"})}
    plain = [idea.key for idea in await added(policy(EVERYWHERE), Parent(key=made.key, feedback=HALF))]
    guided = [idea.key for idea in await added(one, Parent(made.key, HALF, gains))]
    assert guided.index(f"{made.key}+{partner.key}") < plain.index(f"{made.key}+{partner.key}")


async def test_the_tests_that_still_fail_say_where_to_look_next() -> None:
    def suspicion(failing: object) -> dict[Line, float]:
        assert isinstance(failing, Mapping)
        return EVERYWHERE if "one" in failing else {("code.py", 6): 1.0}

    one = TemplatePolicy(Plan({}, MODULES, {}, FAILS, suspicion), seed=0)
    made = (await changes_of(one, 2))[0]
    ideas = await added(one, Parent(key=made.key, feedback=HALF))
    assert {idea.place.line for idea in ideas[:10] if idea.place} == {6}


async def test_edits_of_the_same_characters_are_not_combined() -> None:
    one = policy({("code.py", 2): 1.0})
    for made in await changes_of(one, 2):
        for idea in await added(one, Parent(key=made.key, feedback=HALF)):
            edits = list((await one.realize(idea.key, ())).edits)
            assert all(a.end < b.start for a, b in pairwise(edits))


SLIPS = """\
def pick(items):
    for item in itmes:
        last = item
    return lats
"""


async def test_where_the_code_crashes_next_is_mended_though_no_failing_test_had_come_there() -> None:
    modules = {"code.py": parse_module("code.py", SLIPS)}
    lines: dict[Line, float] = {("code.py", 2): 1.0}
    one = TemplatePolicy(Plan({}, modules, {}, FAILS, lambda failing: lines), seed=0)
    made = next(idea for idea in await changes_of(one, 2) if "Use `items` instead of `itmes`" in idea.text)
    message = "/repo/code.py:4: NameError: name 'lats' is not defined"
    crash = Failure(message=message, frames=(Frame(path="code.py", line=4, function="pick"),))
    now = Feedback(passed=frozenset(), failures={"one": crash, "two": crash})
    ideas = await added(one, Parent(key=made.key, feedback=now))
    texts = [apply_edits(SLIPS, list((await one.realize(idea.key, ())).edits)) for idea in ideas[:5]]
    assert SLIPS.replace("itmes", "items").replace("lats", "last") in texts
