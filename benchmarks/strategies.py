"""Is a search worth it? The strategies on the same policy, at equal cost, on the same tasks.

    python benchmarks/strategies.py cases CASES --out DIR --python PY [--candidates 100] [--only ID ...]
    python benchmarks/strategies.py tasks --out DIR [--calls 80] [--seeds 3] [--only NAME ...]
    python benchmarks/strategies.py tasks --out DIR --model MODEL [--api-base URL] [--record D | --replay D]
    python benchmarks/strategies.py table DIR/results.jsonl

`cases` are laid out as for `benchmarks/repair.py` and thought about in templates; the cost is the number of
candidates executed. A case is observed once, and a patch that one strategy has tried is not run again for
another, so that they differ in their order alone. DIR/STRATEGY gets the first plausible patch as `<id>.diff`.

`tasks` are those of `benchmarks/thinking_tasks.py`, thought about by a model; the cost is the number of its
calls. Without --model a scripted provider stands in, which has right and wrong ideas by seed. Every run
ends with its first plausible candidate.

Rows that DIR/results.jsonl has already are not made again. The table compares at each cost the share of tasks
with a plausible candidate; "area" is the mean of that share over all costs up to the limit.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any, cast

from paired import paired_interval
from repair import find_cases, is_wanted
from thinking_tasks import TASKS, ScriptedThinker, ThinkingTask, lay_out

from treemend.agents.evaluation import Evaluator
from treemend.agents.exploration import Exploration
from treemend.agents.intake import make_task
from treemend.agents.model.client import ModelClient
from treemend.agents.model.ledger import Ledger
from treemend.agents.model.settings import parse_models
from treemend.agents.model_policy.brief import brief_sections
from treemend.agents.model_policy.policy import Context as Known
from treemend.agents.model_policy.policy import ModelPolicy
from treemend.agents.model_policy.thinker import connect
from treemend.agents.planning import make_plan
from treemend.agents.run_context import RunContext
from treemend.agents.run_index import open_run_index
from treemend.agents.runs import new_run
from treemend.agents.scripted_provider import Rule, ScriptedProvider
from treemend.agents.state import GraphState
from treemend.agents.steps import Steps
from treemend.agents.template_policy.policy import TemplatePolicy
from treemend.agents.wiring import open_context
from treemend.search.strategies import STRATEGIES
from treemend.store.database import open_store
from treemend.store.errors import TreemendError
from treemend.store.records import Budget, Models, Strategy
from treemend.verify.b4 import B4
from treemend.verify.runner import TestReport, TestRequest, TestRunner
from treemend.verify.warm_runner import WarmRunner

Row = dict[str, Any]
Tell = Callable[[Row], None]
COSTS_SHOWN = (5, 10, 20, 40, 60, 100)
OBSERVATION_S = 600.0
UNTOUCHED = ("suite", "overran", "bare", "traced")
REPEAT = "repeat-"
"""Names of the runs on the untouched tree."""


@dataclass
class Remembering:
    """A runner of candidates that runs no request twice."""

    runner: WarmRunner
    known: dict[object, TestReport] = field(default_factory=dict)
    records_lines = True

    async def run(self, request: TestRequest) -> TestReport:
        key = (tuple(sorted(request.overlay.items())), request.tests, request.gate)
        if key not in self.known:
            self.known[key] = await self.runner.run(request)
        return self.known[key]


@dataclass
class Observed(RunContext):
    """The context of a run that shares what was seen of the untouched tree with others."""

    reports: dict[str, TestReport] = field(default_factory=dict)

    async def once(
        self, name: str, request: TestRequest, doing: str, runner: TestRunner | None = None
    ) -> TestReport:
        if name not in UNTOUCHED and not name.startswith(REPEAT):
            return await super().once(name, request, doing, runner)
        if name not in self.reports:
            self.reports[name] = await super().once(name, request, doing, runner)
        return self.reports[name]


async def try_case(case: Path, options: argparse.Namespace) -> list[Row]:
    """A row a strategy."""
    with tempfile.TemporaryDirectory() as state:
        os.environ["TREEMEND_STATE"] = state
        store = open_store()
        task = make_task(
            case / "repo",
            issue=(case / "issue.md").read_text(),
            test_command=json.loads((case / "meta.json").read_text())["test_cmd"],
            python=options.python,
            budget=Budget(time_s=OBSERVATION_S),
        )
        context = open_context(store, new_run(store, task))
        context.folder.mkdir(parents=True, exist_ok=True)
        steps = Steps(context, lambda plan: TemplatePolicy(plan, task.seed), B4())
        try:
            for step in (steps.prepare, steps.localize, steps.reproduce):
                if (await step({})).get("ended"):
                    return []
            warm = None if context.warm is None else cast(WarmRunner, Remembering(context.warm))
            return [
                await search_case(case, steps, replace(context, warm=warm), s, options) for s in STRATEGIES
            ]
        finally:
            if context.warm is not None:
                await context.warm.close()


async def search_case(
    case: Path, steps: Steps, context: RunContext, strategy: Strategy, options: argparse.Namespace
) -> Row:
    """Search as the graph does, until the first plausible candidate or the limit."""
    observed = await steps._searching("plan")
    task = context.task.model_copy(update={"strategy": strategy})
    context = replace(context, run=new_run(context.store, task))
    evaluator = Evaluator(context, await steps._observation(), observed.plan.sources)
    policy = TemplatePolicy(observed.plan, task.seed)
    budget = Budget(time_s=None, candidates=options.candidates, after=0)
    exploration = Exploration(context, policy, evaluator, observed.plan.symptom, budget)
    await explore(exploration, lambda: False)
    found = exploration.plausible()
    if found:
        (options.out / strategy / f"{case.name}.diff").write_bytes(found[0].patch)
    return {
        "task": case.name,
        "strategy": strategy,
        "cost": exploration.executed if found else None,
        "executed": exploration.executed,
        "limit": options.candidates,
        "unit": "candidates",
    }


async def explore(exploration: Exploration, is_spent: Callable[[], bool]) -> None:
    """The graph's loop, from select to backpropagate."""
    state: GraphState = {}
    while not is_spent():
        state = {**state, **exploration.select(state)}
        if state["action"] == "stop":
            return
        if state["action"] == "expand":
            await exploration.expand(state)
            continue
        await exploration.realize(state)
        await exploration.evaluate(state)
        await exploration.rethink(state)
        exploration.backpropagate(state)


