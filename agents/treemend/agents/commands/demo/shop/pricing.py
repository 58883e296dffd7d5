"""Prices in cents."""

# From how many pieces on, and how many percent off.
TIERS = ((10, 5), (50, 10), (100, 20))


def percent_off(quantity):
    """The discount, in percent, for this many pieces of one article."""
    percent = 0
    for pieces, off in TIERS:
        if quantity > pieces:
            percent = off
    return percent


def line_total(price, quantity):
    """What `quantity` pieces of one article cost, after the discount."""
    full = price * quantity
    return full - full * percent_off(quantity) // 100
