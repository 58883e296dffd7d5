from shop.cart import Cart
from shop.pricing import percent_off


def filled(price, quantity):
    cart = Cart()
    cart.add("pen", price, quantity)
    return cart


def test_empty_cart_costs_nothing():
    assert Cart().total() == 0


def test_one_piece_has_no_discount():
    assert filled(100, 1).subtotal() == 100


def test_adding_again_adds_pieces():
    cart = filled(100, 2)
    cart.add("pen", 100, 3)
    assert cart.pieces() == 5


def test_removed_articles_cost_nothing():
    cart = filled(100, 2)
    cart.remove("pen")
    assert cart.total() == 0


def test_nine_pieces_have_no_discount():
    assert filled(100, 9).subtotal() == 900


def test_discount_begins_at_ten_pieces():
    assert filled(100, 10).subtotal() == 950


def test_discount_of_fifty_pieces():
    assert filled(200, 50).subtotal() == 9000


def test_discount_between_the_tiers():
    assert filled(100, 20).subtotal() == 1900
    assert percent_off(99) == 10


def test_large_orders_are_shipped_free():
    assert filled(10_000, 5).total() == 50_000


def test_small_orders_pay_for_shipping():
    assert filled(100, 3).total() == 300 + 490 + 40
