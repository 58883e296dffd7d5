"""How much each function, class and file of an index has to do with a symptom, by one measure each."""

from __future__ import annotations

import re
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import cached_property
from heapq import nlargest

from treemend.tools.fusion import fuse_by_rank
from treemend.tools.localization.graph import call_edges, reversed_edges, spread
from treemend.tools.localization.lexical import Lexical
from treemend.tools.localization.mentions import Mentions
from treemend.tools.localization.units import Unit, Units

_GRAPH_FILES = 60
_SEEDS = 50
ASIDE = re.compile(
    r"(^|/)(docs?|examples?|tutorials?|benchmarks?|tools|scripts|galleries|samples|bin|ci|asv_\w+)/"
)

Rows = Mapping[int, float]


class Scores:
    """Maps from the ids of functions (`file_*`: files, `class_*`: types) to scores; greater is likelier.

    `bags` has one map a bag of words, `fields` and `title_fields` one a field, `files` BM25 of whole files,
    `sum` the sum of scores with fixed weights, `graph` one map for each way in the call graph, `neighbours`
    the name of the function that led there.
    """

    def __init__(
        self, connection: sqlite3.Connection, units: Units, lexical: Lexical, mentions: Mentions
    ) -> None:
        self.units = units
        self.lexical = lexical
        self.mentions = mentions
        self.eligible = _eligible(units)
        self.bags = {name: self._of_functions(rows) for name, rows in lexical.bags.items()}
        self.fields = {name: self._of_functions(rows) for name, rows in lexical.fields.items()}
        self.title_fields = {name: self._of_functions(rows) for name, rows in lexical.title_fields.items()}
        self.files = {name: self._of_source(rows) for name, rows in lexical.files.items()}
        self.file_best, self.file_sum = self._aggregated(lambda unit: unit.file, self.bags["all"])
        self.file_title_best, self.file_title_sum = self._aggregated(
            lambda unit: unit.file, self.bags["title"]
        )
        self.class_best, self.class_sum = self._aggregated(lambda unit: unit.owner, self.bags["all"])
        self.sum = self._fixed_sum()
        graph_files = [row for row, _ in nlargest(_GRAPH_FILES, self.file_scores.items(), key=by_score)]
        self.edges = call_edges(connection, units, graph_files)
        self.callers = reversed_edges(self.edges)
        self.graph: dict[str, dict[int, float]] = {}
        self.neighbours: dict[str, dict[int, str]] = {}
        self._walk_graph()

    def _walk_graph(self) -> None:
        seeds = dict(nlargest(_SEEDS, self.sum.items(), key=by_score))
        for way, edges, begin in (
            ("callee", self.edges, seeds),
            ("caller", self.callers, seeds),
            ("named_callee", self.edges, self.named),
            ("named_caller", self.callers, self.named),
        ):
            self.graph[way], origins = spread(edges, begin)
            self.neighbours[way] = {row: self.units.by_id[seed].name for row, seed in origins.items()}
        self.graph["named_callee_2"], _ = spread(self.edges, self.graph["named_callee"])

    def _of_functions(self, rows: Rows) -> dict[int, float]:
        eligible = self.eligible
        return {row: score for row, score in rows.items() if row in eligible}

    def _of_source(self, rows: Rows) -> dict[int, float]:
        files = self.units.files
        return {row: score for row, score in rows.items() if row in files and not files[row].is_test}

    def _aggregated(
        self, key: Callable[[Unit], int], rows: Rows
    ) -> tuple[dict[int, float], dict[int, float]]:
        """The best score, and the sum of the best three, of each group."""
        groups: dict[int, list[float]] = defaultdict(list)
        for row, score in rows.items():
            groups[key(self.units.by_id[row])].append(score)
        best = {group: max(scores) for group, scores in groups.items()}
        return best, {group: sum(nlargest(3, scores)) for group, scores in groups.items()}

    @cached_property
    def named(self) -> dict[int, float]:
        """What the text names outright, each as surely as its place in the text allows."""
        found: dict[int, float] = {}
        mentions = self.mentions
        for rows, weight in (
            (mentions.name_title, 1.0),
            (mentions.name_inline, 1.0),
            (mentions.name_called, 0.8),
            (mentions.name_code, 0.6),
            (mentions.qualified, 1.0),
            (mentions.frame, 1.0),
        ):
            for row, strength in rows.items():
                if row in self.eligible:
                    found[row] = max(found.get(row, 0.0), weight * strength)
        return found

    def _fixed_sum(self) -> dict[int, float]:
        """A sum of scores with fixed weights, each divided by its greatest."""
        mentions, units = self.mentions, self.units
        total: dict[int, float] = defaultdict(float)
        for rows, weight in ((self.bags["all"], 1.0), (self.bags["title"], 0.5)):
            top = best_of(rows)
            for row, score in rows.items():
                total[row] += weight * score / top
        for row, strength in self._named_exactly().items():
            total[row] += 0.3 * strength
        for row, strength in mentions.qualified.items():
            total[row] += 0.4 * strength
        for row, strength in mentions.frame.items():
            total[row] += 0.3 * strength
        file_top, best_top = best_of(self.files["all"]), best_of(self.file_best)
        owners = self.owner_mentions
        kept = {row: score for row, score in total.items() if row in self.eligible}
        for row in kept:
            unit = units.by_id[row]
            kept[row] += 0.3 * self.files["all"].get(unit.file, 0.0) / file_top
            kept[row] += 0.2 * self.file_best.get(unit.file, 0.0) / best_top
            kept[row] += 0.1 * owners.get(unit.owner, 0.0)
            kept[row] += 0.1 * mentions.module.get(unit.file, 0.0) + 0.1 * mentions.path.get(unit.file, 0.0)
            file = units.files[unit.file]
            if ASIDE.search(file.path):
                kept[row] *= 0.7
            if file.is_vendored or file.is_generated:
                kept[row] *= 0.5
        return kept

    def _named_exactly(self) -> dict[int, float]:
        mentions = self.mentions
        found: dict[int, float] = {}
        for rows in (mentions.name_title, mentions.name_inline, mentions.name_called, mentions.name_code):
            for row, strength in rows.items():
                found[row] = max(found.get(row, 0.0), strength)
        return found

    @cached_property
    def owner_mentions(self) -> dict[int, float]:
        """The types that the text names."""
        mentions = self.mentions
        found = dict(mentions.owner_code)
        for rows in (mentions.owner_title, mentions.owner_prose):
            for row, strength in rows.items():
                found[row] = max(found.get(row, 0.0), strength)
        return found

    @cached_property
    def file_scores(self) -> dict[int, float]:
        """The files, by fusion of all that speaks for one."""
        mentions = self.mentions
        lists: list[Rows] = [
            self.files["all"], self.files["title"], self.file_best, self.file_title_best, self.file_sum,
            mentions.path, mentions.frame_file, mentions.module,
        ]  # fmt: skip
        owners: dict[int, float] = {}
        for row, strength in self.owner_mentions.items():
            file = self.units.by_id[row].file
            owners[file] = max(owners.get(file, 0.0), strength)
        lists.append(owners)
        fused = fuse_by_rank([self._of_source(dict(sorted(rows.items()))) for rows in lists if rows])
        return dict(fused)


def best_of(rows: Rows) -> float:
    """The greatest score; 1 where there is none."""
    return max(rows.values(), default=0.0) or 1.0


def _eligible(units: Units) -> set[int]:
    """Functions of source: no tests unless there is nothing else, no stub beside its implementation."""
    paths = {file.path for file in units.files.values()}
    stubs = {
        file.id for file in units.files.values() if file.path.endswith(".pyi") and file.path[:-1] in paths
    }
    functions = [unit for unit in units.functions if unit.file not in stubs]
    source = {unit.id for unit in functions if not units.files[unit.file].is_test}
    return source or {unit.id for unit in functions}


def by_score(pair: tuple[int, float]) -> tuple[float, int]:
    """Greater scores first, equal ones by id."""
    return pair[1], -pair[0]
