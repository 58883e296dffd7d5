"""The circumstances under which a test is run again to see whether its outcome is constant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from treemend.verify.runner import TestRequest


@dataclass(frozen=True, slots=True)
class Schedule:
    """An order of tests, a seed of hashing, and a time zone (POSIX, which needs no database of zones)."""

    order: Literal["as given", "reversed", "halves swapped"]
    hash_seed: int
    time_zone: str

    def arranged(self, tests: Sequence[str]) -> tuple[str, ...]:
        if self.order == "reversed":
            return tuple(reversed(tests))
        if self.order == "halves swapped":
            half = len(tests) // 2
            return (*tests[half:], *tests[:half])
        return tuple(tests)

    def applied(self, request: TestRequest) -> TestRequest:
        """The request under these circumstances; it must name its tests."""
        tests = self.arranged(request.tests or ())
        return replace(request, tests=tests, hash_seed=self.hash_seed, time_zone=self.time_zone)


SCHEDULES = (
    Schedule("reversed", 1, "<+14>-14"),
    Schedule("halves swapped", 2, "<-1130>+11:30"),
    Schedule("as given", 3, "<+0545>-5:45"),
)
"""With a rate p of failures, a flaky test shows none in n runs with probability (1 - p)^n."""
