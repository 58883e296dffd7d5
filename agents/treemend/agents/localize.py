"""Where the fault may be: spectra, frames and the issue's words, fused by rank."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from treemend.store.records import Frame, Symptom
from treemend.tools.fusion import fuse_by_rank
from treemend.tools.index.repository import RepositoryIndex
from treemend.tools.index.words import query_words
from treemend.tools.localization.locate import rank_functions
from treemend.tools.repotools.read_data import Assignment
from treemend.tools.source import SourceFile
from treemend.verify.runner import Lines, TestResult
from treemend.verify.spectra import Line, ochiai

READ = 0.9
"""What a line reads is this much as suspicious as the line."""
DATA_LINES_MAX = 20
"""Lines of one table that may be suspicious: those that share most words with the symptom."""


def rank_lines(
    failing: Sequence[TestResult],
    passing: Sequence[TestResult],
    frames: Sequence[Frame],
    sources: Collection[Line],
    text: Mapping[Line, float],
    data: Mapping[Line, Collection[Line]],
) -> dict[Line, float]:
    """Suspiciousness of lines, most suspicious first, in (0, 1]; the first has 1.

    Ochiai over the spectra, depth in the failing frames, and how well a line's function fits the symptom's
    words (`text`), fused by rank: only lines that a failing test executed are ranked, unless none is known.
    Behind them come the lines of the `data` that these read. `sources` are the lines of the repository's
    sources.
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
    scores = {line: score / top for line, score in fused.items()}
    for reader, score in tuple(scores.items()):
        for line in data.get(reader, ()):
            if line in sources:
                scores.setdefault(line, READ * score)
    return dict(sorted(scores.items(), key=lambda pair: -pair[1]))


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


def lines_of_data(
    read: Mapping[Line, Sequence[Assignment]], sources: Mapping[str, SourceFile], symptom: Symptom
) -> dict[Line, tuple[Line, ...]]:
    """For each line the lines of the data that it reads, where these may be edited."""
    wanted = set(query_words(" ".join((symptom.issue, symptom.trace, *symptom.failing_tests))))
    texts = {path: source.text.split("\n") for path, source in sources.items()}
    chosen: dict[Assignment, tuple[Line, ...]] = {}
    for one in dict.fromkeys(one for assignments in read.values() for one in assignments):
        lines = [number for number in range(one.first, one.last + 1) if one.path in texts]
        if len(lines) > DATA_LINES_MAX:
            words = {number: set(query_words(texts[one.path][number - 1])) for number in lines}
            lines = sorted(sorted(lines, key=lambda number: -len(wanted & words[number]))[:DATA_LINES_MAX])
        chosen[one] = tuple((one.path, number) for number in lines)
    return {
        line: tuple(read_line for one in assignments for read_line in chosen[one])
        for line, assignments in read.items()
    }


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
