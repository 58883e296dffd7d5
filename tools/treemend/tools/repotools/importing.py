"""Names that a file uses and has from nowhere, and the imports that would bring them in."""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterable, Iterator
from posixpath import dirname, relpath

from treemend.tools.index.facts import CALLABLES, CLASSES, Occurrence, Occurrences, Use
from treemend.tools.index.lookup import (
    FileRow,
    Located,
    find_exact,
    find_file,
    module_name,
    occurrences_in,
)
from treemend.tools.index.repository import RepositoryIndex
from treemend.tools.repotools.conversion import place_of, shown_of, source_lines
from treemend.tools.repotools.resolution import Resolver, same_family
from treemend.tools.repotools.results import ImportCandidate, MissingImport, MissingImports, Place

LANGUAGES = frozenset({"python", "java", "typescript", "tsx", "javascript", "go", "rust"})
_CANDIDATES_MAX = 5
_USES = (Use.NAME, Use.CALL, Use.TYPE)
_IMPORTABLE = CLASSES | CALLABLES | {"constant", "variable", "type", "macro", "namespace"}
_GO_MODULE = re.compile(r"^module\s+(\S+)", re.MULTILINE)
_PROVIDED = {
    "java": "AutoCloseable Boolean Byte Character CharSequence Class Cloneable Comparable Deprecated Double "
    "Enum Error Exception Float FunctionalInterface IllegalArgumentException IllegalStateException "
    "IndexOutOfBoundsException Integer Iterable Long Math module NullPointerException Number Object "
    "Override permits Process record Record Runnable RuntimeException SafeVarargs sealed Short "
    "String StringBuilder super SuppressWarnings System Thread Throwable "
    "UnsupportedOperationException var Void yield",
    "javascript": "__dirname __filename any arguments Array ArrayBuffer as asserts async await Awaited "
    "BigInt bigint Blob Boolean boolean Buffer clearInterval clearTimeout console constructor Date declare "
    "document Error Event Exclude exports Extract fetch from Function get global globalThis "
    "HTMLElement infer Infinity InstanceType Intl is isNaN Iterable Iterator JSON keyof localStorage "
    "Map Math module namespace NaN navigator never NonNullable number Number Object object of Omit "
    "Parameters parseFloat parseInt Partial Pick process Promise Proxy queueMicrotask RangeError "
    "readonly Readonly ReadonlyArray Record Reflect RegExp require Required ReturnType satisfies set "
    "Set setInterval setTimeout static string String super Symbol symbol this type TypeError "
    "Uint8Array undefined unique unknown URL WeakMap WeakSet window",
    "go": "_ any append bool byte cap clear close comparable complex complex128 complex64 copy delete "
    "error false float32 float64 imag init int int16 int32 int64 int8 iota len main make max min new "
    "nil panic print println real recover rune string true uint uint16 uint32 uint64 uint8 uintptr",
    "rust": "allow AsMut AsRef assert assert_eq assert_ne bool Box cfg char Clone Copy crate dbg Debug "
    "debug_assert Default deny derive doc drop Drop eprintln Eq Err f32 f64 feature Fn FnMut FnOnce "
    "format From Hash i128 i16 i32 i64 i8 include_str inline Into IntoIterator isize Iterator "
    "macro_rules matches must_use None Ok Option Ord panic PartialEq PartialOrd path print println "
    "Result Self self Send Sized Some str String super Sync test todo ToOwned ToString TryFrom "
    "TryInto u128 u16 u32 u64 u8 unimplemented union unreachable usize vec Vec write writeln",
}
_BUILTIN = {language: frozenset(names.split()) for language, names in _PROVIDED.items()}
_BUILTIN |= {
    "python": frozenset(
        {*dir(builtins), "__file__", "__name__", "__path__", "_", "print", "exec", "match", "type"}
    ),
    "typescript": _BUILTIN["javascript"],
    "tsx": _BUILTIN["javascript"],
}


def get_imports(index: RepositoryIndex, path: str, limit: int = 50) -> MissingImports:
    """The names that a file lacks, each with the statements that would import it from this repository.

    A name counts as known when the file binds it anywhere; a star import makes all names known that
    are not in this repository.
    """
    files = find_file(index.connection, path)
    if not files:
        return MissingImports(found=False, notes=(f"There is no file {path} in the index.",))
    file = files[0]
    if file.language not in LANGUAGES or file.status != "indexed":
        reason = file.status if file.status != "indexed" else f"imports of {file.language} are not understood"
        return MissingImports(found=False, path=file.path, notes=(f"{file.path}: {reason}.",))
    resolver = Resolver(index.connection)
    missing = list(_missing(index, resolver, file))
    notes = list(shown_of(min(limit, len(missing)), len(missing), "names"))
    if file.has_errors:
        notes.append("The file has syntax errors: names in what could not be parsed may be wrong.")
    return MissingImports(
        found=bool(missing), notes=tuple(notes), path=file.path, missing=tuple(missing[:limit])
    )


