"""Slips inside an expression, and the mends that the templates must offer for them."""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import dedent

import pytest

from treemend.agents.templates.catalogue import changes
from treemend.store.records import Edit
from treemend.tools.edits import apply_edits
from treemend.tools.syntax import parse_module, syntax_digest


def texts(source: str, lines: Iterable[int]) -> set[str]:
    """Digests of all texts that the changes of these lines give."""
    module = parse_module("m.py", source)
    found = set()
    for change in changes(module, frozenset(lines)):
        text = source
        for edit in reversed(change.edits):
            text = text[: edit.start] + edit.text + text[edit.end :]
        found.add(syntax_digest(text))
    return found


def check(frame: str, buggy: str, fixed: str) -> None:
    source = dedent(frame)
    line = source[: source.index("@@")].count("\n") + 1
    if syntax_digest(source.replace("@@", fixed)) not in texts(source.replace("@@", buggy), [line]):
        pytest.fail(f"no change makes {fixed!r} of {buggy!r}")


NUMBERS = """
    import math

    def average(values, limit, bonus=1):
        total = 0
        low, high = 0, len(values)
        for value in values:
            total += value
        mid = total // 2
        @@
        return total / limit
"""
OPERATORS = [
    ("if total < limit: total = 0", "if total <= limit: total = 0"),
    ("if total == limit: total = 0", "if total != limit: total = 0"),
    ("if mid is low: total = 0", "if mid == low: total = 0"),
    ("if mid in values: total = 0", "if mid not in values: total = 0"),
    ("if mid and low: total = 0", "if mid or low: total = 0"),
    ("if mid and low or high: total = 0", "if mid and (low or high): total = 0"),
    ("if mid > low and mid: total = 0", "if not (mid > low) and mid: total = 0"),
    ("total = low + high", "total = low - high"),
    ("total = low / high", "total = low // high"),
    ("total = low * 2", "total = low ** 2"),
    ("total = low ^ 3", "total = low & 3"),
    ("total -= low", "total += low"),
    ("total += low", "total = low"),
    ("total = low", "total += low"),
    ("total = -low", "total = low"),
    ("total = low * high", "total = -(low * high)"),
    ("if not mid: total = 0", "if mid: total = 0"),
    ("if mid: total = 0", "if not mid: total = 0"),
]
OFF_BY_ONE = [
    ("total = values[mid]", "total = values[mid - 1]"),
    ("total = values[:mid]", "total = values[:mid + 1]"),
    ("total = values[mid:]", "total = values[mid + 1:]"),
    ("for i in range(high): total += i", "for i in range(high + 1): total += i"),
    ("for i in range(high): total += i", "for i in range(1, high): total += i"),
    ("total = math.floor(mid, high)", "total = math.floor(mid + 1, high)"),
    ("total = memo[low, high]", "total = memo[low, high - 1]"),
    ("total = high - 1", "total = high"),
    ("total = 0", "total = 1"),
    ("total = 5", "total = 4"),
    ("total = 10", "total = limit"),
    ("total = values[1]", "total = values[-1]"),
    ("total = values[mid]", "total = values[mid:]"),
    ("total = values[low:high]", "total = values[low:]"),
]
NAMES = [
    ("total = low", "total = high"),
    ("total = low + bonus", "total = low + high"),
    ("total = low + bonus", "total = low + 1"),
    ("low = high", "mid = high"),
    ("low, high = low + bonus, low - bonus", "low, high = mid + bonus, mid - bonus"),
    ("low = mid", "mid = low"),
    ("total = totl + bonus", "total = total + bonus"),
    ("values.sotr()", "values.sort()"),
]
OPERANDS = [
    ("total = low - high", "total = high - low"),
    ("total = (low - high) / mid", "total = (mid - high) / low"),
    ("total = 1 + low", "total = low"),
    ("total = low + mid + high", "total = low + high"),
    ("total = low", "total = low - high"),
    ("total = low", "total = low + mid"),
    ("total = values[low] + values[high]", "total = values[high] + values[high]"),
    ("if mid > low and mid > high: total = 0", "if mid > low: total = 0"),
    ("return values", "return values + values"),
]


