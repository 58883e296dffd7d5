"""What earlier commits tell about a symptom: which functions those changed that say the like."""

from __future__ import annotations

import math
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from heapq import nlargest
from typing import TypeVar

from treemend.tools.index.history import Changed, History
from treemend.tools.localization.lexical import decoded_varints, stems_of

BAGS = ("all", "title")
_SIMILAR = {"all": 60, "title": 40}
"""How many of the most similar commits count."""
_CHANGED_MAX = 15
"""A commit that changed more functions says little about each."""
_K1, _B = 1.2, 0.75

_Function = tuple[str, str]
_Key = TypeVar("_Key", bound=Hashable)


@dataclass
class Past:
    """What similar commits changed: a map for each of BAGS, its strengths in (0, 1].

    A commit that scores s by BM25 of the symptom's words in its message hands (s / best)^2 / log2(2 + n) to
    each of the n functions that it changed: `sums`, by path and last name, divided by the greatest. `bests`
    is the best s / best of a function, `names` that of all functions of a name. `commits` are the commits
    that gave functions their best in the bag of all words.
    """

    sums: dict[str, Mapping[_Function, float]] = field(default_factory=dict)
    bests: dict[str, Mapping[_Function, float]] = field(default_factory=dict)
    names: dict[str, Mapping[str, float]] = field(default_factory=dict)
    commits: dict[_Function, str] = field(default_factory=dict)


def past_of(history: History, bags: Mapping[str, Mapping[str, float]]) -> Past:
    """What the commits of a history tell about a symptom, given its bags of words."""
    connection = history.connection
    lengths = {
        id_: packed[0] if len(packed) == 1 else decoded_varints(packed)[0]
        for id_, packed in connection.execute("SELECT id, sz FROM commit_message_docsize")
    }
    similar = {name: _similar_commits(connection, bags[name], lengths, _SIMILAR[name]) for name in BAGS}
    changed_by = history.changed_by(sorted({id_ for found in similar.values() for id_ in found}))
    past = Past()
    for name, found in similar.items():
        # Another process may have read another branch into the cache meanwhile.
        changed = [(score, changed_by[id_]) for id_, score in found.items() if id_ in changed_by]
        past.sums[name], past.bests[name] = _handed((score, one.functions) for score, one in changed)
        names = ((score, [last for _, last in one.functions]) for score, one in changed)
        _, past.names[name] = _handed(names)
        if name == BAGS[0]:
            past.commits = _best_commits(one for _, one in changed)
    return past


def _best_commits(commits: Iterable[Changed]) -> dict[_Function, str]:
    """The first of the commits, the best first, that changed each function."""
    found: dict[_Function, str] = {}
    for one in commits:
        if len(one.functions) <= _CHANGED_MAX:
            for function in one.functions:
                found.setdefault(function, one.commit)
    return found


def _handed(
    commits: Iterable[tuple[float, Collection[_Key]]],
) -> tuple[dict[_Key, float], dict[_Key, float]]:
    """The sum of what commits, the best first, hand to what they changed, and the best score of each."""
    sums: dict[_Key, float] = defaultdict(float)
    bests: dict[_Key, float] = {}
    top = 0.0
    for score, changed in commits:
        top = top or score
        if len(changed) > _CHANGED_MAX:
            continue
        for key in changed:
            sums[key] += (score / top) ** 2 / math.log2(2 + len(changed))
            bests[key] = max(bests.get(key, 0.0), score / top)
    greatest = max(sums.values(), default=1.0)
    return {key: value / greatest for key, value in sums.items()}, bests


def _similar_commits(
    connection: sqlite3.Connection, bag: Mapping[str, float], lengths: Mapping[int, int], limit: int
) -> dict[int, float]:
    """BM25 of the words in the messages of the best commits, these first; equal ones newest first.

    `lengths` are the words of each message.
    """
    connection.execute(
        "CREATE VIRTUAL TABLE IF NOT EXISTS temp.message_posting "
        "USING fts5vocab ('main', 'commit_message', 'instance')"
    )
    count = len(lengths)
    average = sum(lengths.values()) / max(count, 1) or 1.0
    weights: dict[str, float] = {}
    for word, stem in sorted(stems_of(connection, bag).items()):
        weights[stem] = max(weights.get(stem, 0.0), bag[word])
    scores: dict[int, float] = defaultdict(float)
    for stem, weight in weights.items():
        rows = connection.execute("SELECT doc FROM temp.message_posting WHERE term = ?", [stem])
        counts = Counter(id_ for (id_,) in rows)
        idf = math.log(1.0 + (count - len(counts) + 0.5) / (len(counts) + 0.5))
        for id_, said in counts.items():
            norm = _K1 * (1.0 - _B + _B * lengths[id_] / average)
            scores[id_] += weight * idf * said * (1.0 + _K1) / (said + norm)
    return dict(nlargest(limit, scores.items(), key=lambda pair: (pair[1], pair[0])))
