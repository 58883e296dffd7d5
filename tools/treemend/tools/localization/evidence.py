"""All that is known about the functions of an index in the light of a symptom, as numbers.

Each number is relative to the best of its kind in this repository for this symptom, or does not depend on
the repository's size, so that repositories compare.
"""

from __future__ import annotations

import math
import re
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import nlargest

from treemend.tools.fusion import fuse_by_rank
from treemend.tools.index.history import History
from treemend.tools.localization.cues import Cues, TextFrame
from treemend.tools.localization.graph import ancestors, call_edges, reversed_edges, spread
from treemend.tools.localization.lexical import FIELDS, Lexical, bag_of, score_documents, weighted_bag
from treemend.tools.localization.mentions import Mentions, find_mentions
from treemend.tools.localization.past import BAGS, Past, past_of
from treemend.tools.localization.units import Unit, Units, load_units

LIST_LENGTH = 150
CANDIDATES_MAX = 1_000
_TOP_FILES = 12
_GRAPH_FILES = 60
_SEEDS = 50
_TITLE_WEIGHT = 2.0
_ASIDE = re.compile(
    r"(^|/)(docs?|examples?|tutorials?|benchmarks?|tools|scripts|galleries|samples|bin|ci|asv_\w+)/"
)
_TEST_PATH = re.compile(r"(^|[/_.-])tests?([/_.-]|$)|testing")

Rows = Mapping[int, float]


@dataclass
class Evidence:
    """Candidates (rows of functions, most promising first) with their features in the order of FEATURES."""

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
    return _Gathering(connection, units, lexical, mentions, cues, past).evidence()


def _best(rows: Rows) -> float:
    return max(rows.values(), default=0.0) or 1.0


def _ranks(rows: Rows, count: int = 2000) -> dict[int, int]:
    """Places from 1; equal scores by row, which follows files and places within them."""
    best = nlargest(count, rows.items(), key=lambda pair: (pair[1], -pair[0]))
    return {row: at for at, (row, _) in enumerate(best, 1)}


