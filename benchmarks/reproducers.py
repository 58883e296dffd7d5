"""Who may see a test that a model wrote? Four arms at equal cost.

    python benchmarks/reproducers.py tasks --out DIR [--calls 60] [--seeds 1] [--only NAME ...]
    python benchmarks/reproducers.py cases CASES --out DIR --python PY --model MODEL [--api-base URL]
    ... [--record DIR | --replay DIR]

The tests of a task that fail are taken out of its suite and kept for judging; what is left is an issue in
words and tests that pass. The arms, after SWE-Doctor (2607.00990) and ImpossibleBench (2511.16858):

none       nothing is written; the first candidate that breaks no test is taken
hidden     tests are written, and decide which candidate is taken; who repairs learns nothing of them
diagnosis  besides, who repairs is told what they show (what treemend does)
shown      besides, who repairs reads them

Every arm may make the same number of model calls, those for writing tests included. `tasks` are those of
`benchmarks/thinking_tasks.py`; without --model a scripted model, which does not read what it is shown, stands
in, so that its figures show that the arms run and nothing else. `cases` are laid out as for
`benchmarks/repair.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any, Literal, cast, get_args

from repair import find_cases, is_wanted
from strategies import Observed, explore, models_of, read_rows
from thinking_tasks import TASKS, ScriptedThinker, lay_out

from treemend.agents.evaluation import Evaluator
from treemend.agents.exploration import Exploration
from treemend.agents.feedback import Feedback
from treemend.agents.intake import make_task
from treemend.agents.model.client import ModelClient
from treemend.agents.model.ledger import Ledger
from treemend.agents.model.prompts import Section
from treemend.agents.model_policy.brief import code_of, issue_section
from treemend.agents.model_policy.diagnosis import describe
from treemend.agents.model_policy.policy import Context as Known
from treemend.agents.model_policy.policy import ModelPolicy
from treemend.agents.model_policy.thinker import Thinker, connect
from treemend.agents.planning import Plan, make_plan
from treemend.agents.policy import Parent, Policy
from treemend.agents.reproduction import NotReproduced, Observation, Reproducer
from treemend.agents.run_context import executions_of
from treemend.agents.run_index import open_run_index
from treemend.agents.runners import make_runners
from treemend.agents.runs import new_run
from treemend.agents.scripted_provider import Rule
from treemend.agents.steps import Steps
from treemend.agents.template_policy.policy import TemplatePolicy
from treemend.agents.wiring import open_context
from treemend.search.reward import REPRODUCED_REWARD
from treemend.store.database import open_store
from treemend.store.errors import TreemendError
from treemend.store.records import Budget, Candidate, Models, Place, Spend, TestOutcome, Verdict
from treemend.verify.b4 import B4
from treemend.verify.judgement import tally
from treemend.verify.runner import TestRequest

Arm = Literal["none", "hidden", "diagnosis", "shown"]
ARMS: tuple[Arm, ...] = get_args(Arm)
Row = dict[str, Any]
JUDGED_S = 20.0


@dataclass(frozen=True, slots=True)
class Problem:
    """An issue in words on a repository whose suite, run by `test_command`, says nothing of it; `hidden` are
    the tests that judge, which `whole_command` runs, too. `rules` answer in a model's place."""

    name: str
    repo: Path
    issue: str
    whole_command: str
    hidden: tuple[str, ...]
    rules: tuple[Rule, ...] = ()

    @property
    def test_command(self) -> str:
        return " ".join([self.whole_command, *(f"--deselect '{test}'" for test in self.hidden)])


class Nothing(Evaluator):
    """Of a candidate it knows whether it breaks a test, and nothing else."""

    async def evaluate(
        self, candidate: Candidate, places: Sequence[Place], before: Feedback
    ) -> tuple[Verdict, Feedback | None]:
        regression = self._baseline.regression
        report = await self._run(self._request(candidate.edits, regression, gate=None), self._context.warm)
        result = tally(report, (), regression)
        holds = not (result.regressions or result.not_run)
        verdict = Verdict(
            candidate=candidate.seq,
            targets_passed=0,
            targets=0,
            regressions=result.regressions,
            not_run=result.not_run,
            plausible=holds,
            reward=REPRODUCED_REWARD if holds else 0.0,
        )
        executions = executions_of(report, candidate.seq, attempt=1)
        spend = Spend(step=f"candidate-{candidate.seq}", purpose="candidate", wall_s=report.wall_s)
        self._context.store.record_evaluation(self._context.id, verdict, executions, spend)
        return verdict, None


