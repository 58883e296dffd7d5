"""What a run showed, in words for a model: places and values, never the code of a test that it may not
see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from treemend.agents.feedback import Failure, Feedback
from treemend.agents.model.prompts import clean_prose
from treemend.agents.plain_text import counted
from treemend.agents.policy import Sibling
from treemend.store.records import ExecutedBlock, FailureExplanation
from treemend.tools.paths import is_protected

FAILURES_MAX = 6
MESSAGE_CHARS_MAX = 800
FRAMES_MAX = 6
SIBLINGS_MAX = 8
RUN_CHARS_MAX = 6000


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


def describe_run(explanation: FailureExplanation) -> str:
    """How one test failed: both sides of what it compared, the exceptions, and the local variables at the
    ends of the blocks that ran (LDB, Zhong et al. 2024)."""
    lines: list[str] = []
    compared = explanation.comparison
    if compared is not None:
        lines.append(
            f"compared: {clean_prose(compared.left)} {compared.operator} {clean_prose(compared.right)}"
        )
    for error in explanation.exceptions:
        place = f" at {error.path}:{error.line}" if error.path and not is_protected(error.path) else ""
        relation = f"{error.relation}: " if error.relation else ""
        lines.append(f"{relation}{error.kind}: {clean_prose(error.message)[:MESSAGE_CHARS_MAX]}{place}")
    lines += _blocks(explanation.first_blocks)
    if explanation.left_out:
        lines.append(f"... {counted(explanation.left_out, 'block')} between")
    lines += _blocks(explanation.last_blocks)
    return "\n".join(lines)[:RUN_CHARS_MAX]


def _blocks(blocks: Sequence[ExecutedBlock]) -> Iterator[str]:
    for block in blocks:
        if not is_protected(block.path):
            values = ", ".join(f"{name}={clean_prose(value)}" for name, value in block.locals.items())
            yield f"{block.path}:{block.first}-{block.last} {block.function}: {values}"


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
