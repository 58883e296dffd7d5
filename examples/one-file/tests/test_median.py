import pytest
from median import median, spread


@pytest.mark.parametrize(
    "values, expected",
    [
        ([3], 3),
        ([1, 9, 2], 2),
        ([9, 1, 8, 2, 7, 3, 6], 6),
        ([4, 1], 2.5),
        ([1, 2, 3, 4], 2.5),
        ([5, 1, 7, 3, 2, 8], 4),
    ],
)
def test_median(values, expected):
    assert median(values) == expected


def test_spread():
    assert spread([4, -1, 7]) == 8
