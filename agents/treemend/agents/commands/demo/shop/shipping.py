"""What it costs to send a parcel, in cents."""

FREE_FROM = 50_000
BASE = 490
PER_PIECE = 20


def shipping_cost(total, pieces):
    """Free from 500 on, else a base price and a little for each piece."""
    if total >= FREE_FROM:
        return 0
    return BASE + PER_PIECE * max(0, pieces - 1)
