"""Candidates per second and core: the warm runner, a cold pytest for each, mutmut and cosmic-ray.

    python benchmarks/verify.py --out DIR [--package toolz==1.2.0] [--module toolz/itertoolz.py]
        [--tests toolz/tests/test_itertoolz.py] [--count 60] [--write benchmarks/RESULTS.md]

It makes a virtual environment below DIR, with pytest and both tools, and unpacks the package (whose wheel
must hold its tests) beside it. All run the same test file, stop a mutant's run at the first test that fails,
and use one process at a time; treemend and mutmut choose the tests that reach the change. The warm runner and
the cold pytest get the same mutants of function bodies; the tools make their own from the same module, of
which as many are drawn. Mutants that hang are left out of the first, since a time limit is all that they
measure. CPU is that of the whole process tree, without what it takes to get ready.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from mutants import sample

from treemend.verify.interpreter import find_interpreter
from treemend.verify.judgement import covering
from treemend.verify.pytest_runner import PytestRunner
from treemend.verify.pytest_target import PytestTarget
from treemend.verify.runner import TestReport, TestRequest
from treemend.verify.sandboxes import find_sandbox
from treemend.verify.warm_runner import WarmRunner, check_agreement

TICKS_S = 1 / os.sysconf("SC_CLK_TCK")
TIMEOUT_S = 15.0
BEGIN, END = "<!-- bench-verify -->", "<!-- /bench-verify -->"


@dataclass
class Row:
    """One contender: how many mutants it judged, how many of them failed a test, and what that took."""

    name: str
    judged: int = 0
    killed: int = 0
    cpu_s: float = 0.0
    wall_s: float = 0.0
    problem: str = ""

    @property
    def cpu_ms(self) -> float:
        return 1e3 * self.cpu_s / self.judged


@dataclass
class Bench:
    """What all contenders share."""

    folder: Path
    module: str
    tests: str
    count: int
    seed: int = 0
    rows: list[Row] = field(default_factory=list)

    @property
    def repo(self) -> Path:
        return self.folder / "repo"

    @property
    def python(self) -> Path:
        return self.folder / "venv" / "bin" / "python"

    def copy(self, name: str) -> Path:
        """A copy of the package of its own for a contender."""
        place = self.folder / name
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.repo, place)
        return place


def tree_cpu_s(pid: int) -> float:
    """Seconds of CPU of a process, its living descendants, and those that they waited for."""
    total, pids = 0.0, [pid]
    for one in pids:
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
            for task in Path(f"/proc/{one}/task").iterdir():
                pids.extend(map(int, (task / "children").read_text().split()))
        except OSError:
            continue
        total += sum(map(int, fields[11:15])) * TICKS_S
    return total


@contextmanager
def measured(row: Row) -> Iterator[None]:
    cpu_s, wall_s = tree_cpu_s(os.getpid()), time.monotonic()
    yield
    row.cpu_s += tree_cpu_s(os.getpid()) - cpu_s
    row.wall_s += time.monotonic() - wall_s


def prepare(folder: Path, package: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    pip = [str(folder / "venv" / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "pytest", "mutmut", "cosmic-ray"], check=True)
    subprocess.run([*pip, "--no-deps", "--target", str(folder / "repo"), package], check=True)
    for info in (folder / "repo").glob("*.dist-info"):
        shutil.rmtree(info)


# -- treemend --------------------------------------------------------------------------------------------


async def run_warm(bench: Bench, mutants: list[str]) -> None:
    target = PytestTarget(
        find_sandbox("auto"), find_interpreter(str(bench.python), bench.repo), bench.repo, bench.repo,
        arguments=(bench.tests,),
    )  # fmt: skip
    cold = PytestRunner(target)
    runner = WarmRunner(target, cold)
    report = await cold.run(TestRequest(load_plugins=False, coverage=True))
    tests = tuple(report.results)
    source = (bench.repo / bench.module).read_text()
    try:
        await check_agreement(runner, report, tests, load_plugins=False)
        for name, run in (("bodies swapped", runner.run), ("imported afresh", runner.run_afresh)):
            row = Row(f"treemend, warm, {name}")
            bench.rows.append(row)
            for mutant in mutants:
                with measured(row):
                    reached = reaching(bench.module, source, mutant, report)
                    result = await run(
                        TestRequest({bench.module: mutant.encode()}, reached, gate=0, load_plugins=False)
                    )
                row.judged += 1
                row.killed += not survives(result, reached)
            print(row, runner.served, flush=True)
    finally:
        await runner.close()


def reaching(path: str, source: str, mutant: str, report: TestReport) -> tuple[str, ...]:
    """The tests that can reach the changed lines, by their coverage of the untouched file."""
    pairs = enumerate(zip(source.splitlines(), mutant.splitlines(), strict=False), start=1)
    changed = [(path, line) for line, (one, other) in pairs if one != other]
    lines = {test: result.lines for test, result in report.results.items()}
    return covering(tuple(lines), lines, report.import_lines, changed)


def survives(report: TestReport, tests: tuple[str, ...]) -> bool:
    return all(test in report.results and report.results[test].outcome == "passed" for test in tests)


# -- the others ------------------------------------------------------------------------------------------


def run_cold(bench: Bench, mutants: list[str]) -> None:
    row = Row("cold `python -m pytest -x`")
    bench.rows.append(row)
    place = bench.copy("cold")
    command = [str(bench.python), "-m", "pytest", "-x", "-q", bench.tests]
    subprocess.run(command, cwd=place, capture_output=True)
    for mutant in list(mutants):
        (place / bench.module).write_text(mutant)
        one = Row("")
        with measured(one):
            try:
                status = subprocess.run(command, cwd=place, capture_output=True, timeout=TIMEOUT_S).returncode
            except subprocess.TimeoutExpired:
                mutants.remove(mutant)
                continue
        row.judged += 1
        row.killed += status != 0
        row.cpu_s += one.cpu_s
        row.wall_s += one.wall_s
    print(row, flush=True)


def run_mutmut(bench: Bench, mutants: list[str]) -> None:
    row = Row(f"mutmut {tool_version(bench, 'mutmut')}")
    bench.rows.append(row)
    place = bench.copy("mutmut")
    package = bench.module.split("/")[0]
    (place / "setup.cfg").write_text(
        f"[mutmut]\nsource_paths={package}\nonly_mutate={bench.module}\n"
        f"pytest_add_cli_args_test_selection={bench.tests}\n"
    )
    mutmut = [str(bench.python.parent / "mutmut"), "run", "--max-children", "1"]
    recorded = place / "mutants" / f"{bench.module}.meta"
    module = bench.module.removesuffix(".py").replace("/", ".")
    # Makes all mutants and times the tests; one name, since it runs every mutant otherwise.
    subprocess.run([*mutmut, f"{module}.none*"], cwd=place, capture_output=True)
    names = sorted(json.loads(recorded.read_text())["exit_code_by_key"])
    chosen = random.Random(bench.seed).sample(names, min(bench.count, len(names)))
    with measured(row):
        subprocess.run([*mutmut, *chosen], cwd=place, capture_output=True)
    codes = json.loads(recorded.read_text())["exit_code_by_key"]
    row.judged = sum(codes[name] is not None for name in chosen)
    row.killed = sum(codes[name] not in (None, 0) for name in chosen)
    print(row, flush=True)


def run_cosmic_ray(bench: Bench, mutants: list[str]) -> None:
    row = Row(f"cosmic-ray {tool_version(bench, 'cosmic-ray')}")
    bench.rows.append(row)
    place = bench.copy("cosmic-ray")
    (place / "config.toml").write_text(
        f'[cosmic-ray]\nmodule-path = "{bench.module}"\ntimeout = {TIMEOUT_S}\nexcluded-modules = []\n'
        f'test-command = "{bench.python} -m pytest -x -q {bench.tests}"\n'
        '[cosmic-ray.distributor]\nname = "local"\n'
    )
    tool = bench.python.parent / "cosmic-ray"
    subprocess.run(
        [tool, "init", "config.toml", "session.sqlite"], cwd=place, check=True, capture_output=True
    )
    with closing(sqlite3.connect(place / "session.sqlite")) as session, session:
        jobs = sorted(job for (job,) in session.execute("SELECT job_id FROM work_items"))
        # Job ids are drawn at random by the tool, so the sample is another each time.
        dropped = [(job,) for job in jobs[bench.count :]]
        for table in ("mutation_specs", "work_items"):
            session.executemany(f"DELETE FROM {table} WHERE job_id = ?", dropped)
    with measured(row):
        subprocess.run(
            [tool, "exec", "config.toml", "session.sqlite"], cwd=place, check=True, capture_output=True
        )
    with closing(sqlite3.connect(place / "session.sqlite")) as session:
        outcomes = [str(outcome) for (outcome,) in session.execute("SELECT test_outcome FROM work_results")]
    row.judged = len(outcomes)
    row.killed = sum("KILLED" in outcome.upper() for outcome in outcomes)
    print(row, flush=True)


def tool_version(bench: Bench, name: str) -> str:
    code = f"import importlib.metadata as m; print(m.version({name!r}))"
    return subprocess.run([bench.python, "-c", code], capture_output=True, text=True).stdout.strip()


def attempt(bench: Bench, contender: Callable[[Bench, list[str]], None], mutants: list[str]) -> None:
    """Run a contender; one that can't run says why in its row."""
    try:
        contender(bench, mutants)
    except (OSError, ValueError, KeyError, subprocess.CalledProcessError, sqlite3.Error) as error:
        said = getattr(error, "stderr", b"") or b""
        bench.rows[-1].problem = f"{error} {said[-300:].decode(errors='replace')}".strip()
        print(bench.rows[-1], flush=True)


