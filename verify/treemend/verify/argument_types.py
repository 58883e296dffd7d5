"""Parameters that come as another type in failing tests than in passing ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from treemend.verify.runner import TestResult

Parameter = tuple[str, int, str, str]


@dataclass(frozen=True, slots=True)
class OddArgument:
    """A type that a parameter had in a share of the failing tests and in no passing one.

    `line` is where the function begins, `usual` the types that it had in passing tests.
    """

    path: str
    line: int
    function: str
    name: str
    odd: str
    usual: tuple[str, ...]
    share: float


def odd_arguments(failing: Sequence[TestResult], passing: Sequence[TestResult]) -> tuple[OddArgument, ...]:
    """The odd types of parameters that passing tests gave, too, those of most failing tests first."""
    usual = _tests_by_type(passing)
    found = []
    for parameter, kinds in _tests_by_type(failing).items():
        known = usual.get(parameter, {})
        for kind, count in kinds.items():
            if known and kind not in known:
                found.append(OddArgument(*parameter, kind, tuple(sorted(known)), count / len(failing)))
    return tuple(sorted(found, key=lambda odd: (-odd.share, odd.path, odd.line, odd.name, odd.odd)))


def _tests_by_type(results: Sequence[TestResult]) -> dict[Parameter, dict[str, int]]:
    """The number of tests by parameter and by the type that it had."""
    counts: dict[Parameter, dict[str, int]] = {}
    for result in results:
        for call in result.arguments:
            for name, kinds in call.types.items():
                by_kind = counts.setdefault((call.path, call.line, call.function, name), {})
                for kind in kinds:
                    by_kind[kind] = by_kind.get(kind, 0) + 1
    return counts
