"""Twenty small repairs, and a scripted model that has right and wrong ideas of them by seed.

In twelve of them one change mends everything; in the other eight two are needed, each of which lets a test pass.
The wrong changes are what somebody may think who reads the code in haste; to them come slips, one for each way
in which a line can be taken for its neighbour.

The scripted model knows the changes and not which of them are right: it draws. It is right more often where an
observation points the right way, where it has seen how its first try failed, and where a part passes already;
sometimes it writes another change than it thought of, and sometimes an edit that can't be made. The same words
asked of it under the same seed get the same answer, whoever asks.
"""

# Code that is quoted is as wide as it is.
# ruff: noqa: E501

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from treemend.agents.scripted_provider import Rule
from treemend.agents.scripted_provider.script import Request

OBSERVATIONS = 4
POINTS_RIGHT = 0.4
RIGHT_UNTOLD = 0.12
RIGHT_TOLD = 0.3
RIGHT_RETHOUGHT = 0.3
RIGHT_NEXT = 0.35
NO_OTHER_WORDS = 0.2
OTHER_CHANGE = 0.15
NO_EDIT = 0.1
SLIPPED = 0.7
WRONG_TEST = 0.3
POINTING = "It looks as if this is about the cause: "
NOT_POINTING = "This may matter: "
SLIPS = (
    (" < ", " <= "), (" <= ", " < "), (" > ", " >= "), (" >= ", " > "), (" == ", " != "), (" != ", " == "),
    (" + 1", ""), (" - 1", ""), (" + ", " - "), (" - ", " + "), (" * ", " // "), (" / ", " * "), (" % ", " // "),
    (" += ", " = "), (" -= ", " += "), ("[0]", "[-1]"), ("[1]", "[0]"), (" = 0", " = 1"), ("(0, ", "(1, "),
    (" and ", " or "), ("if ", "if not "), ("max(", "min("), ("sum(", "len("), ("len(", "max("), ("True", "False"),
    ("sorted(", "list("), (".lower()", ""), (".upper()", ""), (".strip()", ""), ("return ", "return not "),
    (" in ", " not in "), ("range(", "reversed("), (" 60", " 100"), (" 100", " 10"), (" 32", " 30"), (" = []", " = [0]"),
)  # fmt: skip
NUMBERED = re.compile(r"^\d+\. (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Change:
    """A thought, and the line that it replaces by others."""

    thought: str
    old: str
    new: str


@dataclass(frozen=True)
class ThinkingTask:
    """A module `<name>.py` with tests, of which the first `failing_count` fail, and what may be thought of
    it; all of `right` is needed."""

    name: str
    code: str
    tests: str
    right: tuple[Change, ...]
    wrong: tuple[Change, ...]
    failing_count: int = 1

    @property
    def path(self) -> str:
        return f"{self.name}.py"

    @property
    def test_path(self) -> str:
        return f"test_{self.name}.py"

    @cached_property
    def failing(self) -> tuple[str, ...]:
        """Ids of the tests that fail before."""
        return tuple(f"{self.test_path}::{name}" for name in self.test_names[: self.failing_count])

    @property
    def test_names(self) -> list[str]:
        return re.findall(r"^def (test_\w+)", self.tests, re.MULTILINE)

    @property
    def issue(self) -> str:
        """The symptom in words."""
        wrong = "; ".join(
            name.removeprefix("test_").replace("_", " ") for name in self.test_names[: self.failing_count]
        )
        return f"`{self.path}` does not do what it should. These are wrong: {wrong}."

    @cached_property
    def slips(self) -> tuple[Change, ...]:
        """Wrong changes that nobody had to think of."""
        known = {change.new for change in (*self.right, *self.wrong)}
        made = {}
        for line in self.code.splitlines():
            for old, new in SLIPS:
                other = line.replace(old, new, 1)
                if old in line and self.code.count(f"{line}\n") == 1 and other not in known:
                    made[other] = Change(f"`{line.strip()}` should read `{other.strip()}`.", line, other)
        return tuple(made.values())

    @property
    def changes(self) -> tuple[Change, ...]:
        return (*self.right, *self.wrong, *self.slips)


def lay_out(tasks: Sequence[ThinkingTask], repo: Path) -> None:
    """One repository of all tasks."""
    repo.mkdir(parents=True)
    for task in tasks:
        (repo / task.path).write_text(task.code)
        (repo / task.test_path).write_text(task.tests)


class ScriptedThinker:
    """What the model says about one task under one seed."""

    def __init__(self, task: ThinkingTask, seed: int) -> None:
        self._task = task
        self._seed = seed

    def rules(self) -> list[Rule]:
        """For a scripted provider."""
        return [
            Rule(last="# Task: reproduce", respond=self._tests),
            Rule(last="The tests were run on the code as it is", respond=self._tests_again),
            Rule(last="# Task: further tests", answer={"tests": []}),
            Rule(last="# Task: observations", respond=self._observations),
            Rule(last="# Task: further observations", respond=self._observations),
            Rule(last="# Task: idea", respond=self._ideas),
            Rule(last="# Task: look", answer={"calls": []}),
            Rule(contains=("# Task: edit", "That edit can't be made"), respond=self._edit_again),
            Rule(last="# Task: edit", respond=self._edit),
            Rule(last="# Task: rethink", respond=self._rethought),
            Rule(last="# Task: next thoughts", respond=self._next),
        ]

    def _observations(self, request: Request) -> dict[str, Any]:
        draw = self._draw(_asked(request))
        told = []
        for number in range(OBSERVATIONS):
            points = draw.random() < POINTS_RIGHT
            about = draw.choice(self._task.right if points else self._task.wrong)
            text = (POINTING if points else NOT_POINTING) + f"`{about.old.strip()}` ({number})."
            # How sure it is of an observation says a little, and not more, of whether it points right.
            told.append({"text": text, "plausibility": round(draw.uniform(0.3, 0.8) + 0.1 * points, 2)})
        return {"observations": told}

    def _tests(self, request: Request) -> dict[str, Any]:
        """The tests that fail, each for itself; some with a wrong idea of what should come out."""
        draw = self._draw("tests")
        head, *bodies = re.split(r"^(?=def test_)", self._task.tests, flags=re.MULTILINE)
        told = []
        for body in bodies[: self._task.failing_count]:
            wrong = draw.random() < WRONG_TEST and " == " in body
            code = head + (re.sub(r" == (.*)$", r" == [\1]", body, flags=re.MULTILINE) if wrong else body)
            name = body.partition("(")[0].removeprefix("def test_").replace("_", " ")
            told.append({"behaviour": name, "fails_with": "", "code": code})
        return {"tests": told}

    def _tests_again(self, request: Request) -> dict[str, Any]:
        """The same tests, with the exception that each was seen to fail with."""
        written = self._tests(request)["tests"]
        seen = dict(re.findall(r"^- (.*?): it fails with (\w+)", request.last, re.MULTILINE))
        return {"tests": [{**test, "fails_with": seen.get(test["behaviour"], "")} for test in written]}

    def _ideas(self, request: Request) -> dict[str, Any]:
        observed = _asked(request).partition("1. Say in one")[0].partition("Tried already")[0]
        draw = self._draw(observed)
        chance = RIGHT_TOLD if POINTING in observed else RIGHT_UNTOLD
        first = self._drawn(draw, chance)
        second = self._drawn(draw, chance, without=(first,))
        return {"first": self._told(first), "counter_example": "none", "second": self._told(second)}

    def _rethought(self, request: Request) -> dict[str, Any]:
        asked = _asked(request)
        draw = self._draw(asked)
        known = self._followed(asked)
        if draw.random() < NO_OTHER_WORDS:
            return {"thought": ""}
        return {"thought": self._drawn(draw, RIGHT_RETHOUGHT, without=known).thought}

    def _next(self, request: Request) -> dict[str, Any]:
        asked = _asked(request)
        draw = self._draw(asked)
        known = self._followed(asked)
        thoughts = []
        for _ in range(3):
            change = self._drawn(draw, RIGHT_NEXT, without=known)
            known = (*known, change)
            sure = draw.uniform(0.1, 0.5) + 0.1 * (change in self._task.right)
            thoughts.append({**self._told(change), "reasonableness": round(sure, 2)})
        return {"thoughts": thoughts}

    def _edit(self, request: Request) -> str:
        asked = _asked(request)
        draw = self._draw(asked)
        changes = self._followed(asked)
        if draw.random() < NO_EDIT:
            return "It lacks a line.\n\n" + self._block("    there is no such line", "    pass")
        if draw.random() < OTHER_CHANGE:
            changes = (*changes[:-1], draw.choice(self._task.wrong))
        return self._blocks(changes)

    def _edit_again(self, request: Request) -> str:
        """The edit that was meant; the prompt is the first message after the system's."""
        return self._blocks(self._followed(_task_of(str(request.body["messages"][1]["content"]))))

    def _blocks(self, changes: Sequence[Change]) -> str:
        by_line = {change.old: change for change in changes}
        return "This is the cause.\n\n" + "\n".join(self._block(c.old, c.new) for c in by_line.values())

    def _block(self, old: str, new: str) -> str:
        return f"{self._task.path}\n<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE\n"

    def _followed(self, text: str) -> tuple[Change, ...]:
        known = {change.thought: change for change in self._task.changes}
        return tuple(known[thought] for thought in NUMBERED.findall(text) if thought in known)

    def _told(self, change: Change) -> dict[str, str]:
        return {"thought": change.thought, "path": self._task.path, "function": ""}

    def _drawn(self, draw: random.Random, chance: float, without: Sequence[Change] = ()) -> Change:
        right = [change for change in self._task.right if change not in without]
        hasty = self._task.slips if draw.random() < SLIPPED else self._task.wrong
        wrong = [change for change in hasty if change not in without] or list(self._task.wrong)
        return draw.choice(right if right and draw.random() < chance else wrong)

    def _draw(self, asked: str) -> random.Random:
        digest = hashlib.sha256(f"{self._seed}\n{self._task.name}\n{asked}".encode()).digest()
        return random.Random(digest)


def _asked(request: Request) -> str:
    return _task_of(request.last)


def _task_of(prompt: str) -> str:
    """The task at the end of a prompt."""
    return prompt[prompt.rindex("# Task:") :]


TASKS = (
    ThinkingTask(
        "moving_average",
        """def moving_average(values, width):
    sums = []
    for start in range(len(values) - width):
        window = values[start:start + width]
        sums.append(sum(window) / width)
    return sums
""",
        """from moving_average import moving_average


def test_counts_every_window():
    assert moving_average([1, 2, 3], 2) == [1.5, 2.5]


def test_one_window():
    assert moving_average([4, 6], 2) == [5]


def test_nothing():
    assert moving_average([], 1) == []
""",
        (Change("The last window is left out: the range ends one too early.", "    for start in range(len(values) - width):", "    for start in range(len(values) - width + 1):"),),
        (
            Change("The window holds one value too few.", "        window = values[start:start + width]", "        window = values[start:start + width + 1]"),
            Change("The average should divide by the length of the window.", "        sums.append(sum(window) / width)", "        sums.append(sum(window) / len(window))"),
            Change("The range should run over all values.", "    for start in range(len(values) - width):", "    for start in range(len(values)):"),
            Change("The first window is missing.", "    sums = []", "    sums = [values[0]] if values else []"),
        ),
        failing_count=2,
    ),
    ThinkingTask(
        "initials",
        """def initials(name):
    parts = name.split(" ")
    letters = [part[0] for part in parts]
    return ".".join(letters).upper() + "."
""",
        """from initials import initials


def test_two_spaces():
    assert initials("ada  lovelace") == "A.L."


def test_usual():
    assert initials("alan turing") == "A.T."


def test_one():
    assert initials("plato") == "P."
""",
        (Change("Two spaces give an empty part: split on any white space.", '    parts = name.split(" ")', "    parts = name.split()"),),
        (
            Change("Only the first two parts have an initial.", "    letters = [part[0] for part in parts]", "    letters = [part[0] for part in parts[:2]]"),
            Change("An empty part should give an empty letter.", "    letters = [part[0] for part in parts]", "    letters = [part[:1] for part in parts]"),
            Change("The name should be stripped before.", '    parts = name.split(" ")', '    parts = name.strip().split(" ")'),
            Change("The last dot does not belong there.", '    return ".".join(letters).upper() + "."', '    return ".".join(letters).upper()'),
        ),
    ),
    ThinkingTask(
        "leap_year",
        """def is_leap(year):
    if year % 400 == 0:
        return True
    if year % 100 == 0:
        return True
    return year % 4 == 0
""",
        """from leap_year import is_leap


def test_centuries():
    assert not is_leap(1900)


def test_four_centuries():
    assert is_leap(2000)


def test_usual():
    assert is_leap(2024)
    assert not is_leap(2023)
""",
        (Change("A century that 400 does not divide is no leap year.", "    if year % 100 == 0:", "    if year % 100 == 0:\n        return False\n    if year % 4 == 0:"),),
        (
            Change("Every fourth year is one, whatever the century.", "    if year % 400 == 0:", "    if year % 4 == 0:"),
            Change("Years that 4 divides are none.", "    return year % 4 == 0", "    return year % 4 != 0"),
            Change("The test of 400 years comes too early.", "    if year % 400 == 0:", "    if year % 400 == 0 and year % 100 == 0:"),
            Change("The century is counted by 200 years.", "    if year % 100 == 0:", "    if year % 200 == 0 or year % 100 == 0:"),
        ),
    ),
    ThinkingTask(
        "word_wrap",
        """def wrap(text, width):
    lines, line = [], ""
    for word in text.split():
        if len(line) + len(word) > width:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    if line:
        lines.append(line)
    return lines
""",
        """from word_wrap import wrap


def test_the_space_counts():
    assert wrap("ab cd", 4) == ["ab", "cd"]


def test_fits():
    assert wrap("ab cd", 5) == ["ab cd"]
    assert wrap("abcd", 4) == ["abcd"]


def test_nothing():
    assert wrap("", 5) == []
""",
        (Change("The space between the words counts, too.", "        if len(line) + len(word) > width:", "        if line and len(line) + 1 + len(word) > width:"),),
        (
            Change("A line that is just as wide should break.", "        if len(line) + len(word) > width:", "        if len(line) + len(word) >= width:"),
            Change("Words should be joined without a space.", '        line = f"{line} {word}".strip()', '        line = f"{line}{word}".strip()'),
            Change("The new line should begin with the word.", '            line = ""', "            line = word"),
            Change("Empty lines are kept at the end.", "    if line:", "    if True:"),
        ),
    ),
    ThinkingTask(
        "run_length",
        """def encode(text):
    runs = []
    count = 0
    for index, letter in enumerate(text):
        count += 1
        if index + 1 == len(text) or text[index + 1] != letter:
            runs.append(f"{letter}{count}")
    return "".join(runs)
""",
        """from run_length import encode


def test_two_runs():
    assert encode("aab") == "a2b1"


def test_three_runs():
    assert encode("abb") == "a1b2"


def test_one_run():
    assert encode("cc") == "c2"
""",
        (Change("The count goes on over runs: it has to begin anew after each.", '            runs.append(f"{letter}{count}")', '            runs.append(f"{letter}{count}")\n            count = 0'),),
        (
            Change("The count should begin at one.", "    count = 0", "    count = 1"),
            Change("The count is one too high after the first run.", '            runs.append(f"{letter}{count}")', '            runs.append(f"{letter}{count - len(runs)}")'),
            Change("A letter should be compared with the one before.", "        if index + 1 == len(text) or text[index + 1] != letter:", "        if index + 1 == len(text) or text[index - 1] != letter:"),
            Change("The count should come before the letter.", '            runs.append(f"{letter}{count}")', '            runs.append(f"{count}{letter}")'),
        ),
        failing_count=2,
    ),
    ThinkingTask(
        "cart_total",
        """def total(items, coupon=None):
    amount = 0
    for price, count in items:
        amount += price * count
    if coupon:
        amount -= amount * coupon
    return round(amount, 2)
""",
        """from cart_total import total


def test_coupon_in_percent():
    assert total([(10, 2)], coupon=10) == 18


def test_no_coupon():
    assert total([(2.5, 2), (1, 1)]) == 6


def test_empty():
    assert total([]) == 0
""",
        (Change("The coupon is a percentage: it has to be divided by 100.", "        amount -= amount * coupon", "        amount -= amount * coupon / 100"),),
        (
            Change("The coupon is an amount of money.", "        amount -= amount * coupon", "        amount -= coupon"),
            Change("The count is added, not multiplied.", "        amount += price * count", "        amount += price + count"),
            Change("No coupon is given where it is zero.", "    if coupon:", "    if coupon is not None:"),
            Change("The total must not be below zero.", "    return round(amount, 2)", "    return round(max(0, amount), 2)"),
        ),
    ),
    ThinkingTask(
        "bracket_depth",
        """PAIRS = {")": "(", "]": "["}


def balanced(text):
    stack = []
    for letter in text:
        if letter in PAIRS.values():
            stack.append(letter)
        elif letter in PAIRS:
            if stack.pop() != PAIRS[letter]:
                return False
    return not stack
""",
        """from bracket_depth import balanced


def test_closed_too_early():
    assert balanced(")(") is False


def test_nested():
    assert balanced("([])") is True


def test_left_open():
    assert balanced("(") is False
""",
        (Change("A bracket that closes nothing finds an empty stack.", "            if stack.pop() != PAIRS[letter]:", "            if not stack or stack.pop() != PAIRS[letter]:"),),
        (
            Change("The stack should be looked at from its beginning.", "            if stack.pop() != PAIRS[letter]:", "            if stack.pop(0) != PAIRS[letter]:"),
            Change("What is left open does no harm.", "    return not stack", "    return True"),
            Change("Closing brackets should be pushed, too.", "        if letter in PAIRS.values():", "        if letter in PAIRS.values() or letter in PAIRS:"),
            Change("The pair should be looked up the other way round.", "            if stack.pop() != PAIRS[letter]:", "            if PAIRS[letter] != stack.pop():"),
        ),
    ),
    ThinkingTask(
        "merge_spans",
        """def merge(spans):
    merged = []
    for first, last in sorted(spans):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], last)
        else:
            merged.append((first, last))
    return merged
""",
        """from merge_spans import merge


def test_one_within_another():
    assert merge([(1, 9), (2, 3)]) == [(1, 9)]


def test_overlap():
    assert merge([(1, 3), (2, 5)]) == [(1, 5)]


def test_apart():
    assert merge([(1, 2), (4, 5)]) == [(1, 2), (4, 5)]
""",
        (Change("A span within another must not shorten it: the later end counts.", "            merged[-1] = (merged[-1][0], last)", "            merged[-1] = (merged[-1][0], max(merged[-1][1], last))"),),
        (
            Change("Spans should be sorted by their ends.", "    for first, last in sorted(spans):", "    for first, last in sorted(spans, key=lambda span: span[1]):"),
            Change("Spans that only touch don't overlap.", "        if merged and first <= merged[-1][1]:", "        if merged and first < merged[-1][1]:"),
            Change("The span that is found should be left as it is.", "            merged[-1] = (merged[-1][0], last)", "            merged[-1] = merged[-1]"),
            Change("The beginning should be that of the new span.", "            merged[-1] = (merged[-1][0], last)", "            merged[-1] = (first, last)"),
        ),
    ),
    ThinkingTask(
        "slugs",
        """def slug(title):
    kept = []
    for letter in title.lower():
        if letter.isalnum():
            kept.append(letter)
        else:
            kept.append("-")
    return "".join(kept).strip("-")
""",
        """from slugs import slug


def test_no_double_dashes():
    assert slug("Ham & Eggs") == "ham-eggs"


def test_usual():
    assert slug("Two Words") == "two-words"


def test_ends():
    assert slug("(x)") == "x"
""",
        (Change("A run of other characters should give one dash.", '            kept.append("-")', '            if kept and kept[-1] != "-":\n                kept.append("-")'),),
        (
            Change("Other characters should be dropped.", '            kept.append("-")', '            kept.append("")'),
            Change("Spaces alone become dashes.", "        if letter.isalnum():", '        if letter.isalnum() or letter != " ":'),
            Change("The dashes at the ends are kept.", '    return "".join(kept).strip("-")', '    return "".join(kept)'),
            Change("The dash should come before a letter alone.", '            kept.append("-")', '            kept.append("-" if kept else "")'),
        ),
    ),
    ThinkingTask(
        "change_coins",
        """COINS = (50, 20, 10, 5, 2, 1)


def coins(amount):
    used = []
    for coin in COINS:
        if amount >= coin:
            used.append(coin)
            amount -= coin
    return used
""",
        """from change_coins import coins


def test_a_coin_twice():
    assert coins(40) == [20, 20]


def test_each_once():
    assert coins(51) == [50, 1]


def test_nothing():
    assert coins(0) == []
""",
        (Change("A coin may be needed again: go on while it fits.", "        if amount >= coin:", "        while amount >= coin:"),),
        (
            Change("The coins should be tried from the smallest.", "    for coin in COINS:", "    for coin in reversed(COINS):"),
            Change("A coin of the whole amount does not fit.", "        if amount >= coin:", "        if amount > coin:"),
            Change("The amount left is the remainder.", "            amount -= coin", "            amount %= coin"),
            Change("The coins should be tried twice.", "    for coin in COINS:", "    for coin in COINS + COINS:"),
        ),
    ),
    ThinkingTask(
        "roman",
        """VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}


def value(numeral):
    total = 0
    for index, letter in enumerate(numeral):
        amount = VALUES[letter]
        total += amount
    return total
""",
        """from roman import value


def test_four():
    assert value("IV") == 4


def test_six():
    assert value("VI") == 6


def test_ten():
    assert value("X") == 10
""",
        (Change("A smaller letter before a larger one is subtracted.", "        total += amount", "        larger = any(VALUES[one] > amount for one in numeral[index + 1:index + 2])\n        total += -amount if larger else amount"),),
        (
            Change("The letters should be read from the end.", "    for index, letter in enumerate(numeral):", "    for index, letter in enumerate(reversed(numeral)):"),
            Change("An I is worth nothing before others.", "        amount = VALUES[letter]", '        amount = 0 if letter == "I" else VALUES[letter]'),
            Change("A smaller letter is always subtracted.", "        total += amount", "        total += amount if amount >= 5 else -amount"),
            Change("The total begins at minus one.", "    total = 0", "    total = -1"),
        ),
    ),
    ThinkingTask(
        "pages",
        """def pages(count, size):
    return [(start, start + size) for start in range(0, count, size)]
""",
        """from pages import pages


def test_the_last_page_is_shorter():
    assert pages(5, 2) == [(0, 2), (2, 4), (4, 5)]


def test_full_pages():
    assert pages(4, 2) == [(0, 2), (2, 4)]


def test_no_page():
    assert pages(0, 3) == []
""",
        (Change("The last page ends where the items do.", "    return [(start, start + size) for start in range(0, count, size)]", "    return [(start, min(start + size, count)) for start in range(0, count, size)]"),),
        (
            Change("The last page should be left out.", "    return [(start, start + size) for start in range(0, count, size)]", "    return [(start, start + size) for start in range(0, count - size + 1, size)]"),
            Change("Pages end one item earlier.", "    return [(start, start + size) for start in range(0, count, size)]", "    return [(start, start + size - 1) for start in range(0, count, size)]"),
            Change("Pages begin at one.", "    return [(start, start + size) for start in range(0, count, size)]", "    return [(start, start + size) for start in range(1, count, size)]"),
            Change("The end is the count.", "    return [(start, start + size) for start in range(0, count, size)]", "    return [(start, count) for start in range(0, count, size)]"),
        ),
    ),
    ThinkingTask(
        "stock",
        """class Stock:
    def __init__(self):
        self.counts = {}

    def add(self, name, count=1):
        self.counts[name] = count

    def take(self, name, count=1):
        self.counts[name] -= count
        return self.counts[name]
""",
        """import pytest
from stock import Stock


def test_added_twice():
    stock = Stock()
    stock.add("nut", 2)
    stock.add("nut", 3)
    assert stock.counts["nut"] == 5


def test_more_than_there_is():
    stock = Stock()
    stock.add("nut", 2)
    with pytest.raises(ValueError):
        stock.take("nut", 3)


def test_taken():
    stock = Stock()
    stock.add("nut", 2)
    assert stock.take("nut") == 1
""",
        (
            Change("Adding again replaces the count: it should grow.", "        self.counts[name] = count", "        self.counts[name] = self.counts.get(name, 0) + count"),
            Change("More than there is can be taken: that should be refused.", "        self.counts[name] -= count", '        if count > self.counts.get(name, 0):\n            raise ValueError("there are not so many")\n        self.counts[name] -= count'),
        ),
        (
            Change("The first count is lost: begin with one.", "        self.counts = {}", "        self.counts = dict()"),
            Change("What was taken should be given back.", "        return self.counts[name]", "        return count"),
            Change("The count should not fall below zero.", "        self.counts[name] -= count", "        self.counts[name] = max(0, self.counts[name] - count)"),
            Change("A name should be added only once.", "        self.counts[name] = count", "        self.counts.setdefault(name, count)"),
        ),
        failing_count=2,
    ),
    ThinkingTask(
        "duration",
        """def parse(text):
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def show(minutes):
    return f"{minutes // 60}:{minutes % 60}"
""",
        """from duration import parse, show


def test_two_digits():
    assert show(65) == "1:05"


def test_hours_may_be_missing():
    assert parse(":30") == 30


def test_parse():
    assert parse("1:30") == 90


def test_show():
    assert show(90) == "1:30"
""",
        (
            Change("Minutes are shown with two digits.", '    return f"{minutes // 60}:{minutes % 60}"', '    return f"{minutes // 60}:{minutes % 60:02}"'),
            Change("Hours that are missing count as none.", "    return int(hours) * 60 + int(minutes)", "    return int(hours or 0) * 60 + int(minutes)"),
        ),
        (
            Change("Both numbers are shown with two digits.", '    return f"{minutes // 60}:{minutes % 60}"', '    return f"{minutes // 60:02}:{minutes % 60:02}"'),
            Change("The text should be split from the right.", '    hours, minutes = text.split(":")', '    hours, minutes = text.rsplit(":")'),
            Change("An hour has a hundred minutes here.", "    return int(hours) * 60 + int(minutes)", "    return int(hours) * 100 + int(minutes)"),
            Change("A colon in front should be dropped.", '    hours, minutes = text.split(":")', '    hours, minutes = text.strip(":").split(":")'),
        ),
        failing_count=2,
    ),
    ThinkingTask(
        "ranking",
        """def ranks(scores):
    ordered = sorted(scores.items(), key=lambda item: item[1])
    return [name for name, _ in ordered]


def best(scores):
    names = ranks(scores)
    return names[0]
""",
        """from ranking import best, ranks


def test_highest_first():
    assert ranks({"a": 1, "b": 2}) == ["b", "a"]


def test_nobody():
    assert best({}) is None


def test_one():
    assert best({"a": 1}) == "a"


def test_equals_keep_their_order():
    assert ranks({"c": 2, "a": 2}) == ["c", "a"]
""",
        (
            Change("The highest score comes first: sort by its negative.", "    ordered = sorted(scores.items(), key=lambda item: item[1])", "    ordered = sorted(scores.items(), key=lambda item: -item[1])"),
            Change("Where nobody has a score, nobody is best.", "    return names[0]", "    return names[0] if names else None"),
        ),
        (
            Change("The order should be turned round at the end.", "    return [name for name, _ in ordered]", "    return [name for name, _ in ordered][::-1]"),
            Change("The best is the last one.", "    return names[0]", "    return names[-1]"),
            Change("Scores should be sorted by name.", "    ordered = sorted(scores.items(), key=lambda item: item[1])", "    ordered = sorted(scores.items())"),
            Change("The names should be taken from the scores.", "    names = ranks(scores)", "    names = list(scores)"),
        ),
        failing_count=2,
    ),
    ThinkingTask(
        "settings",
        """def read(text):
    settings = {}
    for line in text.splitlines():
        key, value = line.split("=")
        settings[key] = value
    return settings
""",
        """from settings import read


def test_blanks_around():
    assert read("a = 1") == {"a": "1"}


def test_equals_in_the_value():
    assert read("a=b=c") == {"a": "b=c"}


def test_usual():
    assert read("a=1\\nb=2") == {"a": "1", "b": "2"}
""",
        (
            Change("Blanks around key and value don't belong to them.", "        settings[key] = value", "        settings[key.strip()] = value.strip()"),
            Change("Only the first equals sign divides.", '        key, value = line.split("=")', '        key, value = line.split("=", 1)'),
        ),
        (
            Change("The line should be stripped before.", '        key, value = line.split("=")', '        key, value = line.strip().split("=")'),
            Change("The last equals sign divides.", '        key, value = line.split("=")', '        key, value = line.rsplit("=", 1)'),
            Change("The key alone should be stripped.", "        settings[key] = value", "        settings[key.strip()] = value"),
            Change("Lines without a sign are left out.", "    for line in text.splitlines():", '    for line in filter(lambda line: "=" in line, text.splitlines()):'),
        ),
        failing_count=2,
    ),
    ThinkingTask(
        "queue_times",
        """def waiting(jobs):
    times, clock = [], 0
    for job in jobs:
        clock += job
        times.append(clock)
    return times


def average(jobs):
    return sum(waiting(jobs)) / len(jobs)
""",
        """from queue_times import average, waiting


def test_nobody_waits_for_oneself():
    assert waiting([3, 2]) == [0, 3]


def test_no_job():
    assert average([]) == 0


def test_no_time():
    assert waiting([0]) == [0]
""",
        (
            Change("A job waits for those before it alone: note the time before adding its own.", "        times.append(clock)", "        times.append(clock - job)"),
            Change("Without jobs there is nothing to divide by.", "    return sum(waiting(jobs)) / len(jobs)", "    return sum(waiting(jobs)) / max(1, len(jobs))"),
        ),
        (
            Change("The clock should begin at the first job.", "    times, clock = [], 0", "    times, clock = [], sum(jobs[:1])"),
            Change("The last job should be left out.", "    for job in jobs:", "    for job in jobs[:-1]:"),
            Change("The average should be a whole number.", "    return sum(waiting(jobs)) / len(jobs)", "    return sum(waiting(jobs)) // len(jobs)"),
            Change("The times should be turned round.", "    return times", "    return times[::-1]"),
        ),
        failing_count=2,
    ),
    ThinkingTask(
        "matrix",
        """def transpose(rows):
    return [[row[i] for row in rows] for i in range(len(rows))]


def trace(rows):
    return sum(rows[i][0] for i in range(len(rows)))
""",
        """from matrix import trace, transpose


def test_wide():
    assert transpose([[1, 2, 3]]) == [[1], [2], [3]]


def test_trace():
    assert trace([[1, 2], [3, 4]]) == 5


def test_square():
    assert transpose([[1, 2], [3, 4]]) == [[1, 3], [2, 4]]


def test_one():
    assert trace([[7]]) == 7
""",
        (
            Change("There are as many new rows as there were columns.", "    return [[row[i] for row in rows] for i in range(len(rows))]", "    return [[row[i] for row in rows] for i in range(len(rows[0]))]"),
            Change("The trace runs along the diagonal.", "    return sum(rows[i][0] for i in range(len(rows)))", "    return sum(rows[i][i] for i in range(len(rows)))"),
        ),
        (
            Change("The rows should be turned round.", "    return [[row[i] for row in rows] for i in range(len(rows))]", "    return [[row[i] for row in rows[::-1]] for i in range(len(rows))]"),
            Change("The last value of each row is wanted.", "    return sum(rows[i][0] for i in range(len(rows)))", "    return sum(rows[i][-1] for i in range(len(rows)))"),
            Change("The trace is the first row's sum.", "    return sum(rows[i][0] for i in range(len(rows)))", "    return sum(rows[0][i] for i in range(len(rows)))"),
            Change("The rows should be cut to the shortest.", "    return [[row[i] for row in rows] for i in range(len(rows))]", "    return [list(row) for row in rows]"),
        ),
        failing_count=2,
    ),
    ThinkingTask(
        "temperatures",
        """def to_celsius(degrees):
    return degrees - 32 * 5 / 9


def spread(values):
    return max(values) - values[0]
""",
        """from temperatures import spread, to_celsius


def test_boiling():
    assert to_celsius(212) == 100


def test_lowest_in_the_middle():
    assert spread([3, 1, 5]) == 4


def test_rising():
    assert spread([1, 2, 3]) == 2
""",
        (
            Change("The difference comes first: it lacks brackets.", "    return degrees - 32 * 5 / 9", "    return (degrees - 32) * 5 / 9"),
            Change("The spread begins at the lowest value.", "    return max(values) - values[0]", "    return max(values) - min(values)"),
        ),
        (
            Change("The fraction is the wrong way round.", "    return degrees - 32 * 5 / 9", "    return degrees - 32 * 9 / 5"),
            Change("The spread ends at the last value.", "    return max(values) - values[0]", "    return values[-1] - values[0]"),
            Change("The result should be rounded.", "    return degrees - 32 * 5 / 9", "    return round(degrees - 32 * 5 / 9)"),
            Change("The spread must not be negative.", "    return max(values) - values[0]", "    return abs(max(values) - values[0])"),
        ),
        failing_count=2,
    ),
    ThinkingTask(
        "addresses",
        """def domain(address):
    return address.split("@")[1]


def same_person(one, other):
    return one == other
""",
        """from addresses import domain, same_person


def test_quoted_sign():
    assert domain('"a@b"@c.org') == "c.org"


def test_case_of_the_domain():
    assert same_person("a@C.org", "a@c.ORG")


def test_usual():
    assert domain("a@b.org") == "b.org"


def test_others():
    assert not same_person("a@c.org", "A@c.org")
""",
        (
            Change("The last sign divides, since the first may be quoted.", '    return address.split("@")[1]', '    return address.rsplit("@", 1)[1]'),
            Change("The domain's case does not matter, that of the name does.", "    return one == other", '    name, other_name = one.rsplit("@", 1)[0], other.rsplit("@", 1)[0]\n    return name == other_name and domain(one).lower() == domain(other).lower()'),
        ),
        (
            Change("The second part should be lower case.", '    return address.split("@")[1]', '    return address.split("@")[1].lower()'),
            Change("The case of an address does not matter.", "    return one == other", "    return one.lower() == other.lower()"),
            Change("The first sign divides.", '    return address.split("@")[1]', '    return address.split("@", 1)[1]'),
            Change("Only domains are compared.", "    return one == other", "    return domain(one) == domain(other)"),
        ),
        failing_count=2,
    ),
)  # fmt: skip
