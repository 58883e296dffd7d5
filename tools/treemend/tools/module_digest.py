"""The digest of a module's syntax after edits, at the cost of the statements that they touch."""

from __future__ import annotations

import ast
import hashlib
import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from treemend.store.records import Edit
from treemend.tools.edits import apply_edits
from treemend.tools.syntax import syntax_digest

NEWLINE = re.compile(r"\r\n|\r|\n")


class ModuleDigest:
    """Digests a text with edits as `syntax_digest` does: comments, layout and needless parentheses count
    for nothing. The whole text is parsed once; after that only the top-level statements around the edits
    are. A text that this Python can't parse is digested whole each time.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._line_starts = [0, *(found.end() for found in NEWLINE.finditer(text))]
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        self._digests: list[str] = []
        statements = _parsed(text)
        self._parses = statements is not None
        for statement in statements or ():
            self._add(statement)

    @property
    def untouched(self) -> str:
        return self.after(())

    def after(self, edits: Sequence[Edit]) -> str:
        """The digest of the text with edits, which don't overlap, in order of their positions."""
        if not self._parses:
            return syntax_digest(apply_edits(self._text, edits))
        if not edits:
            return _joined(self._digests)
        first = self._line_of(edits[0].start)
        last = self._line_of(max(edit.end for edit in edits))
        low, high = bisect_left(self._lasts, first), bisect_right(self._firsts, last)
        start = self._start_of(self._lasts[low - 1] + 1) if low else 0
        end = self._start_of(self._firsts[high]) if high < len(self._firsts) else len(self._text)
        moved = [_moved(edit, -start) for edit in edits]
        statements = _parsed(apply_edits(self._text[start:end], moved))
        if statements is None:
            return syntax_digest(apply_edits(self._text, edits))
        return _joined([*self._digests[:low], *map(_digest, statements), *self._digests[high:]])

    def _add(self, statement: ast.stmt) -> None:
        """Count a statement; one that begins on the last one's last line stays with it."""
        decorators = getattr(statement, "decorator_list", [])
        first = min([statement.lineno, *(decorator.lineno for decorator in decorators)])
        last = statement.end_lineno or statement.lineno
        if self._lasts and first <= self._lasts[-1]:
            self._parses = False
        self._firsts.append(first)
        self._lasts.append(last)
        self._digests.append(_digest(statement))

    def _start_of(self, line: int) -> int:
        return self._line_starts[line - 1] if line <= len(self._line_starts) else len(self._text)

    def _line_of(self, position: int) -> int:
        return bisect_right(self._line_starts, position)


def _moved(edit: Edit, by: int) -> Edit:
    return Edit(path=edit.path, start=edit.start + by, end=edit.end + by, text=edit.text)


def _parsed(text: str) -> list[ast.stmt] | None:
    try:
        return ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _digest(statement: ast.stmt) -> str:
    return hashlib.sha256(ast.dump(statement).encode("utf-8", "surrogatepass")).hexdigest()


def _joined(digests: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()
