"""The repository tools for Python and for people: typed answers, and their text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from os import PathLike
from typing import Any

from treemend.agents.code_search import open_index
from treemend.agents.plain_text import one_line, plain
from treemend.tools.repotools.registry import run_tool
from treemend.tools.repotools.results import (
    Answer,
    Bodies,
    Calls,
    Classes,
    ClassInformation,
    Member,
    MissingImports,
    Outline,
    Place,
    References,
    RepositoryMap,
    Signatures,
    Slice,
    Snippets,
)


def inspect(tool: str, repo: str | PathLike[str] = ".", **arguments: Any) -> Answer:
    """Ask one of the repository tools (`treemend.tools.repotools.registry.TOOLS`) about a repository.

    Raises:
        UsageError: no such folder or tool, or arguments that don't fit.
        StoreError: the state folder can't be used.
    """
    with open_index(repo) as index:
        return run_tool(index, tool, arguments)


def render(answer: Answer) -> str:
    """The answer as lines with `path:line:column`, safe to print."""
    lines = _RENDERERS[type(answer)](answer)
    return "\n".join(plain(line).rstrip() for line in lines)


def _at(place: Place) -> str:
    return f"{one_line(place.path)}:{place.line}:{place.column}"


def _classes(answer: Classes) -> Iterator[str]:
    for one in answer.classes:
        yield f"{_at(one.place)}  {one.kind} {one.full_name}"
        yield f"    {one.signature}"
        yield from _doc(one.doc)
        yield from _class_lines(one)
        yield ""


def _class_lines(one: ClassInformation) -> Iterator[str]:
    for base in one.bases:
        yield f"  base      {base.name}  {_at(base.place) if base.place else '(not in this repository)'}"
    groups = (
        ("method", one.methods),
        ("class var", one.class_variables),
        ("field", one.instance_variables),
    )
    for title, members in groups:
        for member in members:
            yield f"  {title:<9} {_member(member)}"
    for symbol in one.nested:
        yield f"  nested    {symbol.name}  {_at(symbol.place)}"
    for symbol in one.subclasses:
        yield f"  subclass  {symbol.name}  {_at(symbol.place)}"


def _member(member: Member) -> str:
    origin = f"  from {member.owner}" if member.is_inherited else ""
    overrides = f"  overrides {member.overrides}" if member.overrides else ""
    return f"{member.signature}{origin}{overrides}  {_at(member.place)}"


def _doc(doc: str) -> Iterator[str]:
    first = doc.split("\n", 1)[0]
    if first:
        yield f"    {first}"


def _signatures(answer: Signatures) -> Iterator[str]:
    for one in answer.signatures:
        asked = f"  (asked of {one.asked_of})" if one.asked_of else ""
        yield f"{_at(one.place)}  {one.name}{asked}"
        yield from (f"    {decorator}" for decorator in one.decorators)
        yield f"    {one.signature}"
        yield from _doc(one.doc)


def _bodies(answer: Bodies) -> Iterator[str]:
    for one in answer.bodies:
        yield f"{_at(one.place)}  {one.name}"
        yield from one.source.split("\n")
        yield ""


def _references(answer: References) -> Iterator[str]:
    for one in answer.references:
        yield f"{_at(one.place)}  {one.certainty:<5}  {one.use:<9}  {one.inside}  {one.text}"


def _calls(answer: Calls) -> Iterator[str]:
    for one in answer.calls:
        times = f"  {one.count} times" if one.count > 1 else ""
        yield f"{_at(one.symbol.place)}  {one.certainty:<5}  {one.symbol.name}{times}  {_at(one.place)}"


def _outline(answer: Outline) -> Iterator[str]:
    yield f"{one_line(answer.path)}  {answer.language}"
    for entry in answer.entries:
        symbol = entry.symbol
        yield f"{symbol.place.line:>6}  {'  ' * entry.depth}{symbol.kind} {symbol.signature}"


def _imports(answer: MissingImports) -> Iterator[str]:
    for one in answer.missing:
        yield f"{_at(one.place)}  {one.name}"
        for candidate in one.candidates:
            yield f"    {candidate.statement}  {_at(candidate.place)}"
        if not one.candidates:
            yield "    nothing in this repository has that name"


def _slice(answer: Slice) -> Iterator[str]:
    for one in answer.lines:
        gives = f"  gives {', '.join(one.gives)}" if one.gives else ""
        yield f"{_at(one.place)}  {one.inside}  {one.text}{gives}"


def _snippets(answer: Snippets) -> Iterator[str]:
    for one in answer.snippets:
        yield f"{_at(one.place)}  {one.name}  score {one.score}"
        yield from one.source.split("\n")
        yield ""


def _map(answer: RepositoryMap) -> Iterator[str]:
    yield from answer.text.split("\n")


_RENDERERS: dict[type[Answer], Callable[[Any], Iterator[str]]] = {
    Classes: _classes,
    Signatures: _signatures,
    Bodies: _bodies,
    References: _references,
    Calls: _calls,
    Outline: _outline,
    MissingImports: _imports,
    Slice: _slice,
    Snippets: _snippets,
    RepositoryMap: _map,
}
