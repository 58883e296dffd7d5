"""Code that a text is about: whole definitions, and windows of lines."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from treemend.tools.index.repository import RepositoryIndex
from treemend.tools.index.search import Filters, by_words
from treemend.tools.index.words import query_words, words_of
from treemend.tools.repotools.conversion import shown_of, source_lines
from treemend.tools.repotools.results import Place, Snippet, Snippets

WINDOW_LINES, STRIDE_LINES = 20, 10
"""Of RepoClassBench's sliding windows."""
_FILES_MAX = 30
_HITS_MAX = 200
_CODE_LINES_MAX = 80


def get_relevant_code(
    index: RepositoryIndex, text: str, limit: int = 3, lines: int = _CODE_LINES_MAX
) -> Snippets:
    """The definitions whose words rank highest for a text (BM25), with their source."""
    hits = by_words(index.connection, text, Filters(), limit + 1)
    snippets = []
    for hit in hits[:limit]:
        source = source_lines(index.root, hit.path)[hit.line - 1 : hit.end_line]
        shown = source[:lines]
        snippets.append(
            Snippet(
                place=Place(path=hit.path, line=hit.line, column=hit.column),
                end_line=hit.line + len(shown) - 1 if len(source) > lines else hit.end_line,
                name=hit.name,
                score=hit.score,
                source="\n".join(shown),
            )
        )
    cut = [f"{one.name}: cut after {lines} lines." for one in snippets if one.source.count("\n") + 1 == lines]
    notes = (*shown_of(len(snippets), len(hits), "or more definitions"), *cut)
    return Snippets(found=bool(snippets), notes=notes, snippets=tuple(snippets))


def get_related_snippets(index: RepositoryIndex, text: str, limit: int = 3) -> Snippets:
    """The windows of 20 lines that say most of a text's words, rare ones counting more; tests left out."""
    words = query_words(text)
    weights = {word: _rarity(index, word) for word in words}
    hits = by_words(index.connection, text, Filters(), _HITS_MAX)
    paths = [path for path, _ in Counter(hit.path for hit in hits).most_common(_FILES_MAX)]
    tests = {row[0] for row in index.connection.execute("SELECT path FROM file WHERE is_test")}
    windows = [
        (score, path, start, source)
        for path in sorted(set(paths) - tests)
        for score, start, source in _windows(source_lines(index.root, path), weights)
    ]
    windows.sort(key=lambda window: (-window[0], window[1], window[2]))
    chosen = list(_apart(windows, limit))
    return Snippets(
        found=bool(chosen),
        notes=shown_of(len(chosen), len(windows), "windows"),
        snippets=tuple(
            Snippet(
                place=Place(path=path, line=start + 1),
                end_line=start + len(source),
                name=path,
                score=round(score, 4),
                source="\n".join(source),
            )
            for score, path, start, source in chosen
        ),
    )


_Window = tuple[float, str, int, list[str]]


def _windows(lines: list[str], weights: dict[str, float]) -> Iterator[tuple[float, int, list[str]]]:
    for start in range(0, max(1, len(lines) - STRIDE_LINES), STRIDE_LINES):
        source = lines[start : start + WINDOW_LINES]
        said = set(words_of("\n".join(source).encode("utf-8", "replace")).split())
        score = sum(weight for word, weight in weights.items() if word in said)
        if score:
            yield score, start, source


def _apart(windows: Sequence[_Window], limit: int) -> Iterator[_Window]:
    """The best windows that don't overlap one another."""
    taken: set[tuple[str, int]] = set()
    for window in windows:
        _, path, start, _ = window
        if not {(path, start - STRIDE_LINES), (path, start + STRIDE_LINES)} & taken:
            taken.add((path, start))
            yield window
            if len(taken) == limit:
                return


def _rarity(index: RepositoryIndex, word: str) -> float:
    total = index.connection.execute("SELECT count(*) FROM definition").fetchone()[0]
    having = index.connection.execute(
        "SELECT count(*) FROM unit WHERE unit MATCH ?", [f'"{word}"']
    ).fetchone()[0]
    return math.log(1 + (total + 1) / (having + 1))
