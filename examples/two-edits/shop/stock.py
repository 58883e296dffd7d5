"""What lies in the shelves."""


def available(stored, reserved):
    """Pieces that can be sold: what is stored and not reserved."""
    return stored + reserved


def can_deliver(wanted, stored, reserved):
    return wanted <= available(stored, reserved)