@dataclass(frozen=True, slots=True)
class Untold:
    """A policy that learns nothing of what became of its thoughts."""

    policy: ModelPolicy
    name: str = "untold"

    def __getattr__(self, name: str) -> Any:
        return getattr(self.policy, name)

    async def propose(self, parent: Parent, opened: int, count: int) -> Any:
        siblings = tuple(replace(sibling, feedback=None) for sibling in parent.siblings)
        untold = replace(parent, feedback=None, gains={}, siblings=siblings)
        return await self.policy.propose(untold, opened, count)

    async def rethink(self, *told: Any) -> str:
        return ""


async def try_problem(
    problem: Problem, options: argparse.Namespace, known: set[tuple[str, str]]
) -> Iterator[Row]:
    """A row an arm; the untouched tree is observed once."""
    rows = []
    with tempfile.TemporaryDirectory() as state:
        os.environ["TREEMEND_STATE"] = state
        store = open_store()
        limits = Budget(time_s=None, candidates=options.calls, after=0)
        with models_of(problem.rules, options) as models:
            task = make_task(
                problem.repo,
                issue=problem.issue,
                test_command=problem.test_command,
                python=options.python,
                budget=limits,
                models=models,
            )
            context = Observed(**vars(open_context(store, new_run(store, task))))
            context.folder.mkdir(parents=True, exist_ok=True)
            steps = Steps(context, lambda plan: TemplatePolicy(plan, 0), B4())
            try:
                await steps.prepare({})
                if (await steps.localize({})).get("ended"):
                    return iter(())
                observation = await steps._observation()
                await steps._check_warm(observation)
                for arm in ARMS:
                    if (problem.name, arm) not in known:
                        of_arm = replace(context, run=new_run(store, task))
                        rows.append(await try_arm(problem, arm, of_arm, observation, models, options))
            finally:
                if context.warm is not None:
                    await context.warm.close()
    return iter(rows)


async def try_arm(
    problem: Problem,
    arm: Arm,
    context: Observed,
    observation: Observation,
    models: Models,
    options: argparse.Namespace,
) -> Row:
    """Write tests as the arm has it, search, and judge the answer by the hidden tests."""
    send, abilities, provider = connect(models)
    ledger = Ledger(context.store, context.id, context.task.budget, abilities)
    client = ModelClient(models, ledger, send, abilities)
    thinker = Thinker(client, provider)
    row: Row = {"task": problem.name, "arm": arm, "limit": options.calls}
    try:
        written: tuple[Reproducer, ...] = ()
        if arm != "none":
            told = await thinker.write_reproducers(context, observation)
            if isinstance(told, NotReproduced):
                return {
                    **row,
                    "answer": False,
                    "right": False,
                    "calls": ledger.spent.calls,
                    "why": told.reason,
                }
            written = told
        observation = replace(observation, reproducers=written)
        plan = make_plan(context, observation)
        judge = (Nothing if arm == "none" else Evaluator)(context, observation, plan.sources)
        brief = tuple(sections(arm, context, plan, written))
        labels = {test.id: test.behaviour for test in written}
        with open_run_index(context) as index:
            known = Known(plan, brief, labels, lambda: index, context.listener)
            policy: Policy = ModelPolicy(known, client, templates=None)
            if arm in ("none", "hidden"):
                policy = cast(Policy, Untold(cast(ModelPolicy, policy)))
            exploration = Exploration(context, policy, judge, plan.symptom, context.task.budget)
            await explore(exploration, lambda: ledger.spent.calls >= options.calls)
        found = exploration.plausible()
        right = bool(found) and await is_right(problem, context, judge, found[0])
    finally:
        await thinker.close()
    return {**row, "answer": bool(found), "right": right, "calls": ledger.spent.calls, "tests": len(written)}


def sections(arm: Arm, context: Observed, plan: Plan, written: Sequence[Reproducer]) -> Iterator[Section]:
    """What every prompt begins with."""
    yield issue_section(context.task.symptom)
    if arm in ("diagnosis", "shown"):
        labels = {test.id: test.behaviour for test in written}
        yield Section("what-fails", describe(plan.symptom, labels), 80)
    if arm == "shown":
        yield Section("tests", "\n\n".join(f"{test.path}\n{test.code}" for test in written), 80)
    modules = sorted(path.relative_to(context.tree).as_posix() for path in context.tree.rglob("*.py"))
    yield Section("code", code_of(modules, plan.sources), 70)


