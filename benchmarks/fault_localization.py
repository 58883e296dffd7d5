"""Where spectra, traces and words look for known bugs, each alone and all fused by rank.

    python benchmarks/fault_localization.py CASES --observed DIR --python PY [--only ID ...]

Cases are laid out as for `benchmarks/repair.py`. The suite of each runs as `treemend fix` runs it, up to the
plan, and what it showed is kept in DIR/<id>.json, so that a second run only scores. Of `meta.json`, the buggy
lines serve for scoring alone. A function scores like its best line, counts with the functions in it, and code
outside of functions counts as one function a file. A case is found at k where its first buggy function lies
within the first k, as in the FauxPy study; a second table has those of which all do. Ties are counted in full
against it.

DStar is ef^2 / (nf + ep) (Wong, Debroy, Gao and Li, IEEE Trans. Reliability 2014).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from repair import find_cases, is_wanted

from treemend.agents import planning
from treemend.agents.api import repair_async
from treemend.agents.localize import _frame_scores, rank_lines
from treemend.store.errors import TreemendError
from treemend.store.records import Budget, Frame, TestOutcome
from treemend.tools.index.repository import RepositoryIndex
from treemend.tools.localization.units import load_units
from treemend.verify.runner import TestResult
from treemend.verify.spectra import Line, ochiai

PLACES = (1, 3, 5, 10)
WAYS = ("text", "trace", "Ochiai", "DStar", "fused")
Scores = Mapping[Line, float]
Function = tuple[str, int]


class Places(NamedTuple):
    """Where the first of the buggy functions lies, and where the last one does."""

    first: float
    last: float


class _Observed(BaseException):
    """What `rank_lines` was asked, carried out of the run."""


async def observe(case: Path, python: str) -> dict[str, Any]:
    """The first question of a run's plan, as JSON."""
    asked: list[Any] = []

    def take(*arguments: Any) -> dict[Line, float]:
        asked.append(arguments)
        raise _Observed

    setattr(planning, "rank_lines", take)  # noqa: B010 - a name that it does not export
    with tempfile.TemporaryDirectory() as state:
        os.environ["TREEMEND_STATE"] = state
        try:
            await repair_async(
                case / "repo",
                issue=(case / "issue.md").read_text(),
                test_command=json.loads((case / "meta.json").read_text())["test_cmd"],
                python=python,
                budget=Budget(time_s=None, candidates=1),
            )
        except _Observed:
            pass
        finally:
            setattr(planning, "rank_lines", rank_lines)  # noqa: B010
    if not asked:
        raise SystemExit(f"{case.name}: the run ended before its plan.")
    failing, passing, frames, sources, text, data = asked[0]
    return {
        "failing": [_test(test) for test in failing],
        "passing": [_test(test) for test in passing],
        "frames": [[frame.path, frame.line] for frame in frames],
        "sources": [list(line) for line in sources],
        "text": [[*line, score] for line, score in text.items()],
        "data": [[*line, read] for line, read in data.items()],
    }


def _test(test: TestResult) -> dict[str, Any]:
    return {
        "lines": {path: list(lines) for path, lines in test.lines.items()},
        "frames": [[frame.path, frame.line] for frame in test.frames],
    }


def _result(test: dict[str, Any], outcome: TestOutcome) -> TestResult:
    lines = {path: tuple(numbers) for path, numbers in test["lines"].items()}
    return TestResult(outcome, 0.0, frames=_frames(test["frames"]), lines=lines)


def _frames(rows: Sequence[Sequence[Any]]) -> tuple[Frame, ...]:
    return tuple(Frame(path=path, line=line) for path, line in rows)


def dstar(failing: Sequence[set[Line]], passing: Sequence[set[Line]]) -> dict[Line, float]:
    """DStar with the exponent 2 of each line that a failing test executes."""
    failed = Counter(line for spectrum in failing for line in spectrum)
    passed = Counter(line for spectrum in passing for line in spectrum)
    rest = {line: len(failing) - count + passed[line] for line, count in failed.items()}
    return {line: count**2 / rest[line] if rest[line] else float("inf") for line, count in failed.items()}


