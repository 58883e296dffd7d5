"""What is known about a candidate in the light of a symptom, as numbers.

Each number is relative to the best of its kind in this repository for this symptom, or does not depend on
the repository's size, so that repositories compare.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from heapq import nlargest

from treemend.tools.localization.graph import ancestors
from treemend.tools.localization.lexical import FIELDS
from treemend.tools.localization.past import BAGS, Past
from treemend.tools.localization.scores import ASIDE, Rows, Scores, best_of
from treemend.tools.localization.units import Unit

_TEST_PATH = re.compile(r"(^|[/_.-])tests?([/_.-]|$)|testing")


class Features:
    """The features of candidates, in the order of FEATURES and then, where there is a past, PAST_FEATURES."""

    def __init__(self, scores: Scores, past: Past | None) -> None:
        self._scores = scores
        self._past = past
        self._units = scores.units
        self._tops = {name: best_of(rows) for name, rows in scores.bags.items()}
        self._ranks = {name: _ranks(rows) for name, rows in scores.bags.items()}
        self._sum_ranks = _ranks(scores.sum)
        self._sum_top = best_of(scores.sum)
        self._field_tops = {name: best_of(rows) for name, rows in scores.fields.items()}
        self._title_tops = {name: best_of(rows) for name, rows in scores.title_fields.items()}
        self._file_ranks = {name: _ranks(rows) for name, rows in scores.files.items()}
        self._best_ranks = _ranks(scores.file_best)
        self._whole_file_tops = {name: best_of(rows) for name, rows in scores.files.items()}
        self._fused = scores.file_scores
        self._fused_top = best_of(self._fused)
        self._fused_ranks = _ranks(self._fused)
        self._graph_tops = {name: best_of(rows) for name, rows in scores.graph.items()}
        self._class_tops = best_of(scores.class_best), best_of(scores.class_sum)
        self._file_tops = best_of(scores.file_best), best_of(scores.file_sum)
        self._title_file_tops = best_of(scores.file_title_best), best_of(scores.file_title_sum)
        self._documents = scores.lexical.bags
        self._pseudo_tops = {name: best_of(rows) for name, rows in self._documents.items()}
        self._within = _within(scores.sum, lambda row: self._units.by_id[row].file)
        self._within_title = _within(scores.bags["title"], lambda row: self._units.by_id[row].file)
        self._within_class = _within(scores.sum, lambda row: self._units.by_id[row].owner)

    def vector(self, unit: Unit, place: int) -> list[float]:
        """The features of the candidate at a place from 1."""
        return [
            *self._lexical(unit),
            *self._aggregates(unit),
            *self._named(unit),
            *self._graph(unit),
            *self._shape(unit),
            1.0 / (10.0 + place),
            *self._changed_before(unit),
        ]

    def _lexical(self, unit: Unit) -> Iterable[float]:
        scores, row = self._scores, unit.id
        for name in ("all", "title", "prose", "code"):
            yield scores.bags[name].get(row, 0.0) / self._tops[name]
        for name in ("all", "title", "prose"):
            yield _log_rank(self._ranks[name].get(row))
        yield scores.sum.get(row, 0.0) / self._sum_top
        yield _log_rank(self._sum_ranks.get(row))
        for name in FIELDS:
            yield scores.fields[name].get(row, 0.0) / self._field_tops[name]
        for name in FIELDS:
            yield scores.title_fields[name].get(row, 0.0) / self._title_tops[name]

    def _aggregates(self, unit: Unit) -> Iterable[float]:
        scores = self._scores
        file, owner = unit.file, unit.owner
        for name in ("all", "title"):
            yield scores.files[name].get(file, 0.0) / self._whole_file_tops[name]
            yield _log_rank(self._file_ranks[name].get(file))
        yield scores.file_best.get(file, 0.0) / self._file_tops[0]
        yield scores.file_sum.get(file, 0.0) / self._file_tops[1]
        yield _log_rank(self._best_ranks.get(file))
        yield scores.file_title_best.get(file, 0.0) / self._title_file_tops[0]
        yield scores.file_title_sum.get(file, 0.0) / self._title_file_tops[1]
        yield _log_rank(self._fused_ranks.get(file))
        yield self._fused.get(file, 0.0) / self._fused_top
        yield scores.class_best.get(owner, 0.0) / self._class_tops[0] if owner else 0.0
        yield scores.class_sum.get(owner, 0.0) / self._class_tops[1] if owner else 0.0
        for name in ("all", "title"):
            yield self._documents[name].get(owner, 0.0) / self._pseudo_tops[name]
            yield self._documents[name].get(unit.top, 0.0) / self._pseudo_tops[name]
        yield _log_rank(self._within.get(unit.id))
        yield _log_rank(self._within_title.get(unit.id))
        yield _log_rank(self._within_class.get(unit.id)) if owner else 0.0
        best = scores.file_best.get(file, 0.0)
        yield scores.bags["all"].get(unit.id, 0.0) / best if best else 0.0
        best = scores.file_title_best.get(file, 0.0)
        yield scores.bags["title"].get(unit.id, 0.0) / best if best else 0.0

    def _named(self, unit: Unit) -> Iterable[float]:
        m, row, owner, file = self._scores.mentions, unit.id, unit.owner, unit.file
        names = [
            rows.get(row, 0.0)
            for rows in (
                m.name_title,
                m.name_prose,
                m.name_inline,
                m.name_called,
                m.name_code,
                m.name_keyword,
            )
        ]
        yield from names
        owners = [rows.get(owner, 0.0) for rows in (m.owner_title, m.owner_prose, m.owner_code)]
        yield from owners
        inherited, overridden = m.inherited.get(owner, 0.0), m.overridden.get(owner, 0.0)
        yield inherited
        yield overridden
        yield m.qualified.get(row, 0.0)
        named, owned = max(names[:5]), max(*owners, 0.7 * inherited, 0.5 * overridden)
        yield named
        yield max(owners)
        yield named * owned
        yield owned * float(unit.name in ("__init__", "__new__"))
        yield m.module.get(file, 0.0)
        yield m.path.get(file, 0.0)
        yield m.frame.get(row, 0.0)
        yield m.frame_inner.get(row, 0.0)
        yield m.frame_file.get(file, 0.0)
        yield float(bool(m.frame_file) and file not in m.frame_file)

    def _graph(self, unit: Unit) -> Iterable[float]:
        scores = self._scores
        for name, rows in scores.graph.items():
            yield rows.get(unit.id, 0.0) / self._graph_tops[name]
        yield math.log1p(len(scores.callers.get(unit.id, ())))
        yield math.log1p(len(scores.edges.get(unit.id, ())))

    def _shape(self, unit: Unit) -> Iterable[float]:
        units = self._units
        path = units.files[unit.file].path
        name = unit.name
        length = unit.end_line - unit.line + 1
        yield math.log1p(length)
        yield math.log1p(self._scores.lexical.sizes.get(unit.id, 0))
        yield float(name.startswith("__") and name.endswith("__"))
        yield float(name == "__init__")
        yield float(name.startswith("_") and not name.startswith("__"))
        yield float(bool(unit.owner))
        yield math.log1p(len(units.functions_named[name]))
        yield math.log1p(unit.parameters)
        yield math.log1p(len(units.functions_in[unit.file]))
        yield float(path.count("/"))
        yield float(ASIDE.search(path) is not None)
        yield float(_TEST_PATH.search(path) is not None)
        yield float(units.files[unit.file].is_vendored or units.files[unit.file].is_generated)
        yield float(bool(ancestors(units, unit.owner, 1))) if unit.owner else 0.0
        yield float(path.endswith("__init__.py"))

    def _changed_before(self, unit: Unit) -> Iterable[float]:
        past = self._past
        if past is None:
            return
        function = (self._units.files[unit.file].path, unit.name)
        for name in BAGS:
            yield past.sums[name].get(function, 0.0)
            yield past.bests[name].get(function, 0.0)
            yield past.names[name].get(unit.name, 0.0)


def _ranks(rows: Rows, count: int = 2000) -> dict[int, int]:
    """Places from 1; equal scores by row, which follows files and places within them."""
    best = nlargest(count, rows.items(), key=lambda pair: (pair[1], -pair[0]))
    return {row: at for at, (row, _) in enumerate(best, 1)}


def _within(rows: Rows, key: Callable[[int], int]) -> dict[int, int]:
    """The place of each row in its group."""
    places: dict[int, int] = {}
    counts: dict[int, int] = defaultdict(int)
    for row, _ in sorted(rows.items(), key=lambda pair: (-pair[1], pair[0])):
        group = key(row)
        counts[group] += 1
        places[row] = counts[group]
    return places


def _log_rank(rank: int | None) -> float:
    return math.log(rank if rank else 3000.0)


FEATURES = (
    "bm25 all", "bm25 title", "bm25 prose", "bm25 code", "rank all", "rank title", "rank prose", "sum",
    "rank sum",
    *(f"all in {name}" for name in FIELDS), *(f"title in {name}" for name in FIELDS),
    "file bm25 all", "file rank all", "file bm25 title", "file rank title", "file best", "file sum",
    "file rank best", "file title best", "file title sum", "file rank fused", "file fused", "class best",
    "class sum", "class all", "module all", "class title", "module title", "rank in file",
    "title rank in file", "rank in class", "share of file best", "share of file title best",
    "named in title", "named in prose", "named inline", "named as called", "named in code",
    "named as keyword", "class in title", "class in prose", "class in code", "subclass named", "base named",
    "qualified", "named", "class named", "class and name", "constructor of named", "module named",
    "path named", "frame", "innermost frame", "file of frame", "no file of frame",
    "callee of best", "caller of best", "callee of named", "caller of named", "callee of callee of named",
    "callers", "callees",
    "lines", "words", "dunder", "constructor", "private", "method", "same names", "parameters",
    "functions in file", "depth", "aside", "test path", "vendored", "has bases", "package file",
    "candidate place",
)  # fmt: skip
PAST_FEATURES = tuple(
    f"{what}, {name}"
    for name in BAGS
    for what in ("in similar commits", "in most similar commit", "name in most similar commit")
)
"""These come behind FEATURES where there is a past."""
