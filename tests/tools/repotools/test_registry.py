"""Tools are called by name with checked arguments."""

from __future__ import annotations

import json

import pytest

from treemend.store.errors import UsageError
from treemend.tools.index.repository import RepositoryIndex
from treemend.tools.repotools.registry import TOOLS, run_tool
from treemend.tools.repotools.results import RepositoryMap, Snippets


def test_every_tool_answers_from_its_schema(index: RepositoryIndex) -> None:
    subjects = {
        "name": "Cart.total",
        "path": "shop/cart.py",
        "text": "total price of the cart",
        "focus": "cart",
        "place": "shop/cart.py:12",
    }
    for name, tool in TOOLS.items():
        properties = tool.schema()["properties"]
        answer = run_tool(index, name, {key: subjects[key] for key in properties if key in subjects})
        assert json.loads(answer.model_dump_json())["found"] in (True, False)
        assert tool.description and all("description" in one for one in properties.values())


@pytest.mark.parametrize(
    ("tool", "arguments", "message"),
    [
        ("no_such_tool", {}, "no tool"),
        ("get_signature", {}, "name"),
        ("get_signature", {"name": "x", "limit": 0}, "limit"),
        ("get_signature", {"name": "x", "extra": 1}, "extra"),
        ("get_map", {"tokens": "many"}, "tokens"),
        ("get_signature", {"name": ["x"]}, "name"),
    ],
)
def test_wrong_calls_are_refused_with_what_would_be_right(
    index: RepositoryIndex, tool: str, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        run_tool(index, tool, arguments)


@pytest.mark.parametrize(
    "name", ["__import__('os').system('x')", "a'; DROP TABLE file; --", "\0", "x" * 500, "..", "::"]
)
def test_I_names_are_data(index: RepositoryIndex, name: str) -> None:
    for tool in (
        "get_class_info",
        "get_signature",
        "get_method_body",
        "get_references",
        "get_callees",
        "get_tests",
    ):
        assert not run_tool(index, tool, {"name": name}).found


def test_a_path_leads_to_no_file_outside(index: RepositoryIndex) -> None:
    for path in ("../../etc/passwd", "/etc/passwd", "%"):
        assert not run_tool(index, "get_outline", {"path": path}).found


def test_relevant_code_and_snippets(index: RepositoryIndex) -> None:
    code = run_tool(index, "get_relevant_code", {"text": "rate of an amount", "limit": 2})
    assert isinstance(code, Snippets)
    assert "def rate(amount)" in code.snippets[0].source
    windows = run_tool(index, "get_related_snippets", {"text": "total of the cart test_total"})
    assert isinstance(windows, Snippets) and windows.found
    assert not [one for one in windows.snippets if one.place.path.startswith("tests/")]


def test_a_map_keeps_to_its_budget(index: RepositoryIndex) -> None:
    for tokens in (50, 100, 1000):
        answer = run_tool(index, "get_map", {"tokens": tokens})
        assert isinstance(answer, RepositoryMap)
        assert 0 < answer.tokens <= tokens
    focused = run_tool(index, "get_map", {"tokens": 60, "focus": "identity"})
    assert isinstance(focused, RepositoryMap) and "identity" in focused.text
