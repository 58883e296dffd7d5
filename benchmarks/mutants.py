"""Small changes inside function bodies, for the benchmarks: a fixed sample of them."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator

COMPARISONS = {
    "<": "<=",
    "<=": "<",
    ">": ">=",
    ">=": ">",
    "==": "!=",
    "!=": "==",
    "is": "is not",
    "in": "not in",
}
OPERATIONS = {"+": "-", "-": "+", "*": "+", "//": "*", "%": "*"}


def sample(source: str, count: int, seed: int = 0) -> list[str]:
    """Texts of the file with one change each, spread over its functions."""
    found = sorted({mutant for function in _functions(ast.parse(source)) for mutant in _of(function, source)})
    return random.Random(seed).sample(found, min(count, len(found)))


def _functions(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            yield from node.body


def _of(statement: ast.AST, source: str) -> Iterator[str]:
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def put(node: ast.expr, text: str) -> str:
        assert node.end_lineno is not None and node.end_col_offset is not None
        first = starts[node.lineno - 1] + node.col_offset
        return source[:first] + text + source[starts[node.end_lineno - 1] + node.end_col_offset :]

    for node in ast.walk(statement):
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            yield from _swapped(node, node.left, node.comparators[0], COMPARISONS, put)
        elif isinstance(node, ast.BinOp):
            yield from _swapped(node, node.left, node.right, OPERATIONS, put)
        elif isinstance(node, ast.Constant) and type(node.value) is int:
            yield put(node, str(node.value + 1))
        elif isinstance(node, ast.Return) and node.value is not None:
            yield put(node.value, "None")
        elif isinstance(node, ast.IfExp):
            yield put(node.test, f"not ({ast.unparse(node.test)})")


def _swapped(
    node: ast.expr, left: ast.expr, right: ast.expr, table: dict[str, str], put: object
) -> Iterator[str]:
    one, other = ast.unparse(left), ast.unparse(right)
    operator = ast.unparse(node)[len(one) : -len(other)].strip()
    if operator in table and callable(put):
        yield put(node, f"({one} {table[operator]} {other})")
