"""What the order of the templates' changes is worth: the same changes, weighed and in a random order.

    python benchmarks/order.py CASES --out DIR --python PY [--candidates 100] [--only ID ...]

Cases are laid out as for `benchmarks/repair.py`. Each is given two runs that end after so many candidates
and by nothing else. In the second run each change that the templates can make at the suspicious lines is as
likely as any other. DIR gets a folder for each order with `<id>.diff` where there is a patch, and a line a
run in `results.jsonl`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from repair import find_cases, is_wanted

from treemend.agents.api import repair_async
from treemend.agents.progress import CandidateTried, Event
from treemend.agents.template_policy import policy as template_policy
from treemend.agents.templates.catalogue import Change
from treemend.store.errors import TreemendError
from treemend.store.records import Budget

ORDERS = ("weighed", "uniform")
Row = dict[str, Any]


@dataclass
class Tally:
    """What a run's candidates came to."""

    executed: int = 0
    plausible: int = 0
    first_plausible: int | None = None

    def hear(self, event: Event) -> None:
        if isinstance(event, CandidateTried) and not event.inherited:
            self.executed = event.executed
            self.plausible += event.verdict.plausible
            if event.verdict.plausible and self.first_plausible is None:
                self.first_plausible = event.executed


@contextmanager
def uniform_order() -> Iterator[None]:
    """Let each change be a fault of its own, in a random order, all of one weight."""
    usual = template_policy._faults

    def faults(weighted: Sequence[tuple[Change, float, float]], seed: int) -> list[Any]:
        possible = [(change, weight) for change, weight, mass in weighted if mass > 0.0]
        singles = [usual([(change, weight, 1.0)], seed)[0] for change, weight in possible]
        alone = [template_policy._Fault(one.text, 1 / len(singles), one.changes) for one in singles]
        return sorted(alone, key=lambda f: template_policy._shuffled(f.text + f.changes[0][0].remedy, seed))

    setattr(template_policy, "_faults", faults)  # noqa: B010 - a name that it does not export
    try:
        yield
    finally:
        setattr(template_policy, "_faults", usual)  # noqa: B010


async def run(case: Path, options: argparse.Namespace, order: str) -> Row:
    """One run of a case; its row."""
    tally = Tally()
    row: Row = {"id": case.name, "order": order, "outcome": "error"}
    with tempfile.TemporaryDirectory() as state:
        os.environ["TREEMEND_STATE"] = state
        try:
            result = await repair_async(
                case / "repo",
                issue=(case / "issue.md").read_text(),
                test_command=json.loads((case / "meta.json").read_text())["test_cmd"],
                python=options.python,
                budget=Budget(time_s=None, candidates=options.candidates, after=options.candidates),
                on_event=tally.hear,
            )
        except TreemendError as error:
            return {**row, "message": error.message}
    if result.patch:
        (options.out / order / f"{case.name}.diff").write_bytes(result.patch)
    return {**row, "outcome": result.outcome.value, **vars(tally)}


def print_table(rows: Sequence[Row], wanted: int) -> None:
    print(
        f"\n| order | cases | plausible per 100 | cases with one in {wanted} | median candidates until it |"
    )
    print("|---|---|---|---|---|")
    for order in ORDERS:
        ran = [row for row in rows if row["order"] == order and row["outcome"] != "error"]
        executed = sum(row["executed"] for row in ran)
        first = [row["first_plausible"] for row in ran if row["first_plausible"] is not None]
        share = 100 * sum(row["plausible"] for row in ran) / executed if executed else 0.0
        print(f"| {order} | {len(ran)} | {share:.1f} | {len(first)} | {median(first) if first else '-'} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", type=Path, help="folder of cases")
    parser.add_argument("--out", type=Path, default=Path("out"))
    parser.add_argument("--python", default="", help="interpreter that runs the tests")
    parser.add_argument("--candidates", type=int, default=100, help="candidates of each run")
    parser.add_argument("--only", nargs="+", default=[], help="ids; one that ends in * is a prefix")
    options = parser.parse_args()
    rows = []
    for order in ORDERS:
        (options.out / order).mkdir(parents=True, exist_ok=True)
    with (options.out / "results.jsonl").open("w") as results:
        for case in find_cases(options.cases):
            if not is_wanted(case.name, options.only):
                continue
            rows.append(asyncio.run(run(case, options, "weighed")))
            with uniform_order():
                rows.append(asyncio.run(run(case, options, "uniform")))
            for row in rows[-2:]:
                print(json.dumps(row), file=results, flush=True)
                print(json.dumps(row), flush=True)
    print_table(rows, options.candidates)


if __name__ == "__main__":
    main()
