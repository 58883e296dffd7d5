"""How fast a repository is indexed and searched, beside universal-ctags and aider's repository map.

    python benchmarks/index.py REPO [--aider PYTHON]

REPO is copied before anything is touched. Prints Markdown rows: wall clock, CPU of all processes, peak
memory (the sum of each process's own peak), and ratios to ctags. `--aider` names an interpreter that has
aider-chat installed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TOUCHED = 10
ROUNDS = 5
_QUERIES = (
    "parse a date from a string",
    "cache key prefix",
    "validate the input of a form",
    "open a connection to the database",
    "permission denied for the user",
    "render a template",
    "retry after a timeout",
    "sort rows by column",
    "encode the response body",
    "read settings from a file",
)
_LANGUAGES = "Python,JavaScript,TypeScript,Java,Go,Rust,C,C++,C#,Ruby,PHP"
_INDEX = """
import json, resource, sys, time
from pathlib import Path
from treemend.tools.index.repository import RepositoryIndex

def cpu():
    each = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in each)

begun, used = time.perf_counter(), cpu()
index = RepositoryIndex(Path(sys.argv[1]), Path(sys.argv[2]))
refreshed = index.refresh()
wall = time.perf_counter() - begun
definitions = index.connection.execute("SELECT count(*) FROM definition").fetchone()[0]
workers = index.pool.size if refreshed.parsed else 0
index.close()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + workers * resource.getrusage(
    resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps({"wall_s": wall, "cpu_s": cpu() - used, "peak_mb": peak / 1024, "files": refreshed.files,
                  "parsed": refreshed.parsed, "definitions": definitions}))
"""
_WARM = """
import json, resource, sys, time
from pathlib import Path
from treemend.tools.index.repository import RepositoryIndex
from treemend.tools.index.search import search

root, cache = Path(sys.argv[1]), Path(sys.argv[2])
touched, queries = json.loads(sys.argv[3]), json.loads(sys.argv[4])
index = RepositoryIndex(root, cache)

def edit(number):
    for name in touched:
        with open(root / name, "a", encoding="utf-8", errors="surrogateescape") as file:
            file.write(f"\\n# touched {number}\\n")
    begun = time.perf_counter()
    done = index.refresh()
    assert done.parsed == len(touched), done
    return time.perf_counter() - begun

edit(0)
edits = [edit(number) for number in range(1, 6)]
begun = time.perf_counter()
index.refresh()
unchanged = time.perf_counter() - begun
names = [row[0] for row in index.connection.execute(
    "SELECT name FROM definition WHERE kind IN ('class', 'function') GROUP BY name ORDER BY name LIMIT 400")]
names = names[::40]
times = []
for query in [*queries, *names] * 5:
    begun = time.perf_counter()
    search(index, query)
    times.append(time.perf_counter() - begun)
index.close()
print(json.dumps({"edits": edits, "unchanged": unchanged, "queries": times}))
"""
_AIDER = """
import sys
from pathlib import Path
from aider.repomap import RepoMap
from aider.io import InputOutput

class Model:
    def token_count(self, text):
        return len(text) // 4

io = InputOutput(yes=True, pretty=False)
files = [str(path) for path in Path(sys.argv[1]).rglob("*") if path.suffix in (".py", ".js")]
repository_map = RepoMap(map_tokens=1024, root=sys.argv[1], main_model=Model(), io=io)
print(len(repository_map.get_repo_map([], files) or ""))
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command took. `peak_mb` is that of its largest process."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    output: str


def measure(command: Sequence[str], environment: dict[str, str] | None = None) -> Cost:
    """Run a command to its end. Raises CalledProcessError where it fails."""
    with tempfile.TemporaryFile() as output:
        begun = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.DEVNULL, env={**os.environ, **(environment or {})}
        )
        _, status, used = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, list(command))
        output.seek(0)
        text = output.read().decode()
    return Cost(wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repo", type=Path)
    parser.add_argument("--aider", default="", help="an interpreter that has aider-chat")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="treemend-bench-") as folder:
        place = Path(folder)
        tree = place / "tree"
        shutil.copytree(arguments.repo, tree, symlinks=True)
        print("| what | wall s | CPU s | peak MB | |\n|---|---|---|---|---|")
        ctags = measure_ctags(tree, place)
        cold_s = measure_cold(tree, place, ctags)
        measure_warm(tree, place, cold_s)
        measure_shell(tree, place)
        if arguments.aider:
            measure_aider(tree, arguments.aider)


