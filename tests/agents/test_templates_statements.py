"""Slips between statements: guards, conditions, branches, loops, what is missing or in the wrong place."""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import dedent

import pytest

from treemend.agents.templates.catalogue import changes
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


def check(buggy: str, fixed: str) -> None:
    buggy, fixed = dedent(buggy), dedent(fixed)
    if syntax_digest(fixed) not in texts(buggy, range(1, buggy.count("\n") + 2)):
        pytest.fail(f"no change makes this text:\n{fixed}")


CONDITIONS = {
    "a clause that holds back": (
        "def f(xs, limit):\n    if limit > 2:\n        return xs\n",
        "def f(xs, limit):\n    if limit > 2 and xs:\n        return xs\n",
    ),
    "a clause that lets through": (
        "def f(xs, limit):\n    if limit < 0:\n        return 0\n    return len(xs)\n",
        "def f(xs, limit):\n    if limit < 0 or not xs:\n        return 0\n    return len(xs)\n",
    ),
    "None before its attribute": (
        "def f(node):\n    if node.next is None:\n        return 0\n",
        "def f(node):\n    if node is None or node.next is None:\n        return 0\n",
    ),
    "a comparison said as one says it": (
        "def f(kind):\n    if kind == 'a' or 'b':\n        return 0\n",
        "def f(kind):\n    if kind == 'a' or kind == 'b':\n        return 0\n",
    ),
    "another kind of nothing": (
        "def f(xs):\n    if xs == () or xs[0]:\n        return 0\n",
        "def f(xs):\n    if xs == () or xs == [] or xs[0]:\n        return 0\n",
    ),
    "a condition on a statement": (
        "def f(xs, log):\n    log.write(xs)\n    return xs\n",
        "def f(xs, log):\n    if log is not None:\n        log.write(xs)\n    return xs\n",
    ),
    "membership for a count": (
        "def f(xs):\n    out = []\n    for x in xs:\n        if xs.count(x) == 1:\n"
        "            out.append(x)\n    return out\n",
        "def f(xs):\n    out = []\n    for x in xs:\n        if x not in out:\n"
        "            out.append(x)\n    return out\n",
    ),
}
BRANCHES = {
    "swapped bodies": (
        "def f(a):\n    if a:\n        return 1\n    else:\n        return 2\n",
        "def f(a):\n    if a:\n        return 2\n    else:\n        return 1\n",
    ),
    "elif for if": (
        "def f(a, b):\n    if a:\n        b = 1\n    elif b:\n        b = 2\n    return b\n",
        "def f(a, b):\n    if a:\n        b = 1\n    if b:\n        b = 2\n    return b\n",
    ),
    "if for elif": (
        "def f(a, b):\n    if a:\n        b = 1\n    if b:\n        b = 2\n    return b\n",
        "def f(a, b):\n    if a:\n        b = 1\n    elif b:\n        b = 2\n    return b\n",
    ),
    "the rest in the last branch": (
        "def f(a):\n    if a > 1:\n        return 1\n    elif a > 0:\n        return 2\n"
        "    elif a < 0:\n        return 3\n",
        "def f(a):\n    if a > 1:\n        return 1\n    else:\n        return 2\n",
    ),
    "a branch too many": (
        "def f(a):\n    if a > 1:\n        return 1\n    elif a > 0:\n        return 2\n    return 0\n",
        "def f(a):\n    if a > 1:\n        return 1\n    return 0\n",
    ),
    "a condition too many": (
        "def f(a):\n    if a:\n        a = 1\n        a += 2\n    return a\n",
        "def f(a):\n    a = 1\n    a += 2\n    return a\n",
    ),
    "break for continue": (
        "def f(xs):\n    for x in xs:\n        if x:\n            continue\n",
        "def f(xs):\n    for x in xs:\n        if x:\n            break\n",
    ),
    "while for if": (
        "def f(n):\n    if n > 9:\n        n //= 10\n    return n\n",
        "def f(n):\n    while n > 9:\n        n //= 10\n    return n\n",
    ),
}
GUARDS = {
    "an empty input": (
        "def f(xs):\n    return xs[0]\n",
        "def f(xs):\n    if not xs:\n        return None\n    return xs[0]\n",
    ),
    "a base case": (
        "def f(n):\n    return n * f(n - 1)\n",
        "def f(n):\n    if n == 0:\n        return 0\n    return n * f(n - 1)\n",
    ),
    "an attribute of the object": (
        "class C:\n    def f(self, text):\n        self.parts = []\n        return self.parts.sub(text)\n",
        "class C:\n    def f(self, text):\n        self.parts = []\n"
        "        if not self.parts:\n            return text\n"
        "        return self.parts.sub(text)\n",
    ),
    "a round to skip": (
        "def f(rows):\n    for row in rows:\n        print(row.name)\n",
        "def f(rows):\n    for row in rows:\n        if row is None:\n            continue\n"
        "        print(row.name)\n",
    ),
    "a value for None": (
        "def f(names=None):\n    return names.split()\n",
        "def f(names=None):\n    if names is None:\n        names = ''\n    return names.split()\n",
    ),
    "a collection that nothing reads": (
        "def f(name):\n    known = ['a', 'b']\n    size = len(name)\n    if size > 3:\n"
        "        return 0\n    return size\n",
        "def f(name):\n    known = ['a', 'b']\n    size = len(name)\n    if size > 3:\n"
        "        return 0\n    if name not in known:\n        return 0\n    return size\n",
    ),
    "an input to refuse": (
        "def f(n):\n    return n // 2\n",
        "def f(n):\n    if n < 0:\n        raise ValueError\n    return n // 2\n",
    ),
}
LOOPS = {
    "until nothing is left": (
        "def f(queue):\n    queue = list(queue)\n    while True:\n        queue.pop()\n",
        "def f(queue):\n    queue = list(queue)\n    while queue:\n        queue.pop()\n",
    ),
    "another collection": (
        "def f(arr):\n    counts = [0]\n    for i, c in enumerate(arr):\n        print(i, c)\n"
        "    return counts\n",
        "def f(arr):\n    counts = [0]\n    for i, c in enumerate(counts):\n"
        "        print(i, c)\n    return counts\n",
    ),
    "backwards": (
        "def f(xs):\n    for x in xs:\n        print(x)\n",
        "def f(xs):\n    for x in reversed(xs):\n        print(x)\n",
    ),
    "both of each pair": (
        "def f(d):\n    for k, v in d:\n        print(k, v)\n",
        "def f(d):\n    for k, v in d.items():\n        print(k, v)\n",
    ),
    "from a variable on": (
        "def f(xs):\n    for i in range(len(xs)):\n        for j in range(len(xs)):\n"
        "            print(i, j)\n",
        "def f(xs):\n    for i in range(len(xs)):\n        for j in range(i + 1, len(xs)):\n"
        "            print(i, j)\n",
    ),
    "a maximum that is overwritten": (
        "def f(xs):\n    best = 0\n    for x in xs:\n        best = x + 1\n    return best\n",
        "def f(xs):\n    best = 0\n    for x in xs:\n        best = max(best, x + 1)\n    return best\n",
    ),
    "what was there counted twice": (
        "def f(xs):\n    s = ''\n    for x in xs:\n        s += s + x\n    return s\n",
        "def f(xs):\n    s = ''\n    for x in xs:\n        s += x\n    return s\n",
    ),
    "a minimum that starts too low": (
        "def f(xs):\n    best = 0\n    for x in xs:\n        best = min(best, x)\n    return best\n",
        "def f(xs):\n    best = xs[0]\n    for x in xs:\n        best = min(best, x)\n    return best\n",
    ),
}
STATEMENTS = {
    "one too many": ("def f(a):\n    a += 1\n    return a\n", "def f(a):\n    pass\n    return a\n"),
    "in the wrong order": (
        "def f(a):\n    a.pop()\n    a.sort()\n    return a\n",
        "def f(a):\n    a.sort()\n    a.pop()\n    return a\n",
    ),
    "a return in its loop": (
        "def f(xs):\n    s = 0\n    for x in xs:\n        s += x\n        return s\n",
        "def f(xs):\n    s = 0\n    for x in xs:\n        s += x\n    return s\n",
    ),
    "two statements in a loop": (
        "def f(xs):\n    s = 0\n    while xs:\n        s += 1\n        for x in xs:\n"
        "            s += x\n            xs.pop()\n            s -= 1\n    return s\n",
        "def f(xs):\n    s = 0\n    while xs:\n        s += 1\n        for x in xs:\n"
        "            s += x\n        xs.pop()\n        s -= 1\n    return s\n",
    ),
    "an update behind its loop": (
        "def f(xs):\n    n = 0\n    for x in xs:\n        print(x)\n    n += 1\n    return n\n",
        "def f(xs):\n    n = 0\n    for x in xs:\n        print(x)\n        n += 1\n    return n\n",
    ),
    "a reset in its loop": (
        "def f(xs):\n    for x in xs:\n        n = 0\n        n += x\n    return n\n",
        "def f(xs):\n    n = 0\n    for x in xs:\n        n += x\n    return n\n",
    ),
    "nothing returned": (
        "def f(xs):\n    out = []\n    for x in xs:\n        out.append(x)\n",
        "def f(xs):\n    out = []\n    for x in xs:\n        out.append(x)\n    return out\n",
    ),
    "nothing counted": (
        "def f(xs):\n    n = 0\n    while n < 3:\n        xs.pop()\n    return n\n",
        "def f(xs):\n    n = 0\n    while n < 3:\n        xs.pop()\n        n += 1\n    return n\n",
    ),
    "nothing collected": (
        "def f(xs):\n    seen = set()\n    for x in xs:\n        if x in seen:\n"
        "            return True\n    return False\n",
        "def f(xs):\n    seen = set()\n    for x in xs:\n        if x in seen:\n"
        "            return True\n        seen.add(x)\n    return False\n",
    ),
    "nothing remembered": (
        "def f(node):\n    last = None\n    while node:\n        node.next = last\n"
        "        node = node.next\n    return last\n",
        "def f(node):\n    last = None\n    while node:\n        node.next = last\n"
        "        last = node\n        node = node.next\n    return last\n",
    ),
    "a result thrown away": (
        "def f(xs):\n    sorted(xs)\n",
        "def f(xs):\n    return sorted(xs)\n",
    ),
    "printed, not returned": ("def f(xs):\n    print(xs)\n", "def f(xs):\n    return xs\n"),
    "the first round returned": (
        "def f(xs):\n    out = []\n    for x in xs:\n        return x\n    return out\n",
        "def f(xs):\n    out = []\n    for x in xs:\n        out.append(x)\n    return out\n",
    ),
    "once for twice": (
        "def f(xs):\n    xs.pop()\n    return xs\n",
        "def f(xs):\n    xs.pop()\n    xs.pop()\n    return xs\n",
    ),
}
EXCEPTIONS = {
    "another one": (
        "def f(d):\n    try:\n        return d[0]\n    except KeyError:\n        return None\n",
        "def f(d):\n    try:\n        return d[0]\n    except IndexError:\n        return None\n",
    ),
    "one more": (
        "def f(d):\n    try:\n        return d[0]\n    except KeyError:\n        return None\n",
        "def f(d):\n    try:\n        return d[0]\n    except (KeyError, TypeError):\n        return None\n",
    ),
    "swallowed": (
        "def f(d):\n    try:\n        return d[0]\n    except KeyError:\n        print(d)\n",
        "def f(d):\n    try:\n        return d[0]\n    except KeyError:\n        print(d)\n        raise\n",
    ),
    "not caught": (
        "def f(d, k):\n    del k\n    v = d[k]\n    return v\n",
        "def f(d, k):\n    del k\n    try:\n        v = d[k]\n    except KeyError:\n"
        "        v = None\n    return v\n",
    ),
}


