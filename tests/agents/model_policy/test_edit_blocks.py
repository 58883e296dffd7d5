"""A model's edits: made where they fit exactly, and answered with what the file says where they don't."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treemend.agents.model_policy.edit_blocks import EditFailed, Written, read_edits
from treemend.tools.edits import apply_edits
from treemend.tools.source import SourceFile

CODE = """def total(prices):
    result = 0
    for price in prices:
        result += price
    return result
"""
CLASS = """class Cart:

    @property
    def total(self):
        return 1

    def other(self):
        return 1
"""


def block(search: str, replace: str, path: str = "shop.py") -> str:
    return f"{path}\n<<<<<<< SEARCH\n{search}=======\n{replace}>>>>>>> REPLACE\n"


def function(name: str, code: str, path: str = "shop.py") -> str:
    return f"{path}::{name}\n<<<<<<< FUNCTION\n{code}>>>>>>> END\n"


def sources(data: bytes | str = CODE, path: str = "shop.py") -> Mapping[str, SourceFile]:
    return {path: SourceFile.decode(data.encode() if isinstance(data, str) else data)}


def after(answer: str, data: bytes | str = CODE) -> bytes:
    files = sources(data)
    written = read_edits(answer, files)
    return files["shop.py"].encode(apply_edits(files["shop.py"].text, written.edits))


def test_lines_are_replaced_and_the_words_before_are_the_reason() -> None:
    written = read_edits(
        "It starts at nothing.\n\n" + block("    result = 0\n", "    result = 1\n"), sources()
    )
    assert written.rationale == "It starts at nothing."
    assert after(block("    result = 0\n", "    result = 1\n")) == CODE.replace("= 0", "= 1").encode()


@pytest.mark.parametrize("around", ["```python\n{}```\n", "### {}", "1. first\n\n{}\nand done"])
def test_what_models_put_around_a_block_does_no_harm(around: str) -> None:
    assert b"result = 1" in after(around.format(block("    result = 0\n", "    result = 1\n")))


def test_a_whole_function_is_replaced_with_its_decorators_at_its_own_depth() -> None:
    changed = after(function("Cart.total", "@property\ndef total(self):\n    return 2\n"), CLASS)
    assert changed.decode() == CLASS.replace("return 1", "return 2", 1)
    assert (
        after(function("Cart.total", "    @property\n    def total(self):\n        return 2\n"), CLASS)
        == changed
    )


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(CODE.replace("\n", "\r\n").encode(), id="P16-crlf"),
        pytest.param(CODE.removesuffix("\n").encode(), id="P17-no-newline"),
        pytest.param(b"\xef\xbb\xbf" + CODE.encode(), id="P18-bom"),
        pytest.param(b"# -*- coding: latin-1 -*-\n# \xe4\n" + CODE.encode(), id="P19-latin-1"),
    ],
)
def test_every_other_byte_stays(data: bytes) -> None:
    answer = block("    return result\n", "    return result or None\n")
    assert after(answer, data) == data.replace(b"return result", b"return result or None")


REFUSED = [
    pytest.param(block("a\n", "b\n", "../shop.py"), "no file", id="P01"),
    pytest.param(block("a\n", "b\n", "/etc/passwd"), "no file", id="P02"),
    pytest.param(block("a\n", "b\n", ".git/hooks/x"), "no file", id="P06"),
    pytest.param(block("a\n", "b\n", ".github/workflows/ci.yml"), "no file", id="P10"),
    pytest.param(
        block("    result = 0\n    for price in prices:\n", "    x\n")
        + block("    for price in prices:\n        result += price\n", "    y\n"),
        "overlap",
        id="P21",
    ),
    pytest.param(block("result\n", "x\n"), "no such lines", id="P22-part-of-a-line"),
    pytest.param(block("     result = 0\n", "    result = 1\n"), r"2  +result = 0", id="P23-white-space"),
    pytest.param(block("    result = None\n", "    result = 1\n"), r"2  +result = 0", id="P24-stale"),
    pytest.param(block("    result = 0\n", "    r = 1\n") * 41, "more than 40", id="P26"),
    pytest.param(block("\n", "x = 1\n"), "empty", id="empty-anchor"),
    pytest.param(block("    result = 0\n", "    result = (\n"), "no Python", id="broken"),
    pytest.param(function("totals", "def totals():\n    pass\n"), "It has: total", id="unknown-function"),
    pytest.param("I would change the bound.", "no SEARCH", id="no-block"),
    pytest.param(
        block("    result = 0\n", "    result = 1\n").replace(">>>>>>> REPLACE", ""), "no SEARCH", id="cut"
    ),
]


@pytest.mark.parametrize("answer, why", REFUSED)
def test_what_does_not_fit_is_answered_with_why(answer: str, why: str) -> None:
    with pytest.raises(EditFailed, match=why):
        read_edits(answer, sources())


def test_P22_an_anchor_that_occurs_twice_names_both_places() -> None:
    with pytest.raises(EditFailed, match=r"2 times in shop\.py, at lines 5, 8"):
        after(block("        return 1\n", "        return 2\n"), CLASS)


def test_each_step_of_a_patch_is_python() -> None:
    """Blocks are made in whatever order leaves Python after each; what can't is to be joined."""
    opened = block("    for price in prices:\n", "    try:\n      for price in prices:\n")
    closed = block("    return result\n", "    except TypeError:\n        pass\n    return result\n")
    with pytest.raises(EditFailed, match="join what belongs together"):
        read_edits(
            opened + block("        result += price\n", "          result += price\n") + closed, sources()
        )


def test_nothing_to_change_is_an_answer() -> None:
    assert read_edits("The issue is stale. NOTHING TO CHANGE", sources()) == Written(
        (), "The issue is stale. NOTHING TO CHANGE"
    )


@given(st.text(max_size=400))
def test_any_answer_is_edits_or_a_reason(answer: str) -> None:
    try:
        read_edits(answer, sources())
    except EditFailed as failed:
        assert str(failed)
