"""What a run showed, in words for a model: places and values, never the code of a test that it may not see.

What `Evaluator.explain` can tell of a failed candidate beyond that (values at the ends of the blocks that
ran, as in LDB) has its place here, beside `_described`: nothing else puts a failure into words for a model.
"""

from __future__ import annotations

from collections.abc import Mapping

from treemend.agents.feedback import Failure, Feedback
from treemend.agents.model.prompts import clean_prose
from treemend.agents.policy import Sibling
from treemend.tools.paths import is_protected

FAILURES_MAX = 6
MESSAGE_CHARS_MAX = 800
FRAMES_MAX = 6
SIBLINGS_MAX = 8


def describe(feedback: Feedback, labels: Mapping[str, str]) -> str:
    """The failures that are left, and how many tests pass. `labels` has words for tests whose names mean
    nothing."""
    passing = f"{len(feedback.passed)} of {len(feedback.passed) + len(feedback.failures)} pass."
    shown = list(feedback.failures.items())[:FAILURES_MAX]
    return "\n".join([passing, *(_described(labels.get(test, test), one) for test, one in shown)])


def _described(name: str, failure: Failure) -> str:
    said = "it hangs" if failure.hung else clean_prose(failure.said)[:MESSAGE_CHARS_MAX]
    lines = [f"- {name}: {said}"]
    frames = [frame for frame in failure.frames if not is_protected(frame.path)]
    lines += [f"    at {f.path}:{f.line} {f.function}" for f in frames[-FRAMES_MAX:]]
    lines += [
        f"    {one.path}:{one.line} gave back another value than {', '.join(one.expressions)}"
        for one in failure.wanted
    ]
    return "\n".join(lines)


def describe_tried(siblings: tuple[Sibling, ...], labels: Mapping[str, str]) -> str:
    """What was tried beside, for a thought that should be another: of a failed one its place alone, of one
    that gained a test what it showed, too (what failed alone leads astray: 2604.16529)."""
    lines: list[str] = []
    for sibling in siblings[-SIBLINGS_MAX:]:
        place = f" ({sibling.place.path} {sibling.place.function})" if sibling.place else ""
        lines.append(f"- {sibling.text}{place}")
        if sibling.feedback is not None and sibling.feedback.passed:
            lines.append(describe(sibling.feedback, labels))
    return "\n".join(lines)
