from roman import to_roman


def test_small():
    assert [to_roman(n) for n in (1, 4, 9, 14)] == ["I", "IV", "IX", "XIV"]


def test_large():
    assert to_roman(1994) == "MCMXCIV"
