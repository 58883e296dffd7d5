"""Runs `treemend fix` on every case of a folder and says what came of each.

    python benchmarks/repair.py CASES --out DIR [--time 120] [--jobs 2] [--python PY] [--only ID ...]
    python benchmarks/repair.py CASES --out DIR --variant mended|half [...]
    python benchmarks/repair.py --compare OLD/results.jsonl NEW/results.jsonl

A case is a folder with `repo/`, `issue.md` and `meta.json`, of which only `id`, `source` and `test_cmd`
are read. DIR gets `<id>.diff` where there is a patch, `<id>.log` with what was said on stderr, and a line
a case in `results.jsonl`: outcome, exit code, seconds, candidates executed, tests run.

With `--variant mended` the reference patch, `hidden/gold.diff`, is applied before, and the right answer is
exit code 7 without a patch. With `half` a part of it is, so that a visible test still fails, and 7 is wrong;
a case whose patch has no such part is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any, get_args

from variants import TREEMEND, Variant, lay_out

Row = dict[str, Any]
GRACE_S = 120.0
NOTHING_TO_FIX = 7


def main() -> int:
    options = _parser().parse_args()
    if options.compare:
        compare(*(read_rows(Path(path)) for path in options.compare))
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    cases = [case for case in find_cases(options.cases) if is_wanted(case.name, options.only)]
    with (options.out / "results.jsonl").open("w") as results, ThreadPoolExecutor(options.jobs) as pool:
        rows = []
        for row in pool.map(lambda case: run_case(case, options), cases):
            if row is None:
                continue
            rows.append(row)
            print(json.dumps(row), file=results, flush=True)
            print(
                f"{row['id']:40} {row['outcome']:20} {row['seconds']:7.1f} s "
                f"{row['candidates']:5} candidates",
                flush=True,
            )
    print_table(rows)
    if options.variant == "broken":
        return 0
    wrong = [row["id"] for row in rows if not is_right(row)]
    told = f": {', '.join(wrong)}" if wrong else ""
    left_out = len(cases) - len(rows)
    print(f"\n{options.variant}: {len(rows) - len(wrong)} of {len(rows)} right{told}; {left_out} left out")
    return 1 if wrong else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="?", type=Path, help="folder of cases")
    parser.add_argument("--out", type=Path, default=Path("out"))
    parser.add_argument("--time", type=float, default=120.0, help="seconds for each run")
    parser.add_argument("--jobs", type=int, default=2, help="cases at a time")
    parser.add_argument("--python", default="", help="interpreter that runs the tests")
    parser.add_argument("--only", nargs="+", default=[], help="ids; one that ends in * is a prefix")
    parser.add_argument("--variant", choices=get_args(Variant), default="broken", help="what is laid out")
    parser.add_argument("--more", default="", help="further options for treemend fix, as one word")
    parser.add_argument("--compare", nargs=2, metavar="RESULTS", help="two results.jsonl")
    return parser


def find_cases(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob("*/meta.json"))


def is_wanted(name: str, only: Sequence[str]) -> bool:
    return not only or any(
        name == wanted or (wanted.endswith("*") and name.startswith(wanted[:-1])) for wanted in only
    )


def run_case(case: Path, options: argparse.Namespace) -> Row | None:
    """What came of a case, None where it has no such variant."""
    meta = json.loads((case / "meta.json").read_text())
    into = options.out / "trees" / case.name
    repo = lay_out(case, options.variant, into, meta["test_cmd"], options.python)
    if repo is None:
        return None
    results = options.out / "runs" / case.name
    command = [
        str(TREEMEND), "fix", str(case / "issue.md"),
        "--repo", str(repo),
        "--test-cmd", meta["test_cmd"],
        "--time", str(options.time),
        "--output", str(results),
        *(["--python", options.python] if options.python else []),
        *shlex.split(options.more),
    ]  # fmt: skip
    state = (options.out / "state" / case.name).absolute()
    started = time.monotonic()
    try:
        process = subprocess.run(
            command,
            capture_output=True,
            timeout=options.time + GRACE_S,
            env={**os.environ, "TREEMEND_STATE": str(state)},
        )
        exit_code, patch, log = process.returncode, process.stdout, process.stderr
    except subprocess.TimeoutExpired as late:
        exit_code, patch, log = -9, b"", late.stderr or b""
    seconds = time.monotonic() - started
    (options.out / f"{case.name}.log").write_bytes(log)
    diff = options.out / f"{case.name}.diff"
    diff.unlink(missing_ok=True)
    if patch:
        diff.write_bytes(patch)
    return {
        "id": case.name,
        "source": meta["source"],
        "variant": options.variant,
        "exit_code": exit_code,
        "seconds": round(seconds, 1),
        **_of_receipt(results / "receipt.json"),
    }


def is_right(row: Row) -> bool:
    """Whether nothing was found to mend just where nothing is to be mended."""
    return bool((row["exit_code"] == NOTHING_TO_FIX) == (row["variant"] == "mended"))


def _of_receipt(path: Path) -> Row:
    if not path.is_file():
        return {"outcome": "no receipt", "candidates": 0, "tests": 0, "until_plausible": None}
    receipt = json.loads(path.read_text())
    counts = receipt["counts"]
    return {
        "outcome": receipt["outcome"],
        "reason": receipt["reason"],
        "candidates": counts["candidates_executed"],
        "plausible": counts["plausible"],
        "until_plausible": counts["until_plausible"],
        "tests": counts["tests_run"],
    }


def print_table(rows: Sequence[Row]) -> None:
    """Cases, patched, medians of seconds and of candidates until the first plausible one, by source."""
    print(f"\n{'source':16} {'cases':>6} {'patched':>8} {'median s':>9} {'candidates until plausible':>27}")
    for source in [*sorted({row["source"] for row in rows}), None]:
        chosen = [row for row in rows if source in (None, row["source"])]
        if not chosen:
            continue
        patched = sum(row["outcome"] == "repaired" for row in chosen)
        seconds = median(row["seconds"] for row in chosen)
        until = [row["until_plausible"] for row in chosen if row["until_plausible"]]
        first = f"{median(until):.0f}" if until else "-"
        print(f"{source or 'all':16} {len(chosen):6} {patched:8} {seconds:9.1f} {first:>27}")


def read_rows(path: Path) -> dict[str, Row]:
    return {row["id"]: row for row in map(json.loads, path.read_text().splitlines())}


def compare(old: dict[str, Row], new: dict[str, Row]) -> None:
    """Print the cases whose outcome differs, or whose first plausible candidate came at another time."""
    for name in sorted(old.keys() | new.keys()):
        before, after = (_told(rows.get(name)) for rows in (old, new))
        if before != after:
            print(f"{name:40} {before:40} -> {after}")


def _told(row: Row | None) -> str:
    if row is None:
        return "absent"
    return f"{row['outcome']} ({row['until_plausible'] or '-'} of {row['candidates']})"


if __name__ == "__main__":
    sys.exit(main())