def _missing(index: RepositoryIndex, resolver: Resolver, file: FileRow) -> Iterator[MissingImport]:
    found = occurrences_in(index.connection, file.id)
    known = _known(resolver, file, found)
    has_star = any(one.name == "*" and not one.alias for one in resolver.imports(file.id))
    for occurrence in _first_uses(found):
        if occurrence.name in known or occurrence.name.startswith("__"):
            continue
        candidates = tuple(_candidates(index, resolver, file, occurrence.name))[:_CANDIDATES_MAX]
        if candidates or (not has_star and _is_telling(file.language, occurrence)):
            place = Place(path=file.path, line=occurrence.line, column=occurrence.column)
            yield MissingImport(name=occurrence.name, place=place, candidates=candidates)


def _known(resolver: Resolver, file: FileRow, found: Occurrences) -> set[str]:
    """What the file defines, binds, imports, or has from its package and its language."""
    known = {
        found.at(at).name for at in range(len(found)) if found.at(at).use in (Use.BINDING, Use.DEFINITION)
    }
    known |= {one.local for one in resolver.imports(file.id)}
    # `import a.b` binds a.
    known |= {
        one.module.partition(".")[0] for one in resolver.imports(file.id) if not one.name and not one.alias
    }
    known |= _BUILTIN[file.language]
    module = module_name(file.path, file.language, file.package)
    if file.language in ("java", "go"):
        for id_, _, name in resolver.module_files(module):
            if name == module:
                known |= {one.name for one in resolver.definitions(id_)}
    for one in resolver.imports(file.id):
        if one.name == "*":
            for id_, _, _ in resolver.module_files(one.module):
                known |= {brought.name for brought in resolver.definitions(id_)}
    # What is inherited is known in the bodies of the class.
    for definition in resolver.definitions(file.id) if file.language == "java" else ():
        if definition.definition.kind in CLASSES:
            for owner in resolver.ancestors(definition):
                known |= {member.name for member in resolver.members(owner)}
    return known


def _first_uses(found: Occurrences) -> Iterator[Occurrence]:
    seen: set[str] = set()
    for at in range(len(found)):
        occurrence = found.at(at)
        if occurrence.use in _USES and not occurrence.is_member and occurrence.name not in seen:
            seen.add(occurrence.name)
            yield occurrence


def _is_telling(language: str, occurrence: Occurrence) -> bool:
    """Whether a name that the repository hasn't got is worth a word: where every name has a source."""
    if language == "python":
        return True
    if occurrence.name.endswith(("Exception", "Error")):
        # Most of java.lang's names that nobody lists.
        return False
    return language in ("java", "typescript", "tsx") and occurrence.use is Use.TYPE


def _candidates(
    index: RepositoryIndex, resolver: Resolver, file: FileRow, name: str
) -> Iterator[ImportCandidate]:
    seen: set[str] = set()
    # Go imports packages only.
    definitions = () if file.language == "go" else _by_definition(index, file, name)
    for statement, place in (*definitions, *_by_module(index, resolver, file, name)):
        if statement not in seen:
            seen.add(statement)
            yield ImportCandidate(statement=statement, place=place)


def _by_definition(index: RepositoryIndex, file: FileRow, name: str) -> Iterator[tuple[str, Place]]:
    for one in find_exact(index.connection, name):
        is_top = "." not in one.definition.qualified and one.definition.kind in _IMPORTABLE
        is_visible = one.file != file.id and (file.is_test or not one.is_test)
        if one.name == name and is_top and is_visible and same_family(one.language, file.language):
            yield _statement(file, one), place_of(one)


def _statement(file: FileRow, one: Located) -> str:
    if file.language == "python":
        return f"from {one.module} import {one.name}"
    if file.language == "java":
        return f"import {one.full_name};"
    if file.language == "rust":
        return f"use crate::{one.full_name.replace('.', '::')};"
    stem = re.sub(r"(/index)?\.[^./]+$", "", one.path)
    relative = relpath(stem, dirname(file.path) or ".")
    return f"import {{ {one.name} }} from '{relative if relative.startswith('.') else f'./{relative}'}';"


def _by_module(
    index: RepositoryIndex, resolver: Resolver, file: FileRow, name: str
) -> Iterable[tuple[str, Place]]:
    if file.language == "python":
        for _, path, module in resolver.module_files(name):
            if path.endswith(".py") and module.rpartition(".")[2] == name:
                parent = module.rpartition(".")[0]
                yield (
                    (f"from {parent} import {name}" if parent else f"import {name}"),
                    Place(path=path, line=1),
                )
    elif file.language == "go":
        yield from _go_packages(index, resolver, file, name)


def _go_packages(
    index: RepositoryIndex, resolver: Resolver, file: FileRow, name: str
) -> Iterator[tuple[str, Place]]:
    declared = _GO_MODULE.search("\n".join(source_lines(index.root, "go.mod")))
    for id_, path, module in resolver.module_files(name):
        if path.endswith(".go") and module.rpartition(".")[2] == name and id_ != file.id:
            folder = dirname(path)
            yield f'import "{f"{declared[1]}/{folder}" if declared else folder}"', Place(path=path, line=1)
