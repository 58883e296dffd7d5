"""A small shop: carts, prices, shipping."""