CASES = {**CONDITIONS, **BRANCHES, **GUARDS, **LOOPS, **STATEMENTS, **EXCEPTIONS}


@pytest.mark.parametrize(("buggy", "fixed"), list(CASES.values()), ids=list(CASES))
def test_slips_between_statements_are_mended(buggy: str, fixed: str) -> None:
    check(buggy, fixed)


def test_a_small_function_has_hundreds_of_changes_and_not_thousands() -> None:
    source = dedent(
        """
        def median(values):
            ordered = sorted(values)
            middle = len(ordered) // 2
            if len(ordered) % 2 == 0:
                left = ordered[middle - 1]
                right = ordered[middle]
                return (left + right) / 2
            return ordered[middle + 1]
        """
    )
    assert 300 <= len(changes(parse_module("m.py", source), range(1, 10))) <= 1500


def test_a_collection_that_nothing_reads_decides_a_case_by_the_other_part() -> None:
    source = (
        "def kind(name):\n    known = ['txt', 'csv']\n    parts = name.split('.')\n"
        "    if not parts[0]:\n        return 'no'\n    return 'yes'\n"
    )
    fixed = source.replace(
        "    if not parts[0]", "    if parts[1] not in known:\n        return 'no'\n    if not parts[0]"
    )
    assert syntax_digest(fixed) in texts(source, range(1, 7))
