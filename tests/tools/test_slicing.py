"""Backward slices: the lines that may decide a line, and no others."""

from __future__ import annotations

import ast
import textwrap

import pytest

from treemend.tools.slicing import STEPS_MAX, backward_slice, innermost_scope, result_lines


def sliced(code: str, line: int) -> dict[int, tuple[str, ...]]:
    scope = innermost_scope(ast.parse(textwrap.dedent(code)), line)
    return {one.line: one.names for one in backward_slice(scope, [line]).lines}


LOOP = """\
def f(prices, limit):
    total = 0
    seen = 0
    for price in prices:
        if price > limit:
            total += price
        seen += 1
    assert total == 3
"""
OVERWRITTEN = """\
def f(a, b):
    x = a
    x = b
    return x
"""
BRANCH = """\
def f(a, b):
    x = a
    if b:
        x = 2
    y = 3
    return x
"""
LATER = """\
def f(items):
    last = None
    for item in items:
        print(last)
        other = item
        last = other
"""
CHANGED = """\
def f(items):
    found = []
    found.append(items)
    found[0] = 1
    unrelated = []
    return found
"""
MEMBER = """\
class Cart:
    def add(self, price):
        self.total = self.total + price
        self.count = 1
        return self.total
"""
CAUGHT = """\
def f(a):
    try:
        x = g(a)
    except ValueError as error:
        x = str(error)
    finally:
        done = True
    return x
"""
MANY_LINES = """\
def f(a,
      b):
    x = (a +
         b)
    return [
        x
    ]
"""


@pytest.mark.parametrize(
    "code, line, lines",
    [
        pytest.param(LOOP, 8, {1, 2, 4, 5, 6, 8}, id="loop"),
        pytest.param(OVERWRITTEN, 4, {1, 3, 4}, id="overwritten"),
        pytest.param(BRANCH, 6, {1, 2, 3, 4, 6}, id="branch"),
        pytest.param(LATER, 4, {1, 2, 3, 4, 5, 6}, id="comes round"),
        pytest.param(CHANGED, 6, {1, 2, 3, 4, 6}, id="changed in place"),
        pytest.param(MEMBER, 5, {2, 3, 5}, id="member"),
        pytest.param(CAUGHT, 8, {1, 2, 3, 5, 8}, id="caught"),
        pytest.param(MANY_LINES, 6, {1, 3, 5}, id="statements of many lines"),
        pytest.param("x = 1\ny = 2\nz = x\n", 3, {1, 3}, id="module"),
    ],
)
def test_a_slice_holds_what_decides_a_line(code: str, line: int, lines: set[int]) -> None:
    assert set(sliced(code, line)) == lines


def test_a_line_is_said_to_give_the_names_that_are_used() -> None:
    assert sliced(LOOP, 8)[6] == ("total",) and sliced(LOOP, 8)[1] == ("limit", "prices")


def test_what_a_function_gives_back_is_its_own() -> None:
    code = "def f():\n    def g():\n        return 1\n    yield 2\n    return g\n"
    assert result_lines(innermost_scope(ast.parse(code), 1)) == [4, 5]


def test_no_more_of_a_function_is_looked_at_than_can_be_afforded() -> None:
    code = "".join(f"a{number} = a{number - 1}\n" for number in range(STEPS_MAX + 10))
    assert len(sliced(code, 100)) == 100 and sliced(code, STEPS_MAX + 5) == {}
