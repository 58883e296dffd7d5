"""The repository tools as a model calls them: retrieve, then reflect, then write (RRR, RepoClassBench)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache

from treemend.agents.inspection import render
from treemend.agents.model.calls import ToolSpec
from treemend.agents.model.client import ToolRequest
from treemend.agents.model.prompts import Section
from treemend.store.errors import TreemendError
from treemend.tools.index.repository import RepositoryIndex
from treemend.tools.repotools.registry import TOOLS, run_tool

CALLS_MAX = 3
RESULT_CHARS_MAX = 6000
ARGUMENTS_SHOWN = 200
WORTH = 30


@cache
def tool_specs() -> tuple[ToolSpec, ...]:
    """All repository tools, as models take them."""
    return tuple(
        ToolSpec(name=tool.name, description=tool.description, parameters=tool.schema())
        for tool in TOOLS.values()
    )


def protocol() -> str:
    """How a model that knows no tools asks for them."""
    lines = [
        f"- {tool.name}({', '.join(tool.arguments.model_fields)}): {tool.description}"
        for tool in TOOLS.values()
    ]
    form = '{"calls": [{"tool": "get_signature", "arguments": {"name": "..."}}]}'
    return "\n".join(["The tools:", *lines, f"Answer with JSON: {form}"])


def look(index: RepositoryIndex, requests: Sequence[ToolRequest]) -> list[Section]:
    """What the first three calls answer, as data; a call that doesn't fit is answered with why.

    Calls are checked against the tools' own types, and never executed as code.
    """
    return [_section(number, one, index) for number, one in enumerate(requests[:CALLS_MAX], 1)]


def _section(number: int, request: ToolRequest, index: RepositoryIndex) -> Section:
    arguments = json.dumps(request.arguments, sort_keys=True)[:ARGUMENTS_SHOWN]
    try:
        text = render(run_tool(index, request.tool[:100], request.arguments))
    except TreemendError as error:
        text = f"{error.message} {error.mend}"
    cut = text if len(text) <= RESULT_CHARS_MAX else text[:RESULT_CHARS_MAX] + "\n[cut]"
    return Section(f"tool-result-{number}", f"{request.tool[:100]} {arguments}\n{cut}", WORTH)
