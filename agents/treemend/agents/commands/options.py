"""The options of the command line: their types, names, bounds and help."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class StrategyName(StrEnum):
    """How the tree of thoughts is searched."""

    mcts = "mcts"
    best_of_n = "best-of-n"
    linear = "linear"


class SandboxName(StrEnum):
    """What confines the code under test."""

    auto = "auto"
    bubblewrap = "bubblewrap"
    landlock = "landlock"
    none = "none"


Issue = Annotated[
    str, typer.Argument(help="The symptom: text, a file that holds it, or - for standard input.")
]
RunArgument = Annotated[str, typer.Argument(help="The run's id, as `treemend runs` prints it.")]

Repo = Annotated[Path, typer.Option(help="The repository; it is only read.")]
FailingTest = Annotated[
    list[str] | None, typer.Option(help="Id of a test that should pass; may be given again.")
]
Trace = Annotated[str, typer.Option(help="A file with a stack trace, or - for standard input.")]
Junit = Annotated[Path | None, typer.Option(help="A JUnit XML report of the failure.")]
Only = Annotated[
    list[str] | None, typer.Option(help="A path or pattern that a patch may touch; may be given again.")
]
TestCmd = Annotated[str, typer.Option(help="The command that runs the tests. (default: found)")]
JunitReport = Annotated[
    list[str] | None,
    typer.Option(help="Where --test-cmd writes JUnit XML: a path or pattern; may be given again."),
]
Python = Annotated[str, typer.Option(help="Interpreter that runs the tests. (default: found)")]
Commit = Annotated[str, typer.Option(help="Work on this commit instead of the tree as it lies.")]
Strategy = Annotated[StrategyName, typer.Option(help="How to search.")]
Time = Annotated[float, typer.Option(help="Seconds after which the search ends.", min=1.0)]
AskingTime = Annotated[float, typer.Option("--time", help="Seconds that models may take.", min=1.0)]
Candidates = Annotated[int | None, typer.Option(help="Candidates to execute at most.", min=1)]
After = Annotated[
    int | None,
    typer.Option(
        help="Candidates to execute after the first plausible one. (default: 100, 5 with a model)", min=0
    ),
]
Model = Annotated[
    list[str] | None,
    typer.Option(
        envvar="TREEMEND_MODEL",
        help="A model that thinks, by litellm's name, or role=model (plan, code, test, judge); "
        "may be given again: they take turns.",
    ),
]
ApiBase = Annotated[
    str, typer.Option(envvar="TREEMEND_API_BASE", help="The address of a model server of your own.")
]
BudgetUsd = Annotated[float | None, typer.Option(help="Dollars that models may cost at most.", min=0.0)]
BudgetTokens = Annotated[int | None, typer.Option(help="Tokens that models may use at most.", min=1)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what the models may cost at most, and end.")]
Ask = Annotated[
    bool, typer.Option("--ask", help="Ask which of a model's tests are right, where candidates part.")
]
Record = Annotated[Path | None, typer.Option(help="Keep what models answer in this folder.")]
Replay = Annotated[Path | None, typer.Option(help="Answer from this folder, with no network.")]
Seed = Annotated[int, typer.Option(help="Same inputs and seed give the same patch.")]
TestTimeout = Annotated[
    float | None, typer.Option(help="Seconds for each test. (default: from what it took before)", min=0.1)
]
Sandbox = Annotated[SandboxName, typer.Option(help="What confines the tests.")]

Patch = Annotated[
    str, typer.Argument(help="A unified diff against the repository: a file, or - for standard input.")
]
IssueOption = Annotated[
    str, typer.Option("--issue", help="What the patch is for: text, a file, or - for standard input.")
]
AllowTestEdits = Annotated[
    bool,
    typer.Option(
        "--allow-test-edits", help="Judge with the patch's own version of tests and their configuration."
    ),
]

Store = Annotated[
    str | None,
    typer.Option("--store", envvar="TREEMEND_STORE", help="Database of runs: a file or a URL."),
]
Output = Annotated[Path | None, typer.Option(help="Folder for patch.diff, receipt.json and receipt.md.")]
Apply = Annotated[bool, typer.Option("--apply", help="Write the patch into the repository.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Nothing on standard error but errors.")]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Every candidate with its thought, and the time of each phase."),
]
