"""How a failing test is explained, by a traced run in the real sandbox."""

from __future__ import annotations

import asyncio

import pytest

from treemend.store.errors import SandboxUnavailableError
from treemend.store.records import FailureExplanation
from treemend.verify.interpreter import find_interpreter
from treemend.verify.pytest_runner import PytestRunner
from treemend.verify.pytest_target import PytestTarget
from treemend.verify.runner import TestRequest
from treemend.verify.sandboxes import find_sandbox

pytestmark = [pytest.mark.slow, pytest.mark.sandbox]

BARE = ("-p", "no:asyncio", "-p", "no:hypothesispytest", "-p", "no:anyio", "-p", "no:xdist")
SHOP = """def total(prices):
    result = 0
    text = "x" * 1000
    for price in prices:
        if price > 3:
            result += price
        extra = iter(prices)
    return result


def parsed(text):
    try:
        return int(text)
    except ValueError as error:
        raise KeyError(text) from error
"""
TESTS = """import unittest

import shop


def test_compared():
    assert shop.total([1, 2, 3, 4, 5, 6]) == 21


def test_chain():
    assert shop.parsed("seven") == 7


def test_passes():
    assert shop.total([]) == 0


class TestOld(unittest.TestCase):
    def test_equal(self):
        self.assertEqual(shop.total([4]), 5)
"""


@pytest.fixture(scope="module")
def explained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FailureExplanation | None]:
    """The explanation of each test, by its name."""
    repo = tmp_path_factory.mktemp("explained")
    (repo / "shop.py").write_text(SHOP)
    (repo / "test_shop.py").write_text(TESTS)
    try:
        target = PytestTarget(find_sandbox("auto"), find_interpreter("", repo), repo, repo, BARE)
    except SandboxUnavailableError as error:
        pytest.skip(str(error))
    names = ("test_compared", "test_chain", "test_passes", "TestOld::test_equal")
    tests = tuple(f"test_shop.py::{name}" for name in names)
    report = asyncio.run(PytestRunner(target).run(TestRequest(tests=tests, explained=True, limit_s=120.0)))
    return {name: report.results[test].explanation for name, test in zip(names, tests, strict=True)}


def test_both_sides_of_a_comparison_are_told(explained: dict[str, FailureExplanation | None]) -> None:
    by_assert, by_method = explained["test_compared"], explained["TestOld::test_equal"]
    assert by_assert is not None and by_assert.comparison is not None
    assert (by_assert.comparison.operator, by_assert.comparison.left, by_assert.comparison.right) == (
        *("==", "15"),
        "21",
    )
    assert by_method is not None and by_method.comparison is not None
    assert (by_method.comparison.left, by_method.comparison.right) == ("4", "5")


def test_blocks_have_the_values_at_their_ends(explained: dict[str, FailureExplanation | None]) -> None:
    found = explained["test_compared"]
    assert found is not None
    first = found.first_blocks[0]
    assert (first.path, first.function, first.first, first.last) == ("shop.py", "total", 2, 3)
    assert first.locals["result"] == "0" and first.locals["prices"] == "[1, 2, 3, 4, 5, 6]"
    assert len(first.locals["text"]) < 200, "long values are cut"
    assert (len(found.first_blocks), len(found.last_blocks)) == (5, 5) and found.left_out > 0
    last = found.last_blocks[-1]
    assert (last.last, last.locals["result"], last.locals["price"]) == (8, "15", "6")
    assert last.locals["extra"] == "<list_iterator>", "an iterator is not consumed"


def test_the_chain_of_exceptions_is_told_from_the_last_one(
    explained: dict[str, FailureExplanation | None],
) -> None:
    found = explained["test_chain"]
    assert found is not None and found.comparison is None
    told = [(e.relation, e.kind, e.path, e.line) for e in found.exceptions]
    assert told == [("", "KeyError", "shop.py", 15), ("cause", "ValueError", "shop.py", 13)]


def test_a_test_that_passes_has_none(explained: dict[str, FailureExplanation | None]) -> None:
    assert explained["test_passes"] is None
