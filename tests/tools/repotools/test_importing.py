"""Imports that a file lacks, and where to get them."""

from __future__ import annotations

from treemend.tools.index.repository import RepositoryIndex
from treemend.tools.repotools.importing import get_imports


def lacking(index: RepositoryIndex, path: str) -> dict[str, list[str]]:
    found = get_imports(index, path)
    return {one.name: [candidate.statement for candidate in one.candidates] for one in found.missing}


def test_python(index: RepositoryIndex) -> None:
    missing = lacking(index, "shop/lacking.py")
    assert missing == {
        "Cart": ["from shop.cart import Cart"],
        "undefined_thing": [],
        "tax": ["from shop import tax"],
        "RATE": ["from shop.tax import RATE"],
        "helper": ["from shop.base.core import helper"],
    }


def test_a_file_that_lacks_nothing(index: RepositoryIndex) -> None:
    for path in ("shop/cart.py", "com/shop/Cart.java", "web/cart.ts", "goshop/cart.go", "src/cart.rs"):
        assert "Component" in lacking(index, path) or lacking(index, path) == {}, path


def test_java(index: RepositoryIndex) -> None:
    missing = lacking(index, "web/Page.java")
    assert missing == {"Cart": ["import com.shop.Cart;"], "List": []}


def test_typescript(index: RepositoryIndex) -> None:
    missing = lacking(index, "web/page.ts")
    assert "import { Cart } from './cart';" in missing["Cart"]
    assert missing["helper"] == ["import { helper } from './base';"]


def test_go(index: RepositoryIndex) -> None:
    assert lacking(index, "cmd/main.go") == {"rates": ['import "example.com/shop/rates"']}


def test_rust(index: RepositoryIndex) -> None:
    missing = lacking(index, "src/page.rs")
    assert set(missing) == {"Cart", "helper"}
    assert any(statement.endswith("cart::Cart;") for statement in missing["Cart"])


def test_what_can_not_be_told_is_said(index: RepositoryIndex) -> None:
    assert "not understood" in get_imports(index, "other/r.rb").notes[0]
    assert "no file" in get_imports(index, "nowhere.py").notes[0]
    assert any("syntax errors" in note for note in get_imports(index, "shop/broken.py").notes)
