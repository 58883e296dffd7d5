"""`locate`: from a symptom to ranked functions, files and lines, each with its reasons."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from treemend.store.errors import UsageError
from treemend.store.records import Symptom
from treemend.tools.index.repository import RepositoryIndex
from treemend.tools.localization.cues import Cues, Said, TextFrame, read_cues
from treemend.tools.localization.evidence import Evidence, gather_evidence
from treemend.tools.localization.graph import called_names
from treemend.tools.localization.lexical import matched_words
from treemend.tools.localization.ranker import FIXED, Model, fitted_model, score_candidates
from treemend.tools.localization.reasons import reasons_for
from treemend.tools.localization.units import is_module

LIMIT = 20
RERANKED = 100
_FITTED_FROM = 200
"""Parameters were fitted on repositories with hundreds of functions; in a handful the fixed sum ranks."""
_LINES_MAX = 20
_TESTS_MAX = 20
_TEST_ID = re.compile(r"[\w./\\-]+\.\w+(?:::[\w\[\].-]+)+")


@dataclass(frozen=True, slots=True)
class FunctionHit:
    """A function that the symptom may be about. Lines and columns count from 1.

    `spans` are the first and last line of each definition that bears this name in this file, `score` is
    in (0, 1], greater is likelier; it compares hits of one answer only.
    """

    path: str
    name: str
    kind: str
    line: int
    column: int
    spans: tuple[tuple[int, int], ...]
    score: float
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileHit:
    """A file, scored like its best function."""

    path: str
    score: float
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LineHit:
    """A line that a stack trace names, or where code outside of functions begins."""

    path: str
    line: int
    score: float
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Located:
    """An answer, best first. `is_cut` says that more functions were ranked than are given."""

    functions: tuple[FunctionHit, ...]
    files: tuple[FileHit, ...]
    lines: tuple[LineHit, ...]
    is_cut: bool = False

    @property
    def scores(self) -> dict[tuple[str, str], float]:
        """The score of each function by path and name, to be fused by `tools.fusion.fuse_by_rank` with those
        that spectra and traces give."""
        return {(hit.path, hit.name): hit.score for hit in self.functions}


_Ranked = list[tuple[FunctionHit, list[int]]]
Rerank = Callable[[str, Sequence[FunctionHit]], Sequence[int]]
"""From the symptom's text and the first hundred functions to their places (from 0) in a better order.

