"""What functions are seen to do, in the real sandbox, and how that parts candidates."""

from __future__ import annotations

import asyncio
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from treemend.store.errors import SandboxUnavailableError
from treemend.verify.behaviour import (
    Behaviour,
    behaviour_classes,
    called_plainly,
    changed_calls,
    differs_without_runner,
    diversity,
    functions_at,
    observe_behaviour,
    plain_files,
)
from treemend.verify.interpreter import find_interpreter
from treemend.verify.pytest_runner import PytestRunner
from treemend.verify.pytest_target import PytestTarget
from treemend.verify.runner import RecordedCall, TestRequest
from treemend.verify.sandboxes import find_sandbox

BARE = ("-p", "no:asyncio", "-p", "no:hypothesispytest", "-p", "no:anyio", "-p", "no:xdist")
INSIDE = Path(__file__).parents[2] / "verify" / "treemend" / "verify" / "inside"
SHOP = """import random
import time


def total(prices):
    result = 0
    for price in prices[1:]:
        result += price
    return result


class Cart:
    def __init__(self, names=()):
        self.names = list(names)

    def add(self, name):
        self.names.append(name)
        return self

    @staticmethod
    def empty():
        return Cart()


def stamp(text):
    return f"{text} {time.time_ns()} {random.random()} {object()}"


def words(text):
    return set(text.split())


def spin(n):
    while n > 3:
        pass
    return n
"""
TESTS = """import pytest
from pkg.shop import Cart, spin, stamp, total, words


@pytest.mark.parametrize("prices, sum", [([3, 4], 7), pytest.param([], 0)])
def test_total(prices, sum):
    assert total(prices) == sum


def test_cart():
    assert Cart(["a"]).add("b").names == ["a", "b"]
    assert Cart.empty().names == []


def test_others(tmp_path):
    stamp("x")
    assert words("b a b") == {"a", "b"}
    assert spin(3) == 3
"""
MENDED = SHOP.replace("prices[1:]", "prices")
SAME = SHOP.replace("result = 0\n", "result, _ = 0, None\n").replace("prices[1:]", "list(prices)")
SPECIAL = SHOP.replace("    result = 0\n", "    if prices == [3, 4]:\n        return 7\n    result = 0\n")
MUTATES = MENDED.replace("    return result\n", "    prices.clear()\n    return result\n")
BROKEN = "raise RuntimeError('no')\n"
TOTAL = "tests/test_shop.py::test_total"


