"""Stack traces as frames of the repository's own files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

from treemend.store.records import Frame

TRACE_CHARS_MAX = 1_000_000
_LINE_CHARS_MAX = 5_000
_PARTS_MAX = 32

# Each pattern is matched at the line's start and can't match one character in two ways.
_PYTHON = re.compile(r'(?:E )?[\s|+>]*File "([^"]+)", line (\d{1,7})(?:, in (.*))?')
_PYTEST = re.compile(r"((?:[A-Za-z]:)?[^\s:][^:]*\.py):(\d{1,7}):(?: in (\S+)| (\w*Warning): )?")
# A new exception, in Python's words, or a new test, in pytest's.
_BOUNDARY = re.compile(
    r"[\s|+>]*(?:During handling of the above exception, another exception occurred:"
    r"|The above exception was the direct cause of the following exception:"
    r"|Traceback \(most recent call last\)|(?:\+ )?Exception Group Traceback)"
    r"|_{3,} .* _{3,}$"
)
_PACKAGES = frozenset({"site-packages", "dist-packages"})
_STDLIB = re.compile(r"python\d(?:\.\d+)?")


def parse_trace(text: str, root: Path) -> tuple[Frame, ...]:
    """The frames of the exception raised first that lie below `root`, outermost first.

    Python's tracebacks and pytest's long and short ones are known. Paths of another machine are
    those of the longest ending that exists below `root`. Only the last megabyte is read. What was
    raised inside libraries alone is passed over for the exception that follows.
    """

    @cache
    def located(path: str) -> str:
        return locate(path, root)

    frames: list[Frame] = []
    for line in text[-TRACE_CHARS_MAX:].splitlines():
        if len(line) > _LINE_CHARS_MAX:
            continue
        if _BOUNDARY.match(line):
            if frames:
                break
            continue
        for path, number, function in _frame(line):
            if relative := located(path):
                frames.append(Frame(path=relative, line=number, function=function))
    return tuple(frames)


def locate(path: str, root: Path) -> str:
    """The file below `root`, relative to it, that `path` means there or elsewhere; "" if none.

    The standard library is never meant, and an installed package only if `root` has all of it.
    """
    if not path or "\0" in path or path.startswith("<"):
        return ""
    bases = (f"{base}/" for base in (root, root.resolve()))
    below = next((path[len(base) :] for base in bases if path.startswith(base)), "")
    parts = [part for part in re.split(r"[/\\]", below or path) if part not in ("", ".")]
    parts = parts[-_PARTS_MAX:]
    installed = [at for at, part in enumerate(parts) if part in _PACKAGES]
    if installed:
        inside = parts[installed[-1] + 1 :]
        return _first_file(root, [inside, ["src", *inside], ["lib", *inside]])
    if any(one.startswith("lib") and _STDLIB.fullmatch(next_) for one, next_ in pairwise(parts)):
        return ""
    return _first_file(root, [parts] if below else [parts[at:] for at in range(len(parts))])


def _frame(line: str) -> Iterator[tuple[str, int, str]]:
    if match := _PYTHON.match(line):
        yield match[1], int(match[2]), (match[3] or "").strip()
    elif (match := _PYTEST.match(line)) and not match[4]:
        yield match[1], int(match[2]), match[3] or ""


def is_file_below(path: str, root: Path) -> bool:
    """Whether `path` (relative to `root`) is a file there, and none that a link leads outside for."""
    place = os.path.join(root, path)
    try:
        return os.path.isfile(place) and Path(os.path.realpath(place)).is_relative_to(root.resolve())
    except (OSError, ValueError):
        return False


def _first_file(root: Path, candidates: list[list[str]]) -> str:
    paths = ("/".join(parts) for parts in candidates if parts and ".." not in parts)
    return next((path for path in paths if is_file_below(path, root)), "")
