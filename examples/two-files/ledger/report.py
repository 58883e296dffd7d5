"""Sums over the ledger."""


def balance(ledger, first, last):
    """The sum of a span of days, both ends included."""
    return sum(ledger.within(first, last))
