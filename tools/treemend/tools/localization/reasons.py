"""Why a function is ranked where it is, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from treemend.tools.localization.evidence import Evidence
from treemend.tools.localization.mentions import Mentions
from treemend.tools.localization.past import BAGS
from treemend.tools.localization.units import Unit, owner_name

_WORDS_SHOWN = 6
_COMMIT_CHARS = 10
_SIMILAR = 0.5
"""Of the score of the most similar commit."""


def reasons_for(evidence: Evidence, rows: Sequence[int], words: Sequence[str]) -> Iterator[str]:
    """What speaks for a function (the rows of all its definitions), the strongest kind first."""
    found = list(_direct(evidence, rows, words))
    yield from found or ["its class or file fits the symptom"]


def _direct(evidence: Evidence, rows: Sequence[int], words: Sequence[str]) -> Iterator[str]:
    unit = evidence.units.by_id[rows[0]]
    yield from _of_frames(evidence.mentions, rows, unit)
    yield from _of_name(evidence.mentions, rows, unit)
    yield from _of_owner(evidence.mentions, unit)
    yield from _of_file(evidence.mentions, unit)
    for way, phrase in (("named_callee", "called by"), ("named_caller", "calls")):
        origins = evidence.neighbours[way]
        if name := next((origins[row] for row in rows if row in origins), ""):
            yield f"{phrase} {name}"
    if (past := evidence.past) is not None:
        changed = (evidence.units.files[unit.file].path, unit.name)
        if past.bests[BAGS[0]].get(changed, 0.0) > _SIMILAR:
            yield f"commit {past.commits[changed][:_COMMIT_CHARS]} says the like and changed it"
    if words:
        yield f"words: {', '.join(words[:_WORDS_SHOWN])}"


def _of_frames(mentions: Mentions, rows: Sequence[int], unit: Unit) -> Iterator[str]:
    if any(row in mentions.frame_inner for row in rows):
        yield "the innermost frame of the trace in this repository"
    elif any(row in mentions.frame for row in rows):
        yield "in the stack trace"
    elif unit.file in mentions.frame_file:
        yield "its file is in the stack trace"


def _of_name(mentions: Mentions, rows: Sequence[int], unit: Unit) -> Iterator[str]:
    for strengths, phrase in (
        (mentions.qualified, f"the symptom says {unit.qualified}"),
        (mentions.name_title, f"the title says {unit.name}"),
        (mentions.name_called, f"the symptom calls {unit.name}"),
        (mentions.name_inline, f"the symptom says {unit.name}"),
        (mentions.name_code, f"the symptom says {unit.name}"),
        (mentions.name_prose, f"the symptom says {unit.name}"),
    ):
        if any(row in strengths for row in rows):
            via = next((mentions.inherited_by[row] for row in rows if row in mentions.inherited_by), "")
            yield f"{via}, which the symptom says, inherits {unit.name}" if via else phrase
            return


def _of_owner(mentions: Mentions, unit: Unit) -> Iterator[str]:
    owner = owner_name(unit)
    if any(unit.owner in rows for rows in (mentions.owner_title, mentions.owner_prose, mentions.owner_code)):
        yield f"the symptom says {owner}"
    elif unit.owner in mentions.inherited:
        yield f"the symptom says a subclass of {owner}"
    elif unit.owner in mentions.overridden:
        yield f"the symptom says a base of {owner}"


def _of_file(mentions: Mentions, unit: Unit) -> Iterator[str]:
    if unit.file in mentions.path:
        yield "the symptom names the file"
    elif unit.file in mentions.module:
        yield "the symptom names the module"
