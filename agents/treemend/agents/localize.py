"""Where the fault may be: spectra, frames and the issue's words, fused by rank."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from treemend.store.records import Frame, Symptom
from treemend.tools.fusion import fuse_by_rank
from treemend.tools.index.repository import RepositoryIndex
from treemend.tools.localization.locate import rank_functions
from treemend.verify.runner import Lines, TestResult
from treemend.verify.spectra import Line, ochiai


def rank_lines(
    failing: Sequence[TestResult],
    passing: Sequence[TestResult],
    frames: Sequence[Frame],
    sources: Collection[Line],
    text: Mapping[Line, float],
) -> dict[Line, float]:
    """Suspiciousness of lines, most suspicious first, in (0, 1]; the first has 1.

    Ochiai over the spectra, depth in the failing frames, and how well a line's function fits the symptom's
    words (`text`), fused by rank: only lines that a failing test executed are ranked, unless none is known.
    `sources` are the lines of the repository's sources.
    """
    spectrum = ochiai(
        [_source_lines(test.lines, sources) for test in failing],
        [_source_lines(test.lines, sources) for test in passing],
    )
    deepest = _frame_scores([test.frames for test in failing] + ([frames] if frames else []))
    candidates = spectrum or {line: 1.0 for line in deepest if line in sources}
    rankings = [
        spectrum,
        {line: score for line, score in deepest.items() if line in candidates},
        {line: text[line] for line in candidates if line in text},
    ]
    fused = fuse_by_rank([ranking for ranking in rankings if ranking])
    top = next(iter(fused.values()), 1.0)
    return {line: score / top for line, score in fused.items()}


def lines_by_text(index: RepositoryIndex, symptom: Symptom) -> dict[Line, float]:
    """The lines of the functions that a symptom may be about, each with its function's score in (0, 1].

    Empty where the symptom says nothing.
    """
    if not (symptom.issue.strip() or symptom.trace.strip() or symptom.failing_tests or symptom.frames):
        return {}
    scores: dict[Line, float] = {}
    for hit in rank_functions(index, symptom):
        for first, last in hit.spans:
            for number in range(first, last + 1):
                scores.setdefault((hit.path, number), hit.score)
    return scores


def _source_lines(lines: Lines, sources: Collection[Line]) -> Lines:
    return {
        path: tuple(number for number in numbers if (path, number) in sources)
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
