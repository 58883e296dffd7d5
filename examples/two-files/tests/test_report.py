from ledger.entries import Ledger
from ledger.report import balance


def booked():
    ledger = Ledger()
    ledger.book((2024, 1, 1), 100)
    ledger.book((2024, 1, 15), -30)
    ledger.book((2024, 1, 31), 7)
    ledger.book((2024, 2, 1), 1000)
    return ledger


def test_balance_of_a_month_includes_its_last_day():
    assert balance(booked(), (2024, 1, 1), (2024, 1, 31)) == 77


def test_balance_leaves_out_what_comes_later():
    assert balance(booked(), (2024, 1, 1), (2024, 1, 30)) == 70


def test_balance_of_nothing():
    assert balance(Ledger(), (2024, 1, 1), (2024, 1, 31)) == 0
