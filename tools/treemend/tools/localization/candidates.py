"""The functions that a symptom may be about: unlike lists, fused by rank."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import nlargest

from treemend.tools.fusion import fuse_by_rank
from treemend.tools.localization.past import Past
from treemend.tools.localization.scores import Rows, Scores, by_score

LIST_LENGTH = 300
CANDIDATES_MAX = 1_000
_TOP_FILES = 12


def find_candidates(scores: Scores, past: Past | None) -> list[int]:
    """The ids of at most CANDIDATES_MAX functions, most promising first."""
    lists: list[dict[int, float]] = []
    for rows in (*_present(scores), *_changed_before(scores, past)):
        kept = [(row, score) for row, score in rows.items() if row in scores.eligible and score > 0]
        # Within equal scores the sum decides.
        kept.sort(key=lambda pair: (-pair[1], -scores.sum.get(pair[0], 0.0), pair[0]))
        lists.append({row: -at for at, (row, _) in enumerate(kept[:LIST_LENGTH])})
    return list(fuse_by_rank(lists))[:CANDIDATES_MAX]


def _present(scores: Scores) -> list[Rows]:
    units, mentions = scores.units, scores.mentions
    top_files = [row for row, _ in nlargest(_TOP_FILES, scores.file_scores.items(), key=by_score)]
    in_top_files = {
        unit.id: scores.sum.get(unit.id, 0.0) + 1e-9
        for row in top_files
        for unit in units.functions_in.get(row, ())
    }
    members = {
        unit.id: strength
        for rows in (scores.owner_mentions, mentions.inherited, mentions.overridden)
        for row, strength in rows.items()
        for unit in units.members.get(row, ())
    }
    return [
        scores.sum,
        *(scores.bags[name] for name in ("all", "title", "prose", "code")),
        *(scores.fields[name] for name in ("name", "path", "scope")),
        *(scores.title_fields[name] for name in ("name", "body")),
        scores.named,
        in_top_files,
        members,
        *(scores.graph[way] for way in ("callee", "caller", "named_callee", "named_callee_2")),
    ]


def _changed_before(scores: Scores, past: Past | None) -> Iterable[Rows]:
    """The functions that similar commits changed."""
    units = scores.units
    for changed in past.sums.values() if past is not None else ():
        yield {
            unit.id: strength
            for (path, name), strength in changed.items()
            for unit in units.functions_named.get(name, ())
            if unit.id in scores.eligible and units.files[unit.file].path == path
        }