Places that there are not, or that come again, are ignored; functions left out keep their order behind.
"""


def rank_functions(
    index: RepositoryIndex, symptom: str | Symptom, model: Model | None = None
) -> list[FunctionHit]:
    """All candidates as `locate` ranks them, without reasons.

    Raises:
        UsageError: the symptom says nothing.
    """
    cues = cues_of(_as_symptom(symptom), index.connection)
    return [hit for hit, _ in _ranked(gather_evidence(index.connection, cues, index.history()), model)]


def locate(
    index: RepositoryIndex,
    symptom: str | Symptom,
    *,
    limit: int = LIMIT,
    rerank: Rerank | None = None,
    model: Model | None = None,
) -> Located:
    """Rank the functions of an index by how likely a symptom is about them.

    Deterministic; nothing is run and no model is asked, unless by `rerank`. The index answers from what its
    last `refresh` saw. At most `limit` functions and as many files are given. `model` ranks the candidates
    (default: the package's fitted one; the fixed sum
    where there are few functions).

    Raises:
        UsageError: the symptom says nothing.
    """
    symptom = _as_symptom(symptom)
    cues = cues_of(symptom, index.connection)
    evidence = gather_evidence(index.connection, cues, index.history())
    ranked = _ranked(evidence, model)
    if rerank is not None:
        ranked = _reranked(ranked, rerank, symptom)
    shown = [_explained(hit, rows, evidence, cues, index.connection) for hit, rows in ranked[:limit]]
    return Located(
        tuple(shown),
        tuple(_files(ranked, evidence, shown, limit)),
        tuple(_lines(evidence, cues)),
        is_cut=len(ranked) > limit,
    )


def _as_symptom(symptom: str | Symptom) -> Symptom:
    return Symptom(issue=symptom) if isinstance(symptom, str) else symptom


def _ranked(evidence: Evidence, model: Model | None) -> _Ranked:
    if model is None:
        is_small = len(evidence.units.functions) < _FITTED_FROM
        model = FIXED if is_small else fitted_model(with_past=evidence.past is not None)
    return _merged(evidence, score_candidates(evidence, model))


def cues_of(symptom: Symptom, connection: sqlite3.Connection) -> Cues:
    """What a symptom says, with what its failing tests call. Raises UsageError where it says nothing."""
    text = "\n".join(part for part in (symptom.issue, symptom.trace) if part.strip())
    tests = tuple(dict.fromkeys((*symptom.failing_tests, *_TEST_ID.findall(text))))[:_TESTS_MAX]
    if not text.strip() and not tests and not symptom.frames:
        raise UsageError("The symptom is empty.", mend="Give an issue's text, a trace or a report.")
    named = "\n".join(test for test in symptom.failing_tests if test not in text)
    cues = read_cues(f"{text}\n{named}" if named else text)
    if not cues.frames and symptom.frames:
        frames = tuple(TextFrame(one.path, one.line, one.function) for one in symptom.frames)
        cues = replace(cues, frames=frames)
    called = [name for test in tests for name in called_names(connection, test)]
    if called:
        identifiers = dict(cues.identifiers)
        for name in called:
            identifiers[name] = identifiers.get(name, Said(0)) | Said.CALLED | Said.CODE
        cues = replace(cues, identifiers=identifiers, code=f"{cues.code}\n{' '.join(called)}")
    return cues


def _merged(evidence: Evidence, scores: Mapping[int, float]) -> _Ranked:
    """One hit for all definitions of one name in a file; equal scores by path and name."""
    units, files = evidence.units.by_id, evidence.units.files
    groups: dict[tuple[str, str], list[int]] = {}
    for row in sorted(scores):
        unit = units[row]
        groups.setdefault((files[unit.file].path, unit.qualified), []).append(row)
    best = {key: max(scores[row] for row in rows) for key, rows in groups.items()}
    hits: _Ranked = []
    for key in sorted(groups, key=lambda key: (-best[key], key)):
        rows = groups[key]
        first = units[rows[0]]
        spans = tuple((units[row].top_line, units[row].end_line) for row in rows)
        hit = FunctionHit(key[0], key[1], first.kind, first.line, first.column, spans, round(best[key], 6))
        hits.append((hit, rows))
    return hits


def _reranked(ranked: _Ranked, rerank: Rerank, symptom: Symptom) -> _Ranked:
    head = ranked[:RERANKED]
    text = "\n".join(part for part in (symptom.issue, symptom.trace) if part)
    places = rerank(text, [hit for hit, _ in head])
    order = [place for place in dict.fromkeys(places) if 0 <= place < len(head)]
    order += [place for place in range(len(head)) if place not in set(order)]
    # Scores keep falling, so that they go on comparing.
    scores = [hit.score for hit, _ in head]
    moved = [
        (replace(head[place][0], score=score), head[place][1])
        for place, score in zip(order, scores, strict=True)
    ]
    return moved + ranked[RERANKED:]


def _explained(
    hit: FunctionHit, rows: Sequence[int], evidence: Evidence, cues: Cues, connection: sqlite3.Connection
) -> FunctionHit:
    words = matched_words(connection, evidence.units.by_id[rows[0]], evidence.lexical)
    return replace(hit, reasons=tuple(reasons_for(evidence, rows, words)))


def _files(
    ranked: _Ranked, evidence: Evidence, shown: Sequence[FunctionHit], limit: int
) -> Iterator[FileHit]:
    best: dict[str, FunctionHit] = {}
    for hit, _ in ranked:
        best.setdefault(hit.path, hit)
    explained = {(hit.path, hit.name): hit for hit in shown}
    paths = {file.path: row for row, file in evidence.units.files.items()}
    for path, hit in list(best.items())[:limit]:
        reasons = []
        if evidence.mentions.path.get(paths[path]):
            reasons.append("the symptom names the file")
        if evidence.mentions.frame_file.get(paths[path]):
            reasons.append("it is in the stack trace")
        first = explained.get((path, hit.name), hit)
        reasons.append(f"holds {first.name}")
        yield FileHit(path, hit.score, tuple(reasons))


def _lines(evidence: Evidence, cues: Cues) -> Iterator[LineHit]:
    """Lines of the trace, innermost first, then code outside of functions that has the symptom's words."""
    seen: set[tuple[str, int]] = set()
    place = 0
    for frame in reversed(cues.frames):
        for path in evidence.frame_paths(frame):
            if frame.line and (path, frame.line) not in seen and place < _LINES_MAX:
                seen.add((path, frame.line))
                place += 1
                yield LineHit(path, frame.line, round(1.0 / place, 6), ("it is in the stack trace",))
    for unit, score in evidence.outside_functions(_LINES_MAX - place):
        path = evidence.units.files[unit.file].path
        what = "the module" if is_module(unit) else f"{unit.kind} {unit.qualified}"
        if (path, unit.line) not in seen:
            yield LineHit(path, unit.line, round(0.5 * score, 6), (f"words of {what}",))
