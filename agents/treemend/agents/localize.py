"""Where the fault may be: spectra, frames and the issue's words, fused by rank."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from treemend.store.records import Frame
from treemend.tools.fusion import fuse_by_rank
from treemend.verify.runner import Lines, TestResult
from treemend.verify.spectra import Line, ochiai

WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{2,}")


def rank_lines(
    failing: Sequence[TestResult],
    passing: Sequence[TestResult],
    frames: Sequence[Frame],
    functions: Mapping[Line, str],
    issue: str,
) -> dict[Line, float]:
    """Suspiciousness of lines, most suspicious first, in (0, 1]; the first has 1.

    Ochiai over the spectra, depth in the failing frames, and function names that the issue says, fused by
    rank: only lines that a failing test executed are ranked, unless none is known.
    `functions` maps each line of the repository's sources to the name of the function it is in.
    """
    spectrum = ochiai(
        [_source_lines(test.lines, functions) for test in failing],
        [_source_lines(test.lines, functions) for test in passing],
    )
    deepest = _frame_scores([test.frames for test in failing] + ([frames] if frames else []))
    candidates = spectrum or {line: 1.0 for line in deepest if line in functions}
    rankings = [
        spectrum,
        {line: score for line, score in deepest.items() if line in candidates},
        _named_in(issue, {line: functions[line] for line in candidates if line in functions}),
    ]
    fused = fuse_by_rank([ranking for ranking in rankings if ranking])
    top = next(iter(fused.values()), 1.0)
    return {line: score / top for line, score in fused.items()}


def _source_lines(lines: Lines, functions: Mapping[Line, str]) -> Lines:
    return {
        path: tuple(number for number in numbers if (path, number) in functions)
        for path, numbers in lines.items()
    }


def _frame_scores(traces: Sequence[Sequence[Frame]]) -> dict[Line, float]:
    """The frame at which a failure surfaced scores 1, its caller 1/2, and so on; the best counts."""
    scores: dict[Line, float] = {}
    for trace in traces:
        for depth, frame in enumerate(reversed(trace), 1):
            line = (frame.path, frame.line)
            scores[line] = max(scores.get(line, 0.0), 1.0 / depth)
    return scores


def _named_in(issue: str, functions: Mapping[Line, str]) -> dict[Line, float]:
    words = set(WORD.findall(issue))
    return {line: 1.0 for line, name in functions.items() if name and name.rsplit(".", 1)[-1] in words}
