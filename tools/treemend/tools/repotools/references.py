"""Who names a symbol, who calls it, what it calls, and which tests reach it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from treemend.tools.index.facts import CALLABLES, CLASSES, IMPL, Occurrence, Use
from treemend.tools.index.lookup import (
    FileRow,
    Located,
    enclosing,
    find_exact,
    occurrences_in,
    occurrences_of,
    suggest,
)
from treemend.tools.index.repository import RepositoryIndex
from treemend.tools.repotools.conversion import shown_of, source_lines, symbol_of
from treemend.tools.repotools.definitions import functions_meant
from treemend.tools.repotools.resolution import THIS, Resolver, declared_type, same_family
from treemend.tools.repotools.results import Call, Calls, Place, Reference, References

_TEXT_CHARS_MAX = 200
_SAME_NAME_MAX = 10
_NOT_USES = (Use.DEFINITION, Use.BINDING)
_USES: dict[Use, Literal["call", "name", "attribute", "type", "import"]] = {
    Use.CALL: "call",
    Use.NAME: "name",
    Use.ATTRIBUTE: "attribute",
    Use.TYPE: "type",
    Use.IMPORT: "import",
}
_CONTAINERS = (
    "add append clear clone copy count decode discard encode endswith equals extend filter find "
    "format get has hashCode index insert items join keys len length lower map match pop push remove "
    "replace reverse search set size sort split startswith strip sub toString trim update upper "
    "values"
)
CONTAINERS = frozenset(_CONTAINERS.split())
"""Methods of containers and texts: a call of one of these says nothing without its receiver."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A reference before it becomes an answer."""

    file: FileRow
    occurrence: Occurrence
    inside: Located
    is_sure: bool


def get_references(index: RepositoryIndex, name: str, limit: int = 50) -> References:
    """The places that name a symbol, those first where imports or classes show that it is this one."""
    resolver = Resolver(index.connection)
    targets = _targets(index, resolver, name)
    if not targets:
        return References(found=False, suggestions=tuple(suggest(index.connection, name)))
    seen = sorted(_references(resolver, targets), key=_order)
    lines: dict[str, list[str]] = {}
    shown = []
    for one in seen[:limit]:
        if one.file.path not in lines:
            lines[one.file.path] = source_lines(index.root, one.file.path)
        shown.append(_reference(one, lines[one.file.path]))
    return References(
        found=bool(seen),
        notes=shown_of(len(shown), len(seen), "references") + _said_of(targets),
        references=tuple(shown),
    )


def get_callers(index: RepositoryIndex, name: str, limit: int = 50) -> Calls:
    """The functions that call what a name means."""
    resolver = Resolver(index.connection)
    targets = _targets(index, resolver, name)
    if not targets:
        return Calls(found=False, suggestions=tuple(suggest(index.connection, name)))
    called = [one for one in _references(resolver, targets) if one.occurrence.use is Use.CALL]
    calls = _grouped([(one.inside, one) for one in sorted(called, key=_order)])
    notes = shown_of(min(limit, len(calls)), len(calls), "callers") + _said_of(targets)
    return Calls(found=bool(calls), notes=notes, calls=tuple(calls[:limit]))


def get_callees(index: RepositoryIndex, name: str, limit: int = 50) -> Calls:
    """The functions of the repository that a function calls, as far as names tell."""
    resolver = Resolver(index.connection)
    meant = [one.located for one in functions_meant(index, resolver, name)]
    meant = meant or [one for one in find_exact(index.connection, name) if one.definition.kind in CLASSES]
    if not meant:
        return Calls(found=False, suggestions=tuple(suggest(index.connection, name)))
    calls = _grouped(list(callees_of(resolver, meant[0])))
    several = (
        (f"{len(meant)} definitions have that name; these are the calls of the first.",) if meant[1:] else ()
    )
    notes = several + shown_of(min(limit, len(calls)), len(calls), "callees")
    return Calls(found=bool(calls), notes=notes, calls=tuple(calls[:limit]))


