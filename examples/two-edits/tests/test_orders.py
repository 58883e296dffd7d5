from shop.orders import accepted
from shop.stock import available, can_deliver


def test_what_is_reserved_is_not_available():
    assert available(10, 4) == 6


def test_what_is_reserved_is_not_delivered():
    assert not can_deliver(7, 10, 4)


def test_nothing_reserved():
    assert can_deliver(10, 10, 0)


def test_all_get_what_they_want():
    assert accepted([("ann", 3), ("ben", 4)], 10) == ["ann", "ben"]


def test_the_last_piece_is_sold_once():
    assert accepted([("ann", 6), ("ben", 3), ("cem", 2)], 10) == ["ann", "ben"]


def test_later_small_orders_still_fit():
    assert accepted([("ann", 6), ("ben", 6), ("cem", 3), ("dan", 2)], 10) == ["ann", "cem"]