async def try_tasks(options: argparse.Namespace, known: Sequence[Row], tell: Tell) -> None:
    """All tasks lie in one repository, which is observed once; each is the symptom of runs of its own."""
    done = {(row["task"], row["strategy"]) for row in known}
    with tempfile.TemporaryDirectory() as folder:
        repo = Path(folder) / "repo"
        lay_out(TASKS, repo)
        os.environ["TREEMEND_STATE"] = str(Path(folder) / "state")
        store = open_store()
        everything = make_task(repo, python=options.python, budget=Budget(time_s=None))
        context = Observed(**vars(open_context(store, new_run(store, everything))))
        context.folder.mkdir(parents=True, exist_ok=True)
        steps = Steps(context, lambda plan: TemplatePolicy(plan, 0), B4())
        for step in (steps.prepare, steps.localize, steps.reproduce):
            await step({})
        await steps._check_warm(await steps._observation())
        runner = context.warm
        warm = None if runner is None else cast(WarmRunner, Remembering(runner))
        for task, seed in product(TASKS, range(options.seeds)):
            name = f"{task.name}/{seed}"
            for strategy in STRATEGIES:
                if (name, strategy) not in done and is_wanted(task.name, options.only):
                    shared = replace(context, warm=warm)
                    tell({"task": name, **await think(task, seed, strategy, shared, options)})
        if runner is not None:
            await runner.close()


async def think(
    task: ThinkingTask, seed: int, strategy: Strategy, context: Observed, options: argparse.Namespace
) -> Row:
    """Search with a model until the first plausible candidate or the limit of calls."""
    with models_of(ScriptedThinker(task, seed).rules(), options) as models:
        limits = Budget(time_s=None, candidates=options.calls, after=0)
        asked = make_task(
            context.task.repo,
            failing_tests=[task.test_path],
            python=options.python,
            strategy=strategy,
            budget=limits,
            models=models,
            seed=seed,
        )
        context = replace(context, run=new_run(context.store, asked))
        observation = await Steps(context, lambda plan: TemplatePolicy(plan, 0), B4())._observation()
        plan = make_plan(context, observation)
        send, abilities, provider = connect(models)
        ledger = Ledger(context.store, context.id, limits, abilities)
        evaluator = Evaluator(context, observation, plan.sources)
        with open_run_index(context) as index:
            brief = brief_sections(asked.symptom, plan, {})
            known = Known(plan, brief, {}, lambda: index, context.listener)
            policy = ModelPolicy(known, ModelClient(models, ledger, send, abilities), templates=None)
            exploration = Exploration(context, policy, evaluator, plan.symptom, limits)
            try:
                await explore(exploration, lambda: ledger.spent.calls >= options.calls)
            finally:
                if provider is not None:
                    await provider.close()
    return {
        "strategy": strategy,
        "cost": ledger.spent.calls if exploration.plausible() else None,
        "executed": exploration.executed,
        "limit": options.calls,
        "unit": "model calls",
    }


@contextmanager
def models_of(rules: Sequence[Rule], options: argparse.Namespace) -> Iterator[Models]:
    """The models that were named, else one that answers by the rules while the block lasts."""
    if options.model:
        kept = {"record": options.record or "", "replay": options.replay or ""}
        models = parse_models(options.model, api_base=options.api_base, **kept)
        assert models is not None
        yield models
        return
    with ScriptedProvider(rules) as provider:
        models = parse_models(["openai/scripted"], api_base=provider.base_url)
        assert models is not None
        yield models