def get_covering_tests(index: RepositoryIndex, name: str, limit: int = 50) -> Calls:
    """The test functions that name a symbol, or that call a function of the tests which does.

    By static references: a test that reaches it through other code is not seen.
    """
    resolver = Resolver(index.connection)
    targets = _targets(index, resolver, name)
    if not targets:
        return Calls(found=False, suggestions=tuple(suggest(index.connection, name)))
    direct = [one for one in sorted(_references(resolver, targets), key=_order) if one.file.is_test]
    direct = [one for one in direct if one.occurrence.use is not Use.IMPORT]
    steps = [(one.inside, one) for one in direct]
    for helper in {one.inside.id: one.inside for one in direct if _is_helper(one.inside)}.values():
        steps += [(one.inside, one) for one in _references(resolver, [helper]) if one.file.is_test]
    calls = [one for one in _grouped(steps) if one.symbol.kind in CALLABLES]
    notes = (*shown_of(min(limit, len(calls)), len(calls), "tests"), "By static references only.")
    return Calls(found=bool(calls), notes=notes, calls=tuple(calls[:limit]))


def _is_helper(one: Located) -> bool:
    return one.definition.kind in CALLABLES and not one.name.lower().startswith(("test", "__"))


def _targets(index: RepositoryIndex, resolver: Resolver, name: str) -> list[Located]:
    found = find_exact(index.connection, name)
    return found or [one.located for one in functions_meant(index, resolver, name)]


def _said_of(targets: Sequence[Located]) -> tuple[str, ...]:
    """What makes the answer vague."""
    notes = []
    if len({one.full_name for one in targets}) > 1:
        names = ", ".join(sorted({one.full_name for one in targets})[:5])
        notes.append(f"{len(targets)} definitions have that name ({names}): give a longer one for fewer.")
    if targets[0].name in CONTAINERS:
        notes.append(f"{targets[0].name} is a method of common containers: unproven uses are left out.")
    return tuple(notes)


def _order(one: _Seen) -> tuple[bool, bool, str, int]:
    return not one.is_sure, one.file.is_test, one.file.path, one.occurrence.start


def _references(resolver: Resolver, targets: Sequence[Located]) -> Iterator[_Seen]:
    wanted = {one.id for one in targets}
    languages = {one.language for one in targets}
    name = targets[0].name
    for file, found, positions in occurrences_of(resolver.connection, name):
        if not any(same_family(file.language, language) for language in languages):
            continue
        definitions = resolver.definitions(file.id)
        for alias in {one.alias for one in resolver.imports(file.id) if one.name == name and one.alias}:
            positions = sorted({*positions, *found.positions_of(alias)})
        for position in positions:
            occurrence = found.at(position)
            if occurrence.use in _NOT_USES:
                continue
            inside = enclosing(definitions, occurrence)
            meant = _meant(resolver, occurrence, found.receiver(position), inside)
            if meant is None:
                if occurrence.name == name not in CONTAINERS and _may_mean(occurrence, targets):
                    yield _Seen(file, occurrence, inside, is_sure=False)
            elif wanted & {one.id for one in meant}:
                yield _Seen(file, occurrence, inside, is_sure=True)


def _may_mean(occurrence: Occurrence, targets: Sequence[Located]) -> bool:
    """A bare name means no method; a member means no plain function's local namesake."""
    is_member = any(
        one.definition.kind in ("method", "field", "constant") or "." in one.definition.qualified
        for one in targets
    )
    return (
        is_member
        if occurrence.is_member
        else any(
            one.definition.kind not in ("method", "field")
            or one.language in ("java", "csharp", "cpp", "ruby")
            for one in targets
        )
    )


def _meant(
    resolver: Resolver, occurrence: Occurrence, receiver: str, inside: Located
) -> list[Located] | None:
    """The definitions that an identifier certainly means; None where that can't be told."""
    if not occurrence.is_member:
        found = resolver.resolve(occurrence.name, inside)
        if found:
            return found
        if inside.language in ("java", "csharp", "cpp", "ruby") and (
            own := _own_member(resolver, occurrence, inside)
        ):
            return own
        # Python's names come from its own file, its imports or its builtins, and nothing else.
        return [] if inside.language == "python" and not _has_star(resolver, inside) else None
    if receiver in THIS:
        return _own_member(resolver, occurrence, inside) or None
    if receiver == "super":
        return _inherited_member(resolver, occurrence, inside)
    if not receiver:
        return None
    found = resolver.resolve(f"{receiver}.{occurrence.name}", inside)
    return found or _inherited(resolver, declared_type(inside, receiver) or receiver, occurrence, inside)


