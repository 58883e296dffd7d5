"""Who names, calls and tests what."""

from __future__ import annotations

from pathlib import Path

import pytest

from treemend.tools.index.lookup import find_exact
from treemend.tools.index.repository import RepositoryIndex
from treemend.tools.repotools.references import get_callees, get_callers, get_covering_tests, get_references
from treemend.tools.repotools.resolution import Resolver
from treemend.tools.repotools.results import Calls


def sure(found: Calls) -> set[str]:
    return {f"{one.symbol.place.path} {one.symbol.name}" for one in found.calls if one.certainty == "sure"}


def test_references_follow_imports_and_not_namesakes(index: RepositoryIndex) -> None:
    found = get_references(index, "shop.tax.rate")
    assert (found.references[0].place.path, found.references[0].certainty) == ("shop/cart.py", "sure")
    assert [one.certainty for one in found.references].count("sure") == 1


def test_a_reference_says_where_and_how(index: RepositoryIndex) -> None:
    one = get_references(index, "shop.tax.rate").references[0]
    assert (one.place.line, one.use, one.inside) == (20, "call", "Cart.total")
    assert one.text == "return tax.rate(sum(rows))"


def test_python_callers(index: RepositoryIndex) -> None:
    assert sure(get_callers(index, "shop.base.core.helper")) == {
        "shop/base/core.py Base.price",
        "shop/cart.py Cart.total",
    }
    assert "shop/cart.py Cart.total" in sure(get_callers(index, "shop.cart.Cart.price"))


def test_super_means_what_is_inherited(index: RepositoryIndex) -> None:
    assert "shop/cart.py Cart.price" in sure(get_callers(index, "shop.base.core.Base.price"))
    assert "shop/cart.py Cart.price" not in sure(get_callers(index, "shop.cart.Cart.price"))
    assert "java/com/shop/Cart.java Cart.price" in sure(get_callers(index, "com.shop.base.Base.price"))


@pytest.mark.parametrize(
    ("name", "callee"),
    [
        ("shop.cart.Cart.total", "shop/tax.py rate"),
        ("shop.cart.Cart.total", "shop/cart.py Cart.price"),
        ("shop.cart.Cart.total", "shop/base/core.py helper"),
        ("com.shop.Cart.price", "java/com/shop/base/Base.java Base.count"),
        ("com.shop.Cart.price", "java/com/shop/Cart.java Cart.tax"),
        ("com.shop.Cart.tax", "java/com/shop/Rates.java Rates.of"),
        ("web.cart.Cart.total", "web/base.ts helper"),
        ("web.cart.Cart.total", "web/base.ts Base.price"),
        ("goshop.Cart.Total", "goshop/base.go Base.Price"),
        ("web.cart.measure", "web/cart.ts Cart.size"),
        ("rust.cart.measure", "rust/src/cart.rs Cart.total"),
        ("com.shop.Cart.measure", "java/com/shop/base/Base.java Base.price"),
        ("goshop.Cart.Total", "rates/rates.go Of"),
        ("goshop.Cart.Total", "goshop/cart.go round"),
        ("rust.cart.Cart.total", "rust/src/base.rs helper"),
        ("rust.cart.Cart.total", "rust/src/base.rs Priced.double"),
        ("other.j.Cart.total", "other/j.js price"),
        ("other.c.total", "other/c.c price"),
        ("N.Cart.Total", "other/s.cs N.Cart.Price"),
    ],
)
def test_callees(index: RepositoryIndex, name: str, callee: str) -> None:
    assert callee in sure(get_callees(index, name))


def test_tests_of_a_symbol_also_through_their_helpers(index: RepositoryIndex) -> None:
    found = get_covering_tests(index, "shop.cart.Cart")
    names = {one.symbol.name for one in found.calls}
    assert {"test_total", "test_made"} <= names
    assert "test_other" not in names
    assert "By static references only." in found.notes


def test_several_meanings_are_said(index: RepositoryIndex) -> None:
    assert any("definitions have that name" in note for note in get_references(index, "Cart").notes)


def test_the_limit_is_said(index: RepositoryIndex) -> None:
    found = get_references(index, "Cart", limit=1)
    assert len(found.references) == 1 and "shown" in found.notes[0]


def test_unknown_names_get_suggestions(index: RepositoryIndex) -> None:
    for ask in (get_references, get_callers, get_callees, get_covering_tests):
        found = ask(index, "idenity")
        assert not found.found and "identity" in found.suggestions


def test_a_broken_file_is_read_as_far_as_it_goes(index: RepositoryIndex) -> None:
    found = get_references(index, "rate", limit=100)
    assert "shop/tax.py" not in {one.place.path for one in found.references}


@pytest.mark.parametrize(
    "between",
    [
        'export { default as Shop } from "./store";\n',
        'export { default } from "./store";\n',
    ],
    ids=["as a name", "as the default"],
)
def test_typescript_a_default_export_is_followed_under_any_name(tmp_path: Path, between: str) -> None:
    files = {
        "src/store.ts": "export default class Store {\n  open() { return 1; }\n}\n",
        "src/index.ts": between,
        "src/app.ts": f'import {"{ Shop }" if "Shop" in between else "Shop"} from "./index";\n'
        "export function run(shop: Shop) { return new Shop(); }\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    with RepositoryIndex(tmp_path, tmp_path / "index.sqlite3", workers=1) as index:
        index.refresh()
        resolver = Resolver(index.connection)
        app = find_exact(index.connection, "run")[0]
        assert [one.full_name for one in resolver.resolve("Shop", app)] == ["store.Store"]
