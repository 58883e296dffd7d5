"""From a name in a file to the definition that it means: by scopes and imports, without types."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator
from functools import cached_property
from posixpath import dirname, normpath

from treemend.tools.index.facts import CALLABLES, CLASSES, IMPL, Import
from treemend.tools.index.lookup import (
    Located,
    definitions_in,
    dotted,
    find_exact,
    imports_in,
    module_name,
    scopes_named,
)

_DEPTH_MAX = 20
_HOPS_MAX = 6
_SHARED_PACKAGES = frozenset({"java", "go", "csharp", "php"})
"""Languages in which the files of a package see each other's names without an import."""
_FAMILIES = ({"javascript", "typescript", "tsx"}, {"c", "cpp"})
THIS = frozenset({"self", "cls", "this", "$this", "Self", "static"})
_KINDS = CLASSES | {"type"}


def same_family(one: str, other: str) -> bool:
    """Whether code of one language can name what another defines."""
    return one == other or any(one in family and other in family for family in _FAMILIES)


class Resolver:
    """Resolves names over one state of the index; what it read it keeps."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._definitions: dict[int, list[Located]] = {}
        self._imports: dict[int, list[Import]] = {}

    @cached_property
    def _modules(self) -> dict[str, list[tuple[int, str, str]]]:
        """Files by the last part of their module's name: id, path and full module name."""
        table: dict[str, list[tuple[int, str, str]]] = {}
        for id_, path, language, package in self.connection.execute(
            "SELECT id, path, language, package FROM file WHERE status = 'indexed' ORDER BY path"
        ):
            name = module_name(path, language, package)
            table.setdefault(name.rpartition(".")[2], []).append((id_, path, name))
        return table

    def definitions(self, file: int) -> list[Located]:
        if file not in self._definitions:
            self._definitions[file] = definitions_in(self.connection, file)
        return self._definitions[file]

    def imports(self, file: int) -> list[Import]:
        if file not in self._imports:
            self._imports[file] = imports_in(self.connection, file)
        return self._imports[file]

    def resolve(self, name: str, near: Located) -> list[Located]:
        """The definitions that `name` means in the file of `near`, best first; [] if that can't be told.

        First what the file or its package defines, then what its imports bring in, re-exports followed.
        """
        wanted = dotted(name)
        return self._resolve(wanted, near.file, near.language, near.path, near.module, _HOPS_MAX)

    def _resolve(
        self, wanted: str, file: int, language: str, path: str, module: str, hops: int
    ) -> list[Located]:
        candidates = [
            one for one in find_exact(self.connection, wanted) if same_family(one.language, language)
        ]
        if here := [one for one in candidates if one.file == file and _is_reachable(one, wanted)]:
            return here
        if language in _SHARED_PACKAGES:
            same = [one for one in candidates if one.module == module and one.definition.qualified == wanted]
            if same:
                return same
        return self._imported(wanted, file, language, path, module, hops)

    def _imported(
        self, wanted: str, file: int, language: str, path: str, module: str, hops: int, default: str = ""
    ) -> list[Located]:
        """What the file's imports bring in under a name. `default` is what an importer calls the default."""
        first, _, rest = wanted.partition(".")
        for one in self.imports(file):
            if one.name != "*" and one.local == first:
                tail = ".".join(filter(None, (one.name if one.name != "default" else "", rest)))
            elif one.name == "*" and not one.alias:
                tail = wanted
            elif one.name == "*" and one.alias == first:
                tail = rest
            elif language == "python" and not one.name and wanted.startswith(one.module + "."):
                tail = wanted[len(one.module) + 1 :]
            else:
                continue
            target = absolute_module(one.module, language, path, module)
            called = "" if tail else default or first
            if found := self._in_module(target, tail, language, called, hops):
                return found
        return []

    def _in_module(self, target: str, tail: str, language: str, default: str, hops: int) -> list[Located]:
        """What a module has under this name, or re-exports."""
        # A default export has the importer's name, or any.
        name = tail or default
        wanted = f"{target}.{name}" if target else name
        found = [
            one
            for one in find_exact(self.connection, name)
            if same_family(one.language, language) and _is_called(one, wanted)
        ]
        found.sort(key=lambda one: one.full_name != wanted)
        if found or not hops:
            return found
        files = self.module_files(target)
        for id_, path, module in files:
            for again in (name,) if tail else (name, "default"):
                if found := self._imported(again, id_, language, path, module, hops - 1, default):
                    return found
        return [] if tail else [one for id_, _, _ in files[:1] for one in self._only_exported(id_)]

    def _only_exported(self, file: int) -> list[Located]:
        """The one class or function of a file that has no other at its top."""
        at_top = [
            one
            for one in self.definitions(file)
            if one.definition.kind in (*CALLABLES, *CLASSES) and "." not in one.definition.qualified
        ]
        return at_top if len(at_top) == 1 else []

    def module_files(self, module: str) -> list[tuple[int, str, str]]:
        """The files of a module: id, path and full name."""
        known = self._modules.get(module.rpartition(".")[2], [])
        return [row for row in known if _ends_like(row[2], module)]

    def bases(self, one: Located) -> list[tuple[str, Located | None]]:
        """The bases of a class as written, each with its definition if it is in the repository."""
        written = list(one.definition.bases)
        for impl in self._impls(one):
            written += [base for base in impl.definition.bases if base not in written]
        pairs: list[tuple[str, Located | None]] = []
        for base in written:
            found = [other for other in self.resolve(base, one) if other.definition.kind in _KINDS]
            found = [other for other in found or self._only(base, one) if other.id != one.id]
            pairs.append((base, found[0] if found else None))
        return pairs

    def _only(self, base: str, one: Located) -> list[Located]:
        """The only class of that name, where imports don't lead to it."""
        found = [
            other
            for other in find_exact(self.connection, base)
            if other.definition.kind in _KINDS and same_family(other.language, one.language)
        ]
        return found if len({other.full_name for other in found}) == 1 else []

    def ancestors(self, one: Located) -> list[Located]:
        """The class and all its bases in the repository, nearest first, left before right."""
        order = [one]
        seen = {one.id}
        for current in order:
            if len(order) > 500:
                break
            for _, base in self.bases(current):
                if base is not None and base.id not in seen:
                    seen.add(base.id)
                    order.append(base)
        return order

    def members(self, one: Located) -> list[Located]:
        """What is defined in a class itself, wherever its language allows that to stand."""
        scopes = [(one.file, one.position), *((impl.file, impl.position) for impl in self._impls(one))]
        found = [
            member
            for file, position in scopes
            for member in self.definitions(file)
            if member.definition.parent == position and member.definition.kind != IMPL
        ]
        known = {member.id for member in found}
        prefix = f"{one.definition.qualified}."
        for file in self._files_of_package(one):
            found += [
                member
                for member in self.definitions(file)
                if member.definition.qualified.startswith(prefix)
                and member.definition.qualified.count(".") == prefix.count(".")
                and member.definition.parent != one.position
                and member.definition.kind != IMPL
                and member.id not in known
            ]
        return found

    def _files_of_package(self, one: Located) -> list[int]:
        if one.language not in ("go", "csharp", "ruby", "cpp", "javascript"):
            return []
        if one.language == "go":
            return [id_ for id_, _, name in self.module_files(one.module) if name == one.module]
        if one.language in ("csharp", "ruby"):
            others = find_exact(self.connection, one.full_name)
            return list(dict.fromkeys([one.file, *(other.file for other in others)]))
        return [one.file]

    def _impls(self, one: Located) -> Iterator[Located]:
        """Rust's impl blocks of a type."""
        if one.language == "rust" and one.definition.kind != "trait":
            for impl in scopes_named(self.connection, one.name):
                if impl.language == "rust":
                    yield impl

    def enclosing_class(self, one: Located) -> Located | None:
        """The class that a method is a member of, also where it stands outside of it."""
        parent = one.definition.parent
        while parent > 0:
            around = self.definitions(one.file)[parent]
            if around.definition.kind in _KINDS:
                return around
            if around.definition.kind == IMPL:
                return next(iter(self._classes_called(around.name, around)), None)
            parent = around.definition.parent
        owner = one.definition.qualified.rpartition(".")[0]
        return next(iter(self._classes_called(owner, one)), None) if owner else None

    def _classes_called(self, name: str, near: Located) -> Iterable[Located]:
        found = self.resolve(name, near) or find_exact(self.connection, name)
        return [
            one for one in found if one.definition.kind in _KINDS and same_family(one.language, near.language)
        ]


