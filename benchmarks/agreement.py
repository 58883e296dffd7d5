"""Every candidate of a case on the warm and on the cold runner: where do their verdicts differ?

    python benchmarks/agreement.py CASES --python PY [--candidates 300] [--only ID ...]

Cases are laid out as for `benchmarks/repair.py`. The candidates are those that `treemend fix` would judge, in
its order; each gets the target tests and the regression tests that its change can reach, as there. Prints a
line a case, and one for each candidate of which other tests pass, which would be another verdict, or whose
tests fail in another way (a hang here is a limit of memory there).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from repair import find_cases, is_wanted

from treemend.agents import runners
from treemend.agents.api import repair_async
from treemend.store.errors import TreemendError
from treemend.store.records import Budget
from treemend.verify.runner import TestReport, TestRequest
from treemend.verify.warm_runner import WarmRunner

KINDS = ("swapped", "afresh", "cold", "other verdict", "other failure")


@dataclass
class Comparing(WarmRunner):
    """A warm runner that judges every candidate cold, too, and keeps what differs."""

    counts: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)

    async def run(self, request: TestRequest) -> TestReport:
        if not request.overlay:
            return await super().run(request)
        before = replace(self.served)
        report = await super().run(request)
        for path in ("swapped", "afresh", "cold"):
            self.counts[path] += getattr(self.served, path) - getattr(before, path)
        if self.served.cold == before.cold:
            path = "swapped" if self.served.swapped > before.swapped else "afresh"
            self._compare(path, request, report, await self.cold.run(request))
        return report

    def _compare(self, path: str, request: TestRequest, warm: TestReport, cold: TestReport) -> None:
        one, other = outcomes(warm), outcomes(cold)
        tests = [test for test in {**one, **other} if one.get(test) != other.get(test)]
        if tests:
            passed = [{test for test, outcome in ran.items() if outcome == "passed"} for ran in (one, other)]
            kind = "other failure" if passed[0] == passed[1] else "other verdict"
            self.counts[kind] += 1
            told = "; ".join(f"{test}: warm {one.get(test)}, cold {other.get(test)}" for test in tests[:3])
            self.differences.append(f"{kind}, {path}: {told} {warm.problem} {cold.problem}".rstrip())


def outcomes(report: TestReport) -> dict[str, str]:
    return {test: result.outcome.value for test, result in report.results.items()}


async def compare(case: Path, options: argparse.Namespace) -> Comparing:
    """Search for a repair of a case with a runner that compares."""
    made: list[Comparing] = []

    def make(*arguments: Any) -> WarmRunner:
        made.append(Comparing(*arguments))
        return made[-1]

    setattr(runners, "WarmRunner", make)  # noqa: B010 - a name that it does not export
    with tempfile.TemporaryDirectory() as state:
        os.environ["TREEMEND_STATE"] = state
        await repair_async(
            case / "repo",
            issue=(case / "issue.md").read_text(),
            test_command=json.loads((case / "meta.json").read_text())["test_cmd"],
            python=options.python,
            budget=Budget(time_s=options.time, candidates=options.candidates, after=options.candidates),
        )
    return made[-1]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", type=Path, help="folder of cases")
    parser.add_argument("--python", default="", help="interpreter that runs the tests")
    parser.add_argument("--candidates", type=int, default=300, help="candidates of each case")
    parser.add_argument("--time", type=float, default=3600.0, help="seconds for each case")
    parser.add_argument("--only", nargs="+", default=[], help="ids; one that ends in * is a prefix")
    options = parser.parse_args()
    for case in find_cases(options.cases):
        if not is_wanted(case.name, options.only):
            continue
        try:
            found = asyncio.run(compare(case, options))
        except TreemendError as error:
            print(f"{case.name}: {error.message}", flush=True)
            continue
        counts = ", ".join(f"{found.counts[kind]} {kind}" for kind in KINDS)
        print(f"{case.name}: {counts} {found.cold_because or found.afresh_because}".rstrip(), flush=True)
        for difference in found.differences:
            print(f"    {difference}", flush=True)
        for reason, count in found.served.reasons.items():
            print(f"    not swapped, {count}: {reason}", flush=True)


if __name__ == "__main__":
    main()