async def try_cases(options: argparse.Namespace, known: Sequence[Row], tell: Tell) -> None:
    """Case by case, each with a state folder of its own."""
    for strategy in STRATEGIES:
        (options.out / strategy).mkdir(parents=True, exist_ok=True)
    done = {row["task"] for row in known}
    for case in find_cases(options.cases):
        if case.name in done or not is_wanted(case.name, options.only):
            continue
        try:
            for row in await try_case(case, options):
                tell(row)
        except TreemendError as error:
            print(f"{case.name}: {error.message}", flush=True)


def print_table(rows: Sequence[Row]) -> None:
    """Shares at each cost, then paired differences of each strategy to mcts."""
    by_task: dict[str, dict[str, Row]] = {}
    for row in rows:
        by_task.setdefault(row["task"], {})[row["strategy"]] = row
    paired = {task: ran for task, ran in by_task.items() if len(ran) == len(STRATEGIES)}
    if not paired:
        print("no task was tried with every strategy")
        return
    limit, unit = rows[0]["limit"], rows[0]["unit"]
    costs = [*(cost for cost in COSTS_SHOWN if cost < limit), limit]
    print(f"\n{len(paired)} tasks, share with a plausible candidate within so many {unit}:\n")
    print(f"| strategy | {' | '.join(map(str, costs))} | area |")
    print("|---|" + "---|" * (len(costs) + 1))
    for strategy in STRATEGIES:
        ran = [one[strategy] for one in paired.values()]
        shares = [mean(_is_solved(row, cost) for row in ran) for cost in costs]
        told = (f"{100 * share:.1f}" for share in (*shares, mean(map(_area, ran))))
        print(f"| {strategy} | {' | '.join(told)} |")
    print("\nmcts less the other, points, 95% interval over tasks (paired bootstrap):\n")
    print(f"| other | {' | '.join(map(str, costs))} | area |")
    print("|---|" + "---|" * (len(costs) + 1))
    for strategy in STRATEGIES:
        if strategy != "mcts":
            pairs = [(one["mcts"], one[strategy]) for one in paired.values()]
            cells = [_difference([_is_solved(a, c) - _is_solved(b, c) for a, b in pairs]) for c in costs]
            area = _difference([_area(a) - _area(b) for a, b in pairs])
            print(f"| {strategy} | {' | '.join([*cells, area])} |")


def _is_solved(row: Row, cost: int) -> float:
    return float(row["cost"] is not None and row["cost"] <= cost)


def _area(row: Row) -> float:
    """The mean over costs 1 to the limit of whether it was solved by then."""
    return 0.0 if row["cost"] is None else (row["limit"] - row["cost"] + 1) / row["limit"]


def _difference(differences: Sequence[float]) -> str:
    middle, low, high = (100 * value for value in paired_interval(differences))
    return f"{middle:+.1f} [{low:+.1f}, {high:+.1f}]"


def read_rows(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = parser.add_subparsers(required=True)
    cases = kinds.add_parser("cases", help="templates, on a folder of cases")
    cases.add_argument("cases", type=Path, help="folder of cases")
    cases.add_argument("--python", default="", help="interpreter that runs the tests")
    cases.add_argument("--candidates", type=int, default=100, help="candidates of each run")
    cases.set_defaults(run=try_cases)
    tasks = kinds.add_parser("tasks", help="a model, on tasks of this folder")
    tasks.add_argument("--python", default="", help="interpreter that runs the tests")
    tasks.add_argument("--calls", type=int, default=80, help="model calls of each run")
    tasks.add_argument("--seeds", type=int, default=1, help="of the scripted model")
    tasks.add_argument("--model", action="append", default=[], help="as for treemend fix")
    tasks.add_argument("--api-base", default="")
    tasks.add_argument("--record", type=Path)
    tasks.add_argument("--replay", type=Path)
    tasks.set_defaults(run=try_tasks)
    for kind in (cases, tasks):
        kind.add_argument("--out", type=Path, default=Path("out"))
        kind.add_argument("--only", nargs="+", default=[], help="ids; one that ends in * is a prefix")
    table = kinds.add_parser("table", help="the table of rows that were made before")
    table.add_argument("results", type=Path)
    options = parser.parse_args()
    if "results" in options:
        print_table(read_rows(options.results))
        return
    options.out.mkdir(parents=True, exist_ok=True)
    results = options.out / "results.jsonl"
    rows = read_rows(results)
    with results.open("a") as out:

        def tell(row: Row) -> None:
            rows.append(row)
            for file in (out, sys.stdout):
                print(json.dumps(row), file=file, flush=True)

        asyncio.run(options.run(options, tuple(rows), tell))
    print_table(rows)


if __name__ == "__main__":
    main()