@pytest.mark.parametrize(("buggy", "fixed"), [*OPERATORS, *OFF_BY_ONE, *NAMES, *OPERANDS[:-1]])
def test_slips_with_numbers_are_mended(buggy: str, fixed: str) -> None:
    check(NUMBERS, buggy, fixed)


TEXTS = """
    from pathlib import Path

    SEPARATOR = ", "

    def count_words(text, sep):
        return len(text.split(sep))

    def render(items, names, title, width, strict=False):
        result = []
        first = items[0]
        for item in items:
            result.append(item[1])
        @@
        return result
"""
LITERALS = [
    ("strict = True", "strict = False"),
    ("names = []", "names = [[]]"),
    ("names = []", "names = [title]"),
    ("names = None", "names = items"),
    ("names = None", "names = []"),
    ("names = [title, width]", "names = [title]"),
    ("names = [title]", "names = [title, width]"),
    ("if not items: return -1", "if not items: return 0"),
    ("if not items: return 0", "if not items: return len(names)"),
    ("if not items: return True", "if not items: return not names"),
    ("if not items: return", "if not items: return names"),
]
STRINGS = [
    ("title = ','.join(names)", "title = ' '.join(names)"),
    ("title = '-'.join(names)", "title = title.join(names)"),
    ("title = 'Total'", "title = 'total'"),
    ("title = 'Total'", "title = 'Total '"),
    ("title = 'a %d' % width", "title = 'a %s' % width"),
    ("title = 'a {width}'", "title = f'a {width}'"),
    ("title = f'a {width}'", "title = f'a {width!r}'"),
]
ARGUMENTS = [
    ("title = count_words(title, width)", "title = count_words(width, title)"),
    ("title = count_words(title)", "title = count_words(title, width)"),
    ("title = count_words(title, width)", "title = count_words(title)"),
    ("title = sorted(names)", "title = sorted(names, reverse=True)"),
    ("title = sorted(names)", "title = sorted(names, key=len)"),
    ("title = max(names)", "title = max(names, default=0)"),
    ("title = open(title)", "title = open(title, encoding='utf-8')"),
    ("title = pow(width, first, strict)", "title = pow(first, strict, width)"),
    ("title = names.index(title)", "title = title.index(names)"),
    ("title = sorted(names, key=lambda n: n)", "title = sorted(names, key=lambda n: -n)"),
]
CALLS = [
    ("if any(names): title = ''", "if all(names): title = ''"),
    ("width = max(names)", "width = min(names)"),
    ("result.append(names)", "result.extend(names)"),
    ("title = title.lstrip()", "title = title.rstrip()"),
    ("title = title.find(first)", "title = title.rfind(first)"),
    ("title = render(title, width)", "title = count_words(title, width)"),
    ("title = title.lower", "title = title.lower()"),
    ("title = names.sort()", "title = sorted(names)"),
    ("title.strip()", "title = title.strip()"),
    ("yield from names", "yield names"),
    ("yield names", "yield from names"),
]
WRAPPING = [
    ("width = names", "width = len(names)"),
    ("width = abs(first)", "width = first"),
    ("width = first + 1", "width = max(width, first + 1)"),
    ("width = width - 1", "width = max(0, width - 1)"),
    ("result = render(first, width)", "result = first"),
    ("result = [first]", "result = first"),
    ("result += first", "result += [first]"),
    ("yield render(first)", "yield first"),
    ("title = title.lower()", "title = title"),
    ("if title == first: width = 0", "if title.lower() == first.lower(): width = 0"),
    ("if title > first: width = 0", "if title[1] > first[1]: width = 0"),
    ("if title[1] > first[1]: width = 0", "if title > first: width = 0"),
    ("title = title", "title = title.strip()"),
    ("names = items", "names = items.copy()"),
    ("names = items", "names = list(items)"),
    ("names = items", "names = items[:width]"),
    ("names = items[width]", "names = items"),
    ("if title < names: width = 0", "if title < len(names): width = 0"),
]
OBJECTS = [
    ("title = names[title]", "title = names.get(title)"),
    ("title = names[title]", "title = names.get(title, 0)"),
    ("title = names.get(title, '')", "title = names[title]"),
    ("names[title] += 1", "names[title] = names.get(title, 0) + 1"),
    ("names[title] = first", "names.setdefault(title, []).append(first)"),
    ("title = title if strict else first", "title = first if strict else title"),
    ("title = names[0]", "title = names[0] if names else None"),
]


