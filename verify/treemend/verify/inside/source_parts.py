"""A source file in parts: its top-level statements, and any run of its lines compiled at its place.

Standard library only, Python 3.8 on.
"""

from __future__ import annotations

import ast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType


class Unclear(Exception):
    """The text can't be taken apart; the message says why."""


def text_of(data: bytes) -> str:
    """The text with the line ends that the tokenizer sees.

    Raises:
        Unclear: it is not UTF-8, or may declare to be something else.
    """
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    try:
        text = data.decode("utf-8")
    except ValueError:
        raise Unclear("the file is not UTF-8") from None
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if any("coding" in line and "utf-8" not in line.lower() for line in text[:1000].split("\n")[:2]):
        raise Unclear("the file declares an encoding")
    return text if text.endswith("\n") else text + "\n"


class Source:
    """The untouched file: its text, and what is known of its top-level statements."""

    def __init__(self, data: bytes, name: str, flags: int) -> None:
        self.text = text_of(data)
        self._name = name
        self._flags = flags
        self._compiled: dict[tuple[int, int], CodeType] = {}
        try:
            tree = ast.parse(self.text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise Unclear("the untouched file does not parse") from None
        self.starts = [0]
        for line in self.text.split("\n"):
            self.starts.append(self.starts[-1] + len(line) + 1)
        self.starts[-1] = len(self.text)
        self.spans = spans(tree)
        # Code that calls a function of a module depends on the name being an imported one (CPython 3.11 on).
        names = imported_names(tree)
        self._imports = f"import {','.join(names)}" if names else ""

    def compile_old(self, start: int, end: int) -> CodeType:
        """The code of the lines from `start` to before `end`, as if they stood alone at their place."""
        if (start, end) not in self._compiled:
            old = self.text[self.starts[start - 1] : self.starts[end - 1]]
            self._compiled[start, end] = self.compile(start, old)
        return self._compiled[start, end]

    def compile(self, start: int, part: str) -> CodeType:
        padding = self._imports + "\n" * (start - 1) if start > 1 else ""
        try:
            code: CodeType = compile(padding + part, self._name, "exec", self._flags, dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise Unclear(f"the changed part does not compile ({type(error).__name__})") from None
        return code


def spans(tree: ast.Module) -> list[tuple[int, int]]:
    """First and last line of each top-level statement; those that share a line are one."""
    found: list[tuple[int, int]] = []
    for statement in tree.body:
        first, last = first_line(statement), statement.end_lineno or statement.lineno
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return found


def imported_names(tree: ast.Module) -> list[str]:
    """The names that import statements bind in the module's own scope."""
    names: set[str] = set()
    nodes: list[ast.AST] = list(tree.body)
    for node in nodes:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
        elif isinstance(node, (ast.stmt, ast.ExceptHandler)) and not isinstance(node, SCOPES):
            nodes.extend(ast.iter_child_nodes(node))
    return sorted(names - {"*"})


SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def first_line(statement: ast.stmt) -> int:
    lines = [node.lineno for node in (statement, *getattr(statement, "decorator_list", ()))]
    first: int = min(lines)
    return first


def common_head(one: str, other: str) -> int:
    """The length of the longest text that both start with."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def common_tail(one: str, other: str) -> int:
    """The length of the longest text that both end with."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[len(one) - middle : len(one) - low] == other[len(other) - middle : len(other) - low]:
            low = middle
        else:
            high = middle - 1
    return low
