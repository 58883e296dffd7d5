"""Runs an engine of FixKit on every case of a folder and says what came of each.

    FIXKIT_PYTHON benchmarks/fixkit_peer.py CASES --out DIR [--engine PyGenProg] [--time 120] [--only ID ...]

FIXKIT_PYTHON is the interpreter of an environment that holds `fixkit`, `sflkit<0.3` and `pytest-timeout`;
treemend need not be there. A case is a folder with `repo/` and `meta.json`, of which only `files` is
read; `repo/` alone is copied for FixKit. DIR gets `<id>.diff` where FixKit claims a repair, `<id>.log`
with what it said, and a line a case in `results.jsonl`.

The cases run one at a time, each in a process group that is killed at the limit. The settings are those of
FixKit's own README and tests (population 40, 10 generations, mutation weight 0.06, Ochiai over coverage).
Three things are in FixKit's favour: a worker for each core, a limit for each test so that a loop costs one
test and not the whole run, and a claim as soon as a program passes every test: FixKit alone would say so only
at the end of the generation, and then minimise it.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]
ENGINES = {
    "PyGenProg": ("fixkit.repair.pygenprog", True),
    "PyMutRepair": ("fixkit.repair.pymutrepair", False),
    "PyCardumen": ("fixkit.repair.pycardumen", True),
}
"""Module of each engine, and whether it takes the size of the population. PyKali of FixKit 0.0.1 cannot be
made (its constructor passes an argument that the base does not take), and PyAE has no workers to watch."""
POPULATION, GENERATIONS, MUTATION_WEIGHT = 40, 10, 0.06
PLAUSIBLE = 1 - 1e-8
"""Where FixKit itself stops: every test that it recorded passes."""
ADDRESS_SPACE_BYTES = 4 << 30
CLAIM, MINIMISED, TRACE = "claim.diff", "minimised.diff", "trace.jsonl"


def main() -> int:
    options = _parser().parse_args()
    if options.inside:
        repair(options.cases, options)
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    rows = []
    with (options.out / "results.jsonl").open("w") as results:
        for case in sorted(path.parent for path in options.cases.glob("*/meta.json")):
            if not is_wanted(case.name, options.only):
                continue
            rows.append(run_case(case, options))
            print(json.dumps(rows[-1]), file=results, flush=True)
            print(as_line(rows[-1]), flush=True)
    print_table(rows)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", type=Path, help="folder of cases")
    parser.add_argument("--out", type=Path, default=Path("out"))
    parser.add_argument("--engine", choices=sorted(ENGINES), default="PyGenProg")
    parser.add_argument("--time", type=float, default=120.0, help="seconds of wall time for each case")
    parser.add_argument("--test-timeout", type=float, default=1.0, help="seconds for each test")
    parser.add_argument(
        "--suite-timeout",
        type=float,
        default=10.0,
        help="seconds for each run of the tests; FixKit's own is 10",
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--selection", choices=["", "RandomSelection"], default="", help="instead of the engine's own"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=[], help="ids; one that ends in * is a prefix")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    return parser


def is_wanted(name: str, only: Sequence[str]) -> bool:
    return not only or any(
        name == wanted or (wanted.endswith("*") and name.startswith(wanted[:-1])) for wanted in only
    )


def run_case(case: Path, options: argparse.Namespace) -> Row:
    """Run the engine on a copy of the case, and keep the minimised patch, else the first that it claimed."""
    with tempfile.TemporaryDirectory(prefix="fixkit-") as folder:
        work = Path(folder)
        shutil.copytree(case / "repo", work / "repo")
        load = os.getloadavg()[0]
        started, started_at = time.monotonic(), time.time()
        with (options.out / f"{case.name}.log").open("wb") as log:
            exit_code = run_limited(_command(case, work, options), work, log.fileno(), options)
        seconds = time.monotonic() - started
        claims = [work / name for name in (MINIMISED, CLAIM) if (work / name).is_file()]
        diff = options.out / f"{case.name}.diff"
        diff.unlink(missing_ok=True)
        if claims:
            shutil.copyfile(claims[0], diff)
        claimed_s = round((work / CLAIM).stat().st_mtime - started_at, 1) if claims else None
        fitness = read_trace(work / TRACE)
    return {
        "id": case.name,
        "engine": options.engine,
        "outcome": _outcome(bool(claims), exit_code),
        "exit_code": exit_code,
        "seconds": round(seconds, 1),
        "claimed_s": claimed_s,
        "executed": len(fitness),
        "fitness_of_the_buggy_program": fitness[0] if fitness else None,
        "best_fitness": max(fitness, default=None),
        "load": round(load, 1),
    }


def _command(case: Path, work: Path, options: argparse.Namespace) -> list[str]:
    return [
        sys.executable, str(Path(__file__).resolve()), str(case.resolve()),
        "--inside", str(work),
        "--engine", options.engine,
        "--suite-timeout", str(options.suite_timeout),
        "--workers", str(options.workers),
        "--selection", options.selection,
        "--seed", str(options.seed),
    ]  # fmt: skip


def run_limited(command: Sequence[str], work: Path, log: int, options: argparse.Namespace) -> int:
    """Exit code of the command, or minus the signal that ended its process group at the limit."""
    environment = {
        **os.environ,
        "HOME": str(work),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONHASHSEED": str(options.seed),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_ADDOPTS": f"--timeout={options.test_timeout:g}",
    }
    process = subprocess.Popen(
        command,
        cwd=work,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        return process.wait(options.time)
    except subprocess.TimeoutExpired:
        return -signal.SIGKILL
    finally:
        kill_group(process.pid)
        process.wait()


def kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def _outcome(claimed: bool, exit_code: int) -> str:
    if claimed:
        return "repaired"
    if exit_code == -signal.SIGKILL:
        return "out of time"
    return "failed" if exit_code else "no repair"


def read_trace(path: Path) -> list[float]:
    """Fitness of each program that was executed; a last line that was cut off is left out."""
    if not path.is_file():
        return []
    lines = path.read_text().splitlines(keepends=True)
    return [float(line) for line in lines if line.endswith("\n")]


def as_line(row: Row) -> str:
    best = "-" if row["best_fitness"] is None else f"{row['best_fitness']:.3f}"
    return (
        f"{row['id']:40} {row['engine']:12} {row['outcome']:12} {row['seconds']:7.1f} s "
        f"{row['executed']:5} executed, best fitness {best}, load {row['load']}"
    )


def print_table(rows: Sequence[Row]) -> None:
    """A table in Markdown; whether a patch is correct is for the judge to say."""
    print("\n| case | engine | patched | claimed after, s | s | executed | best fitness | load |")
    print("|---|---|---|---|---|---|---|---|")
    for row in rows:
        patched = "yes" if row["outcome"] == "repaired" else row["outcome"]
        best = "-" if row["best_fitness"] is None else f"{row['best_fitness']:.3f}"
        print(
            f"| {row['id']} | {row['engine']} | {patched} | {row['claimed_s'] or '-'} | {row['seconds']:.0f} "
            f"| {row['executed']} | {best} | {row['load']} |"
        )
    print(f"\n{sum(row['outcome'] == 'repaired' for row in rows)} of {len(rows)} patched")


def repair(case: Path, options: argparse.Namespace) -> None:
    """Inside the process that is limited: localise, search, and write down what FixKit claims."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    random.seed(options.seed)
    importlib.import_module("numpy.random").seed(options.seed)
    work: Path = options.inside
    engine = make_engine(json.loads((case / "meta.json").read_text())["files"][0], options)
    engine.metric.timeout = options.suite_timeout
    engine.metric.evaluate_fitness = traced(engine.metric.evaluate_fitness, work / TRACE)
    for worker in engine.fitness.workers:
        worker.evaluate = claiming(worker.evaluate, work)
    engine.prepare_repair()
    engine.repair_loop()
    if engine.abort():
        engine.finalize_repair()
        write_patch(engine.population[0], work, MINIMISED)


