"""What customers want."""

from shop.stock import can_deliver


def accepted(orders, stored):
    """The names of the customers who get what they want, first come, first served."""
    names = []
    reserved = 0
    for name, wanted in orders:
        if can_deliver(wanted, stored, reserved):
            reserved = wanted
            names.append(name)
    return names