def _inherited(
    resolver: Resolver, receiver: str, occurrence: Occurrence, inside: Located
) -> list[Located] | None:
    """A member that is named by its class, which inherits it."""
    holders = [one for one in resolver.resolve(receiver, inside) if one.definition.kind in CLASSES]
    return (_first_member(resolver, holders[0], occurrence.name) or None) if holders else None


def _inherited_member(resolver: Resolver, occurrence: Occurrence, inside: Located) -> list[Located]:
    """The member that the class around a method inherits; none where it comes from outside the repository."""
    holder = resolver.enclosing_class(inside)
    for owner in resolver.ancestors(holder)[1:] if holder is not None else ():
        if found := [one for one in resolver.members(owner) if one.name == occurrence.name]:
            return found
    return []


def _own_member(resolver: Resolver, occurrence: Occurrence, inside: Located) -> list[Located]:
    """The member of the class around a method, or of the nearest base that has it."""
    holder = inside if inside.definition.kind in CLASSES else resolver.enclosing_class(inside)
    return _first_member(resolver, holder, occurrence.name) if holder is not None else []


def _first_member(resolver: Resolver, holder: Located, name: str) -> list[Located]:
    for owner in resolver.ancestors(holder):
        if found := [one for one in resolver.members(owner) if one.name == name]:
            return found
    return []


def _has_star(resolver: Resolver, inside: Located) -> bool:
    return any(one.name == "*" for one in resolver.imports(inside.file))


def _reference(one: _Seen, lines: Sequence[str]) -> Reference:
    line = one.occurrence.line
    return Reference(
        place=Place(path=one.file.path, line=line, column=one.occurrence.column),
        inside=one.inside.definition.qualified or one.inside.module,
        use=_USES[one.occurrence.use],
        certainty="sure" if one.is_sure else "maybe",
        text=lines[line - 1].strip()[:_TEXT_CHARS_MAX] if line <= len(lines) else "",
        is_test=one.file.is_test,
    )


def callees_of(resolver: Resolver, one: Located) -> Iterator[tuple[Located, _Seen]]:
    """What a function calls, call by call; up to ten definitions where a name alone must tell."""
    found = occurrences_in(resolver.connection, one.file)
    file = FileRow(one.file, one.path, one.language, one.package, one.is_test, False, "indexed")
    for position in found.between(one.definition.start, one.definition.end):
        occurrence = found.at(position)
        if occurrence.use is not Use.CALL:
            continue
        meant = _meant(resolver, occurrence, found.receiver(position), one)
        is_sure = meant is not None
        for target in meant if meant is not None else _by_name(resolver, occurrence, one):
            if target.definition.kind != IMPL and target.id != one.id:
                yield target, _Seen(file, occurrence, target, is_sure)


def _by_name(resolver: Resolver, occurrence: Occurrence, near: Located) -> list[Located]:
    if occurrence.name in CONTAINERS:
        return []
    found = [
        one
        for one in find_exact(resolver.connection, occurrence.name)
        if one.name == occurrence.name
        and same_family(one.language, near.language)
        and one.definition.kind in (*CALLABLES, *CLASSES, "macro")
        and _may_mean(occurrence, [one])
    ]
    return found if len(found) <= _SAME_NAME_MAX else []


def _grouped(steps: Sequence[tuple[Located, _Seen]]) -> list[Call]:
    """One call for each function, sure ones first, then by place."""
    groups: dict[int, list[tuple[Located, _Seen]]] = {}
    for located, seen in steps:
        groups.setdefault(located.id, []).append((located, seen))
    calls = [
        Call(
            symbol=symbol_of(group[0][0]),
            place=Place(
                path=group[0][1].file.path,
                line=group[0][1].occurrence.line,
                column=group[0][1].occurrence.column,
            ),
            count=len(group),
            certainty="sure" if any(seen.is_sure for _, seen in group) else "maybe",
        )
        for group in groups.values()
    ]
    return sorted(
        calls, key=lambda call: (call.certainty != "sure", call.symbol.place.path, call.symbol.place.line)
    )
