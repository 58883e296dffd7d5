"""Every case of the threat model's group E has a test that carries its id."""

from __future__ import annotations

import re
from pathlib import Path

# The numbers that the list of cases leaves out.
UNUSED = {17, 18, 19}


def test_every_case_has_a_test() -> None:
    tests = Path(__file__).parents[1]
    names = [
        name
        for file in tests.rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)|\"(E\d\d-)|id=\"(E\d\d)", file.read_text())
    ]
    words = " ".join(word for found in names for word in found)
    covered = set(map(int, re.findall(r"E(\d\d)", words)))
    for first, last in re.findall(r"E(\d\d)_to_E(\d\d)", words):
        # A range names what its parameters hold one by one.
        assert {int(first), int(last)} <= covered
    missing = set(range(1, 63)) - UNUSED - covered
    assert not missing, sorted(missing)
