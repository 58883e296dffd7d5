"""The types with which functions of the tree were called. Standard library only, Python 3.8 on."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FrameType
    from typing import Any

CALLS_MAX = 100


class ArgumentTypes:
    """Types by parameter and function; of each function, the first calls of a test count."""

    def __init__(self) -> None:
        self._calls: dict[CodeType, int] = {}
        self._seen: dict[CodeType, tuple[str, dict[str, set[str]]]] = {}
        self._told: dict[CodeType, set[tuple[str, str]]] = {}

    def note(self, path: str, frame: FrameType) -> bool:
        """Whether further calls of this function are wanted."""
        code = frame.f_code
        parameters = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        calls = self._calls[code] = self._calls.get(code, 0) + 1
        if calls > CALLS_MAX or not parameters:
            return False
        _, types = self._seen.setdefault(code, (path, {}))
        values = frame.f_locals
        for name in parameters:
            if name in values and name.isidentifier():
                types.setdefault(name, set()).add(type(values[name]).__name__)
        return True

    def take(self, exact: bool) -> list[dict[str, Any]]:
        """What was seen since the last call; unless `exact`, only what no call has told before."""
        taken = []
        for code, (path, types) in self._seen.items():
            told = self._told.setdefault(code, set())
            new = {
                name: sorted(kind for kind in kinds if exact or (name, kind) not in told)
                for name, kinds in types.items()
            }
            told.update((name, kind) for name, kinds in types.items() for kind in kinds if not exact)
            new = {name: kinds for name, kinds in new.items() if kinds}
            if new:
                function = {"path": path, "line": code.co_firstlineno, "function": code.co_name}
                taken.append({**function, "types": new})
        self._seen.clear()
        self._calls.clear()
        return taken
