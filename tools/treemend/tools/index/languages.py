"""The languages that are indexed, and their grammars."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tree_sitter


@dataclass(frozen=True, slots=True)
class Language:
    """A language: its file endings, and where its grammar is.

    `grammar` is "module:function" of the grammar's wheel; `queries` names the files below `queries/`
    which together say what a definition, an import and a reference look like. `has_full_tools` says
    that imports and inheritance are understood as well.
    """

    name: str
    suffixes: tuple[str, ...]
    grammar: str
    queries: tuple[str, ...]
    has_full_tools: bool = False


_ALL = (
    Language("python", (".py", ".pyi", ".pyw"), "tree_sitter_python:language", ("python",), True),
    Language("javascript", (".js", ".mjs", ".cjs", ".jsx"), "tree_sitter_javascript:language",
             ("ecmascript", "javascript")),
    Language("typescript", (".ts", ".mts", ".cts"), "tree_sitter_typescript:language_typescript",
             ("ecmascript", "typescript"), True),
    Language("tsx", (".tsx",), "tree_sitter_typescript:language_tsx", ("ecmascript", "typescript", "jsx"),
             True),
    Language("java", (".java",), "tree_sitter_java:language", ("java",), True),
    Language("go", (".go",), "tree_sitter_go:language", ("go",), True),
    Language("rust", (".rs",), "tree_sitter_rust:language", ("rust",), True),
    Language("c", (".c",), "tree_sitter_c:language", ("c",)),
    Language("cpp", (".cc", ".cpp", ".cxx", ".c++", ".h", ".hh", ".hpp", ".hxx", ".h++", ".ipp", ".tpp"),
             "tree_sitter_cpp:language", ("c", "cpp")),
    Language("csharp", (".cs",), "tree_sitter_c_sharp:language", ("csharp",)),
    Language("ruby", (".rb", ".rake", ".gemspec"), "tree_sitter_ruby:language", ("ruby",)),
    Language("php", (".php", ".phtml"), "tree_sitter_php:language_php", ("php",)),
)  # fmt: skip

LANGUAGES = {language.name: language for language in _ALL}
_BY_SUFFIX = {suffix: language for language in _ALL for suffix in language.suffixes}
_BY_NAME = {"Rakefile": LANGUAGES["ruby"], "Gemfile": LANGUAGES["ruby"]}
ALIASES = {
    "py": "python", "js": "javascript", "ts": "typescript", "golang": "go", "rs": "rust", "c++": "cpp",
    "c#": "csharp", "cs": "csharp", "c-sharp": "csharp", "rb": "ruby", "jsx": "javascript",
}  # fmt: skip


def language_of(path: str) -> Language | None:
    """The language that a file's name says; None for a file that isn't indexed."""
    name = path[path.rfind("/") + 1 :]
    dot = name.rfind(".")
    return _BY_SUFFIX.get(name[dot:].lower()) if dot > 0 else _BY_NAME.get(name)


@cache
def grammar(name: str) -> tree_sitter.Language:
    """The grammar of a language, loaded with its first use.

    Raises:
        KeyError: there is no such language.
    """
    from tree_sitter import Language as Grammar

    module, _, function = LANGUAGES[name].grammar.partition(":")
    return Grammar(getattr(import_module(module), function)())


@cache
def parser(name: str) -> tree_sitter.Parser:
    """A parser of a language, one a process."""
    from tree_sitter import Parser

    return Parser(grammar(name))


@cache
def facts_query(name: str) -> tree_sitter.Query:
    """The query that captures what the index keeps of a file."""
    from tree_sitter import Query

    folder = files("treemend.tools.index") / "queries"
    texts = [(folder / f"{part}.scm").read_text("utf-8") for part in LANGUAGES[name].queries]
    return Query(grammar(name), "\n".join(texts))
