"""Answers, receipts and lists of runs, printed for people or for programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from treemend.agents.api import RepairResult
from treemend.agents.commands.doctor import Check, exit_code_of
from treemend.agents.commands.environment import Environment, lines_of
from treemend.agents.plain_text import counted, one_line, plain
from treemend.agents.receipts.markdown import render_markdown
from treemend.agents.receipts.receipt import Receipt, patch_text
from treemend.agents.receipts.verdict_text import verdict_text
from treemend.store.errors import UsageError
from treemend.store.records import Budget, Outcome, Run

if TYPE_CHECKING:
    from treemend.agents.model_policy.asking import Answered
    from treemend.agents.model_policy.cost import RoleCost

WIDTH_ELSEWHERE = 10_000
"""Columns where nobody looks at them: nothing is folded."""


def print_answer(result: RepairResult, *, as_json: bool) -> None:
    """The diff alone, or the verdict on one (or the receipt as JSON), on stdout.

    A reader that went away missed nothing: the answer is kept. Raises UsageError where it can't be
    written.
    """
    try:
        if as_json:
            print(result.receipt.model_dump_json(indent=2), flush=True)
        elif result.receipt.kind == "verify":
            print(plain(verdict_text(result.receipt)), flush=True)
        elif result.outcome is Outcome.REPAIRED:
            print_patch(result.patch)
    except BrokenPipeError:
        _silence_stdout()
    except OSError as error:
        _silence_stdout()
        raise UsageError(
            f"The answer can't be written: {error.strerror}.",
            mend=f"It is kept: treemend show {result.run} --patch",
        ) from error


def _silence_stdout() -> None:
    """Let what is still buffered go nowhere, or Python would fail on it once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_patch(patch: bytes) -> None:
    """The exact bytes; on a terminal without escape sequences, and coloured."""
    if not patch:
        return
    if not sys.stdout.isatty():
        sys.stdout.buffer.write(patch)
        sys.stdout.buffer.flush()
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for line in plain(patch_text(patch)).splitlines():
        console.print(Text(line, style=_diff_style(line)), soft_wrap=True)


def _diff_style(line: str) -> str:
    if line.startswith(("diff ", "--- ", "+++ ", "index ")):
        return "bold"
    return {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")


def print_environment(environment: Environment, *, as_json: bool) -> None:
    """What the tests of a repository run with, on stdout."""
    if as_json:
        print(json.dumps(environment.as_json(), indent=2))
        return
    for line in lines_of(environment):
        print(plain(line))


def print_summary(result: RepairResult, *, applied: bool) -> None:
    """What was found, for people, on stderr."""
    from rich.console import Console
    from rich.text import Text

    console = Console(file=sys.stderr, highlight=False)
    for line, style in _summary_lines(result):
        console.print(Text(line, style=style), soft_wrap=not console.is_terminal)
    if applied and result.patch:
        console.print(Text(f"Applied to {result.receipt.repo}."), soft_wrap=True)


def _summary_lines(result: RepairResult) -> list[tuple[str, str]]:
    receipt = result.receipt
    counts = receipt.counts
    work = f"{counted(counts.tests_run, 'test')}, {counts.seconds:.1f} s, sandbox {receipt.sandbox.name}"
    if receipt.kind == "fix":
        work = f"{counted(counts.candidates_executed, 'candidate')}, {work}"
    if receipt.kind == "verify":
        lines: list[tuple[str, str]] = []
    elif result.outcome is Outcome.NEEDS_REVIEW:
        lines = [
            (f"A patch that needs a review: {one_line(result.reason)}.", "yellow bold"),
            (f"It is kept: treemend show {result.run} --patch", ""),
        ]
    elif result.outcome is Outcome.REPAIRED:
        total = receipt.regression_tests
        kept = f"{receipt.regression_passed} of {total} that passed before still do"
        lines = [
            (f"Repaired. {one_line(receipt.thought)}", "green bold"),
            (
                f"{_mended(receipt)}; "
                f"{kept if total else 'none passed before'}, in a cold run of the whole suite.",
                "",
            ),
        ]
    else:
        lines = [(f"No patch: {one_line(result.reason)}.", "yellow bold")]
    lines += [(f"Set aside ({c.role.value}): {one_line(c.test)}", "yellow") for c in receipt.set_aside[:3]]
    lines += [(work, "dim"), (f"The evidence: treemend show {result.run}", "dim")]
    return lines


def _mended(receipt: Receipt) -> str:
    targets, reproducers = len(receipt.targets), receipt.reproducers
    if targets or not reproducers:
        return f"{targets} failing {'test passes' if targets == 1 else 'tests pass'} now"
    passing = sum(change.after == "passed" for change in reproducers)
    return f"{passing} of {counted(len(reproducers), 'test')} that the model wrote of the issue pass now"


def print_receipt(receipt: Receipt, *, as_json: bool) -> None:
    if as_json:
        print(receipt.model_dump_json(indent=2))
        return
    text = plain(render_markdown(receipt))
    if not sys.stdout.isatty():
        print(text, end="")
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(text))


