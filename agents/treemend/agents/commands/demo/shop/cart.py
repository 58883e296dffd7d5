"""The cart."""

from shop.pricing import line_total
from shop.shipping import shipping_cost


class Cart:
    """Articles by name, with their price in cents and their quantity."""

    def __init__(self):
        self.lines = {}

    def add(self, name, price, quantity=1):
        """Put pieces of an article into the cart."""
        _, before = self.lines.get(name, (price, 0))
        self.lines[name] = (price, before + quantity)

    def remove(self, name):
        """Take an article out of the cart, all of its pieces."""
        self.lines.pop(name, None)

    def pieces(self):
        """How many pieces are in the cart."""
        return sum(quantity for _, quantity in self.lines.values())

    def subtotal(self):
        """What the articles cost together."""
        return sum(line_total(price, quantity) for price, quantity in self.lines.values())

    def total(self):
        """What the order costs with shipping."""
        if not self.lines:
            return 0
        subtotal = self.subtotal()
        return subtotal + shipping_cost(subtotal, self.pieces())