def rankings(observed: dict[str, Any]) -> dict[str, Scores]:
    """The scores of lines, greater is more suspicious, by each way."""
    failing = [_result(test, TestOutcome.FAILED) for test in observed["failing"]]
    passing = [_result(test, TestOutcome.PASSED) for test in observed["passing"]]
    frames = _frames(observed["frames"])
    sources = {(path, line) for path, line in observed["sources"]}
    text = {(path, line): score for path, line, score in observed["text"]}
    data = {(path, line): [(of, number) for of, number in read] for path, line, read in observed["data"]}
    kept = [
        [
            {
                path: tuple(line for line in lines if (path, line) in sources)
                for path, lines in test.lines.items()
            }
            for test in tests
        ]
        for tests in (failing, passing)
    ]
    spectra = [
        [{(path, line) for path, lines in test.items() for line in lines} for test in tests] for tests in kept
    ]
    trace = _frame_scores([test.frames for test in failing] + ([frames] if frames else []))
    return {
        "text": {line: score for line, score in text.items() if line in sources},
        "trace": {line: score for line, score in trace.items() if line in sources},
        "Ochiai": ochiai(kept[0], kept[1]),
        "DStar": dstar(spectra[0], spectra[1]),
        "fused": rank_lines(failing, passing, frames, sources, text, data),
    }


def functions_of(tree: Path) -> dict[Line, Function]:
    """The outermost function of each line that is in one, by its first line."""
    found: dict[Line, Function] = {}
    with tempfile.TemporaryDirectory() as folder, RepositoryIndex(tree, Path(folder, "index.db")) as index:
        index.refresh()
        units = load_units(index.connection)
    for unit in units.functions:
        path = units.files[unit.file].path
        found.update({(path, line): (path, unit.line) for line in range(unit.top_line, unit.end_line + 1)})
    return found


def places_of(gold: set[Function], scores: Scores, functions: Mapping[Line, Function]) -> Places:
    """The ranks of `gold`; equal scores count as the last of them."""
    best: dict[Function, float] = {}
    for line, score in scores.items():
        function = functions.get(line, (line[0], 0))
        best[function] = max(best.get(function, 0.0), score)
    ranks = [
        float(sum(score >= best[function] for score in best.values())) if function in best else float("inf")
        for function in gold
    ]
    return Places(min(ranks), max(ranks))


def score(case: Path, observed: dict[str, Any]) -> dict[str, Places]:
    functions = functions_of(case / "repo")
    buggy = json.loads((case / "meta.json").read_text())["gold_patch"]["buggy_lines"]
    gold = {functions.get((path, line), (path, 0)) for path, lines in buggy.items() for line in lines}
    # A comment or an import beside the mended function is no second fault.
    gold = {function for function in gold if function[1]} or gold
    return {way: places_of(gold, found, functions) for way, found in rankings(observed).items()}


def print_table(title: str, places: Sequence[Mapping[str, float]]) -> None:
    print(f"\n| {title} | {' | '.join(f'@{k}' for k in PLACES)} | mean of 1/place |")
    print("|---|" + "---|" * (len(PLACES) + 1))
    for way in WAYS:
        found = [each[way] for each in places]
        shares = [100 * sum(place <= k for place in found) / len(found) for k in PLACES]
        reciprocal = sum(1 / place for place in found) / len(found)
        print(f"| {way} | {' | '.join(f'{share:.1f}' for share in shares)} | {reciprocal:.3f} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", type=Path, help="folder of cases")
    parser.add_argument("--observed", type=Path, required=True, help="folder for what the suites showed")
    parser.add_argument("--python", default="", help="interpreter that runs the tests")
    parser.add_argument("--only", nargs="+", default=[], help="ids; one that ends in * is a prefix")
    options = parser.parse_args()
    options.observed.mkdir(parents=True, exist_ok=True)
    places: dict[str, dict[str, Places]] = {}
    for case in find_cases(options.cases):
        if not is_wanted(case.name, options.only):
            continue
        kept = options.observed / f"{case.name}.json"
        if not kept.exists():
            try:
                kept.write_text(json.dumps(asyncio.run(observe(case, options.python))))
            except TreemendError as error:
                print(f"{case.name}: {error.message}")
                continue
        places[case.name] = score(case, json.loads(kept.read_text()))
        told = (f"{way} {place.first:g} to {place.last:g}" for way, place in places[case.name].items())
        print(case.name, ", ".join(told), flush=True)
    if places:
        firsts = [{way: place.first for way, place in each.items()} for each in places.values()]
        lasts = [{way: place.last for way, place in each.items()} for each in places.values()]
        print_table("the first buggy function", firsts)
        print_table("all buggy functions", lasts)


if __name__ == "__main__":
    main()
