"""Fault spectra: from which tests execute which lines to how suspicious each line is."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from treemend.verify.runner import Lines

Line = tuple[str, int]


def ochiai(failing: Sequence[Lines], passing: Sequence[Lines]) -> dict[Line, float]:
    """The Ochiai suspiciousness in (0, 1] of each line that a failing test executes.

        ochiai(s) = ef / sqrt((ef + nf) * (ef + ep))

    with ef, ep the failing and passing tests that execute s, and nf the failing ones that don't
    (Abreu, Zoeteweij and van Gemund 2007, "On the accuracy of spectrum-based fault localization").
    """
    failed = Counter(line for spectrum in failing for line in _flat(spectrum))
    passed = Counter(line for spectrum in passing for line in _flat(spectrum))
    return {
        line: count / math.sqrt(len(failing) * (count + passed[line]))
        for line, count in sorted(failed.items())
    }


def _flat(spectrum: Lines) -> list[Line]:
    return [(path, line) for path, lines in spectrum.items() for line in lines]