# -- the table -------------------------------------------------------------------------------------------


def table(bench: Bench) -> str:
    cold = next(row for row in bench.rows if row.name.startswith("cold"))
    lines = [
        "| | mutants | failed a test | CPU ms each | per second and core | wall ms each | against cold |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in bench.rows:
        if row.problem or not row.judged:
            lines.append(f"| {row.name} | could not run: {row.problem or 'it judged nothing'} | | | | | |")
            continue
        lines.append(
            f"| {row.name} | {row.judged} | {row.killed} | {row.cpu_ms:.1f} | {1e3 / row.cpu_ms:.1f} "
            f"| {1e3 * row.wall_s / row.judged:.0f} | {cold.cpu_ms / row.cpu_ms:.1f} |"
        )
    return "\n".join(lines)


def section(bench: Bench, package: str, load: str) -> str:
    python = ".".join(map(str, sys.version_info[:3]))
    return (
        f"{BEGIN}\n## Judging candidates\n\n"
        f"`make bench-verify`: {package}, mutants of `{bench.module}`, tests of `{bench.tests}`, "
        f"CPython {python}, pytest {tool_version(bench, 'pytest')}, load averages {load}. "
        "Every contender stops at the first "
        "failing test; treemend and the cold pytest judge the same mutants, none of which hangs; the tools "
        "draw as many of their own. treemend and mutmut choose the tests that reach a change.\n"
        f"\n{table(bench)}\n{END}\n"
    )


def write(path: Path, text: str) -> None:
    """Put the section into the file of results, in place of the last one."""
    before, _, rest = path.read_text().partition(BEGIN)
    _, _, after = rest.partition(f"{END}\n")
    path.write_text(f"{before.rstrip()}\n\n{text}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder that is made anew")
    parser.add_argument("--package", default="toolz==1.2.0")
    parser.add_argument("--module", default="toolz/itertoolz.py")
    parser.add_argument("--tests", default="toolz/tests/test_itertoolz.py")
    parser.add_argument("--count", type=int, default=60, help="mutants for each")
    parser.add_argument("--write", type=Path, help="file of results that gets the table")
    options = parser.parse_args()
    bench = Bench(options.out.absolute(), options.module, options.tests, options.count)
    prepare(bench.folder, options.package)
    mutants = sample((bench.repo / bench.module).read_text(), options.count, bench.seed)
    print(f"treemend {version('treemend')}, {len(mutants)} mutants", flush=True)
    run_cold(bench, mutants)
    asyncio.run(run_warm(bench, mutants))
    for contender in (run_mutmut, run_cosmic_ray):
        attempt(bench, contender, mutants)
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"\n{table(bench)}\nload averages {load}")
    if options.write:
        write(options.write, section(bench, options.package, load))


if __name__ == "__main__":
    main()
