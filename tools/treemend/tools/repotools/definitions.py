"""Classes, signatures, bodies and outlines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from treemend.tools.index.facts import CALLABLES, CLASSES, DATA, IMPL, MODULE
from treemend.tools.index.lookup import Located, dotted, find_exact, find_file, subclasses_named, suggest
from treemend.tools.index.repository import RepositoryIndex
from treemend.tools.repotools.conversion import first_paragraph, place_of, shown_of, source_lines, symbol_of
from treemend.tools.repotools.resolution import Resolver
from treemend.tools.repotools.results import (
    Base,
    Bodies,
    Body,
    Classes,
    ClassInformation,
    Member,
    Outline,
    OutlineEntry,
    Signature,
    Signatures,
)

_SUBCLASSES_MAX = 30
_INSTANCE = ("self.", "this.", "@")


def class_information(index: RepositoryIndex, name: str, limit: int = 5) -> Classes:
    """Classes, structs, interfaces and traits of this name, with inherited members and their owners."""
    resolver = Resolver(index.connection)
    found = [one for one in find_exact(index.connection, name) if one.definition.kind in CLASSES]
    return Classes(
        found=bool(found),
        notes=shown_of(min(limit, len(found)), len(found), "classes"),
        suggestions=() if found else tuple(suggest(index.connection, name)),
        classes=tuple(_class(resolver, one) for one in found[:limit]),
    )


def _class(resolver: Resolver, one: Located) -> ClassInformation:
    definition = one.definition
    members = list(_members(resolver, one))
    fields = [(source, member) for source, member in members if member.kind in DATA]
    nested = [
        source for source, _ in members if source.definition.kind in CLASSES and source.file == one.file
    ]
    return ClassInformation(
        name=definition.qualified,
        full_name=one.full_name,
        kind=definition.kind,
        language=one.language,
        place=place_of(one),
        end_line=definition.end_line,
        signature=definition.signature,
        doc=definition.doc,
        decorators=definition.decorators,
        bases=tuple(Base(name=base, place=place_of(at) if at else None) for base, at in resolver.bases(one)),
        methods=tuple(member for _, member in members if member.kind in CALLABLES),
        class_variables=tuple(member for source, member in fields if not _is_of_instance(source)),
        instance_variables=tuple(member for source, member in fields if _is_of_instance(source)),
        nested=tuple(symbol_of(source) for source in nested),
        subclasses=tuple(
            symbol_of(other)
            for other in subclasses_named(resolver.connection, one.name)[:_SUBCLASSES_MAX]
            if any(base is not None and base.id == one.id for _, base in resolver.bases(other))
        ),
    )


def _members(resolver: Resolver, one: Located) -> Iterator[tuple[Located, Member]]:
    """Own and inherited members; of several with one name and parameter count the nearest."""
    chain = [(owner, resolver.members(owner)) for owner in resolver.ancestors(one)]
    seen: set[tuple[str, int]] = set()
    for depth, (owner, members) in enumerate(chain):
        fresh = [member for member in members if _key(member) not in seen]
        seen.update(map(_key, fresh))
        for member in fresh:
            if depth and member.name in _NOT_INHERITED | {owner.name}:
                continue
            above = (
                later.definition.qualified
                for later, others in chain[depth + 1 :]
                if member.definition.kind in CALLABLES
                and any(_key(other) == _key(member) for other in others)
            )
            yield (
                member,
                Member(
                    name=member.name,
                    kind=member.definition.kind,
                    signature=member.definition.signature,
                    owner=owner.definition.qualified,
                    is_inherited=depth > 0,
                    overrides=next(above, ""),
                    place=place_of(member),
                ),
            )


_NOT_INHERITED = frozenset({"constructor"})


def _key(member: Located) -> tuple[str, int]:
    """What tells members apart: overloads differ in the number of parameters."""
    has_overloads = member.language in ("java", "csharp", "cpp", "typescript", "tsx")
    return member.name, member.definition.parameters if has_overloads else 0


def _is_of_instance(one: Located) -> bool:
    """Whether a field belongs to an object rather than to its class."""
    if one.language in ("python", "javascript", "ruby"):
        return one.definition.signature.startswith(_INSTANCE)
    return "static " not in one.definition.signature and one.definition.kind == "field"


@dataclass(frozen=True, slots=True)
class Meant:
    """A definition that a name means, and the class it was asked of where that only inherits it."""

    located: Located
    asked_of: str = ""


def functions_meant(index: RepositoryIndex, resolver: Resolver, name: str) -> list[Meant]:
    """The functions and methods of this name; `Class.method` includes what the class inherits."""
    found = [
        one for one in find_exact(index.connection, name) if one.definition.kind in (*CALLABLES, "macro")
    ]
    if found:
        return [Meant(one) for one in found]
    owner, _, last = dotted(name).rpartition(".")
    meant: dict[int, Meant] = {}
    for holder in find_exact(index.connection, owner) if owner else ():
        if holder.definition.kind not in CLASSES:
            continue
        for member, _ in _members(resolver, holder):
            if member.name == last and member.definition.kind in CALLABLES:
                meant.setdefault(member.id, Meant(member, holder.definition.qualified))
    return list(meant.values())


def get_signature(index: RepositoryIndex, name: str, limit: int = 10) -> Signatures:
    """The signatures of all functions and methods that a name means."""
    resolver = Resolver(index.connection)
    meant = functions_meant(index, resolver, name)
    return Signatures(
        found=bool(meant),
        notes=shown_of(min(limit, len(meant)), len(meant), "signatures"),
        suggestions=() if meant else tuple(suggest(index.connection, name)),
        signatures=tuple(_signature(resolver, one) for one in meant[:limit]),
    )


def get_body(index: RepositoryIndex, name: str, limit: int = 3, lines: int = 400) -> Bodies:
    """The source of the functions, methods or other definitions that a name means."""
    resolver = Resolver(index.connection)
    meant = functions_meant(index, resolver, name) or [
        Meant(one) for one in find_exact(index.connection, name)
    ]
    bodies = tuple(_body(index, resolver, one, lines) for one in meant[:limit])
    cut = tuple(f"{body.name}: {lines} lines shown of more." for body in bodies if body.is_cut)
    return Bodies(
        found=bool(meant),
        notes=shown_of(len(bodies), len(meant), "bodies") + cut,
        suggestions=() if meant else tuple(suggest(index.connection, name)),
        bodies=bodies,
    )


def _signature(resolver: Resolver, meant: Meant) -> Signature:
    one = meant.located
    owner = resolver.enclosing_class(one) if one.definition.kind == "method" else None
    return Signature(
        name=one.definition.qualified,
        signature=one.definition.signature,
        decorators=one.definition.decorators,
        doc=first_paragraph(one.definition.doc),
        place=place_of(one),
        end_line=one.definition.end_line,
        owner=owner.full_name if owner is not None else "",
        asked_of=meant.asked_of,
    )


def _body(index: RepositoryIndex, resolver: Resolver, meant: Meant, lines: int) -> Body:
    definition = meant.located.definition
    source = source_lines(index.root, meant.located.path)[definition.top_line - 1 : definition.end_line]
    return Body(
        **dict(_signature(resolver, meant)),
        source="\n".join(source[:lines]),
        first_line=definition.top_line,
        is_cut=len(source) > lines,
    )


def get_outline(index: RepositoryIndex, path: str, limit: int = 500) -> Outline:
    """The definitions of a file in source order; `path` may be its end alone."""
    files = find_file(index.connection, path)
    if not files:
        return Outline(found=False, suggestions=tuple(_paths_like(index, path)))
    file = files[0]
    notes = [f"{len(files) - 1} more files end like that: {files[1].path}"] if len(files) > 1 else []
    if file.status != "indexed":
        return Outline(
            found=True, path=file.path, language=file.language, notes=(*notes, f"Not parsed: {file.status}.")
        )
    if file.has_errors:
        notes.append("The file has syntax errors; what could be understood is shown.")
    resolver = Resolver(index.connection)
    definitions = resolver.definitions(file.id)
    shown = [one for one in definitions if one.definition.kind not in (MODULE, IMPL)]
    return Outline(
        found=True,
        notes=(*notes, *shown_of(min(limit, len(shown)), len(shown), "definitions")),
        path=file.path,
        language=file.language,
        doc=first_paragraph(definitions[0].definition.doc),
        entries=tuple(
            OutlineEntry(symbol=symbol_of(one), depth=_depth(one, definitions)) for one in shown[:limit]
        ),
    )


def _depth(one: Located, definitions: Sequence[Located]) -> int:
    depth = 0
    parent = one.definition.parent
    while parent > 0:
        depth += 1
        parent = definitions[parent].definition.parent
    return depth


def _paths_like(index: RepositoryIndex, path: str) -> list[str]:
    import difflib

    name = path.rpartition("/")[2]
    paths = [row[0] for row in index.connection.execute("SELECT path FROM file ORDER BY path")]
    by_name = {one.rpartition("/")[2]: one for one in reversed(paths)}
    return [by_name[near] for near in difflib.get_close_matches(name, list(by_name), n=5, cutoff=0.6)]