async def is_right(problem: Problem, context: Observed, judge: Evaluator, candidate: Candidate) -> bool:
    """Whether the hidden tests pass with a candidate."""
    repo, tree = Path(context.task.repo), context.tree
    command, python = problem.whole_command, context.task.python
    runner = make_runners(context.sandbox, repo, tree, test_command=command, python=python).on(tree)
    overlay = judge.patched(candidate.edits).files
    report = await runner.run(TestRequest(overlay=overlay, tests=problem.hidden, limit_s=JUDGED_S))
    outcomes = [report.results[test].outcome for test in problem.hidden if test in report.results]
    return len(outcomes) == len(problem.hidden) and set(outcomes) == {TestOutcome.PASSED}


def problems_of_tasks(options: argparse.Namespace, folder: Path) -> Iterator[Problem]:
    """The tasks, in a repository each."""
    for task, seed in product(TASKS, range(options.seeds)):
        if is_wanted(task.name, options.only):
            repo = folder / f"{task.name}-{seed}"
            lay_out([task], repo)
            yield Problem(
                f"{task.name}/{seed}",
                repo,
                task.issue,
                "python -m pytest",
                task.failing,
                () if options.model else tuple(ScriptedThinker(task, seed).rules()),
            )


def problems_of_cases(options: argparse.Namespace, folder: Path) -> Iterator[Problem]:
    """Cases whose visible suite has tests that pass and some that fail."""
    for case in find_cases(options.cases):
        meta = json.loads((case / "meta.json").read_text())
        if is_wanted(case.name, options.only) and meta["pass_to_pass"]:
            issue = (case / "issue.md").read_text()
            yield Problem(case.name, case / "repo", issue, meta["test_cmd"], tuple(meta["fail_to_pass"]))


def print_table(rows: Sequence[Row]) -> None:
    """By arm: answers, those that the hidden tests hold right, and the share of answers that are not."""
    print("\n| arm | tasks | answers | right | wrong among answers | mean calls |")
    print("|---|---|---|---|---|---|")
    for arm in ARMS:
        ran = [row for row in rows if row["arm"] == arm]
        answers, right = sum(row["answer"] for row in ran), sum(row["right"] for row in ran)
        wrong = f"{100 * (answers - right) / answers:.0f}%" if answers else "-"
        calls = f"{mean(row['calls'] for row in ran):.1f}" if ran else "-"
        print(f"| {arm} | {len(ran)} | {answers} | {right} | {wrong} | {calls} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = parser.add_subparsers(required=True)
    tasks = kinds.add_parser("tasks", help="the tasks of this folder")
    tasks.add_argument("--seeds", type=int, default=1, help="of the scripted model")
    tasks.add_argument("--model", action="append", default=[], help="as for treemend fix")
    tasks.set_defaults(problems=problems_of_tasks)
    cases = kinds.add_parser("cases", help="a folder of cases")
    cases.add_argument("cases", type=Path)
    cases.add_argument("--model", action="append", required=True, help="as for treemend fix")
    cases.set_defaults(problems=problems_of_cases)
    for kind in (tasks, cases):
        kind.add_argument("--python", default="", help="interpreter that runs the tests")
        kind.add_argument("--calls", type=int, default=60, help="model calls of each arm")
        kind.add_argument("--api-base", default="")
        kind.add_argument("--record", type=Path)
        kind.add_argument("--replay", type=Path)
        kind.add_argument("--out", type=Path, default=Path("out"))
        kind.add_argument("--only", nargs="+", default=[], help="ids; one that ends in * is a prefix")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    results = options.out / "results.jsonl"
    rows = read_rows(results)
    known = {(row["task"], row["arm"]) for row in rows}
    with results.open("a") as out, tempfile.TemporaryDirectory() as folder:
        for problem in options.problems(options, Path(folder)):
            if all((problem.name, arm) in known for arm in ARMS):
                continue
            try:
                made = asyncio.run(try_problem(problem, options, known))
            except TreemendError as error:
                print(f"{problem.name}: {error.message}", flush=True)
                continue
            for row in made:
                rows.append(row)
                for file in (out, sys.stdout):
                    print(json.dumps(row), file=file, flush=True)
    print_table(rows)


if __name__ == "__main__":
    main()