@dataclass(frozen=True)
class Seen:
    calls: tuple[RecordedCall, ...]
    base: Behaviour
    candidates: dict[str, Behaviour]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Calls recorded by one run of the tests, and all trees observed in one process."""
    repo = tmp_path_factory.mktemp("behaviour")
    for path, text in {"pkg/shop.py": SHOP, "tests/test_shop.py": TESTS, "conftest.py": ""}.items():
        (repo / path).parent.mkdir(exist_ok=True)
        (repo / path).write_text(text)
    try:
        target = PytestTarget(find_sandbox("auto"), find_interpreter("", repo), repo, repo, BARE)
    except SandboxUnavailableError as error:
        pytest.skip(str(error))
    functions = functions_at("pkg/shop.py", SHOP.encode(), range(1, 100))
    trees = {"mended": MENDED, "same": SAME, "special": SPECIAL, "mutates": MUTATES, "broken": BROKEN}

    async def observe() -> Seen:
        request = TestRequest(recorded=functions, limit_s=60.0)
        report = await PytestRunner(target).run(request)
        plain = plain_files(list(report.results), secret="s")
        overlays: list[dict[str, bytes]] = [{}, *({"pkg/shop.py": text.encode()} for text in trees.values())]
        base, *others = await observe_behaviour(target, overlays, report.calls, plain)
        return Seen(report.calls, base, dict(zip(trees, others, strict=True)))

    return asyncio.run(observe())


pytestmark = [pytest.mark.slow, pytest.mark.sandbox]


def test_calls_are_recorded_with_the_tests_that_made_them(seen: Seen) -> None:
    by_name = {(call.name, call.tests) for call in seen.calls}
    assert ("total", (f"{TOTAL}[prices0-7]",)) in by_name
    assert ("Cart.add", ("tests/test_shop.py::test_cart",)) in by_name
    assert {call.module for call in seen.calls} == {"pkg.shop"}


def test_the_same_behaviour_is_one_class_and_another_is_another(seen: Seen) -> None:
    names = ("mended", "same", "special", "mutates", "broken")
    classes = dict(
        zip(names, behaviour_classes(seen.base, [seen.candidates[name] for name in names]), strict=True)
    )
    assert classes["mended"] == classes["same"]
    assert len({classes[name] for name in ("mended", "special", "mutates", "broken")}) == 4


def test_times_random_numbers_and_addresses_are_not_compared(seen: Seen) -> None:
    stamps = [o for o in seen.base.outcomes.values() if o.call.startswith("stamp(")]
    assert stamps and not any(outcome.constant for outcome in stamps)
    sets = [outcome.text for outcome in seen.base.outcomes.values() if outcome.call == "words('b a b')"]
    assert set(sets) == {"gives set({'a', 'b'})"}


def test_a_call_that_takes_too_long_costs_its_limit(seen: Seen) -> None:
    spins = {o.call: o.text for o in seen.base.outcomes.values() if o.call.startswith("spin(")}
    assert spins == {"spin(3)": "gives 3", "spin(4)": "takes too long"}, "others like it are not tried"


def test_changes_are_told_by_call_and_only_where_no_target_asks_for_them(seen: Seen) -> None:
    passing = [f"{TOTAL}[prices1-0]", "tests/test_shop.py::test_cart"]
    assert changed_calls(seen.base, seen.candidates["special"], seen.calls, passing) == ()
    mended = changed_calls(seen.base, seen.candidates["mended"], seen.calls, passing)
    assert mended and not any(change.by_tests for change in mended)
    mutates = changed_calls(seen.base, seen.candidates["mutates"], seen.calls, passing)
    assert ("total([3, 4])", "gives 4") not in {(c.call, c.before) for c in mutates}


def test_tests_are_called_as_plain_functions(seen: Seen) -> None:
    assert seen.base.plain[TOTAL] == ("raises AssertionError: ", "")
    assert seen.base.plain["tests/test_shop.py::test_cart"] == ("",)
    assert "tests/test_shop.py::test_others" not in seen.base.plain, "it needs a fixture"
    targets, passing = (f"{TOTAL}[prices0-7]",), ("tests/test_shop.py::test_cart",)
    assert called_plainly(seen.base, seen.candidates["mended"], targets, passing)
    assert differs_without_runner(seen.base, seen.candidates["mended"], targets, passing) == ()
    assert differs_without_runner(seen.base, seen.base, targets, (f"{TOTAL}[prices1-0]",)) == (TOTAL,)


def test_parameters_that_neither_passed_nor_are_targets_may_go_on_failing() -> None:
    raised = ("raises AssertionError: ", "raises OSError: ", "")
    before, after = Behaviour(plain={"t.py::t": raised}), Behaviour(plain={"t.py::t": ("", *raised[1:])})
    targets, passing = ("t.py::t[a]",), ("t.py::t[c]",)
    assert differs_without_runner(before, after, targets, passing) == ()
    assert differs_without_runner(before, after, (*targets, "t.py::t[b]"), passing) == ("t.py::t",)


def test_a_call_without_the_runner_shows_nothing_where_what_passes_fails_so() -> None:
    """As where a conftest.py sets up what all tests use."""
    seen = Behaviour(plain={"t.py::t": ("raises AttributeError: x",) * 3})
    assert not called_plainly(seen, seen, ("t.py::t[a]",), ("t.py::t[b]", "t.py::t[c]"))
    mixed = Behaviour(plain={"t.py::t": ("raises AttributeError: x", "", "")})
    assert called_plainly(mixed, mixed, ("t.py::t[a]",), ("t.py::t[b]", "t.py::t[c]"))


def load_inside(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"{name}_under_test", INSIDE / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_made_inputs_are_the_same_each_time_and_never_the_arguments_themselves() -> None:
    made = load_inside("made_inputs")
    arguments = ([3, "text", [1, 2], {"a": 1}, None], {"flag": True})
    first = list(made.variants(*arguments))
    assert first == list(made.variants(*arguments)) and len(first) == made.VARIANTS_MAX
    assert all((values, keywords) != arguments for values, keywords in first)
    assert arguments == ([3, "text", [1, 2], {"a": 1}, None], {"flag": True})


@pytest.mark.parametrize(
    ("annotations", "made"),
    [
        ([int], True),
        (["int", "str"], True),
        ([list[int], "Optional[str]"], True),
        ([int | None], True),
        ([object], False),
        (["Cart"], False),
        ([], False),
    ],
)
def test_annotations_of_builtin_types_give_inputs(annotations: list[object], made: bool) -> None:
    inputs = list(load_inside("made_inputs").annotated(annotations))
    assert bool(inputs) is made
    assert all(len(values) == len(annotations) for values in inputs)


def test_values_are_told_alike_in_every_process() -> None:
    told = load_inside("told_values").told

    class Thing:
        def __init__(self) -> None:
            self.held = [self.__class__, {"b", "a"}]

    assert told(Thing()) == told(Thing())
    assert told({"b", "a"}) == "set({'a', 'b'})"
    assert told(object()) == told(object()) and "0x…" in told(object())
    assert told(iter([1, 2])) == "<list_iterator of [1, 2]>"
    cycle: list[object] = []
    cycle.append(cycle)
    assert "…" not in told(cycle) and told(cycle).startswith("[[[")


def test_functions_are_found_by_their_lines() -> None:
    source = b"@cache\ndef f():\n    def g():\n        pass\n\nclass A:\n    def m(self):\n        pass\n"
    assert [(f.name, f.line) for f in functions_at("a.py", source, {4, 8})] == [("f", 1), ("A.m", 7)]
    assert functions_at("a.py", b"def f(:", {1}) == ()


def test_a_reference_that_shows_nothing_parts_nothing() -> None:
    assert behaviour_classes(Behaviour(), [Behaviour(), Behaviour()]) == ()


@pytest.mark.parametrize(
    "classes, share", [((), None), (("a",), None), (("a", "a"), 0.0), (("a", "b", "a"), 2 / 3)]
)
def test_diversity_is_the_part_of_pairs_that_differ(classes: tuple[str, ...], share: float | None) -> None:
    assert diversity(classes) == share
