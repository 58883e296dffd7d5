"""From the index's rows to the answers' nouns."""

from __future__ import annotations

from pathlib import Path

from treemend.tools.index.content import Skipped, as_utf8, read_regular
from treemend.tools.index.lookup import Located
from treemend.tools.repotools.results import Place, Symbol

DOC_LINES_MAX = 6


def place_of(one: Located) -> Place:
    return Place(path=one.path, line=one.definition.line, column=one.definition.column)


def symbol_of(one: Located) -> Symbol:
    definition = one.definition
    return Symbol(
        name=definition.qualified or one.module,
        kind=definition.kind,
        place=place_of(one),
        end_line=definition.end_line,
        signature=definition.signature,
        doc=first_paragraph(definition.doc),
        owner=definition.qualified.rpartition(".")[0] if definition.kind in ("method", "field") else "",
    )


def first_paragraph(doc: str) -> str:
    return "\n".join(doc.split("\n\n", 1)[0].split("\n")[:DOC_LINES_MAX])


def source_lines(root: Path, path: str) -> list[str]:
    """The lines of a file as they are now; [] for one that can't be read any more."""
    try:
        return as_utf8(read_regular(root / path)).decode("utf-8", "replace").split("\n")
    except Skipped:
        return []


def shown_of(shown: int, total: int, what: str) -> tuple[str, ...]:
    """The note that says an answer is cut short, if it is."""
    return (f"{shown} of {total} {what} shown; raise the limit for more.",) if shown < total else ()
