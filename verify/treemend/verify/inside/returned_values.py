"""What functions of the tree gave back, and which expressions in their scope had which value.

Standard library only, Python 3.8 on. Values are told by `repr`, and only plain ones are: builtin types,
not too long.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import CodeType, FrameType
    from typing import Any

NUMBERS = (int, float)
SEQUENCES = (str, list, tuple)
PLAIN = frozenset((bool, type(None), bytes, dict, set, frozenset, *NUMBERS, *SEQUENCES))
GENERATORS = 0x20 | 0x80 | 0x200
CALLS_MAX = 20
NAMES_MAX = 12
ITEMS_MAX = 50
CHARS_MAX = 200


class ReturnedValues:
    """The last return of each function to another file, such as that of a test."""

    def __init__(self) -> None:
        self._calls: dict[CodeType, int] = {}
        self._last: dict[CodeType, dict[str, Any]] = {}

    def note(self, path: str, frame: FrameType, value: object) -> bool:
        """Whether further returns of this function are wanted."""
        code, caller = frame.f_code, frame.f_back
        if code.co_flags & GENERATORS:
            return False
        if caller is None or caller.f_code.co_filename == code.co_filename:
            return True
        calls = self._calls[code] = self._calls.get(code, 0) + 1
        if calls > CALLS_MAX:
            return False
        told = shown(value)
        if told is not None:
            self._last[code] = {
                "path": path,
                "line": frame.f_lineno,
                "function": code.co_name,
                "value": told,
                "scope": dict(expressions(frame.f_locals)),
            }
        return True

    def take(self) -> list[dict[str, Any]]:
        """What was noted since the last call."""
        taken = list(self._last.values())
        self._last.clear()
        self._calls.clear()
        return taken


def shown(value: object) -> str | None:
    """The value as source text, None where it isn't plain or too long."""
    if type(value) not in PLAIN or (hasattr(value, "__len__") and len(value) > CHARS_MAX):
        return None
    try:
        text = repr(value)
    except Exception:
        return None
    return text if len(text) <= CHARS_MAX else None


def expressions(names: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Simple expressions over plain variables, with the values that they have."""
    for name, value in sorted(names.items())[:NAMES_MAX]:
        for expression, derived in derivations(name, value):
            told = shown(derived)
            if told is not None:
                yield expression, told


def derivations(name: str, value: Any) -> Iterator[tuple[str, object]]:
    kind = type(value)
    if kind not in PLAIN or not name.isidentifier():
        return
    yield name, value
    if kind is bool:
        yield f"not {name}", not value
    elif kind in NUMBERS:
        yield f"{name} + 1", value + 1
        yield f"{name} - 1", value - 1
        yield f"-{name}", -value
    elif kind in SEQUENCES and 0 < len(value) <= ITEMS_MAX:
        yield f"len({name})", len(value)
        yield f"{name}[0]", value[0]
        yield f"{name}[-1]", value[-1]
        yield f"{name}[1:]", value[1:]
        yield f"{name}[:-1]", value[:-1]
        yield f"{name}[::-1]", value[::-1]
        yield from summaries(name, value)


def summaries(name: str, value: Any) -> Iterator[tuple[str, object]]:
    """What can be made of a sequence of numbers or of strings alone, which are safe to compare."""
    kinds = {type(item) for item in value}
    if kinds <= {int, float} or kinds <= {str}:
        yield f"sorted({name})", sorted(value)
        yield f"max({name})", max(value)
        yield f"min({name})", min(value)
    if kinds <= {int, float}:
        yield f"sum({name})", sum(value)
