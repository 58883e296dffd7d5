"""The documents of a file: the words by which each of its definitions is found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from treemend.tools.index.facts import CALLABLES, IMPL, MODULE, Definition, Unit
from treemend.tools.index.words import words_of

_UNIT_BYTES_MAX = 200_000


def units_of(definitions: Sequence[Definition], data: bytes) -> Iterator[Unit]:
    """What search finds: modules, types, and functions that are in no other function."""
    chosen = [number for number, row in enumerate(definitions) if _is_unit(row, definitions)]
    inner: dict[int, list[Definition]] = {}
    for number in chosen[1:]:
        inner.setdefault(_unit_around(number, definitions), []).append(definitions[number])
    for number in chosen:
        row = definitions[number]
        pieces = b" ".join(_own_text(row, inner.get(number, ()), data))[:_UNIT_BYTES_MAX]
        signature = " ".join((row.signature, *row.decorators)) if row.decorators else row.signature
        yield Unit(
            number,
            words_of(row.name.encode()),
            _scope_words(" ".join((row.qualified[: -len(row.name)], *row.bases))),
            words_of(signature.encode()),
            words_of(row.doc.encode()) if row.doc else "",
            words_of(pieces),
        )


@lru_cache(maxsize=1000)
def _scope_words(scope: str) -> str:
    """Methods of one class have their scope in common."""
    return words_of(scope.encode())


def _is_unit(row: Definition, definitions: Sequence[Definition]) -> bool:
    if row.kind == MODULE:
        return True
    if row.kind in (IMPL, "field"):
        return False
    parent = row.parent
    while parent > 0:
        if definitions[parent].kind in CALLABLES:
            return False
        parent = definitions[parent].parent
    return True


def _unit_around(number: int, definitions: Sequence[Definition]) -> int:
    parent = definitions[number].parent
    while parent > 0 and not _is_unit(definitions[parent], definitions):
        parent = definitions[parent].parent
    return max(parent, 0)


def _own_text(row: Definition, inner: Iterable[Definition], data: bytes) -> Iterator[bytes]:
    at = row.body or row.start
    for one in inner:
        yield data[at : max(at, one.start)]
        at = max(at, one.end)
    yield data[at : max(at, row.end)]
