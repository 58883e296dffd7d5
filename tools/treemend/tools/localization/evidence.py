"""All that an index and a history know of a symptom: candidates, and what speaks for each."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from treemend.tools.index.history import History
from treemend.tools.localization.candidates import find_candidates
from treemend.tools.localization.cues import Cues, TextFrame
from treemend.tools.localization.features import Features
from treemend.tools.localization.lexical import Lexical, bag_of, score_documents, weighted_bag
from treemend.tools.localization.mentions import Mentions, find_mentions
from treemend.tools.localization.past import Past, past_of
from treemend.tools.localization.scores import Scores
from treemend.tools.localization.units import Unit, Units, load_units

_TITLE_WEIGHT = 2.0


@dataclass
class Evidence:
    """Candidates (rows of functions, most promising first) with their features, see `Features`."""

    units: Units
    lexical: Lexical
    mentions: Mentions
    past: Past | None
    """None where there is no history, or too short a one."""
    candidates: list[int]
    vectors: dict[int, list[float]]
    neighbours: dict[str, dict[int, str]]
    """For each way in the call graph the function that led to a row."""

    def frame_paths(self, frame: TextFrame) -> list[str]:
        """The files that a frame of the symptom may mean."""
        return self.mentions.frame_paths.get(frame, [])

    def outside_functions(self, count: int) -> list[tuple[Unit, float]]:
        """Code outside of functions that has the symptom's words, with scores in (0, 1]."""
        units = self.units
        found = [
            (units.by_id[row], score)
            for row, score in self.lexical.bags["all"].items()
            if row in units.by_id
            and not units.by_id[row].is_function
            and not units.files[units.by_id[row].file].is_test
        ]
        found.sort(key=lambda pair: (-pair[1], units.files[pair[0].file].path, pair[0].line))
        return [(unit, score / found[0][1]) for unit, score in found[: max(count, 0)]]


def gather_evidence(connection: sqlite3.Connection, cues: Cues, history: History | None = None) -> Evidence:
    """Score all functions cheaply, then those that could be meant by all that is known."""
    units = load_units(connection)
    rest = f"{cues.prose}\n{cues.code}"
    bags = {
        "all": weighted_bag(cues.title, rest, _TITLE_WEIGHT),
        "title": bag_of(cues.title),
        "prose": bag_of(cues.prose),
        "code": bag_of(cues.code),
    }
    lexical = score_documents(connection, bags, units)
    mentions = find_mentions(cues, units)
    past = past_of(history, bags) if history is not None else None
    scores = Scores(connection, units, lexical, mentions)
    candidates = find_candidates(scores, past)
    features = Features(scores, past)
    vectors = {row: features.vector(units.by_id[row], place) for place, row in enumerate(candidates, 1)}
    return Evidence(units, lexical, mentions, past, candidates, vectors, scores.neighbours)
