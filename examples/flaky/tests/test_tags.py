from tags import tags


def test_tags_in_order():
    # Right only when the set happens to be iterated in this order, which PYTHONHASHSEED decides.
    assert tags("#red and #green and #blue") == ["red", "green", "blue"]


def test_no_tags():
    assert tags("nothing here") == []