@pytest.mark.parametrize(("buggy", "fixed"), [*LITERALS, *STRINGS, *ARGUMENTS, *CALLS, *WRAPPING, *OBJECTS])
def test_slips_with_texts_and_collections_are_mended(buggy: str, fixed: str) -> None:
    check(TEXTS, buggy, fixed)


CLASS = """
    class Node:
        def __init__(self, value, left=None, right=None):
            self.value = value
            self.left = left
            self.right = right

        async def walk(self, visit, seen=[]):
            node = self
            size = visit(node.value)
            @@
            return node.left
"""
ATTRIBUTES = [
    ("node = node.left", "node = node.right"),
    ("node = node.left", "node = node"),
    ("size = value", "size = self.value"),
    ("size = node", "size = node.value"),
    ("size = self.left.value", "size = node.value"),
    ("size = visit(node)", "size = await visit(node)"),
    ("if node.left.value: size = 0", "if node.left is not None and node.left.value: size = 0"),
    ("if node.left is None: size = 0", "if node is None or node.left is None: size = 0"),
]


@pytest.mark.parametrize(("buggy", "fixed"), ATTRIBUTES)
def test_slips_with_attributes_are_mended(buggy: str, fixed: str) -> None:
    check(CLASS, buggy, fixed)


def test_attributes_of_sibling_files_are_known() -> None:
    sibling = parse_module(
        "node.py", "class N:\n    def __init__(self, parents):\n        self.parents = parents\n"
    )
    module = parse_module("m.py", "def f(node):\n    return node.children\n")
    found = changes(module, [2], [sibling])
    assert any(change.edits[0].text == "parents" for change in found)


def test_several_renamed_names_are_mended_together() -> None:
    source = (
        "def f(numbers):\n    evens = []\n    for n in nubmers:\n        even.append(n)\n    return evens\n"
    )
    fixed = source.replace("nubmers", "numbers").replace("even.", "evens.")
    assert syntax_digest(fixed) in texts(source, range(1, 6))


def test_the_wrong_default_argument_is_mended() -> None:
    source = "def f(a, b=[]):\n    b.append(a)\n    return b\n"
    fixed = "def f(a, b=None):\n    if b is None:\n        b = []\n    b.append(a)\n    return b\n"
    assert syntax_digest(fixed) in texts(source, range(1, 6))


def test_the_usual_slip_is_likelier_than_the_unusual_one() -> None:
    found = changes(parse_module("m.py", "def f(a, b):\n    return a < b\n"), [2])
    weights = {c.edits[0].text: c.weight for c in found if c.template == "comparison-operator"}
    assert weights["<="] > weights["=="]


def test_the_order_of_members_that_are_only_asked_for_is_left_alone() -> None:
    found = changes(parse_module("m.py", "def f(a):\n    return a in [3, 5, 8]\n"), [2])
    orders = {"a in [5, 3, 8]", "a in [3, 8, 5]", "a in [8, 5, 3]"}
    made = {apply_edits("    return a in [3, 5, 8]\n", [moved(edit, 10) for edit in c.edits]) for c in found}
    assert not any(order in text for order in orders for text in made)
    assert any("a not in" in text for text in made)


def moved(edit: Edit, by: int) -> Edit:
    return edit.model_copy(update={"start": edit.start - by, "end": edit.end - by})


def test_no_call_is_taken_from_a_statement_that_would_do_nothing_then() -> None:
    frame = "def f(found, letter):\n    @@\n    return found\n"
    given = texts(frame.replace("@@", "found.append(letter)"), [2])
    assert syntax_digest(frame.replace("@@", "letter")) not in given
    assert syntax_digest(frame.replace("@@", "found")) not in given
    given = texts(frame.replace("@@", "print(found.sort())"), [2])
    assert syntax_digest(frame.replace("@@", "found.sort()")) in given
