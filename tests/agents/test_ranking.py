"""What speaks against a plausible patch before any test does."""

from __future__ import annotations

import pytest

from treemend.agents.ranking import only_removes
from treemend.tools.patches import edit_lines, unified_diff

BEFORE = b"def f(a):\n    if a:\n        a.append(1)\n    return a\n"


@pytest.mark.parametrize(
    ("after", "removes"),
    [
        (b"def f(a):\n    if a:\n        pass\n    return a\n", True),
        (b"def f(a):\n    return a\n", True),
        (b"def f(a):\n    if a:\n        a.append(2)\n    return a\n", False),
        (b"def f(a):\n    if a:\n        a.append(1)\n        return a\n    return a\n", False),
    ],
)
def test_a_patch_that_only_takes_away_is_told(after: bytes, removes: bool) -> None:
    assert only_removes(edit_lines(unified_diff("a.py", BEFORE, after))) is removes
