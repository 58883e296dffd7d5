from datetime import date

from loans import due_date, fee

LENT = date(2026, 3, 2)


def test_a_book_is_due_after_three_weeks():
    assert due_date(LENT) == date(2026, 3, 23)


def test_an_early_book_costs_nothing():
    assert fee(LENT, date(2026, 3, 20)) == 0


def test_a_fee_has_an_end():
    assert fee(LENT, date(2026, 12, 1)) == 500
