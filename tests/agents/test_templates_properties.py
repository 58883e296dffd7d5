"""What holds of every change, whatever the source: it applies, it parses, it is new, it is the same again."""

from __future__ import annotations

import ast
import sys
import sysconfig
from pathlib import Path

import pytest

from treemend.agents.templates.catalogue import FREQUENCIES, Change, changes
from treemend.tools.syntax import Module, parse_module

SAMPLED = ("bisect", "textwrap", "heapq", "queue", "graphlib", "fnmatch", "colorsys", "reprlib")
LINES_MAX = 18
AWKWARD = '''\
@decorated
def f(a, b=[], *rest, **kw):
    """A docstring."""
    if a: return b
    x = 1; y = 2
    for i, c in enumerate(a):
        if c == "é" or 'ü': continue
        elif not c:
            break
        else:
            b += [c]  # a comment
    try:
        z = a[0](b,
                 c)
    except (KeyError, ValueError) as error:
        raise
    finally:
        pass
    with open(a) as g, open(b) as h:
        print(f"{g!r:>10}", end="")
    while True:
        match a:
            case [1, x] if x > 0:
                yield x
            case _:
                yield from f(b)
    return lambda q: [v for v in q if v] or {k: v for k, v in kw.items()}


class C(Base):
    limit: int = 3

    async def m(self):
        async with self.lock:
            await self.run(self.limit - 1)
            self.d[self.k] += 1
        del self.d[0], self.k
        global G
        assert self.limit, "no"
        return self.limit if self else None
'''


def stdlib(name: str) -> str:
    return (Path(sysconfig.get_path("stdlib")) / f"{name}.py").read_text(encoding="utf-8")


def sampled_lines(text: str) -> list[int]:
    count = text.count("\n")
    return list(range(1, count + 1, max(1, count // LINES_MAX)))


def applied(text: str, change: Change) -> str:
    pieces, at = [], 0
    for edit in change.edits:
        assert at <= edit.start <= edit.end <= len(text), "edits overlap or leave the text"
        pieces += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join([*pieces, text[at:]])


def check(module: Module, found: list[Change]) -> None:
    results = [applied(module.text, change) for change in found]
    for change, result in zip(found, results, strict=True):
        assert result != module.text
        assert change.template in FREQUENCIES
        assert change.weight > 0.0
        assert "\n" not in change.fault + change.remedy and change.fault and change.remedy
        try:
            ast.parse(result)
        except SyntaxError as error:
            pytest.fail(f"{change} does not parse: {error}")
    assert len(set(results)) == len(results), "two changes give the same text"


@pytest.mark.parametrize("name", [n for n in SAMPLED if n in sys.stdlib_module_names])
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_changes_of_the_standard_library_apply_and_parse(name: str) -> None:
    module = parse_module(f"{name}.py", stdlib(name))
    lines = sampled_lines(module.text)
    found = changes(module, lines)
    assert found
    check(module, found[:: max(1, len(found) // 300)])


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("indent", ["    ", "\t", "  "])
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_changes_of_awkward_code_apply_and_parse(newline: str, indent: str) -> None:
    text = AWKWARD.replace("    ", indent).replace("\n", newline)
    ast.parse(text)
    module = parse_module("awkward.py", text)
    check(module, changes(module, range(1, text.count("\n") + 1)))


def test_two_runs_give_the_same_list() -> None:
    text = stdlib("textwrap")
    first = changes(parse_module("t.py", text), range(200, 300))
    assert first == changes(parse_module("t.py", text), range(200, 300))


def test_characters_beyond_ascii_do_not_shift_edits() -> None:
    module = parse_module("m.py", "s = 'größer — 🙂'\ndef f(a, b):\n    return a < b  # ≤\n")
    results = [applied(module.text, change) for change in changes(module, [3])]
    assert "s = 'größer — 🙂'\ndef f(a, b):\n    return a <= b  # ≤\n" in results


@pytest.mark.parametrize(
    "code",
    [
        "x = " + " + ".join(["'a'"] * 2000),
        "x = " + "(" * 10_000 + "1" + ")" * 10_000,
        "x = " + "[" * 150 + "1" + "]" * 150,
        "x = a" + "[0]" * 1000,
        "x = a" + ".b" * 1000,
        "x = " + "-" * 500 + "1",
        "".join("  " * n + "if a:\n" for n in range(90)) + "  " * 90 + "x = 1",
        "x = {" + ", ".join(f"'k{n}': {n}" for n in range(3000)) + "}",
        "x = a" + "(1)" * 800,
    ],
    ids=["sum", "parentheses", "lists", "indices", "attributes", "minus", "blocks", "table", "calls"],
)
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_H28_deep_and_wide_code_is_taken_without_an_error(code: str) -> None:
    module = parse_module("m.py", f"a = 1\n{code}\n")
    assert len(module.functions_by_line()) == code.count("\n") + 3
    changes(module, range(1, code.count("\n") + 3))


def test_lines_without_statements_give_nothing() -> None:
    module = parse_module("m.py", '"""Doc."""\n\n# comment\n')
    assert changes(module, [1, 2, 3, 99]) == []


def test_weights_have_mean_one_in_each_template() -> None:
    found = changes(parse_module("t.py", stdlib("bisect")), range(20, 60))
    for template in {change.template for change in found}:
        weights = [change.weight for change in found if change.template == template]
        assert sum(weights) / len(weights) == pytest.approx(1.0)
