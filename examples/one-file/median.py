"""Medians."""


def median(values):
    """The middle of the values, or the mean of the two in the middle."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2 == 0:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


def spread(values):
    """The distance between the smallest and the largest value."""
    return max(values) - min(values)