def make_engine(file: str, options: argparse.Namespace) -> Any:
    """The engine as FixKit's README builds it; `file` names the module whose coverage is taken."""
    module, has_population = ENGINES[options.engine]
    excludes = importlib.import_module("fixkit.constants").DEFAULT_EXCLUDES
    coverage = importlib.import_module("fixkit.localization.coverage")
    selection = importlib.import_module("fixkit.genetic.selection")
    source, out = options.inside / "repo", options.inside / "rep"
    return getattr(importlib.import_module(module), options.engine).from_source(
        src=source,
        excludes=[*excludes, "conftest.py"],
        localization=coverage.CoverageLocalization(
            source, cov=file.removesuffix(".py").replace("/", "."), metric="Ochiai", tests=["tests"], out=out
        ),
        max_generations=GENERATIONS,
        w_mut=MUTATION_WEIGHT,
        selection=getattr(selection, options.selection)() if options.selection else None,
        workers=options.workers,
        out=out,
        **({"population_size": POPULATION} if has_population else {}),
    )


def traced(evaluate: Callable[..., float], path: Path) -> Callable[..., float]:
    """The same function, with each result added to a file as a line of its own."""

    def evaluate_and_note(*arguments: Any, **named: Any) -> float:
        fitness = evaluate(*arguments, **named)
        with path.open("a") as trace:
            trace.write(f"{fitness}\n")
        return fitness

    return evaluate_and_note


def claiming(evaluate: Callable[..., None], work: Path) -> Callable[..., None]:
    """The same method of a worker, which also writes down the first program that passes every test."""

    def evaluate_and_claim(candidate: Any, fitness: Any) -> None:
        evaluate(candidate, fitness)
        if candidate.fitness >= PLAUSIBLE and not (work / CLAIM).exists():
            write_patch(candidate, work, CLAIM)

    return evaluate_and_claim


def write_patch(candidate: Any, work: Path, name: str) -> None:
    """Write the difference between the tree and the candidate, in git's format."""
    transform = importlib.import_module("fixkit.genetic.transform")
    with tempfile.TemporaryDirectory(dir=work) as folder:
        before, after = Path(folder, "a"), Path(folder, "b")
        shutil.copytree(candidate.src, before)
        transform.MutationTransformer().transform(candidate, after)
        for path in after.rglob("*.py"):  # ast.unparse ends without a newline
            path.write_text(path.read_text().rstrip("\n") + "\n")
        for path in before.rglob("*.py"):
            same = after / path.relative_to(before)
            if path.read_text().rstrip("\n") == same.read_text().rstrip("\n"):
                shutil.copyfile(path, same)
        process = subprocess.run(
            ["git", "diff", "--no-index", "--no-prefix", "a", "b"], cwd=folder, stdout=subprocess.PIPE
        )
    whole = Path(tempfile.mkstemp(dir=work)[1])
    whole.write_bytes(process.stdout)
    whole.rename(work / name)


if __name__ == "__main__":
    sys.exit(main())
