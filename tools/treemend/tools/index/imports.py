"""Import statements of each language, as the names they bring in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

Imported = tuple[str, str, str]
"""Module, name ("" for the module itself, "*" for all of it) and alias."""

_BLANK = re.compile(r"\s+")
_COMMENT = re.compile(r"#[^\n]*|//[^\n]*|/\*.*?\*/", re.DOTALL)
_IMPORTS_MAX = 2000


def imported_names(language: str, statement: str) -> list[Imported]:
    """What a statement imports. What can't be understood brings in nothing.

    Modules keep the language's own form but for their separators: "a::b", "a\\\\b" are "a.b"; paths such
    as "./x" and "net/http" stay paths.
    """
    reader = _READERS.get(language)
    if reader is None or len(statement) > 100_000:
        return []
    text = statement if language in ("c", "cpp") else _COMMENT.sub(" ", statement)
    return [
        found for found, _ in zip(reader(_BLANK.sub(" ", text).strip()), range(_IMPORTS_MAX), strict=False)
    ]


def _python(text: str) -> Iterator[Imported]:
    if match := re.match(r"from ?(\.*[\w. ]*?) ?import ?\(?(.*?),? ?\)?$", text):
        module = match[1].replace(" ", "")
        for part in match[2].split(","):
            name, _, alias = part.strip().partition(" as ")
            yield module, name.strip(), alias.strip()
    elif text.startswith("import "):
        for part in text[7:].split(","):
            module, _, alias = part.strip().partition(" as ")
            yield module.strip(), "", alias.strip()


_FROM = re.compile(r"from ?['\"]([^'\"]+)['\"]")
_REQUIRE = re.compile(r"^(.*?) ?= ?require ?\( ?['\"]([^'\"]+)['\"] ?\)")


def _ecmascript(text: str) -> Iterator[Imported]:
    if match := _REQUIRE.match(text):
        yield from _bindings(match[1].replace(":", " as "), match[2], whole="")
        return
    source = _FROM.search(text)
    if source is None:
        if bare := re.match(r"import ?['\"]([^'\"]+)['\"]", text):
            yield bare[1], "", ""
        return
    clause = re.sub(r"^(import|export)( type)?\b ?", "", text[: source.start()])
    yield from _bindings(clause, source[1], whole="default")


def _bindings(clause: str, module: str, *, whole: str) -> Iterator[Imported]:
    braces = re.search(r"\{(.*)\}", clause)
    outside = clause if braces is None else clause[: braces.start()] + clause[braces.end() :]
    for part in filter(None, (part.strip() for part in outside.split(","))):
        if part.startswith("*"):
            yield module, "*", part.partition(" as ")[2].strip()
        else:
            yield module, whole, part
    for part in braces[1].split(",") if braces else ():
        name, _, alias = part.strip().removeprefix("type ").partition(" as ")
        if name:
            yield module, name.strip(), alias.strip()


def _java(text: str) -> Iterator[Imported]:
    path = re.sub(r"^import (static )?|\s|;$", "", text)
    module, _, name = path.rpartition(".")
    yield module, name, ""


def _go(text: str) -> Iterator[Imported]:
    if match := re.match(r"(?:([\w.]+) )?[\"`]([^\"`]+)[\"`]", text):
        dot = match[1] == "."
        yield match[2], "*" if dot else "", "" if dot else match[1] or ""


def _rust(text: str) -> Iterator[Imported]:
    if match := re.match(r"(?:pub(?:\([^)]*\))? )?(?:unsafe )?mod (\w+)", text):
        yield f"self.{match[1]}", "", match[1]
    elif match := re.match(r"(?:pub(?:\([^)]*\))? )?extern crate (\w+)(?: as (\w+))?", text):
        yield match[1], "", match[2] or ""
    elif match := re.match(r"(?:pub(?:\([^)]*\))? ?)?use (.*?) ?;?$", text):
        yield from _tree("", match[1])


def _tree(prefix: str, text: str, depth: int = 0) -> Iterator[Imported]:
    """Rust's and PHP's nested imports: `a::{b, c::{self, d as e}}`."""
    if depth > 20:
        return
    for part in _top_level(text):
        part = part.strip()
        if part.endswith("}") and "{" in part:
            head, _, inside = part[:-1].partition("{")
            yield from _tree(_joined(prefix, head.strip().rstrip(":\\")), inside, depth + 1)
        elif part:
            path, _, alias = part.partition(" as ")
            module, _, name = _joined(prefix, path.strip()).rpartition(".")
            if name == "self":
                module, _, name = module.rpartition(".")
            yield module, name, alias.strip()


def _joined(prefix: str, path: str) -> str:
    path = path.replace("::", ".").replace("\\", ".").strip(".")
    return f"{prefix}.{path}" if prefix else path


def _top_level(text: str) -> Iterator[str]:
    depth = 0
    begin = 0
    for at, character in enumerate(text):
        if character == "," and depth == 0:
            yield text[begin:at]
            begin = at + 1
        depth += (character == "{") - (character == "}")
    yield text[begin:]


def _c(text: str) -> Iterator[Imported]:
    if match := re.match(r"# ?(?:include|import)(?:_next)? ?[<\"]([^>\"]+)[>\"]", text):
        yield match[1], "*", ""
    elif match := re.match(r"using (namespace )?([\w: ]+);?", text):
        path = match[2].replace("::", ".").strip()
        module, _, name = path.rpartition(".")
        yield (path, "*", "") if match[1] else (module, name, "")


def _csharp(text: str) -> Iterator[Imported]:
    if match := re.match(r"(?:global )?using (static )?(?:(\w+) = )?([\w.]+)", text):
        yield (match[3], "*" if not match[2] else "", match[2] or "")


def _ruby(text: str) -> Iterator[Imported]:
    if match := re.match(r"(require_relative|require|load|autoload)[ (]+['\"]([^'\"]+)['\"]", text):
        path = match[2]
        yield (f"./{path}" if match[1] == "require_relative" else path), "*", ""


def _php(text: str) -> Iterator[Imported]:
    yield from _tree("", re.sub(r"^use (function |const )?|;$", "", text))


_READERS: dict[str, Callable[[str], Iterator[Imported]]] = {
    "python": _python,
    "javascript": _ecmascript,
    "typescript": _ecmascript,
    "tsx": _ecmascript,
    "java": _java,
    "go": _go,
    "rust": _rust,
    "c": _c,
    "cpp": _c,
    "csharp": _csharp,
    "ruby": _ruby,
    "php": _php,
}
