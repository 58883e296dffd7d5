"""Acc@k of localization, as LocAgent counts it: all of what is wanted lies within the first k."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The JSON objects of a file, one a line."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def without_constructor(function: str) -> str:
    """`Class.__init__` counts as `Class`, as in the published tables."""
    owner = function.partition("::")[2]
    return function.removesuffix(".__init__") if "." in owner else function


def is_hit(ranked: Sequence[str], wanted: Sequence[str], count: int) -> bool:
    """Whether all of `wanted`, or `count` of them where there are more, are among the first `count`."""
    first = set(list(dict.fromkeys(ranked))[:count])
    return len(first & set(wanted)) == min(len(set(wanted)), count)
