"""Tests made from the target tests that show whether their outcomes mean anything (negative controls).

Two copies of each target test's file: one as it is, with tests added that must fail; one in which no expected
value is what the original expects, so that its tests must fail. A copy has a name that a patch can't know,
and is laid over the tree that is judged. Only pytest's tests in Python can be copied so.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

FILES_MAX = 3
TARGETS_MAX = 20
_EQUALITIES = frozenset(
    {
        "assertEqual",
        "assertEquals",
        "assertListEqual",
        "assertDictEqual",
        "assertTupleEqual",
        "assertSetEqual",
    }
)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_CANARIES = """

def test_{word}_1():
    assert 2 == 3


def test_{word}_2():
    raise ValueError("{word}")


def test_{word}_3():
    assert ["{word}"] == []
"""
_HELPERS = """
class _{word}:
    agreed, compared = [], []

    @classmethod
    def other(cls, value):
        if isinstance(value, bool):
            return not value
        if isinstance(value, int):
            return int(value) + 1000003
        if isinstance(value, float):
            changed = float(value) * 3 + 1000003.0
            return changed if changed != value else -1.0
        if isinstance(value, str):
            return str(value) + "{word}"
        if isinstance(value, bytes):
            return bytes(value) + b"{word}"
        if isinstance(value, (list, tuple)):
            return type(value)([cls.other(item) for item in value] or [object()])
        if isinstance(value, dict):
            return {{key: cls.other(item) for key, item in value.items()}} or {{"{word}": 1}}
        if isinstance(value, (set, frozenset)):
            return set(value) | {{"{word}"}}
        return object()

    @classmethod
    def compare(cls, left, right):
        cls.compared.append(1)
        for is_left in (True, False):
            try:
                if (cls.other(left) == right) if is_left else (left == cls.other(right)):
                    cls.agreed.append(1)
            except Exception:
                pass

    @classmethod
    def begin(cls):
        cls.agreed.clear()
        cls.compared.clear()

    @classmethod
    def end(cls):
        import unittest
        if not cls.compared:
            raise unittest.SkipTest("compares nothing")
        if not cls.agreed:
            raise AssertionError("no changed expectation is met")
"""


@dataclass(frozen=True, slots=True)
class Controls:
    """Files to lay over the tree, and the tests in them.

    `canaries` must fail; `unchanged` and `changed` are copies by the target test that they are of: where the
    unchanged copy passes, the changed one must not.
    """

    overlay: Mapping[str, bytes]
    canaries: tuple[str, ...]
    unchanged: Mapping[str, str]
    changed: Mapping[str, str]

    @property
    def tests(self) -> tuple[str, ...]:
        return (*self.unchanged.values(), *self.changed.values(), *self.canaries)


def make_controls(sources: Mapping[str, bytes], targets: Sequence[str], secret: str) -> Controls:
    """Controls for the target tests whose files' contents are in `sources`; `secret` decides their names."""
    overlay: dict[str, bytes] = {}
    canaries: list[str] = []
    unchanged: dict[str, str] = {}
    changed: dict[str, str] = {}
    for path in list(dict.fromkeys(test.split("::")[0] for test in targets))[:FILES_MAX]:
        word = "w" + hashlib.sha256(f"{secret} {path}".encode()).hexdigest()[:10]
        copies = _copies(sources.get(path, b""), word) if path.endswith(".py") else None
        if copies is None:
            continue
        same, other = (str(PurePosixPath(path).with_name(f"test_{word}{part}.py")) for part in "ab")
        overlay[same], overlay[other] = copies
        canaries += (f"{same}::test_{word}_{number}" for number in (1, 2, 3))
        for test in [test for test in targets if test.startswith(f"{path}::")][:TARGETS_MAX]:
            unchanged[test] = same + test.removeprefix(path)
            changed[test] = other + test.removeprefix(path)
    return Controls(overlay, tuple(canaries), unchanged, changed)


def _copies(data: bytes, word: str) -> tuple[bytes, bytes] | None:
    """A test file with canaries, and with changed expectations; None where it can't be parsed."""
    try:
        module = ast.parse(data)
        # In the file's own encoding, and with what its first lines say.
        same = data.rstrip() + _CANARIES.format(word=word).encode("ascii") if data.strip() else None
        if same is None:
            return None
        ast.parse(same)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    changed = _ChangedExpectations(word).visit(module)
    helpers = ast.parse(_HELPERS.format(word=word)).body
    first = _after_future_imports(changed.body)
    changed.body[first:first] = helpers
    return same, (ast.unparse(ast.fix_missing_locations(changed)) + "\n").encode("utf-8", "surrogateescape")


def _after_future_imports(body: list[ast.stmt]) -> int:
    first = 1 if body and ast.get_docstring(ast.Module(body, [])) is not None else 0
    while first < len(body):
        statement = body[first]
        if not (isinstance(statement, ast.ImportFrom) and statement.module == "__future__"):
            break
        first += 1
    return first


class _ChangedExpectations(ast.NodeTransformer):
    """Turns each assertion of an equality into a comparison with values that are not the expected ones, and
    each test into one that passes where such a comparison agrees."""

    def __init__(self, word: str) -> None:
        self._class = f"_{word}"

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        test = node.test
        if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq):
            return ast.Expr(self._call("compare", [test.left, test.comparators[0]]))
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        call = node.value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            starred = any(isinstance(argument, ast.Starred) for argument in call.args)
            if call.func.attr in _EQUALITIES and len(call.args) >= 2 and not starred:
                return ast.Expr(self._call("compare", call.args[:2]))
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        is_test = node.name.startswith("test")
        self.generic_visit(node)
        if is_test:
            begin, end = ast.Expr(self._call("begin", [])), ast.Expr(self._call("end", []))
            node.body = [begin, ast.Try(node.body, [], [], [end])]
        return node

    def _call(self, method: str, arguments: list[ast.expr]) -> ast.Call:
        name = ast.Attribute(ast.Name(self._class, ast.Load()), method, ast.Load())
        return ast.Call(name, arguments, [])
