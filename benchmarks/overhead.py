"""What treemend's own process costs, with models and tests that cost it nothing.

    python benchmarks/overhead.py [--candidates 100] [--profile]

A scripted provider in a process of its own answers at once; every candidate that it writes is another one and
fails. Measured is the CPU time (user and system, all threads, no children) of the process that searches, over
its model calls and evaluations. What it does once, up to the verdict of the first candidate that the model
wrote, is told apart. So is what the library takes that speaks to providers: as many calls as the search made
are made once more, straight through litellm, without a run around them. With --profile a second run says
whose code the time went to; a profiler slows small functions down, so of that run only the shares count.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import itertools
import os
import pstats
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from treemend.agents.api import repair
from treemend.agents.model.calls import Call, Message
from treemend.agents.model.provider import LitellmProvider
from treemend.agents.model_policy.policy import TEMPLATE
from treemend.agents.progress import CandidateTried, Event, PhaseStarted
from treemend.agents.scripted_provider import Rule, ScriptedProvider
from treemend.agents.scripted_provider.script import Request
from treemend.store.records import Budget

GOAL_MS = 15.0
CODE = """def scaled(value):
    return value


def shifted(value):
    return scaled(value) + 1
"""
TESTS = """from scale import scaled, shifted


def test_scaled():
    assert scaled(3) == 3_000_001


def test_zero():
    assert scaled(0) == 0


def test_shifted():
    assert shifted(0) == 1
