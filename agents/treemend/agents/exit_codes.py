"""Which exit code each outcome has (the errors carry theirs: `treemend.store.errors`)."""

from __future__ import annotations

from treemend.store.records import Outcome

BY_OUTCOME = {
    Outcome.REPAIRED: 0,
    Outcome.FAILED: 1,
    Outcome.ABSTAINED: 3,
    Outcome.NOTHING_PLAUSIBLE: 4,
    Outcome.BUDGET_SPENT: 5,
    Outcome.NOT_REPRODUCED: 7,
    Outcome.ACCEPTED: 0,
    Outcome.NEEDS_REVIEW: 3,
    Outcome.REFUSED: 4,
}
