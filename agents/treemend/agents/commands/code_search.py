"""`treemend search` and `treemend inspect`: parse, ask the index, print."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from treemend.store.errors import UsageError

if TYPE_CHECKING:
    from treemend.tools.index.repository import Refreshed, RepositoryIndex
    from treemend.tools.index.search import Found
    from treemend.tools.repotools.results import Answer

NOTHING_FOUND = 4
_LINES_MAX = 50

RepoOption = Annotated[Path, typer.Option(help="The repository; it is only read.")]
LimitOption = Annotated[int, typer.Option("--limit", "-n", help="How many at most.", min=1, max=1000)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def search(
    query: Annotated[str, typer.Argument(help="Words, a name such as `Cart.total`, or with --pattern code.")],
    repo: RepoOption = Path("."),
    pattern: Annotated[
        bool, typer.Option("--pattern", help="The query is code: $X is any piece, $$$ARGS any number.")
    ] = False,
    lang: Annotated[list[str] | None, typer.Option(help="Only this language; may be given again.")] = None,
    path: Annotated[
        list[str] | None, typer.Option(help="Only this folder, file or glob; may be given again.")
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option(help="Only this kind (class, method, …); may be given again.")
    ] = None,
    limit: LimitOption = 20,
    context: Annotated[int, typer.Option("-C", help="Lines of code around each hit.", min=0, max=100)] = 0,
    json: JsonOption = False,
) -> None:
    """Find code: definitions by words or by name, or any code by its shape."""
    from treemend.store.state import state_folder
    from treemend.tools.index.repository import RepositoryIndex, default_cache_path
    from treemend.tools.index.search import Filters, search_pattern
    from treemend.tools.index.search import search as search_words

    filters = Filters.checked(lang or (), path or (), kind or ())
    with RepositoryIndex(repo, default_cache_path(repo, state_folder())) as index:
        refreshed = refresh(index)
        find = search_pattern if pattern else search_words
        found = find(index, query, filters, limit)
        with readers_may_leave():
            if json:
                print_json(query, found, refreshed, index)
            else:
                print_hits(found, index.root, context)
        if not json:
            print_notes(found, refreshed, index)
    raise typer.Exit(0 if found.hits else NOTHING_FOUND)


@contextmanager
def readers_may_leave() -> Iterator[None]:
    """A reader such as `head` that has seen enough is no error."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def refresh(index: RepositoryIndex) -> Refreshed:
    """Bring the index up to date, with a word to those who wait for the first time."""
    if sys.stderr.isatty() and not index.connection.execute("SELECT 1 FROM file LIMIT 1").fetchone():
        print(f"Indexing {index.root} ...", file=sys.stderr)
    return index.refresh()


def print_json(query: str, found: Found, refreshed: Refreshed, index: RepositoryIndex) -> None:
    from treemend.tools.index.lookup import skipped_files

    answer = {
        "query": query,
        "repository": str(index.root),
        **asdict(found),
        "skipped": skipped_files(index.connection),
        "notes": refreshed.notes,
    }
    print(json.dumps(answer, indent=2))


