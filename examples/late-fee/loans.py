"""Loans of a small library."""

from datetime import date, timedelta

LOAN_DAYS = 21
FEE_PER_DAY = 20
FEE_MAX = 500


def due_date(lent: date) -> date:
    """The last day on which a book may come back."""
    return lent + timedelta(days=LOAN_DAYS)


def days_late(lent: date, returned: date) -> int:
    """How many days after its last day a book came back."""
    return max(0, (returned - due_date(lent)).days + 1)


def fee(lent: date, returned: date) -> int:
    """What a late book costs, in cents."""
    return min(FEE_MAX, FEE_PER_DAY * days_late(lent, returned))
