"""Which lines differ: the greedy algorithm of Myers (1986, "An O(ND) difference algorithm and its
variations", section 4), restarted so that its time stays linear in the number of lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# Differences sought in one go: the shortest script is found up to here, a good one beyond.
DIFFERENCES_MAX = 64


@dataclass(frozen=True, slots=True)
class Change:
    """Lines `old_start` to `old_end` became lines `new_start` to `new_end` (from 0, end excluded)."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int


def changes(old: Sequence[bytes], new: Sequence[bytes]) -> list[Change]:
    """What turns `old` into `new`, in order; between two changes lies a common line at least.

    Time is O((N + M) * DIFFERENCES_MAX) at worst, for N and M lines.
    """
    found: list[Change] = []
    done_old = done_new = 0
    for old_start, new_start, length in [*_common_runs(old, new), (len(old), len(new), 0)]:
        if old_start > done_old or new_start > done_new:
            found.append(Change(done_old, old_start, done_new, new_start))
        done_old, done_new = old_start + length, new_start + length
    return found


@dataclass(frozen=True, slots=True)
class _Reach:
    """The furthest point on one diagonal: its run of common lines, and the diagonal before."""

    start: int
    end: int
    before: int


def _common_runs(old: Sequence[bytes], new: Sequence[bytes]) -> list[tuple[int, int, int]]:
    """(start in old, start in new, length) of each run of common lines."""
    runs: list[tuple[int, int, int]] = []
    x = y = 0
    while x < len(old) or y < len(new):
        steps, diagonal = _search(old, new, x, y)
        path = []
        for reached in reversed(steps):
            reach = reached[diagonal]
            if reach.end > reach.start:
                start = (x + reach.start, y + reach.start - diagonal)
                path.append((*start, reach.end - reach.start))
            if reached is steps[-1]:
                end = (x + reach.end, y + reach.end - diagonal)
            diagonal = reach.before
        runs += reversed(path)
        x, y = end
    return runs


def _search(
    old: Sequence[bytes], new: Sequence[bytes], x: int, y: int
) -> tuple[list[dict[int, _Reach]], int]:
    """The diagonals reached with 0, 1, 2, ... differences from (x, y), and the best at the end."""
    width, height = len(old) - x, len(new) - y
    steps: list[dict[int, _Reach]] = []
    for count in range(DIFFERENCES_MAX + 1):
        reached: dict[int, _Reach] = {}
        for diagonal in range(-count, count + 1, 2):
            start, before = _step(steps, diagonal, width, height)
            if start < 0:
                continue
            end = start
            while end < width and end - diagonal < height and old[x + end] == new[y + end - diagonal]:
                end += 1
            reached[diagonal] = _Reach(start, end, before)
            if end == width and end - diagonal == height:
                return [*steps, reached], diagonal
        steps.append(reached)
    return steps, max(steps[-1], key=lambda diagonal: 2 * steps[-1][diagonal].end - diagonal)


def _step(steps: list[dict[int, _Reach]], diagonal: int, width: int, height: int) -> tuple[int, int]:
    """Where a further difference leads to on the diagonal, and from which; (-1, 0): nowhere."""
    if not steps:
        return 0, 0
    down, right = steps[-1].get(diagonal + 1), steps[-1].get(diagonal - 1)
    best = (-1, 0)
    # A removal is preferred where both lead equally far: it then stands before the addition.
    if down is not None and down.end - diagonal <= height:
        best = (down.end, diagonal + 1)
    if right is not None and right.end + 1 <= width and right.end + 1 >= best[0]:
        best = (right.end + 1, diagonal - 1)
    return best
