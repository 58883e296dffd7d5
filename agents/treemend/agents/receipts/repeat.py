"""The command line that repeats a task."""

from __future__ import annotations

import shlex

from treemend.agents.model.settings import model_budget
from treemend.store.records import Budget, Models, Task


def command_of(task: Task) -> str:
    """The command that does the same from any folder; what the user typed where a trace, which has no place
    on a command line, is part of it. `treemend verify` reads its patch from standard input."""
    if task.kind == "verify":
        return shlex.join(("treemend", "verify", "-", *_verify_options(task)))
    typed = task.command if task.symptom.trace else ()
    return shlex.join(typed or ("treemend", "fix", *_options(task)))


def _verify_options(task: Task) -> list[str]:
    without_issue = task.symptom.model_copy(update={"issue": ""})
    options = ["--issue", task.symptom.issue] if task.symptom.issue else []
    options += ["--allow-test-edits"] if task.allow_test_edits else []
    return [*options, *_options(task.model_copy(update={"symptom": without_issue}))]


def _options(task: Task) -> list[str]:
    symptom, budget, usual = task.symptom, task.budget, Budget()
    options = [] if not symptom.issue else [symptom.issue]
    options += ["--repo", task.repo]
    for test in symptom.failing_tests:
        options += ["--failing-test", test]
    for path in task.only:
        options += ["--only", path]
    for pattern in task.junit_reports:
        options += ["--junit-report", pattern]
    if task.models is not None:
        options += _model_options(task.models)
        usual = model_budget(usual.time_s, None, None, None, None, task.models)
    values = {
        "--test-cmd": task.test_command,
        "--python": task.python,
        "--commit": task.commit,
        "--strategy": task.strategy if task.strategy != "mcts" else "",
        "--seed": str(task.seed) if task.seed else "",
        "--time": f"{budget.time_s:g}" if budget.time_s not in (None, usual.time_s) else "",
        "--candidates": str(budget.candidates) if budget.candidates != usual.candidates else "",
        "--budget-usd": f"{budget.usd:g}" if budget.usd else "",
        "--budget-tokens": str(budget.tokens) if budget.tokens else "",
        "--after": str(budget.after) if budget.after != usual.after else "",
        "--test-timeout": f"{task.test_timeout_s:g}" if task.test_timeout_s else "",
        "--sandbox": task.sandbox if task.sandbox != "auto" else "",
    }
    for name, value in values.items():
        options += [name, value] if value else []
    return options


def _model_options(models: Models) -> list[str]:
    chains = set(models.names.values())
    named = [
        name if len(chains) == 1 else f"{role}={name}"
        for role, chain in list(models.names.items())[: 1 if len(chains) == 1 else None]
        for name in chain
    ]
    options = [word for name in named for word in ("--model", name)]
    for option, value in (
        ("--api-base", models.api_base),
        ("--record", models.record),
        ("--replay", models.replay),
    ):
        options += [option, value] if value else []
    return options