class _Gathering:
    def __init__(
        self,
        connection: sqlite3.Connection,
        units: Units,
        lexical: Lexical,
        mentions: Mentions,
        cues: Cues,
        past: Past | None,
    ) -> None:
        self._connection = connection
        self._units = units
        self._lexical = lexical
        self._mentions = mentions
        self._cues = cues
        self._past = past
        self._eligible = _eligible(units)
        self._scores = {name: self._of_functions(rows) for name, rows in lexical.bags.items()}
        self._fields = {name: self._of_functions(rows) for name, rows in lexical.fields.items()}
        self._title_fields = {name: self._of_functions(rows) for name, rows in lexical.title_fields.items()}
        self._files = {name: self._of_source(rows) for name, rows in lexical.files.items()}
        self._file_best, self._file_sum = self._aggregated(lambda unit: unit.file, self._scores["all"])
        self._file_title_best, self._file_title_sum = self._aggregated(
            lambda unit: unit.file, self._scores["title"]
        )
        self._class_best, self._class_sum = self._aggregated(lambda unit: unit.owner, self._scores["all"])
        self._sum = self._fixed_sum()

    def evidence(self) -> Evidence:
        graph_files = [row for row, _ in nlargest(_GRAPH_FILES, self._file_scores.items(), key=_by_score)]
        self._edges = call_edges(self._connection, self._units, graph_files)
        self._callers = reversed_edges(self._edges)
        seeds = dict(nlargest(_SEEDS, self._sum.items(), key=_by_score))
        named = self._named()
        self._graph: dict[str, dict[int, float]] = {}
        neighbours: dict[str, dict[int, str]] = {}
        for way, edges, begin in (
            ("callee", self._edges, seeds),
            ("caller", self._callers, seeds),
            ("named_callee", self._edges, named),
            ("named_caller", self._callers, named),
        ):
            self._graph[way], origins = spread(edges, begin)
            neighbours[way] = {row: self._units.by_id[seed].name for row, seed in origins.items()}
        self._graph["named_callee_2"], _ = spread(self._edges, self._graph["named_callee"])
        candidates = self._candidates()
        vectors = dict(self._vectors(candidates))
        return Evidence(
            self._units, self._lexical, self._mentions, self._past, candidates, vectors, neighbours
        )

    # -- maps over functions

    def _of_functions(self, rows: Rows) -> dict[int, float]:
        eligible = self._eligible
        return {row: score for row, score in rows.items() if row in eligible}

    def _of_source(self, rows: Rows) -> dict[int, float]:
        files = self._units.files
        return {row: score for row, score in rows.items() if row in files and not files[row].is_test}

    def _aggregated(
        self, key: Callable[[Unit], int], rows: Rows
    ) -> tuple[dict[int, float], dict[int, float]]:
        """The best score, and the sum of the best three, of each group."""
        groups: dict[int, list[float]] = defaultdict(list)
        for row, score in rows.items():
            groups[key(self._units.by_id[row])].append(score)
        best = {group: max(scores) for group, scores in groups.items()}
        return best, {group: sum(nlargest(3, scores)) for group, scores in groups.items()}

    def _named(self) -> dict[int, float]:
        found: dict[int, float] = {}
        mentions = self._mentions
        for rows, weight in (
            (mentions.name_title, 1.0),
            (mentions.name_inline, 1.0),
            (mentions.name_called, 0.8),
            (mentions.name_code, 0.6),
            (mentions.qualified, 1.0),
            (mentions.frame, 1.0),
        ):
            for row, strength in rows.items():
                if row in self._eligible:
                    found[row] = max(found.get(row, 0.0), weight * strength)
        return found

    def _fixed_sum(self) -> dict[int, float]:
        """A sum of scores with fixed weights, each divided by its greatest."""
        mentions, units = self._mentions, self._units
        total: dict[int, float] = defaultdict(float)
        for rows, weight in ((self._scores["all"], 1.0), (self._scores["title"], 0.5)):
            top = _best(rows)
            for row, score in rows.items():
                total[row] += weight * score / top
        for row, strength in self._named_exactly().items():
            total[row] += 0.3 * strength
        for row, strength in mentions.qualified.items():
            total[row] += 0.4 * strength
        for row, strength in mentions.frame.items():
            total[row] += 0.3 * strength
        file_top, best_top = _best(self._files["all"]), _best(self._file_best)
        owners = self._owner_mentions()
        kept = {row: score for row, score in total.items() if row in self._eligible}
        for row in kept:
            unit = units.by_id[row]
            kept[row] += 0.3 * self._files["all"].get(unit.file, 0.0) / file_top
            kept[row] += 0.2 * self._file_best.get(unit.file, 0.0) / best_top
            kept[row] += 0.1 * owners.get(unit.owner, 0.0)
            kept[row] += 0.1 * mentions.module.get(unit.file, 0.0) + 0.1 * mentions.path.get(unit.file, 0.0)
            file = units.files[unit.file]
            if _ASIDE.search(file.path):
                kept[row] *= 0.7
            if file.is_vendored or file.is_generated:
                kept[row] *= 0.5
        return kept

    def _named_exactly(self) -> dict[int, float]:
        mentions = self._mentions
        found: dict[int, float] = {}
        for rows in (mentions.name_title, mentions.name_inline, mentions.name_called, mentions.name_code):
            for row, strength in rows.items():
                found[row] = max(found.get(row, 0.0), strength)
        return found

    def _owner_mentions(self) -> dict[int, float]:
        mentions = self._mentions
        found = dict(mentions.owner_code)
        for rows in (mentions.owner_title, mentions.owner_prose):
            for row, strength in rows.items():
                found[row] = max(found.get(row, 0.0), strength)
        return found

    @cached_property
    def _file_scores(self) -> dict[int, float]:
        mentions = self._mentions
        lists: list[Rows] = [
            self._files["all"], self._files["title"], self._file_best, self._file_title_best, self._file_sum,
            mentions.path, mentions.frame_file, mentions.module,
        ]  # fmt: skip
        owners: dict[int, float] = {}
        for row, strength in self._owner_mentions().items():
            file = self._units.by_id[row].file
            owners[file] = max(owners.get(file, 0.0), strength)
        lists.append(owners)
        fused = fuse_by_rank([self._of_source(dict(sorted(rows.items()))) for rows in lists if rows])
        return dict(fused)

    # -- candidates

    def _lists(self) -> list[Rows]:
        mentions = self._mentions
        file_scores = self._file_scores
        top_files = [row for row, _ in nlargest(_TOP_FILES, file_scores.items(), key=_by_score)]
        in_top_files = {
            unit.id: self._sum.get(unit.id, 0.0) + 1e-9
            for row in top_files
            for unit in self._units.functions_in.get(row, ())
        }
        members = {
            unit.id: strength
            for rows in (self._owner_mentions(), mentions.inherited, mentions.overridden)
            for row, strength in rows.items()
            for unit in self._units.members.get(row, ())
        }
        scores = [self._scores[name] for name in ("all", "title", "prose", "code")]
        fields = [self._fields[name] for name in ("name", "path", "scope")]
        titles = [self._title_fields[name] for name in ("name", "body")]
        ways = ("callee", "caller", "named_callee", "named_callee_2")
        graph = [self._graph[way] for way in ways]
        return [
            self._sum, *scores, *fields, *titles, self._named(), in_top_files, members, *graph,
            *self._changed_before(),
        ]  # fmt: skip

    def _changed_before(self) -> Iterable[Rows]:
        """The functions that similar commits changed."""
        units = self._units
        for changed in self._past.sums.values() if self._past is not None else ():
            yield {
                unit.id: strength
                for (path, name), strength in changed.items()
                for unit in units.functions_named.get(name, ())
                if unit.id in self._eligible and units.files[unit.file].path == path
            }

    def _candidates(self) -> list[int]:
        lists: list[dict[int, float]] = []
        for rows in self._lists():
            kept = [(row, score) for row, score in rows.items() if row in self._eligible and score > 0]
            # Within equal scores the sum decides.
            kept.sort(key=lambda pair: (-pair[1], -self._sum.get(pair[0], 0.0), pair[0]))
            lists.append({row: -at for at, (row, _) in enumerate(kept[: 2 * LIST_LENGTH])})
        fused = fuse_by_rank(lists)
        return list(fused)[:CANDIDATES_MAX]

    # -- features

    def _vectors(self, candidates: Sequence[int]) -> Iterable[tuple[int, list[float]]]:
        context = _Context(self)
        for place, row in enumerate(candidates, 1):
            unit = self._units.by_id[row]
            yield row, [*context.vector(unit), 1.0 / (10.0 + place), *context.past(unit)]


