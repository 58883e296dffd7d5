"""Puts right patches through `treemend verify` and counts what it says of them: none may be called wrong.

    python benchmarks/honest.py [CASES] --out DIR [--python PY] [--jobs 2] [--only ID ...] [--write FILE]

A case is a folder with `repo/`, `meta.json` (its `test_cmd` and `fail_to_pass` are read) and
`hidden/gold.diff`. The examples are put through besides, each with its repair. DIR gets a line a case in
`results.jsonl` and what was printed. The exit code is 1 where a right patch was refused, or 2% of them or
more need a review.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from treemend.tools.patches import unified_diff

TREEMEND = Path(sys.executable).parent / "treemend"
EXAMPLES = Path(__file__).parents[1] / "examples"
REVIEWS_MAX = 0.02
VERDICTS = {0: "accepted", 3: "needs review", 4: "refused", 7: "cannot reproduce"}
REPAIRS = {
    "one-file": {"median.py": [("% 2 == 0", "% 2 == 1")]},
    "two-files": {"ledger/dates.py": [("day < last", "day <= last")]},
    "two-edits": {
        "shop/orders.py": [("reserved = wanted", "reserved += wanted")],
        "shop/stock.py": [("stored + reserved", "stored - reserved")],
    },
    "out-of-reach": {
        "roman.py": [
            (
                "    raise NotImplementedError\n",
                '    letters = [("M", 1000), ("CM", 900), ("D", 500), ("CD", 400), ("C", 100)]\n'
                '    letters += [("XC", 90), ("L", 50), ("XL", 40), ("X", 10), ("IX", 9), ("V", 5)]\n'
                '    letters += [("IV", 4), ("I", 1)]\n'
                '    written = ""\n'
                "    for letter, value in letters:\n"
                "        written += letter * (number // value)\n"
                "        number %= value\n"
                "    return written\n",
            )
        ]
    },
}


@dataclass(frozen=True, slots=True)
class Case:
    """A right patch with its repository, the tests that it mends, and how they run."""

    name: str
    repo: Path
    patch: bytes
    tests: tuple[str, ...] = ()
    test_cmd: str = ""


def main() -> int:
    options = _parser().parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    wanted = [*_examples(options.out), *(_cases(options.cases) if options.cases else ())]
    cases = [case for case in wanted if not options.only or case.name in options.only]
    rows: list[dict[str, Any]] = []
    with (options.out / "results.jsonl").open("w") as results, ThreadPoolExecutor(options.jobs) as pool:
        for row in pool.map(lambda case: _verify(case, options), cases):
            rows.append(row)
            print(json.dumps(row), file=results, flush=True)
            print(f"{row['name']:45} {row['verdict']:18} {row['seconds']:6.1f} s  {row['why']}", flush=True)
    return _summary(rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="?", type=Path, help="folder of cases")
    parser.add_argument("--out", type=Path, default=Path("out"))
    parser.add_argument("--python", default="", help="interpreter that runs the tests")
    parser.add_argument("--jobs", type=int, default=2, help="cases at a time")
    parser.add_argument("--only", nargs="+", default=[], help="names of cases")
    return parser


def _examples(out: Path) -> Iterator[Case]:
    subprocess.run([sys.executable, str(EXAMPLES / "build.py"), str(out / "examples")], check=True)
    for name, files in REPAIRS.items():
        repo = out / "examples" / name
        parts = []
        for path, changes in files.items():
            before = after = (repo / path).read_text()
            for old, new in changes:
                after = after.replace(old, new)
            parts.append(unified_diff(path, before.encode(), after.encode()))
        yield Case(f"example {name}", repo, b"".join(parts))


def _cases(folder: Path) -> Iterator[Case]:
    for file in sorted(folder.glob("*/meta.json")):
        meta = json.loads(file.read_text())
        patch = (file.parent / "hidden" / "gold.diff").read_bytes()
        yield Case(meta["id"], file.parent / "repo", patch, tuple(meta["fail_to_pass"]), meta["test_cmd"])


def _verify(case: Case, options: argparse.Namespace) -> dict[str, Any]:
    command = [str(TREEMEND), "verify", "-", "--repo", str(case.repo), "--json"]
    for test in case.tests:
        command += ["--failing-test", test]
    command += ["--test-cmd", case.test_cmd] if case.test_cmd else []
    command += ["--python", options.python] if options.python and case.tests else []
    environment = {**os.environ, "TREEMEND_STATE": str(options.out.resolve() / "state")}
    started = time.perf_counter()
    told = subprocess.run(command, input=case.patch, capture_output=True, env=environment)
    seconds = time.perf_counter() - started
    (options.out / f"{case.name}.log").write_bytes(told.stderr + told.stdout)
    verdict = VERDICTS.get(told.returncode, f"exit {told.returncode}")
    why = told.stderr.decode(errors="replace").strip()[-200:] if told.returncode not in VERDICTS else ""
    receipt = json.loads(told.stdout) if told.stdout else {}
    judgement = receipt.get("judgement") or {}
    checks = {check["name"]: check["result"] for check in judgement.get("checks", ())}
    return {
        "name": case.name,
        "verdict": verdict,
        "seconds": round(seconds, 1),
        "why": receipt.get("reason", why),
        "checks": checks,
        "changed_calls": len(judgement.get("changed_calls", ())),
    }


def _summary(rows: list[dict[str, Any]]) -> int:
    counts = Counter(row["verdict"] for row in rows)
    print("\n| verdict | right patches |\n|---|---|")
    for verdict, count in counts.most_common():
        print(f"| {verdict} | {count} of {len(rows)} |")
    judged = [row for row in rows if row["checks"]]
    print("\n| check | held | failed | not covered |\n|---|---|---|---|")
    for name in dict.fromkeys(name for row in judged for name in row["checks"]):
        results = Counter(row["checks"].get(name, "not covered") for row in judged)
        print(f"| {name} | {results['held']} | {results['failed']} | {results['not covered']} |")
    wrong = counts["refused"] or counts["needs review"] >= max(1, REVIEWS_MAX * len(rows))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