"""
PARTS = (
    ("litellm", ("/litellm/",)),
    ("openai, httpx", ("/openai/", "/httpx/", "/httpcore/", "/h11/", "/anyio/", "/ssl.py")),
    ("langgraph", ("/langgraph/", "/langchain_core/", "/langsmith/", "/ormsgpack")),
    ("SQLAlchemy, SQLite", ("/sqlalchemy/", "/sqlmodel/", "/aiosqlite/", "sqlite3", "/sqlite")),
    ("pydantic", ("/pydantic",)),
    ("treemend: store", ("/store/treemend/",)),
    ("treemend: tools", ("/tools/treemend/",)),
    ("treemend: search", ("/search/treemend/",)),
    ("treemend: verify", ("/verify/treemend/",)),
    ("treemend: agents", ("/agents/treemend/",)),
    ("asyncio, selectors, threads", ("/asyncio/", "/selectors.py", "/threading.py", "/concurrent/")),
    ("json, copy, typing and the like", ("/python3", "/lib/python", "~", "<")),
)


@dataclass
class Clock:
    """CPU seconds of this process: as the search began, at the first verdict on what the model wrote, and as
    it ended; with what was done between the last two, and what the same calls take without a run."""

    provider: ScriptedProcess
    profiler: cProfile.Profile | None = None
    began_s: float = 0.0
    warm_s: float = 0.0
    ended_s: float = 0.0
    calls_alone_s: float = 0.0
    evaluations: int = 0
    calls: int = 0

    def hear(self, event: Event) -> None:
        if isinstance(event, PhaseStarted) and event.phase == "search":
            self.began_s = time.process_time()
        if isinstance(event, CandidateTried) and not event.inherited:
            if self.warm_s:
                self.evaluations += 1
                return
            if event.path[-1].key.startswith(TEMPLATE):
                return
            self.calls = -self.provider.calls()
            self.warm_s = time.process_time()
            if self.profiler is not None:
                self.profiler.enable()
        if isinstance(event, PhaseStarted) and event.phase == "rank":
            self.ended_s = time.process_time()
            if self.profiler is not None:
                self.profiler.disable()
            self.calls += self.provider.calls()


def rules() -> list[Rule]:
    """A model that never runs out of other words and other numbers."""
    numbers, lock = itertools.count(2), threading.Lock()

    def fresh() -> int:
        with lock:
            return next(numbers)

    def thought() -> dict[str, str]:
        return {"thought": f"The factor should be {fresh()}.", "path": "scale.py", "function": "scaled"}

    def edit(_: Request) -> str:
        change = f"    return value\n=======\n    return value * {fresh()}\n"
        return f"It lacks a factor.\n\nscale.py\n<<<<<<< SEARCH\n{change}>>>>>>> REPLACE\n"

    def observations(_: Request) -> dict[str, Any]:
        told = [{"text": f"Observation {fresh()}.", "plausibility": 0.9} for _ in range(4)]
        return {"observations": told}

    def ideas(_: Request) -> dict[str, Any]:
        return {"first": thought(), "counter_example": "none", "second": thought()}

    return [
        Rule(last="# Task: observations", respond=observations),
        Rule(last="# Task: further observations", respond=observations),
        Rule(last="# Task: idea", respond=ideas),
        Rule(
            last="# Task: look", answer={"calls": [{"tool": "get_callers", "arguments": {"name": "scaled"}}]}
        ),
        Rule(last="# Task: edit", respond=edit),
        Rule(last="# Task: rethink", respond=lambda _: {"thought": f"The factor must be {fresh()}."}),
        Rule(last="# Task: next thoughts", respond=lambda _: {"thoughts": [thought() for _ in range(3)]}),
    ]


def serve() -> None:
    """Serve until standard input ends: the address first, then the number of requests for every line."""
    with ScriptedProvider(rules()) as provider:
        print(provider.base_url, flush=True)
        for _ in sys.stdin:
            print(len(provider.requests), flush=True)


class ScriptedProcess:
    """A scripted provider in a process of its own, until the block ends."""

    def __enter__(self) -> Self:
        command = [sys.executable, __file__, "--serve"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.base_url = self._read()
        return self

    def __exit__(self, *exception: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def calls(self) -> int:
        """How many requests came so far."""
        assert self._process.stdin is not None
        print(file=self._process.stdin, flush=True)
        return int(self._read())

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def measure(candidates: int, profiler: cProfile.Profile | None = None) -> Clock:
    """Search once."""
    with tempfile.TemporaryDirectory() as folder, ScriptedProcess() as provider:
        repo = Path(folder) / "repo"
        repo.mkdir()
        (repo / "scale.py").write_text(CODE)
        (repo / "test_scale.py").write_text(TESTS)
        os.environ["TREEMEND_STATE"] = str(Path(folder) / "state")
        clock = Clock(provider, profiler)
        repair(
            repo,
            models=["openai/scripted"],
            api_base=provider.base_url,
            budget=Budget(time_s=None, candidates=candidates, after=candidates),
            on_event=clock.hear,
        )
        clock.calls_alone_s = asyncio.run(call_alone(provider.base_url, clock.calls))
    return clock


async def call_alone(api_base: str, calls: int) -> float:
    """CPU seconds of this process for so many calls through litellm."""
    send = LitellmProvider(api_base)
    started_s = time.process_time()
    for number in range(calls):
        message = Message(role="user", content=f"{CODE}\n{number}\n# Task: edit")
        await send(Call(role="code", step="alone", model="openai/scripted", messages=(message,)))
    spent_s = time.process_time() - started_s
    await send.close()
    return spent_s


def whose(profiler: cProfile.Profile) -> Counter[str]:
    """Seconds by whose code they were spent in; a builtin's are its callers'."""
    seconds: Counter[str] = Counter()
    stats: Any = pstats.Stats(profiler)
    for (file, _, name), (_, _, own_s, _, callers) in stats.stats.items():
        if "poll" in name or ("select" in name and file == "~"):
            continue
        if file != "~" or not callers:
            seconds[_part(file, name)] += own_s
            continue
        for (caller, _, _), told in callers.items():
            seconds[_part(caller, name)] += told[2]
    return seconds


def _part(file: str, name: str) -> str:
    if "sqlite3" in name:
        return "SQLAlchemy, SQLite"
    return next(part for part, marks in PARTS if any(mark in file for mark in marks) or part == PARTS[-1][0])


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--candidates", type=int, default=100)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
        return 0
    clock = measure(options.candidates)
    spent_ms = 1000 * (clock.ended_s - clock.warm_s)
    step_ms = spent_ms / (clock.calls + clock.evaluations)
    alone_ms = 1000 * clock.calls_alone_s
    ours_ms = (spent_ms - alone_ms) / (clock.calls + clock.evaluations)
    once_ms = 1000 * (clock.warm_s - clock.began_s)
    print(f"up to the first verdict on what the model wrote: {once_ms:.0f} ms of CPU time")
    print(f"{clock.calls} model calls, {clock.evaluations} evaluations: {spent_ms:.0f} ms")
    print(f"{step_ms:.2f} ms a step (a model call or an evaluation); the goal is {GOAL_MS:g}")
    print(f"the same calls through litellm alone: {alone_ms:.0f} ms; without them {ours_ms:.2f} ms a step")
    if options.profile:
        profiler = cProfile.Profile(time.process_time)
        measure(options.candidates, profiler)
        found = whose(profiler)
        total = sum(found.values())
        print("\n| whose code | share |\n|---|---|")
        for part, seconds in found.most_common():
            print(f"| {part} | {100 * seconds / total:.0f}% |")
        pstats.Stats(profiler, stream=sys.stderr).sort_stats("tottime").print_stats(40)
    return 0 if step_ms < GOAL_MS else 1


if __name__ == "__main__":
    sys.exit(main())