def _eligible(units: Units) -> set[int]:
    """Functions of source: no tests unless there is nothing else, no stub beside its implementation."""
    paths = {file.path for file in units.files.values()}
    stubs = {
        file.id for file in units.files.values() if file.path.endswith(".pyi") and file.path[:-1] in paths
    }
    functions = [unit for unit in units.functions if unit.file not in stubs]
    source = {unit.id for unit in functions if not units.files[unit.file].is_test}
    return source or {unit.id for unit in functions}


def _by_score(pair: tuple[int, float]) -> tuple[float, int]:
    return pair[1], -pair[0]


class _Context:
    """What the features of one candidate are relative to."""

    def __init__(self, gathering: _Gathering) -> None:
        g = self._g = gathering
        self._units = g._units
        self._tops = {name: _best(rows) for name, rows in g._scores.items()}
        self._ranks = {name: _ranks(rows) for name, rows in g._scores.items()}
        self._sum_ranks = _ranks(g._sum)
        self._sum_top = _best(g._sum)
        self._field_tops = {name: _best(rows) for name, rows in g._fields.items()}
        self._title_tops = {name: _best(rows) for name, rows in g._title_fields.items()}
        self._file_ranks = {name: _ranks(rows) for name, rows in g._files.items()}
        self._best_ranks = _ranks(g._file_best)
        self._whole_file_tops = {name: _best(rows) for name, rows in g._files.items()}
        self._fused = g._file_scores
        self._fused_top = _best(self._fused)
        self._fused_ranks = _ranks(self._fused)
        self._graph_tops = {name: _best(rows) for name, rows in g._graph.items()}
        self._class_tops = _best(g._class_best), _best(g._class_sum)
        self._file_tops = _best(g._file_best), _best(g._file_sum)
        self._title_file_tops = _best(g._file_title_best), _best(g._file_title_sum)
        lexical = g._lexical
        self._bags = lexical.bags
        self._pseudo_tops = {name: _best(rows) for name, rows in lexical.bags.items()}
        self._within = _within(g._sum, lambda row: self._units.by_id[row].file)
        self._within_title = _within(g._scores["title"], lambda row: self._units.by_id[row].file)
        self._within_class = _within(g._sum, lambda row: self._units.by_id[row].owner)

    def vector(self, unit: Unit) -> list[float]:
        return [
            *self._lexical(unit),
            *self._aggregates(unit),
            *self._named(unit),
            *self._graph(unit),
            *self._shape(unit),
        ]

    def _lexical(self, unit: Unit) -> Iterable[float]:
        g, row = self._g, unit.id
        for name in ("all", "title", "prose", "code"):
            yield g._scores[name].get(row, 0.0) / self._tops[name]
        for name in ("all", "title", "prose"):
            yield _log_rank(self._ranks[name].get(row))
        yield g._sum.get(row, 0.0) / self._sum_top
        yield _log_rank(self._sum_ranks.get(row))
        for name in FIELDS:
            yield g._fields[name].get(row, 0.0) / self._field_tops[name]
        for name in FIELDS:
            yield g._title_fields[name].get(row, 0.0) / self._title_tops[name]

    def _aggregates(self, unit: Unit) -> Iterable[float]:
        g = self._g
        file, owner = unit.file, unit.owner
        for name in ("all", "title"):
            yield g._files[name].get(file, 0.0) / self._whole_file_tops[name]
            yield _log_rank(self._file_ranks[name].get(file))
        yield g._file_best.get(file, 0.0) / self._file_tops[0]
        yield g._file_sum.get(file, 0.0) / self._file_tops[1]
        yield _log_rank(self._best_ranks.get(file))
        yield g._file_title_best.get(file, 0.0) / self._title_file_tops[0]
        yield g._file_title_sum.get(file, 0.0) / self._title_file_tops[1]
        yield _log_rank(self._fused_ranks.get(file))
        yield self._fused.get(file, 0.0) / self._fused_top
        yield g._class_best.get(owner, 0.0) / self._class_tops[0] if owner else 0.0
        yield g._class_sum.get(owner, 0.0) / self._class_tops[1] if owner else 0.0
        for name in ("all", "title"):
            yield self._bags[name].get(owner, 0.0) / self._pseudo_tops[name]
            yield self._bags[name].get(unit.top, 0.0) / self._pseudo_tops[name]
        yield _log_rank(self._within.get(unit.id))
        yield _log_rank(self._within_title.get(unit.id))
        yield _log_rank(self._within_class.get(unit.id)) if owner else 0.0
        best = g._file_best.get(file, 0.0)
        yield g._scores["all"].get(unit.id, 0.0) / best if best else 0.0
        best = g._file_title_best.get(file, 0.0)
        yield g._scores["title"].get(unit.id, 0.0) / best if best else 0.0

    def _named(self, unit: Unit) -> Iterable[float]:
        m, row, owner, file = self._g._mentions, unit.id, unit.owner, unit.file
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
        g = self._g
        for name, rows in g._graph.items():
            yield rows.get(unit.id, 0.0) / self._graph_tops[name]
        yield math.log1p(len(g._callers.get(unit.id, ())))
        yield math.log1p(len(g._edges.get(unit.id, ())))

    def _shape(self, unit: Unit) -> Iterable[float]:
        units = self._units
        path = units.files[unit.file].path
        name = unit.name
        length = unit.end_line - unit.line + 1
        yield math.log1p(length)
        yield math.log1p(self._g._lexical.sizes.get(unit.id, 0))
        yield float(name.startswith("__") and name.endswith("__"))
        yield float(name == "__init__")
        yield float(name.startswith("_") and not name.startswith("__"))
        yield float(bool(unit.owner))
        yield math.log1p(len(units.functions_named[name]))
        yield math.log1p(unit.parameters)
        yield math.log1p(len(units.functions_in[unit.file]))
        yield float(path.count("/"))
        yield float(_ASIDE.search(path) is not None)
        yield float(_TEST_PATH.search(path) is not None)
        yield float(units.files[unit.file].is_vendored or units.files[unit.file].is_generated)
        yield float(bool(ancestors(units, unit.owner, 1))) if unit.owner else 0.0
        yield float(path.endswith("__init__.py"))

    def past(self, unit: Unit) -> Iterable[float]:
        """The features in the order of PAST_FEATURES; none without a past."""
        past = self._g._past
        if past is None:
            return
        function = (self._units.files[unit.file].path, unit.name)
        for name in BAGS:
            yield past.sums[name].get(function, 0.0)
            yield past.bests[name].get(function, 0.0)
            yield past.names[name].get(unit.name, 0.0)


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
