"""Hostile text on its way to a terminal."""

from __future__ import annotations

import pytest

from treemend.agents.plain_text import one_line, plain


@pytest.mark.parametrize(
    "hostile, safe",
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]52;c;cGFzdGU=\x07", ""),
        ("over\rwritten", "overwritten"),
        ("abc\u202edcba", "abcdcba"),
        ("zero\u200bwidth", "zerowidth"),
        ("bell\x07 \x9b31m", "bell 31m"),
        ("tab\tand\nnewline stay", "tab\tand\nnewline stay"),
    ],
)
def test_I12_escape_sequences_and_invisible_marks_do_not_reach_a_terminal(hostile: str, safe: str) -> None:
    assert plain(hostile) == safe


def test_one_line_folds_white_space() -> None:
    assert one_line("  two\n lines\t here ") == "two lines here"
