"""Searching by words, by name and by shape."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from treemend.store.errors import UsageError
from treemend.tools.index.lookup import find_exact, path_matches, suggest
from treemend.tools.index.repository import RepositoryIndex
from treemend.tools.index.search import Filters, Found, search, search_pattern

FILES = {
    "shop/cart.py": '''
class Cart:
    """What a customer wants to buy."""

    def total_price(self, discount):
        """Sum of all rows after the discount."""
        return sum(row.price for row in self.rows) - discount

    def is_empty(self):
        return not self.rows
''',
    "shop/tax.py": "def total_price(rate):\n    return rate\n\n\nVAT_RATE = 19\n",
    "tests/test_cart.py": "def test_total_price():\n    assert Cart().total_price(1) == 1\n",
    "vendor/shop/cart.py": "class Cart:\n    def total_price(self): pass\n",
    "web/cart.ts": "export class CartView { totalPrice(): number { return price(1); } }\n",
    "web/cart.go": "package web\n\nfunc (c *Cart) TotalPrice() int { return price(1) }\n",
}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RepositoryIndex]:
    root = tmp_path_factory.mktemp("tree")
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    with RepositoryIndex(root, tmp_path_factory.mktemp("state") / "index.sqlite3", workers=1) as opened:
        opened.refresh()
        yield opened


def places(found: Found) -> list[str]:
    return [f"{hit.path}:{hit.line} {hit.name}" for hit in found.hits]


def test_words_find_what_speaks_of_them(index: RepositoryIndex) -> None:
    found = search(index, "sum of the rows with a discount")
    assert places(found)[0] == "shop/cart.py:5 Cart.total_price"
    assert found.hits[0].doc == "Sum of all rows after the discount."
    assert found.hits[0].why == "words"


def test_stems_and_parts_of_names_are_the_same_words(index: RepositoryIndex) -> None:
    assert places(search(index, "customers buying"))[0] == "shop/cart.py:2 Cart"
    assert "web/cart.ts:1 CartView" in places(search(index, "cart view"))


def test_the_definition_comes_before_what_holds_or_mentions_it(tmp_path: Path) -> None:
    files = {
        "lib/body.js": "function BodyParser (limit) {\n  this.limit = limit\n}\n",
        "lib/index.js": "const BodyParser = require('./body')\nfunction addBodyParser (body, parser) {}\n",
        "lib/other.js": "".join(f"function other{number} () {{}}\n" for number in range(20)),
    }
    (tmp_path / "lib").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with RepositoryIndex(tmp_path, tmp_path / "index.sqlite3", workers=1) as index:
        index.refresh()
        hits = search(index, "body parser").hits
    assert (hits[0].path, hits[0].line) == ("lib/body.js", 1)
    names = [(hit.kind, hit.name) for hit in hits]
    assert names.index(("function", "addBodyParser")) < names.index(("variable", "BodyParser"))


def test_a_name_comes_first_own_code_before_tests_before_copies(index: RepositoryIndex) -> None:
    found = search(index, "total_price")
    named = [place for place, hit in zip(places(found), found.hits, strict=True) if hit.why == "name"]
    assert named == [
        "shop/tax.py:1 total_price",
        "shop/cart.py:5 Cart.total_price",
        "vendor/shop/cart.py:2 Cart.total_price",
    ]


@pytest.mark.parametrize(
    "query", ["Cart.total_price", "shop.cart.Cart.total_price", "cart::Cart#total_price()"]
)
def test_a_qualified_name_means_fewer(index: RepositoryIndex, query: str) -> None:
    assert places(search(index, query))[0] == "shop/cart.py:5 Cart.total_price"


def test_names_are_found_in_another_case(index: RepositoryIndex) -> None:
    assert [one.path for one in find_exact(index.connection, "TOTALPRICE")][:2] == [
        "shop/tax.py",
        "shop/cart.py",
    ]
    assert [one.path for one in find_exact(index.connection, "TotalPrice")] == ["web/cart.go"]


def test_a_misspelt_name_gets_suggestions(index: RepositoryIndex) -> None:
    assert search(index, "total_prise").suggestions[0] in ("total_price", "totalPrice", "TotalPrice")
    assert suggest(index.connection, "CartVeiw")[0] == "CartView"
    assert suggest(index.connection, "zzzzzz") == []


def test_filters(index: RepositoryIndex) -> None:
    def paths(filters: Filters) -> set[str]:
        return {hit.path for hit in search(index, "total price", filters).hits}

    assert paths(Filters.checked(["ts"])) == {"web/cart.ts"}
    assert paths(Filters.checked(paths=["shop"])) == {"shop/cart.py", "shop/tax.py"}
    assert paths(Filters.checked(paths=["*.go"])) == {"web/cart.go"}
    assert {hit.kind for hit in search(index, "cart", Filters.checked(kinds=["class"])).hits} == {"class"}


def test_an_unknown_language_or_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="no language"):
        Filters.checked(["cobol"])
    with pytest.raises(UsageError, match="no kind"):
        Filters.checked(kinds=["paragraph"])


def test_paths() -> None:
    assert (
        path_matches("a/b.py", ["a"])
        and path_matches("a/b.py", ["./a/"])
        and path_matches("a/b.py", ["*.py"])
    )
    assert not path_matches("ab/c.py", ["a"])


def test_the_limit_is_said(index: RepositoryIndex) -> None:
    found = search(index, "total price", limit=1)
    assert len(found.hits) == 1 and found.is_cut
    assert not search(index, "total price", limit=100).is_cut


def test_nothing_found_and_nothing_asked(index: RepositoryIndex) -> None:
    assert search(index, "quantum chromodynamics").hits == ()
    assert search(index, "the of and").hits == ()
    with pytest.raises(UsageError, match="empty"):
        search(index, "  ")


@pytest.mark.parametrize(
    "query", ['"', "a OR", "NEAR(", "*", "name:x", "'; DROP TABLE unit; --", "\0", "x" * 100_000, "^a"]
)
def test_H26_queries_are_words_and_no_syntax(index: RepositoryIndex, query: str) -> None:
    before = search(index, "total price").hits
    search(index, query)
    assert before and search(index, "total price").hits == before


def test_patterns_search_every_language_that_has_them(index: RepositoryIndex) -> None:
    found = search_pattern(index, "price($X)")
    assert places(found) == ["web/cart.go:3 Cart.TotalPrice", "web/cart.ts:1 CartView.totalPrice"]
    assert found.hits[0].holes == {"X": "1"}
    assert places(search_pattern(index, "price($X)", Filters.checked(["go"]))) == [
        "web/cart.go:3 Cart.TotalPrice"
    ]


def test_a_pattern_that_is_none_is_refused(index: RepositoryIndex) -> None:
    with pytest.raises(UsageError, match="can't be read"):
        search_pattern(index, "))) (((")


def test_the_same_question_has_the_same_answer(index: RepositoryIndex, tmp_path: Path) -> None:
    with RepositoryIndex(index.root, tmp_path / "other.sqlite3", workers=2) as other:
        other.refresh()
        for query in ("total price", "cart", "rows discount sum"):
            assert search(other, query) == search(index, query)
