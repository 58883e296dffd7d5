"""What the verdict of record costs: three confirmations and the judge, against a plain check of the same
patch.

    python benchmarks/judging.py [--rounds N] [--tests N]

A plain check is one cold run of the suite on the patched tree. Each round makes both, and one more cold run
of the untouched tree, the unit in which the difference is told. The exit code is 1 where it is three or more
(median).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from treemend.agents.intake import make_task
from treemend.agents.judging.verification import Ground, Submission
from treemend.agents.preparation import copy_tree
from treemend.agents.runs import new_run
from treemend.agents.wiring import open_context
from treemend.store.database import open_store
from treemend.tools.patches import unified_diff
from treemend.tools.submitted import make_patched_tree, read_changes
from treemend.verify.runner import TestRequest

RUNS_MAX = 3.0
BARE = "pytest -p no:asyncio -p no:hypothesispytest -p no:anyio -p no:xdist -p no:xdist.looponfail"
CODE = """def total(prices):
    result = 0
    for price in prices[1:]:
        result += price
    return result
"""


def make_repository(folder: Path, tests: int) -> None:
    """A module with a bug, and so many tests of which the first half shows it."""
    lines = ["from shop import total", ""]
    for number in range(tests):
        first = 0 if number >= tests // 2 else number + 1
        lines += [
            "",
            f"def test_{number}():",
            f"    assert total([{first}, {number}, 5]) == {first + number + 5}",
            "",
        ]
    (folder / "shop.py").write_text(CODE)
    (folder / "test_shop.py").write_text("\n".join(lines))


async def measure(repo: Path) -> tuple[float, float, float]:
    """Seconds of a cold run, of a plain check, and of three confirmations with the judge."""
    patch = unified_diff("shop.py", CODE.encode(), CODE.replace("prices[1:]", "prices").encode())
    store = open_store(None)
    context = open_context(store, new_run(store, make_task(repo, kind="verify", test_command=BARE), patch))
    copy_tree(context)
    changes = read_changes(context.tree, patch)
    submission = Submission(context, patch, changes)
    ground = await submission.observe()
    assert isinstance(ground, Ground)
    make_patched_tree(context.tree, context.folder / "plain", changes)
    times = []
    for runner in (context.runner, context.runner_on(context.folder / "plain")):
        started = time.perf_counter()
        await runner.run(TestRequest())
        times.append(time.perf_counter() - started)
    started = time.perf_counter()
    ruling = await submission.judge(ground)
    assert ruling.holds, ruling
    return times[0], times[1], time.perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tests", type=int, default=40)
    wanted = parser.parse_args()
    rows = []
    for _ in range(wanted.rounds):
        with tempfile.TemporaryDirectory() as folder:
            os.environ["TREEMEND_STATE"] = f"{folder}/state"
            repo = Path(folder) / "repo"
            repo.mkdir()
            make_repository(repo, wanted.tests)
            rows.append(asyncio.run(measure(repo)))
    cold, plain, judged = (statistics.median(column) for column in zip(*rows, strict=True))
    more = statistics.median((judged - plain) / cold for cold, plain, judged in rows)
    print("| one cold run s | plain check s | three confirmations and the judge s | more, in cold runs |")
    print("|---|---|---|---|")
    print(f"| {cold:.2f} | {plain:.2f} | {judged:.2f} | {more:.2f} |")
    return 1 if more >= RUNS_MAX else 0


if __name__ == "__main__":
    sys.exit(main())
