"""Questions about a repository, answered by a model that searches it; every place it cites is looked up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, Field

from treemend.agents.code_search import open_index
from treemend.agents.intake import check_repo, clean_text
from treemend.agents.model.client import Ask, ModelClient, Unusable
from treemend.agents.model.ledger import BudgetSpent, shown_spent
from treemend.agents.model.prompts import NEVER_LEFT_OUT, Prompt, Section, clean_prose
from treemend.agents.model_policy.looking import CALLS_MAX, look, protocol, tool_specs
from treemend.agents.model_policy.passing import passing_client
from treemend.agents.model_policy.policy import template
from treemend.store.errors import ModelError, UsageError
from treemend.store.records import Budget, Models
from treemend.tools.paths import check_relative
from treemend.tools.source import NotEditable, SourceFile, lines_of

ROUNDS_MAX = 3
CITATIONS_MAX = 20
NEAR_LINES = 3
"""How far a quoted piece may stand from the line that is named; the answer names the line where it is."""


class Cited(BaseModel):
    """A place as the model names it."""

    path: str
    line: int
    quote: str = ""


class Said(BaseModel):
    """An answer as the model gives it."""

    answer: str
    citations: list[Cited] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Citation:
    """A place that was looked up: `text` is what that line says."""

    path: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer with the places that exist; `dropped` is the number of those that don't. `spent` says in
    words what it cost."""

    question: str
    answer: str
    citations: tuple[Citation, ...]
    dropped: int
    spent: str


async def answer_question(question: str, repo: str | Path, models: Models, budget: Budget) -> Answered:
    """Let a model search the repository and answer.

    Raises:
        UsageError: no question, or no such folder.
        ModelError: no model can be reached, its answer can't be used, or the budget is spent.
    """
    root = check_repo(Path(repo))
    if not question.strip():
        raise UsageError("There is no question.", mend="Ask in words: treemend ask 'Where are fees made?'")
    try:
        async with passing_client(root, models, budget) as (client, ledger):
            said, citations = await _answer(client, root, clean_text(question))
    except Unusable as unusable:
        raise ModelError(
            f"The model gives no answer: {unusable}", mend="Name another with --model."
        ) from None
    except BudgetSpent as spent:
        raise ModelError(
            f"The budget ({spent.limit}) was spent before there was an answer.",
            mend="Raise --time, --budget-usd or --budget-tokens.",
        ) from None
    dropped = len(said.citations) - len(citations)
    return Answered(question, clean_prose(said.answer), citations, dropped, shown_spent(ledger.spent))


async def _answer(client: ModelClient, root: Path, question: str) -> tuple[Said, tuple[Citation, ...]]:
    asked = (Section("question", clean_prose(question), NEVER_LEFT_OUT),)
    found: list[Section] = []
    for number in range(ROUNDS_MAX):
        told = "" if client.knows_tools("plan") else protocol()
        task = template("ask_look").fill(count=CALLS_MAX, protocol=told)
        prompt = Prompt(template("ask_look"), template("system").text, asked, tuple(found), task)
        requests = await client.tool_calls(Ask("plan", f"search/{number}", prompt), tool_specs())
        if not requests:
            break
        with open_index(root) as index:
            found += look(index, requests)
    task = template("ask").fill()
    prompt = Prompt(template("ask"), template("system").text, asked, tuple(found), task)
    said = await client.structured(Ask("plan", "answer", prompt), Said)
    citations, problems = _looked_up(root, said.citations)
    if problems:
        prompt = prompt.said("assistant", said.model_dump_json()).said(
            "user",
            "These places are not there:\n" + "\n".join(problems) + "\nAnswer again, in the same form.",
        )
        said = await client.structured(Ask("plan", "answer/again", prompt), Said)
        citations, _ = _looked_up(root, said.citations)
    return said, citations


def _looked_up(root: Path, cited: Sequence[Cited]) -> tuple[tuple[Citation, ...], list[str]]:
    found: list[Citation] = []
    problems: list[str] = []
    for one in cited[:CITATIONS_MAX]:
        citation = _look_up(root, one)
        if citation is None:
            problems.append(f"- {one.path[:200]}:{one.line} {one.quote[:100]}")
        else:
            found.append(citation)
    return tuple(dict.fromkeys(found)), problems


def _look_up(root: Path, cited: Cited) -> Citation | None:
    """The place, at the line near by that has the quoted piece; None where there is no such place."""
    path = cited.path.removeprefix("./")
    try:
        check_relative(path)
        file = root / path
        if not file.resolve(strict=True).is_relative_to(root):
            return None
        lines = lines_of(SourceFile.read(file).text)
    except (UsageError, NotEditable, OSError, ValueError):
        return None
    quote = " ".join(cited.quote.split())
    near = sorted(range(len(lines)), key=lambda i: abs(i + 1 - cited.line))[: 2 * NEAR_LINES + 1]
    for index in near:
        if abs(index + 1 - cited.line) <= NEAR_LINES and quote in " ".join(lines[index].split()):
            return Citation(path, index + 1, lines[index].strip())
    return None
