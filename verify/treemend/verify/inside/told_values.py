"""Values and exceptions as text: equal for what is alike, whatever process it was made in.

Standard library only, Python 3.8 on. Addresses are left out, sets are told in an order of their own, objects
by what they hold, iterators by what they give.
"""

from __future__ import annotations

import itertools
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEPTH_MAX = 5
ITEMS_MAX = 200
CHARS_MAX = 4000
ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{4,}\b")
PLAIN = (bool, int, float, complex, str, bytes, bytearray, type(None), type(Ellipsis), range, slice)


def told(value: Any, depth: int = 0) -> str:
    """The value as text; what raises while it is told is told by that."""
    try:
        return _told(value, depth)[:CHARS_MAX]
    except Exception as error:
        return f"<{type(value).__name__} that can't be told: {type(error).__name__}>"


def raised(error: BaseException) -> str:
    """An exception by its type and message."""
    try:
        message = str(error)
    except Exception:
        message = "?"
    return f"raises {type(error).__name__}: {without_addresses(message)}"[:CHARS_MAX]


def without_addresses(text: str) -> str:
    return ADDRESS.sub("0x…", text)


def _told(value: Any, depth: int) -> str:
    kind = type(value)
    if kind in PLAIN:
        return repr(value)
    if depth > DEPTH_MAX:
        return f"<{kind.__name__}>"
    if kind in (list, tuple):
        items = [told(item, depth + 1) for item in value[:ITEMS_MAX]]
        inside = ", ".join(items) + (f", … {len(value)}" if len(value) > ITEMS_MAX else "")
        return f"[{inside}]" if kind is list else f"({inside}{',' if len(value) == 1 else ''})"
    if kind in (set, frozenset):
        return f"{kind.__name__}({{{', '.join(sorted(told(item, depth + 1) for item in value))}}})"
    if isinstance(value, dict):
        pairs = [
            f"{told(k, depth + 1)}: {told(v, depth + 1)}"
            for k, v in itertools.islice(value.items(), ITEMS_MAX)
        ]
        text = "{" + ", ".join(pairs) + "}"
        return text if kind is dict else f"{kind.__name__}({text})"
    if isinstance(value, type) or callable(value):
        return f"<{kind.__name__} {getattr(value, '__qualname__', '')}>"
    return _told_object(value, depth)


def _told_object(value: Any, depth: int) -> str:
    kind = type(value)
    if hasattr(kind, "__next__"):
        given = list(itertools.islice(value, ITEMS_MAX))
        return f"<{kind.__name__} of {told(given, depth + 1)}>"
    if isinstance(value, (str, int, float, bytes, list, tuple, set)):
        return f"{kind.__name__}({without_addresses(repr(value))})"
    held = getattr(value, "__dict__", None)
    if isinstance(held, dict):
        return f"{kind.__name__}({told(held, depth + 1)})"
    return without_addresses(repr(value))
