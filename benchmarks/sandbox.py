"""What the start of a sandbox costs: the same command in each mechanism and bare, side by side.

    python benchmarks/sandbox.py [--rounds N] [--files N]

Each round runs every variant once, so that what else the machine does hits all of them alike. Times are
whole calls, from the caller's side: copying the tree, the start, the command, its end, and the removal of
everything. The exit code is 1 where the start of `true` misses the goal of 150 ms (p95).
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from treemend.store.errors import SandboxUnavailableError
from treemend.verify.sandbox import Command, Sandbox
from treemend.verify.sandboxes import MECHANISMS, Choice, find_sandbox

Variant = Callable[[], Awaitable[None]]
GOAL_P95_MS = 150.0
COMMANDS = {"true": ("/bin/true",), "python": ("/usr/bin/python3", "-I", "-S", "-c", "pass")}


def make_tree(folder: Path, files: int) -> Path:
    """A small project, of some 60 files a folder and 2 KiB a file."""
    for number in range(files):
        place = folder / f"package{number // 60}"
        place.mkdir(exist_ok=True)
        (place / f"module{number}.py").write_text(f"value = {number}\n" * 150)
    return folder


def bare(argv: tuple[str, ...]) -> Variant:
    async def run() -> None:
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, capture_output=True)

    return run


def confined(sandbox: Sandbox, argv: tuple[str, ...], tree: Path) -> Variant:
    command = Command(argv=argv, tree=tree, at=Path("/home/somebody/project"))

    async def run() -> None:
        result = await sandbox.run(command)
        assert result.exit_code == 0, result

    return run


def found() -> dict[str, Sandbox]:
    sandboxes: dict[str, Sandbox] = {}
    names: tuple[Choice, ...] = ("bubblewrap", "landlock")
    assert set(names) == set(MECHANISMS)
    for name in names:
        try:
            sandboxes[name] = find_sandbox(name)
        except SandboxUnavailableError as error:
            print(f"{name}: {error.message}", file=sys.stderr)
    return sandboxes


async def measure(
    variants: dict[tuple[str, str], Variant], rounds: int
) -> dict[tuple[str, str], list[float]]:
    """Milliseconds of each run, by variant; a round before the first warms everything up."""
    times: dict[tuple[str, str], list[float]] = {key: [] for key in variants}
    for number in range(rounds + 1):
        for key, run in variants.items():
            started = time.perf_counter()
            await run()
            if number:
                times[key].append((time.perf_counter() - started) * 1000)
    return times


def percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--files", type=int, default=200, help="files of the tree that is copied")
    wanted = parser.parse_args()
    sandboxes = found()
    with tempfile.TemporaryDirectory() as folder:
        tree = make_tree(Path(folder), wanted.files)
        variants: dict[tuple[str, str], Variant] = {}
        for title, argv in COMMANDS.items():
            variants[title, "bare"] = bare(argv)
            for name, sandbox in sandboxes.items():
                variants[title, name] = confined(sandbox, argv, tree)
        times = asyncio.run(measure(variants, wanted.rounds))
    print("| command | in | p50 ms | p95 ms | times bare (p50) |\n|---|---|---|---|---|")
    slow = 0
    for (title, name), values in times.items():
        middle, high = percentile(values, 50), percentile(values, 95)
        ratio = middle / percentile(times[title, "bare"], 50)
        print(f"| {title} | {name} | {middle:.0f} | {high:.0f} | {ratio:.1f} |")
        slow += title == "true" and high > GOAL_P95_MS
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