def declared_type(function: Located, parameter: str) -> str:
    """The type that a function's signature declares for a parameter, Go's receiver included; "" if none."""
    pattern = _PARAMETER_TYPES.get(function.language)
    if pattern is None or function.definition.kind not in CALLABLES:
        return ""
    match = re.search(pattern.format(re.escape(parameter)), function.definition.signature)
    return match[1] if match else ""


_TYPE_FIRST = r"([A-Za-z_][\w.]*)(?:<[^()]*?>)?[\s&*]+{}\s*[,)=]"
_NAME_FIRST = (
    r"[(,]\s*(?:(?:readonly|private|public|protected|mut)\s+)*{}\??\s*:\s*"
    r"(?:&|'\w+\s|mut\s|[\"'])*([A-Za-z_][\w.]*)"
)
_PARAMETER_TYPES = {
    **dict.fromkeys(("java", "csharp", "cpp"), _TYPE_FIRST),
    **dict.fromkeys(("python", "typescript", "tsx", "rust"), _NAME_FIRST),
    "go": r"[(,]\s*{}\s+\*?([A-Za-z_][\w.]*)",
}
"""How a signature says a parameter's type; the parameter's name goes where the braces are."""


def absolute_module(module: str, language: str, path: str, own: str) -> str:
    """The dotted name of an imported module, relative ones resolved against the importing file."""
    if language == "python" and module.startswith("."):
        dots = len(module) - len(module.lstrip("."))
        parts = own.split(".") if own else []
        if not path.endswith("__init__.py"):
            parts = parts[:-1]
        parts = parts[: len(parts) - (dots - 1)] if dots > 1 else parts
        return ".".join((*parts, *filter(None, [module.lstrip(".")])))
    if module.startswith(("./", "../")) or module in (".", ".."):
        joined = normpath(f"{dirname(path)}/{module}").removeprefix("/")
        stem = (
            joined.rpartition(".")[0] if joined.endswith((".js", ".ts", ".tsx", ".jsx", ".mjs")) else joined
        )
        return module_name(f"{stem}.x", "javascript", "")
    if language == "rust":
        return _rust_module(module, own)
    return dotted(module.lstrip("@~"))


def _rust_module(module: str, own: str) -> str:
    first, _, rest = module.partition(".")
    parts = own.split(".") if own else []
    if first == "crate":
        return rest
    if first == "self":
        return ".".join((*parts, *filter(None, [rest])))
    while first == "super":
        parts = parts[:-1]
        first, _, rest = rest.partition(".")
        module = ".".join((*parts, *filter(None, [first, rest])))
    return module


def _is_reachable(one: Located, wanted: str) -> bool:
    """Whether a file's own definition can be meant by this name: not another class's method."""
    return one.definition.qualified == wanted or "." in wanted or one.definition.kind in _KINDS


def _is_called(one: Located, wanted: str) -> bool:
    """Whether this is the full name of a definition, give or take what stands before its top folder."""
    if one.full_name == wanted or one.full_name.endswith(f".{wanted}"):
        return True
    return wanted.endswith(f".{one.full_name}") and (bool(one.module) or one.language == "go")


def _ends_like(name: str, wanted: str) -> bool:
    """Whether one of the two ends like the other: a source root or a module path may stand before."""
    return name == wanted or name.endswith(f".{wanted}") or (wanted.endswith(f".{name}") and bool(name))