def print_runs(runs: Sequence[Run], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([_run_row(run) for run in runs], indent=2))
        return
    if not runs:
        print("No runs yet. Begin with: treemend demo", file=sys.stderr)
        return
    from rich.console import Console
    from rich.table import Table

    rows = [_run_row(run) for run in runs]
    table = Table(box=None, pad_edge=False)
    for column in ("run", "begun", "outcome"):
        widest = max(len(column), *(len(row[column]) for row in rows))
        table.add_column(column, no_wrap=True, min_width=widest)
    table.add_column("repository", overflow="fold")
    for row in rows:
        table.add_row(row["run"], row["begun"], row["outcome"], one_line(row["repository"]))
    width = None if sys.stdout.isatty() else WIDTH_ELSEWHERE
    Console(highlight=False, width=width).print(table)


def _run_row(run: Run) -> dict[str, str]:
    return {
        "run": run.id,
        "begun": run.created_at.strftime("%Y-%m-%d %H:%M"),
        "outcome": run.outcome.value if run.outcome else "not ended",
        "repository": run.task.repo,
        "reason": run.reason,
    }


def print_answered(answered: Answered, *, as_json: bool) -> None:
    """An answer and the places that it rests on; what was left out and what it cost on stderr."""
    if as_json:
        print(json.dumps(asdict(answered), indent=2))
        return
    print(plain(answered.answer))
    for place in answered.citations:
        print(f"  {one_line(place.path)}:{place.line}  {one_line(place.text)}")
    if answered.dropped:
        left_out = counted(answered.dropped, "citation")
        print(f"{left_out} left out: there is no such place.", file=sys.stderr)
    if not answered.citations:
        print("The answer cites no place of the repository.", file=sys.stderr)
    print(answered.spent, file=sys.stderr)


def print_cost(costs: Sequence[RoleCost], budget: Budget) -> None:
    """What models may cost at most, a line each; what a budget allows, where there is one."""
    for cost in costs:
        usd = "cost unknown" if cost.usd is None else f"${cost.usd:.2f}"
        calls = counted(cost.calls, "call")
        print(f"{cost.role:5} {one_line(cost.model)}: at most {calls}, {cost.tokens:,} tokens, {usd}")
    known = [cost.usd for cost in costs if cost.usd is not None]
    total = f"${sum(known):.2f}" if len(known) == len(costs) else "cost unknown"
    print(f"in all: at most {sum(cost.tokens for cost in costs):,} tokens, {total}")
    if budget.usd is not None or budget.tokens is not None:
        limits = [f"${budget.usd:g}"] if budget.usd is not None else []
        limits += [f"{budget.tokens:,} tokens"] if budget.tokens is not None else []
        print(f"and no more than the budget: {', '.join(limits)}")


def make_output(folder: Path) -> None:
    """Make the folder before the work begins. Raises UsageError where it can't be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"The folder {folder} can't be made: {error.strerror}.",
            mend="Give --output a folder that can be written to.",
        ) from error


def write_output(result: RepairResult, folder: Path) -> None:
    """Write receipt.json, receipt.md and, where there is one, patch.diff. Raises UsageError."""
    try:
        (folder / "receipt.json").write_text(result.receipt.model_dump_json(indent=2) + "\n")
        (folder / "receipt.md").write_text(render_markdown(result.receipt))
        if result.patch:
            (folder / "patch.diff").write_bytes(result.patch)
    except OSError as error:
        raise UsageError(
            f"The results can't be written to {folder}: {error.strerror}.",
            mend=f"They are kept: treemend show {result.run}; give --output a folder to write to.",
        ) from error


STATUS_STYLES = {"ok": "green", "warning": "yellow", "missing": "red bold"}


def print_checks(checks: Sequence[Check], *, as_json: bool) -> None:
    """What `doctor` found, on stdout: a line each, its mend below."""
    if as_json:
        code = exit_code_of(checks)
        told = {"run_possible": code == 0, "exit_code": code, "checks": [asdict(c) for c in checks]}
        print(json.dumps(told, indent=2))
        return
    from rich.console import Console
    from rich.text import Text

    width = None if sys.stdout.isatty() else WIDTH_ELSEWHERE
    console = Console(highlight=False, width=width)
    for check in checks:
        status = (f"{check.status:8} ", STATUS_STYLES[check.status])
        console.print(Text.assemble(status, (f"{check.name:8} ", "bold"), one_line(check.fact)))
        if check.mend:
            console.print(Text(f"{'':18}-> {one_line(check.mend)}", style="cyan"))
        for detail in check.details:
            console.print(Text(f"{'':18}{one_line(detail)}", style="dim"))
