"""Searching code: by words, by name, and by the shape of code."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from treemend.store.errors import UsageError
from treemend.tools.index.content import Skipped, as_utf8, read_regular
from treemend.tools.index.languages import ALIASES, LANGUAGES
from treemend.tools.index.lookup import (
    FileRow,
    Located,
    definitions_by_id,
    definitions_in,
    files_naming,
    find_exact,
    path_matches,
    suggest,
)
from treemend.tools.index.repository import RepositoryIndex
from treemend.tools.index.words import folded, query_words

if TYPE_CHECKING:
    from treemend.tools.index.workers import Work

LIMIT = 20
_POOL = 200
_WORDS_MAX = 64
_TEXT_CHARS_MAX = 200
_SAID_EVERYWHERE = frozenset({"test", "tests", "testing"})
_NAME = re.compile(r"[\w$@]+[?!]?(?:(?:\.|::|->|#|/)[\w$@]+[?!]?)*(?:\(\))?")
_BM25 = "bm25(unit, 6.0, 2.0, 1.0, 1.5, 1.0, 1.5)"
"""Weights of name, scope, signature, comment, body and path."""
_TEST, _ASIDE, _SAME_NAME, _MODULE, _IMPORTED = 0.75, 0.5, 1.5, 0.8, 0.4
_REQUIRED = re.compile(r"= ?require ?\(")
"""A name that holds what another file defines."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What a hit must be: of one of these languages, below or like one of these paths, of these kinds."""

    languages: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()

    @classmethod
    def checked(
        cls, languages: Sequence[str] = (), paths: Sequence[str] = (), kinds: Sequence[str] = ()
    ) -> Filters:
        """Raises UsageError for a language or a kind that there is not."""
        from treemend.tools.index.facts import KINDS

        names = tuple(ALIASES.get(name.lower(), name.lower()) for name in languages)
        for name in names:
            if name not in LANGUAGES:
                raise UsageError(
                    f"There is no language {name!r}.", mend=f"Give one of {', '.join(sorted(LANGUAGES))}."
                )
        for kind in kinds:
            if kind not in KINDS:
                raise UsageError(f"There is no kind {kind!r}.", mend=f"Give one of {', '.join(KINDS)}.")
        if "typescript" in names:
            names += ("tsx",)
        return cls(names, tuple(paths), tuple(kinds))

    def allow(self, path: str, language: str, kind: str = "") -> bool:
        return (
            (not self.languages or language in self.languages)
            and (not self.kinds or not kind or kind in self.kinds)
            and path_matches(path, self.paths)
        )


@dataclass(frozen=True, slots=True)
class Hit:
    """A place that answers a query. Lines and columns count from 1, columns in bytes of UTF-8.

    `why` is "name" (it is called that), "words" or "pattern"; `text` is its signature, or the code
    that a pattern matched; `score` compares hits of one answer that have the same `why`.
    """

    path: str
    line: int
    column: int
    end_line: int
    kind: str
    name: str
    text: str
    doc: str
    language: str
    why: str
    score: float
    holes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """An answer: its hits, best first; `is_cut` says that there are more of them.

    `suggestions` are names that look like one that isn't there, `unsearched` files that a pattern
    could not be tried on, with the reason.
    """

    hits: tuple[Hit, ...]
    is_cut: bool = False
    suggestions: tuple[str, ...] = ()
    unsearched: tuple[tuple[str, str], ...] = ()


def search(index: RepositoryIndex, query: str, filters: Filters | None = None, limit: int = LIMIT) -> Found:
    """The definitions that a query of words or a name means: those so called first, then by BM25.

    Raises:
        UsageError: the query is empty.
    """
    filters = filters or Filters()
    text = query.strip()
    if not text:
        raise UsageError("The query is empty.", mend="Give a few words, a name, or --pattern with code.")
    is_name = _NAME.fullmatch(text) is not None
    named = find_exact(index.connection, text) if is_name else []
    hits = [
        _hit(one, "name", 0.0) for one in named if filters.allow(one.path, one.language, one.definition.kind)
    ]
    if len(hits) <= limit:
        known = {(hit.path, hit.line, hit.name) for hit in hits}
        more = by_words(index.connection, text, filters, limit + 1)
        hits += [hit for hit in more if (hit.path, hit.line, hit.name) not in known]
    suggestions = suggest(index.connection, text) if is_name and not named else []
    return Found(tuple(hits[:limit]), len(hits) > limit, tuple(suggestions))


def by_words(connection: sqlite3.Connection, text: str, filters: Filters, limit: int) -> list[Hit]:
    """The definitions that the words of a text rank highest; tests, copies and generated code lower."""
    words = query_words(text)[:_WORDS_MAX]
    # In the path of every test: it costs most and tells nothing.
    words = [word for word in words if word not in _SAID_EVERYWHERE] or words
    if not words:
        return []
    wanted = " OR ".join(f'"{word}"' for word in words)
    scores = dict(_ranked(connection, wanted, filters, max(_POOL, 4 * limit)))
    located = definitions_by_id(connection, list(scores))
    spelled, as_one = set(re.findall(r"\w+", text)), folded("".join(text.split()))
    weighted = {
        id_: (_SAME_NAME if one.name in spelled or folded(one.name) == as_one else 1.0)
        * _weighted(one, -scores[id_])
        for id_, one in located.items()
    }
    hits = [_hit(one, "words", weighted[id_]) for id_, one in located.items()]
    hits.sort(key=lambda hit: (-hit.score, hit.path, hit.line))
    return hits[:limit]


