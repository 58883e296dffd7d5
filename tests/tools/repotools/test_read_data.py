"""Which assignments outside of functions a line of code reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from treemend.tools.index.repository import RepositoryIndex
from treemend.tools.repotools.read_data import data_read

FILES = {
    "shop/__init__.py": "",
    "shop/tables.py": """TIERS = [
    (10, 5),
    (50, 10),
]
RATE: float = 0.2
rate = 1
""",
    "shop/base.py": "class Base:\n    limit = 3\n\n    def __init__(self):\n        self.left = 1\n",
    "shop/price.py": """from shop import tables
from shop.base import Base
from shop.tables import RATE as TAX

SIGN = "EUR"


class Cart(Base):
    unit = "piece"

    def total(self, rate):
        a = tables.TIERS
        b = TAX + rate
        c = self.limit + self.left
        d = SIGN; e = Cart.unit
        SIGN_OF = self.unit
        return total()


def total():
    SIGN = 1
    return SIGN
""",
}


@pytest.fixture
def repository(tmp_path: Path) -> RepositoryIndex:
    for path, text in FILES.items():
        place = tmp_path / "repo" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return RepositoryIndex(tmp_path / "repo", tmp_path / "cache" / "index.db")


@pytest.mark.parametrize(
    ("line", "read"),
    [
        (12, [("shop/tables.py", "TIERS", 1, 4)]),
        (13, [("shop/tables.py", "RATE", 5, 5)]),
        (14, [("shop/base.py", "limit", 2, 2)]),
        (15, [("shop/price.py", "SIGN", 5, 5), ("shop/price.py", "unit", 9, 9)]),
        (16, [("shop/price.py", "unit", 9, 9)]),
        (17, []),
        (22, []),
    ],
    ids=["module", "alias", "inherited, not an instance's", "own", "self", "a call", "a local variable"],
)
def test_a_line_reads(repository: RepositoryIndex, line: int, read: list[tuple[str, str, int, int]]) -> None:
    with repository as index:
        index.refresh()
        found = data_read(index, {"shop/price.py": [line]}).get(("shop/price.py", line), ())
    assert [(one.path, one.name, one.first, one.last) for one in found] == read


def test_lines_and_files_that_are_not_there_read_nothing(repository: RepositoryIndex) -> None:
    with repository as index:
        index.refresh()
        assert data_read(index, {"shop/price.py": [99], "gone.py": [1]}) == {}
