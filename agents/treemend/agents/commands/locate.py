"""`treemend locate`: parse, ask the index, print."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from treemend.agents.commands import options
from treemend.agents.commands.code_search import (
    NOTHING_FOUND,
    JsonOption,
    LimitOption,
    RepoOption,
    readers_may_leave,
    refresh,
    table,
)
from treemend.agents.commands.options import Junit, Trace

if TYPE_CHECKING:
    from treemend.agents.model_policy.reranking import Reranker
    from treemend.store.records import Models
    from treemend.tools.index.repository import Refreshed, RepositoryIndex
    from treemend.tools.localization.locate import Located

_FILES_SHOWN, _LINES_SHOWN = 5, 5

IssueArgument = Annotated[
    str, typer.Argument(help="The symptom: text, a file that holds it, or - for standard input.")
]


def locate(
    issue: IssueArgument = "",
    trace: Trace = "",
    junit: Junit = None,
    repo: RepoOption = Path("."),
    limit: LimitOption = 10,
    time: options.AskingTime = 300.0,
    model: options.Model = None,
    api_base: options.ApiBase = "",
    budget_usd: options.BudgetUsd = None,
    budget_tokens: options.BudgetTokens = None,
    record: options.Record = None,
    replay: options.Replay = None,
    json: JsonOption = False,
) -> None:
    """Find the code that an issue, a trace or a test report is about. Nothing is run.

    No model is asked, unless --model names one, which then ranks again what was found.
    """
    from treemend.agents.commands.reading import read_bytes, read_issue, read_text
    from treemend.agents.intake import check_repo, make_symptom
    from treemend.agents.model.settings import parse_models
    from treemend.store.state import state_folder
    from treemend.tools.index.repository import RepositoryIndex, default_cache_path
    from treemend.tools.localization.locate import locate as locate_in

    root = check_repo(repo)
    symptom = make_symptom(
        root,
        issue=read_issue(issue) if issue else "",
        failing_tests=(),
        trace=read_text(trace) if trace else "",
        junit=read_bytes(junit) if junit else b"",
    )
    models = parse_models(model or (), api_base=api_base, record=record or "", replay=replay or "")
    rerank = None if models is None else _reranker(root, models, time, budget_usd, budget_tokens)
    with RepositoryIndex(root, default_cache_path(root, state_folder())) as index:
        refreshed = refresh(index)
        located = locate_in(index, symptom, limit=limit, rerank=rerank)
        with readers_may_leave():
            if json:
                print_json(located, refreshed, index, rerank)
            else:
                print_located(located)
        if not json:
            print_notes(located, refreshed, rerank)
    raise typer.Exit(0 if located.files or located.lines else NOTHING_FOUND)


def _reranker(root: Path, models: Models, time_s: float, usd: float | None, tokens: int | None) -> Reranker:
    from treemend.agents.model.settings import check_prices
    from treemend.agents.model_policy.reranking import Reranker
    from treemend.store.records import Budget

    budget = Budget(time_s=time_s, usd=usd, tokens=tokens)
    check_prices(models, budget)
    return Reranker(root, models, budget)


def print_json(
    located: Located, refreshed: Refreshed, index: RepositoryIndex, reranker: Reranker | None = None
) -> None:
    answer = {"repository": str(index.root), **asdict(located), "notes": refreshed.notes}
    if reranker is not None:
        answer["model"] = {"spent": reranker.spent, "note": reranker.note}
    print(json.dumps(answer, indent=2))


def print_located(located: Located) -> None:
    """Functions with places that terminals make clickable and reasons below, then files and lines."""
    from treemend.agents.plain_text import one_line

    def reasons(of: Sequence[str]) -> Iterator[str]:
        if of:
            yield f"      {one_line('; '.join(of))}"

    rows = [
        (f"{one_line(hit.path)}:{hit.line}:{hit.column}", one_line(hit.name), f"{hit.score:.3f}")
        for hit in located.functions
    ]
    for number, (row, function) in enumerate(zip(table(rows), located.functions, strict=True), 1):
        print(f"{number:>4}  {row}")
        for line in reasons(function.reasons):
            print(line)
    if located.files:
        print("\nFiles")
        for number, file in enumerate(located.files[:_FILES_SHOWN], 1):
            print(f"{number:>4}  {one_line(file.path)}  {one_line('; '.join(file.reasons))}")
    if located.lines:
        print("\nLines")
        for number, line_hit in enumerate(located.lines[:_LINES_SHOWN], 1):
            why = one_line("; ".join(line_hit.reasons))
            print(f"{number:>4}  {one_line(line_hit.path)}:{line_hit.line}:1  {why}")


def print_notes(located: Located, refreshed: Refreshed, reranker: Reranker | None = None) -> None:
    from treemend.agents.plain_text import one_line

    notes = [one_line(note) for note in refreshed.notes]
    if not (located.files or located.lines):
        notes.append("Nothing found.")
    elif located.is_cut:
        notes.append(f"There are more than {len(located.functions)} functions: --limit shows them.")
    if reranker is not None:
        notes += [one_line(told) for told in (reranker.note, reranker.spent) if told]
    for note in notes:
        print(note, file=sys.stderr)


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(locate)
