"""The repository tools by name, for every caller: the command line, the model policy, a server.

A call is a name and a mapping of arguments; it is parsed and checked, never evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from treemend.store.errors import UsageError
from treemend.tools.index.repository import RepositoryIndex
from treemend.tools.repotools import definitions, importing, references, repository_map, slices, snippets
from treemend.tools.repotools.results import Answer

_LIMIT_MAX = 500
_NAME = "A name: simple, qualified (Cart.total) or full (shop.cart.Cart.total)."


class Arguments(BaseModel):
    """The arguments of a tool."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NameArguments(Arguments):
    name: str = Field(description=_NAME, min_length=1, max_length=500)
    limit: int = Field(default=10, ge=1, le=_LIMIT_MAX, description="How many at most.")


class ManyArguments(NameArguments):
    limit: int = Field(default=50, ge=1, le=_LIMIT_MAX, description="How many at most.")


class BodyArguments(NameArguments):
    limit: int = Field(default=3, ge=1, le=_LIMIT_MAX, description="How many at most.")
    lines: int = Field(default=400, ge=1, le=5000, description="Lines of each at most.")


class FileArguments(Arguments):
    path: str = Field(
        description="A file of the repository, or the end of its path.", min_length=1, max_length=4096
    )
    limit: int = Field(default=_LIMIT_MAX, ge=1, le=5000, description="How many at most.")


class TextArguments(Arguments):
    text: str = Field(description="What the code is about.", min_length=1, max_length=100_000)
    limit: int = Field(default=3, ge=1, le=50, description="How many at most.")


class PlaceArguments(Arguments):
    place: str = Field(description="A line of a Python file: path:line.", min_length=3, max_length=4096)
    limit: int = Field(default=60, ge=1, le=_LIMIT_MAX, description="How many lines at most.")


class MapArguments(Arguments):
    tokens: int = Field(default=1024, ge=50, le=100_000, description="Budget; a token is four characters.")
    focus: str = Field(default="", description="A text whose matches count more.", max_length=100_000)


A = TypeVar("A", bound=Arguments)


@dataclass(frozen=True, slots=True)
class Tool(Generic[A]):
    """A tool: its name, what it is for, its arguments' model, and the function that answers."""

    name: str
    description: str
    arguments: type[A]
    answer: Callable[..., Answer]

    def schema(self) -> dict[str, Any]:
        """The JSON schema of the arguments."""
        return self.arguments.model_json_schema()


_ALL: tuple[Tool[Any], ...] = (
    Tool(
        "get_imports",
        "Names that a file uses without having them, and statements that import them from this repository.",
        FileArguments,
        importing.get_imports,
    ),
    Tool(
        "get_class_info",
        "Classes of a name: signature, file, bases, subclasses, members with the class that owns each.",
        NameArguments,
        definitions.class_information,
    ),
    Tool(
        "get_signature",
        "Signatures of the functions and methods of a name; Class.method includes inherited ones.",
        NameArguments,
        definitions.get_signature,
    ),
    Tool("get_method_body", "The source of the definitions of a name.", BodyArguments, definitions.get_body),
    Tool(
        "get_relevant_code",
        "The definitions that a text is most about.",
        TextArguments,
        snippets.get_relevant_code,
    ),
    Tool(
        "get_related_snippets",
        "Windows of 20 lines that share most words with a text.",
        TextArguments,
        snippets.get_related_snippets,
    ),
    Tool(
        "get_slice",
        "The lines that may decide the values which a line uses, such as a failing assertion's; of Python.",
        PlaceArguments,
        slices.get_slice,
    ),
    Tool("get_references", "The places that name a symbol.", ManyArguments, references.get_references),
    Tool("get_callers", "The functions that call a function.", ManyArguments, references.get_callers),
    Tool("get_callees", "The functions that a function calls.", ManyArguments, references.get_callees),
    Tool("get_outline", "The definitions of a file.", FileArguments, definitions.get_outline),
    Tool("get_tests", "The tests that name a symbol.", ManyArguments, references.get_covering_tests),
    Tool(
        "get_map",
        "The most referenced definitions of the repository within a token budget.",
        MapArguments,
        repository_map.get_map,
    ),
)
TOOLS: dict[str, Tool[Any]] = {tool.name: tool for tool in _ALL}


def run_tool(index: RepositoryIndex, name: str, arguments: Mapping[str, Any]) -> Answer:
    """The answer of the tool of that name.

    Raises:
        UsageError: there is no such tool, or the arguments don't fit; the message says which and why.
    """
    tool = TOOLS.get(name)
    if tool is None:
        raise UsageError(f"There is no tool {name!r}.", mend=f"Call one of {', '.join(TOOLS)}.")
    try:
        checked = tool.arguments.model_validate(dict(arguments))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "arguments"
        raise UsageError(
            f"{name}: {place}: {first['msg']}.", mend=f"It takes {', '.join(tool.arguments.model_fields)}."
        ) from error
    return tool.answer(index, **dict(checked))