def _ranked(
    connection: sqlite3.Connection, wanted: str, filters: Filters, count: int
) -> Iterator[tuple[int, float]]:
    if filters == Filters():
        statement = f"SELECT rowid, {_BM25} AS score FROM unit WHERE unit MATCH ? ORDER BY score LIMIT ?"
        yield from connection.execute(statement, (wanted, count))
        return
    statement = (
        f"SELECT unit.rowid, {_BM25} AS score, f.path, f.language, d.kind FROM unit "
        "JOIN definition d ON d.id = unit.rowid JOIN file f ON f.id = d.file "
        "WHERE unit MATCH ? ORDER BY score"
    )
    for row, score, path, language, kind in connection.execute(statement, [wanted]):
        if filters.allow(path, language, kind):
            yield row, score
            count -= 1
            if not count:
                return


def _weighted(one: Located, score: float) -> float:
    if one.definition.kind in ("variable", "constant") and _REQUIRED.search(one.definition.signature):
        score *= _IMPORTED
    if one.definition.kind == "module":
        score *= _MODULE
    if one.is_test:
        score *= _TEST
    if one.is_generated or one.is_vendored:
        score *= _ASIDE
    return score


def _hit(one: Located, why: str, score: float) -> Hit:
    definition = one.definition
    return Hit(
        one.path,
        definition.line,
        definition.column,
        definition.end_line,
        definition.kind,
        definition.qualified or one.module,
        definition.signature,
        definition.doc.split("\n", 1)[0],
        one.language,
        why,
        round(score, 4),
    )


def search_pattern(
    index: RepositoryIndex, pattern: str, filters: Filters | None = None, limit: int = LIMIT
) -> Found:
    """The places whose code has the shape of a pattern (see `structural`), in the order of their paths.

    Without a language in the filters, every language of the tree in which the pattern can be read is
    searched.

    Raises:
        UsageError: the pattern can be read in none of them.
    """
    filters = filters or Filters()
    patterns = _readable_languages(index.connection, pattern, filters)
    files = [
        file
        for language, names in patterns.items()
        for file in files_naming(index.connection, names)
        if file.language == language and filters.allow(file.path, language)
    ]
    found: list[Hit] = []
    unsearched: list[tuple[str, str]] = []
    for answer in index.pool.run(_pattern_works(index, pattern, files, unsearched), 1):
        file, data = answer.key
        if answer.failure is not None:
            unsearched.append((file.path, answer.failure.value))
        else:
            found += _pattern_hits(index.connection, file, data, json.loads(answer.frames[0]))
    found = [hit for hit in found if not filters.kinds or hit.kind in filters.kinds]
    found.sort(key=lambda hit: (hit.path, hit.line, hit.column))
    return Found(tuple(found[:limit]), len(found) > limit, (), tuple(sorted(unsearched)))


def _readable_languages(
    connection: sqlite3.Connection, pattern: str, filters: Filters
) -> dict[str, list[str]]:
    """The languages to search, with the identifiers that a match must have."""
    from treemend.tools.index.structural import PatternError, pattern_names

    present = connection.execute(
        "SELECT language FROM file GROUP BY language ORDER BY count(*) DESC, language"
    )
    wanted = filters.languages or [row[0] for row in present]
    readable: dict[str, list[str]] = {}
    reasons: list[str] = []
    for language in wanted:
        try:
            readable[language] = pattern_names(language, pattern)
        except PatternError as error:
            reasons.append(str(error))
    if not readable and reasons:
        raise UsageError(
            f"The pattern can't be read: {reasons[0]}.",
            mend="Give one expression, statement or definition with holes like $X and $$$ARGS, and --lang.",
        )
    return readable


def _pattern_works(
    index: RepositoryIndex, pattern: str, files: Sequence[FileRow], unsearched: list[tuple[str, str]]
) -> Iterator[Work]:
    from treemend.tools.index.workers import Work

    for file in files:
        try:
            data = as_utf8(read_regular(index.root / file.path))
        except Skipped as skipped:
            unsearched.append((file.path, skipped.reason.value))
            continue
        yield Work((file, data), ("match", file.language, pattern), data)


def _pattern_hits(
    connection: sqlite3.Connection, file: FileRow, data: bytes, rows: Sequence[Sequence[Any]]
) -> Iterator[Hit]:
    if not rows:
        return
    definitions = definitions_in(connection, file.id)
    lines = data.split(b"\n")
    for line, column, end_line, _, holes in rows:
        around = _around(definitions, line)
        text = lines[line - 1][column - 1 :].decode("utf-8", "replace").strip()
        yield Hit(
            file.path,
            line,
            column,
            end_line,
            around.definition.kind,
            around.definition.qualified or around.module,
            text[:_TEXT_CHARS_MAX],
            "",
            file.language,
            "pattern",
            0.0,
            holes,
        )


def _around(definitions: Sequence[Located], line: int) -> Located:
    """The innermost definition with this line."""
    covering = [one for one in definitions if one.definition.top_line <= line <= one.definition.end_line]
    return covering[-1] if covering else definitions[0]
