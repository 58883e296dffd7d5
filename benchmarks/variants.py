"""A repair case as it came, mended, and mended by half, by the reference patch in its `hidden/gold.diff`."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import accumulate, chain
from pathlib import Path
from typing import Literal

from treemend.tools.line_diff import changes as line_changes
from treemend.tools.submitted import FileChange, make_patched_tree, read_changes

Variant = Literal["broken", "mended", "half"]
TREEMEND = Path(sys.executable).parent / "treemend"
PARTS_TRIED_MAX = 24
TESTS_S = 60.0
MENDED_S_MAX = 600.0
HANGS_AFTER = 3.0
"""How many times what the visible tests take on the mended tree they get before one is taken to hang."""
FAILED, TIMED_OUT = 1, 124
TOKEN = re.compile(rb"\w+|[^\S\n]+|\n|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes `start` to `end` of a file become `data`."""

    path: str
    start: int
    end: int
    data: bytes


Split = Callable[[bytes, bytes], list[Part]]


def lay_out(case: Path, variant: Variant, into: Path, test_command: str, python: str) -> Path | None:
    """The repository of a case as `variant` has it, in the folder `into` where it is a copy.

    None where there is no such variant: no part of the reference patch leaves code that parses and fails
    one of the visible tests.
    """
    repo = case / "repo"
    if variant == "broken":
        return repo
    changes = read_changes(repo, (case / "hidden" / "gold.diff").read_bytes())
    make_patched_tree(repo, into, changes)
    if variant == "mended":
        return into
    began_s = time.monotonic()
    some_test_fails(into, test_command, python, MENDED_S_MAX)
    limit_s = max(TESTS_S, HANGS_AFTER * (time.monotonic() - began_s))
    for half in halves(changes):
        make_patched_tree(repo, into, half)
        if some_test_fails(into, test_command, python, limit_s):
            return into
    shutil.rmtree(into, ignore_errors=True)
    return None


def halves(changes: Sequence[FileChange]) -> Iterator[tuple[FileChange, ...]]:
    """The changes with a part of them left out or alone, as far as that parses: the largest parts first, cut
    by blocks of lines, then by lines, then by tokens."""
    seen = {tuple(change.after for change in changes), tuple(change.before for change in changes)}
    tried = chain.from_iterable(_subsets(_parts(changes, split)) for split in (_blocks, _lines, _tokens))
    for parts in tried:
        half = tuple(_with_parts(change, parts) for change in changes)
        told = tuple(change.after for change in half)
        if told in seen or not all(map(_parses, half)):
            continue
        if len(seen) > PARTS_TRIED_MAX:
            return
        seen.add(told)
        yield half


def some_test_fails(repo: Path, test_command: str, python: str, limit_s: float) -> bool:
    """Whether the visible tests run and one of them fails, or all of them take longer than that."""
    words = shlex.split(test_command)
    if python and words[0].startswith("python"):
        words[0] = python
    command = [str(TREEMEND), "sandbox", "--workspace", str(repo), "--time", str(limit_s), "--", *words, "-x"]
    code = subprocess.run(command, capture_output=True).returncode
    return code in (FAILED, TIMED_OUT)


def _parts(changes: Sequence[FileChange], split: Split) -> list[Part]:
    parts = []
    for change in changes:
        if change.before is not None and change.after is not None:
            found = split(change.before, change.after)
            parts += [Part(change.path, part.start, part.end, part.data) for part in found]
    return parts


def _subsets(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """All but one, then each alone; none of a single part."""
    if len(parts) < 2:
        return
    for left_out in range(len(parts) - 1, -1, -1):
        yield [part for number, part in enumerate(parts) if number != left_out]
    for part in parts:
        yield [part]


def _blocks(before: bytes, after: bytes) -> list[Part]:
    """Runs of lines that differ."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    offsets = _offsets(old)
    return [
        Part("", offsets[one.old_start], offsets[one.old_end], b"".join(new[one.new_start : one.new_end]))
        for one in line_changes(old, new)
    ]


def _lines(before: bytes, after: bytes) -> list[Part]:
    """Each line that goes and each that comes for itself."""
    parts = []
    for block in _blocks(before, after):
        old = before[block.start : block.end].splitlines(keepends=True)
        offsets = _offsets(old, block.start)
        parts += [Part("", at, at + len(line), b"") for at, line in zip(offsets, old, strict=False)]
        parts += [Part("", block.end, block.end, line) for line in block.data.splitlines(keepends=True)]
    return parts


def _tokens(before: bytes, after: bytes) -> list[Part]:
    """Runs of tokens that differ within the lines that do."""
    parts = []
    for block in _blocks(before, after):
        old, new = TOKEN.findall(before[block.start : block.end]), TOKEN.findall(block.data)
        offsets = _offsets(old, block.start)
        parts += [
            Part("", offsets[first], offsets[last], b"".join(new[from_:to]))
            for kind, first, last, from_, to in SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
            if kind != "equal"
        ]
    return parts


def _offsets(pieces: Sequence[bytes], start: int = 0) -> list[int]:
    """Where each piece begins, and where the last one ends."""
    return list(accumulate(map(len, pieces), initial=start))


def _with_parts(change: FileChange, parts: Sequence[Part]) -> FileChange:
    if change.before is None or change.after is None:
        return change
    data = change.before
    # From the end on; of two at one place the later one goes in first.
    for part in sorted((p for p in parts if p.path == change.path), key=lambda p: (p.start, p.end))[::-1]:
        data = data[: part.start] + part.data + data[part.end :]
    return FileChange(change.path, change.before, data, change.executable)


def _parses(change: FileChange) -> bool:
    if change.after is None or not change.path.endswith(".py"):
        return True
    try:
        ast.parse(change.after)
    except (SyntaxError, ValueError):
        return False
    return True