def print_hits(found: Found, root: Path, context: int) -> None:
    from treemend.agents.plain_text import one_line

    rows = [
        (f"{one_line(hit.path)}:{hit.line}:{hit.column}", hit.kind, one_line(hit.name), one_line(hit.text))
        for hit in found.hits
    ]
    for line, hit in zip(table(rows), found.hits, strict=True):
        print(line)
        if context:
            print_source(root, hit.path, hit.line, context)


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns of equal width, but for the last, cut to the width of the terminal if there is one."""
    import shutil

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000
    widest = [min(60, max(map(len, column))) for column in zip(*rows, strict=True)][:-1]
    lines = []
    for row in rows:
        cells = [cell.ljust(size) for cell, size in zip(row, widest, strict=False)]
        lines.append("  ".join((*cells, row[-1])).rstrip()[:width])
    return lines


def print_source(root: Path, path: str, line: int, context: int) -> None:
    from treemend.agents.plain_text import plain
    from treemend.tools.index.content import Skipped, as_utf8, read_regular

    try:
        lines = as_utf8(read_regular(root / path)).decode("utf-8", "replace").split("\n")
    except Skipped as skipped:
        print(f"    {skipped.reason.value}")
        return
    for number in range(max(1, line - context), min(len(lines), line + context) + 1):
        mark = ">" if number == line else " "
        print(f"  {mark} {number:>5}  {plain(lines[number - 1])[:400].rstrip()}")
    print()


def print_notes(found: Found, refreshed: Refreshed, index: RepositoryIndex) -> None:
    """What people should know besides, on stderr."""
    from treemend.agents.plain_text import counted, one_line
    from treemend.tools.index.lookup import skipped_files

    notes = [one_line(note) for note in refreshed.notes]
    if found.is_cut:
        notes.append(f"There are more than {len(found.hits)}: --limit shows them.")
    if not found.hits:
        notes.append("Nothing found.")
    if found.suggestions:
        notes.append(f"Did you mean {', '.join(map(one_line, found.suggestions))}?")
    skipped = [*skipped_files(index.connection)] if refreshed.read else []
    for reason, count in sorted(Counter(reason for _, reason in (*skipped, *found.unsearched)).items()):
        notes.append(f"{counted(count, 'file')} left out: {reason}.")
    for note in notes[:_LINES_MAX]:
        print(note, file=sys.stderr)


class What(StrEnum):
    """What can be asked of a repository."""

    class_ = "class"
    signature = "signature"
    body = "body"
    references = "references"
    callers = "callers"
    callees = "callees"
    tests = "tests"
    outline = "outline"
    imports = "imports"
    code = "code"
    snippets = "snippets"
    slice = "slice"
    map = "map"


_TOOLS = {
    What.class_: ("get_class_info", "name"),
    What.signature: ("get_signature", "name"),
    What.body: ("get_method_body", "name"),
    What.references: ("get_references", "name"),
    What.callers: ("get_callers", "name"),
    What.callees: ("get_callees", "name"),
    What.tests: ("get_tests", "name"),
    What.outline: ("get_outline", "path"),
    What.imports: ("get_imports", "path"),
    What.code: ("get_relevant_code", "text"),
    What.snippets: ("get_related_snippets", "text"),
    What.slice: ("get_slice", "place"),
    What.map: ("get_map", "focus"),
}
"""The tool behind each word, and which of its arguments the subject is."""


def inspect(
    what: Annotated[What, typer.Argument(help="What to ask.", show_choices=True)],
    subject: Annotated[
        str,
        typer.Argument(
            help="A name, a file (outline, imports), path:line (slice) or a text (code, snippets)."
        ),
    ] = "",
    repo: RepoOption = Path("."),
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", help="How many at most. (default: the tool's)", min=1)
    ] = None,
    tokens: Annotated[
        int, typer.Option(help="Budget of the map, in tokens of four characters.", min=50)
    ] = 1024,
    json: JsonOption = False,
) -> None:
    """Ask about the code: a class with what it inherits, a body, who calls what, a map of it all."""
    from treemend.agents.inspection import inspect as ask
    from treemend.agents.inspection import render

    tool, argument = _TOOLS[what]
    arguments: dict[str, object] = {argument: subject}
    if what is What.map:
        arguments["tokens"] = tokens
    elif limit is not None:
        arguments["limit"] = limit
    if not subject and what is not What.map:
        raise UsageError(
            f"treemend inspect {what.value} needs a {argument}.",
            mend=f"Give it: treemend inspect {what.value} {argument.upper()}",
        )
    answer = ask(tool, repo, **arguments)
    with readers_may_leave():
        if json:
            print(answer.model_dump_json(indent=2))
        elif answer.found:
            print(render(answer))
    if not json:
        print_remarks(answer)
    raise typer.Exit(0 if answer.found else NOTHING_FOUND)


def print_remarks(answer: Answer) -> None:
    """The notes and suggestions of an answer, on stderr."""
    from treemend.agents.plain_text import one_line

    notes = [one_line(note) for note in answer.notes]
    if not answer.found:
        notes.append("Nothing found.")
    if answer.suggestions:
        notes.append(f"Did you mean {', '.join(map(one_line, answer.suggestions))}?")
    for note in notes:
        print(note, file=sys.stderr)


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(search)
    app.command()(inspect)
