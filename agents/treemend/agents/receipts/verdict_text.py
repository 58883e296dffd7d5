"""A verdict on somebody's patch, as text for people."""

from __future__ import annotations

from collections.abc import Sequence

from treemend.agents.plain_text import one_line
from treemend.agents.receipts.receipt import Receipt
from treemend.store.records import CallChange

CALLS_SHOWN = 3
HEADS = {"accepted": "Accepted", "needs review": "Needs review", "refused": "Refused"}


def verdict_text(receipt: Receipt) -> str:
    """The verdict, its reasons, what was checked, and what the patch changes besides."""
    judgement = receipt.judgement
    if judgement is None:
        return f"No verdict: {one_line(receipt.reason)}."
    reasons = judgement.refused or judgement.review
    lines = [f"{HEADS[receipt.outcome.value]}{':' if reasons else '.'}"]
    lines += [f"  {one_line(reason)}" for reason in reasons]
    lines.append("Checked:")
    width = max(len(check.name) for check in judgement.checks)
    for check in judgement.checks:
        lines.append(f"  {check.name:{width}}  {check.result.value:11}  {one_line(check.detail)}")
    by_tests = [change for change in judgement.changed_calls if change.by_tests]
    made_up = [change for change in judgement.changed_calls if not change.by_tests]
    lines += _calls("Calls of tests that passed before, which do something else now:", by_tests)
    lines += _calls("Calls made up from those of the tests, which do something else now:", made_up)
    return "\n".join(lines)


def _calls(head: str, changes: Sequence[CallChange]) -> list[str]:
    shown = [
        f"  {one_line(change.call)} {one_line(change.before)}, now {one_line(change.after)}"
        for change in changes[:CALLS_SHOWN]
    ]
    more = len(changes) - len(shown)
    return [head, *shown, *([f"  and {more} more"] if more else [])] if changes else []
