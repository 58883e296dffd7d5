"""A repository in few words: the definitions that the rest of it names most, by file."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterator, Sequence

from treemend.tools.index.cache import imports_of
from treemend.tools.index.repository import RepositoryIndex
from treemend.tools.index.search import Filters, by_words
from treemend.tools.repotools.results import RepositoryMap

CHARS_PER_TOKEN = 4
_ROWS_MAX = 5_000
_FOCUS_HITS, _FOCUS_FACTOR = 50, 6.0
_SIGNATURE_CHARS_MAX = 120
_SAID = 0.1
"""A name that is said may be another's; one that is imported hardly."""
_KINDS = ("class", "interface", "struct", "enum", "trait", "function", "method", "type", "macro")
_Row = tuple[str, int, str, str, str, str, bool, int]


def get_map(index: RepositoryIndex, tokens: int = 1024, focus: str = "") -> RepositoryMap:
    """The most referenced definitions with their signatures, within a budget of tokens.

    A definition's worth is the logarithm of how many files import its name, and less of how many say
    it, divided among those that share it; private names count less, tests and copies hardly. `focus`
    is a text whose best matches count more.
    """
    ranked = _ranked(index, focus)
    chosen: list[_Row] = []
    size = 0
    files: set[str] = set()
    for row in ranked:
        cost = len(_line(row)) + 1 + (0 if row[0] in files else len(row[0]) + 2)
        if size + cost > tokens * CHARS_PER_TOKEN:
            break
        size += cost
        files.add(row[0])
        chosen.append(row)
    text = "\n".join(_lines(sorted(chosen)))
    total = index.connection.execute("SELECT count(*) FROM definition").fetchone()[0]
    return RepositoryMap(
        found=bool(chosen),
        notes=(f"{len(chosen)} of {total} definitions fit into {tokens} tokens.",),
        text=text,
        tokens=math.ceil(len(text) / CHARS_PER_TOKEN),
        definitions=len(chosen),
    )


def _ranked(index: RepositoryIndex, focus: str) -> list[_Row]:
    counts = dict(index.connection.execute("SELECT term, doc FROM word_count WHERE doc > 1"))
    imported = _imported(index)
    boosted: dict[tuple[str, int], float] = {}
    for hit in by_words(index.connection, focus, Filters(), _FOCUS_HITS) if focus else ():
        boosted[hit.path, hit.line] = _FOCUS_FACTOR * hit.score
    marks = ", ".join("?" * len(_KINDS))
    rows: Sequence[_Row] = index.connection.execute(
        "SELECT f.path, d.line, d.qualified, d.kind, d.signature, d.name, f.is_test OR f.is_vendored OR "
        "f.is_generated, count(*) OVER (PARTITION BY d.name) FROM definition d JOIN file f ON f.id = d.file "
        f"WHERE d.kind IN ({marks})",
        _KINDS,
    ).fetchall()
    scored = (
        (
            _worth(row, imported[row[5]] + _SAID * counts.get(row[5].lower(), 1))
            + boosted.get((row[0], row[1]), 0.0),
            row,
        )
        for row in rows
    )
    best = heapq.nsmallest(_ROWS_MAX, scored, key=lambda pair: (-pair[0], pair[1][0], pair[1][1]))
    return [row for _, row in best]


def _imported(index: RepositoryIndex) -> Counter[str]:
    """How many files import each name."""
    texts = index.connection.execute("SELECT imports FROM file WHERE imports != ''")
    return Counter(name for (text,) in texts for name in {one.name for one in imports_of(text)})


def _worth(row: _Row, files: float) -> float:
    _, _, _, kind, _, name, is_aside, namesakes = row
    worth = math.log(1 + files) / math.sqrt(namesakes)
    if name.startswith("_"):
        worth *= 0.3
    if is_aside:
        worth *= 0.05
    return worth * (1.5 if kind in ("class", "interface", "struct", "trait", "enum") else 1.0)


def _lines(rows: Sequence[_Row]) -> Iterator[str]:
    path = ""
    for row in rows:
        if row[0] != path:
            path = row[0]
            yield f"{path}:"
        yield _line(row)


def _line(row: _Row) -> str:
    _, line, qualified, _, signature, *_ = row
    depth = qualified.count(".")
    text = signature[:_SIGNATURE_CHARS_MAX]
    owner = f"{qualified.rpartition('.')[0]}: " if depth else ""
    return f"  {line}: {owner}{text}"