def row(
    what: str, wall_s: float, cpu_s: float | None = None, peak_mb: float | None = None, note: str = ""
) -> None:
    numbers = [
        f"{wall_s:.3f}",
        "" if cpu_s is None else f"{cpu_s:.2f}",
        "" if peak_mb is None else f"{peak_mb:.0f}",
    ]
    print(f"| {what} | {' | '.join(numbers)} | {note} |", flush=True)


def measure_ctags(tree: Path, place: Path) -> Cost | None:
    """universal-ctags over the languages that treemend indexes: definitions only."""
    ctags = shutil.which("ctags")
    if ctags is None:
        print("| universal-ctags | | | | not installed |")
        return None
    command = [ctags, "-R", f"--languages={_LANGUAGES}", "-f", str(place / "tags"), str(tree)]
    measure(command)
    best = min((measure(command) for _ in range(3)), key=lambda cost: cost.cpu_s)
    tags = sum(1 for _ in (place / "tags").open("rb"))
    row("universal-ctags, definitions", best.wall_s, best.cpu_s, best.peak_mb, f"{tags} tags")
    return best


def measure_cold(tree: Path, place: Path, ctags: Cost | None) -> float:
    results = []
    for number in range(2):
        state = place / f"cold{number}"
        results.append(
            json.loads(measure([sys.executable, "-c", _INDEX, str(tree), str(state / "i.sqlite3")]).output)
        )
    best = min(results, key=lambda result: float(result["cpu_s"]))
    ratio = ""
    if ctags is not None:
        ratio = (
            f"; {best['wall_s'] / ctags.wall_s:.1f} x wall, {best['cpu_s'] / ctags.cpu_s:.1f} x CPU of ctags"
        )
    note = f"{best['files']} files, {best['definitions']} definitions{ratio}"
    row("cold index", best["wall_s"], best["cpu_s"], best["peak_mb"], note)
    return float(best["wall_s"])


def measure_warm(tree: Path, place: Path, cold_s: float) -> None:
    touched = sorted(str(path.relative_to(tree)) for path in tree.rglob("*.py"))[:: max(1, TOUCHED)]
    touched = [name for name in touched if (tree / name).stat().st_size > 1000][:TOUCHED]
    command = [sys.executable, "-c", _WARM, str(tree), str(place / "cold0/i.sqlite3")]
    result = json.loads(measure([*command, json.dumps(touched), json.dumps(_QUERIES)]).output)
    edit_s = statistics.median(result["edits"])
    row(f"re-index after {len(touched)} edits", edit_s, note=f"{100 * edit_s / cold_s:.1f}% of cold")
    row("re-index, nothing changed", result["unchanged"])
    times = sorted(result["queries"])
    p95 = times[int(0.95 * len(times))]
    row("query, warm, median", statistics.median(times), note=f"p95 {1000 * p95:.0f} ms")


def measure_shell(tree: Path, place: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "from treemend.agents.cli import main; main()",
        "search",
        "--repo",
        str(tree),
    ]
    environment = {"TREEMEND_STATE": str(place / "state")}
    measure([*command, _QUERIES[0]], environment)
    costs = [measure([*command, query], environment) for query in _QUERIES[:ROUNDS]]
    middle = sorted(costs, key=lambda cost: cost.wall_s)[len(costs) // 2]
    row("`treemend search`, cold shell", middle.wall_s, middle.cpu_s, middle.peak_mb)


def measure_aider(tree: Path, python: str) -> None:
    for what in ("aider's repository map, cold", "aider's repository map, again"):
        cost = measure([python, "-c", _AIDER, str(tree)])
        row(what, cost.wall_s, cost.cpu_s, cost.peak_mb, "1,024 tokens")


if __name__ == "__main__":
    main()
