"""Dates as (year, month, day)."""


def is_between(day, first, last):
    """Whether a day lies between two others, both included."""
    return first <= day < last


def month_of(day):
    """The year and the month of a day."""
    return day[:2]
