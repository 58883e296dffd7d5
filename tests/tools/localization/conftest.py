"""A small shop, and a way to index any tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from treemend.tools.index.repository import RepositoryIndex

Opener = Callable[[dict[str, str | bytes]], RepositoryIndex]

SHOP: dict[str, str | bytes] = {
    "shop/__init__.py": "",
    "shop/cart.py": '''"""Carts hold items until they are paid."""


class Container:
    """Holds things."""

    def clear(self):
        """Throw away all that is held."""
        self.items = []


class Cart(Container):
    """What a customer wants to buy."""

    limit = 100

    def total(self):
        """The price of all items with the discount taken off."""
        return sum(item.price for item in self.items) - self.discount()

    def discount(self):
        """Ten percent for those who buy a lot."""
        return 0.1 * self.subtotal() if len(self.items) > 10 else 0

    def subtotal(self):
        return sum(item.price for item in self.items)

    class Row:
        def render(self):
            return "row of a cart"
''',
    "shop/mail.py": '''"""Letters to customers."""


def send_invoice(customer, cart):
    """Send the invoice by electronic mail."""
    text = format_invoice(cart)
    return deliver(customer.address, text)


def format_invoice(cart):
    return f"You owe us {cart.total()}"


def deliver(address, text):
    raise ConnectionError("the postman is ill")
''',
    "shop/search.py": '''"""Find wares."""

MAXIMUM_OF_RESULTS = 50


def get(key):
    return key


def rank_wares(wares, query):
    """Order wares by how well they fit the query."""
    return sorted(wares, key=lambda ware: fit(ware, query))


def fit(ware, query):
    return query in ware.name
''',
    "tests/test_cart.py": """from shop.cart import Cart


class TestCart:
    def test_discount_of_large_orders(self):
        cart = Cart()
        assert cart.discount() == 3
""",
    "docs/conf.py": '''def discount_page():
    """The discount taken off the price of all items."""
''',
}


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opener]:
    """Write a tree and index it."""
    with ExitStack() as stack:

        def opened(files: dict[str, str | bytes]) -> RepositoryIndex:
            base = tmp_path_factory.mktemp("tree")
            root = base / "tree"
            root.mkdir()
            for name, content in files.items():
                place = root / name
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content if isinstance(content, bytes) else content.encode())
            index = stack.enter_context(RepositoryIndex(Path(root), base / "index.sqlite3", workers=1))
            index.refresh()
            return index

        yield opened


@pytest.fixture(scope="module")
def shop(indexed: Opener) -> RepositoryIndex:
    return indexed(SHOP)
