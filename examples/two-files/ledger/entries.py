"""The ledger's entries."""

from ledger.dates import is_between


class Ledger:
    """Amounts by day, in the order in which they were booked."""

    def __init__(self):
        self.entries = []

    def book(self, day, amount):
        """Add an amount."""
        self.entries.append((day, amount))

    def within(self, first, last):
        """The amounts of a span of days."""
        return [amount for day, amount in self.entries if is_between(day, first, last)]
