"""Classes with what they inherit, signatures, bodies, outlines."""

from __future__ import annotations

import pytest

from treemend.tools.index.repository import RepositoryIndex
from treemend.tools.repotools.definitions import class_information, get_body, get_outline, get_signature
from treemend.tools.repotools.results import ClassInformation


def the_class(index: RepositoryIndex, name: str) -> ClassInformation:
    found = class_information(index, name)
    assert len(found.classes) == 1, [one.full_name for one in found.classes]
    return found.classes[0]


def methods(one: ClassInformation) -> dict[str, tuple[str, str]]:
    return {f"{m.name}/{m.signature.count(',')}": (m.owner, m.overrides) for m in one.methods}


def test_python_inherits_through_a_reexport(index: RepositoryIndex) -> None:
    cart = the_class(index, "shop.cart.Cart")
    assert [(base.name, base.place and base.place.path) for base in cart.bases] == [
        ("Base", "shop/base/core.py")
    ]
    assert methods(cart) == {
        "total/0": ("Cart", ""),
        "price/0": ("Cart", "Base"),
        "__init__/1": ("Base", ""),
        "identity/0": ("Base", "Root"),
    }
    assert [(one.name, one.owner) for one in cart.class_variables] == [
        ("limit", "Cart"),
        ("registry", "Base"),
    ]
    assert [(one.name, one.owner) for one in cart.instance_variables] == [("name", "Base")]
    assert [one.name for one in cart.nested] == ["Cart.Row"]


def test_python_subclasses_are_those_of_this_class_and_no_namesake(index: RepositoryIndex) -> None:
    assert [one.name for one in the_class(index, "shop.base.core.Base").subclasses] == ["Cart"]
    assert the_class(index, "shop.other.Base").subclasses == ()


def test_java_inherits_across_packages_with_overloads(index: RepositoryIndex) -> None:
    cart = the_class(index, "com.shop.Cart")
    assert [(base.name, base.place and base.place.path) for base in cart.bases] == [
        ("Base", "java/com/shop/base/Base.java")
    ]
    prices = [(one.signature, one.owner, one.overrides) for one in cart.methods if one.name == "price"]
    assert prices == [
        ("public int price()", "Cart", "Base"),
        ("public int price(int discount)", "Base", ""),
    ]
    assert [one.name for one in cart.methods if one.owner == "Base"] == ["price", "count"]
    assert [one.name for one in cart.class_variables] == ["LIMIT"]
    assert [(one.name, one.owner) for one in cart.instance_variables] == [("name", "Base")]
    assert [one.name for one in cart.nested] == ["Cart.Row"]


def test_typescript_inherits_through_a_reexport_and_an_interface(index: RepositoryIndex) -> None:
    cart = the_class(index, "web.cart.Cart")
    assert [(base.name, base.place and base.place.path) for base in cart.bases] == [
        ("Base", "web/base.ts"),
        ("Priced", "web/base.ts"),
    ]
    assert [(one.name, one.owner) for one in cart.methods] == [
        ("total", "Cart"),
        ("total", "Cart"),
        ("size", "Cart"),
        ("price", "Base"),
    ]
    assert cart.decorators == ("@Component()",)
    assert [one.name for one in cart.class_variables] == ["limit"]


def test_go_promotes_what_is_embedded(index: RepositoryIndex) -> None:
    cart = the_class(index, "goshop.Cart")
    assert [(one.name, one.owner) for one in cart.methods] == [("Total", "Cart"), ("Price", "Base")]
    assert [(one.name, one.owner) for one in cart.instance_variables] == [("Rows", "Cart"), ("Name", "Base")]


def test_rust_gathers_impls_and_trait_defaults(index: RepositoryIndex) -> None:
    cart = the_class(index, "rust.cart.Cart")
    assert [base.name for base in cart.bases] == ["Priced", "Named"]
    owners = {one.name: one.owner for one in cart.methods}
    assert owners == {"new": "Cart", "total": "Cart", "price": "Cart", "double": "Priced", "name": "Named"}
    assert [one.name for one in cart.instance_variables] == ["rows"]


def test_a_name_that_several_classes_have_gets_them_all(index: RepositoryIndex) -> None:
    found = class_information(index, "Cart", limit=2)
    assert len(found.classes) == 2
    assert found.notes and found.notes[0].startswith("2 of ")


def test_a_misspelt_class_gets_suggestions(index: RepositoryIndex) -> None:
    found = class_information(index, "Basse")
    assert not found.found and "Base" in found.suggestions


@pytest.mark.parametrize(
    ("name", "path", "owner"),
    [
        ("shop.cart.Cart.identity", "shop/base/core.py", "shop.base.core.Base"),
        ("com.shop.Cart.count", "java/com/shop/base/Base.java", "com.shop.base.Base"),
        ("web.cart.Cart.price", "web/base.ts", "web.base.Base"),
        ("goshop.Cart.Price", "goshop/base.go", "goshop.Base"),
        ("rust.cart.Cart.double", "rust/src/base.rs", "rust.base.Priced"),
    ],
)
def test_inherited_methods_have_the_signature_of_their_owner(
    index: RepositoryIndex, name: str, path: str, owner: str
) -> None:
    found = get_signature(index, name)
    assert [(one.place.path, one.owner, one.asked_of) for one in found.signatures] == [(path, owner, "Cart")]


def test_signatures_of_overloads(index: RepositoryIndex) -> None:
    found = get_signature(index, "com.shop.base.Base.price")
    assert [one.signature for one in found.signatures] == [
        "public int price()",
        "public int price(int discount)",
    ]
    assert found.signatures[0].owner == "com.shop.base.Base"


def test_a_body_has_its_decorators(index: RepositoryIndex) -> None:
    body = get_body(index, "shop.cart.Cart.total", limit=1).bodies[0]
    assert body.source.splitlines()[:3] == [
        "    @property",
        "    @lru_cache(maxsize=1)",
        "    def total(self):",
    ]
    assert body.source.endswith("return tax.rate(sum(rows))")


def test_a_long_body_is_cut_and_says_so(index: RepositoryIndex) -> None:
    found = get_body(index, "shop.cart.Cart.total", lines=2)
    assert found.bodies[0].is_cut and found.bodies[0].source.count("\n") == 1
    assert found.notes == ("Cart.total: 2 lines shown of more.",)


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("other/r/Cart.total", "  def total"),
        ("N.Cart.Total", "  int Total() { return Price(1); }"),
        ("goshop.Cart.Total", "func (c *Cart) Total() int"),
        ("rust::cart::Cart::total", "    pub fn total(&self) -> u32"),
    ],
)
def test_bodies_in_other_languages(index: RepositoryIndex, name: str, first: str) -> None:
    assert any(one.source.startswith(first) for one in get_body(index, name, limit=10).bodies)


def test_outline(index: RepositoryIndex) -> None:
    found = get_outline(index, "shop/cart.py")
    assert [(entry.depth, entry.symbol.kind, entry.symbol.name) for entry in found.entries] == [
        (0, "class", "Cart"),
        (1, "class", "Cart.Row"),
        (2, "method", "Cart.Row.price"),
        (1, "field", "Cart.limit"),
        (1, "method", "Cart.total"),
        (1, "method", "Cart.price"),
    ]


@pytest.mark.parametrize(
    "path", ["other/r.rb", "other/p.php", "other/c.c", "other/k.cpp", "other/s.cs", "other/j.js"]
)
def test_outlines_in_every_language(index: RepositoryIndex, path: str) -> None:
    names = [entry.symbol.name.lower().rpartition(".")[2] for entry in get_outline(index, path).entries]
    assert "total" in names


def test_outline_of_a_broken_file_says_so(index: RepositoryIndex) -> None:
    found = get_outline(index, "broken.py")
    assert found.entries[0].symbol.name == "fine"
    assert any("syntax errors" in note for note in found.notes)


def test_outline_of_no_file_suggests_one(index: RepositoryIndex) -> None:
    assert get_outline(index, "shop/crat.py").suggestions[0] == "shop/cart.py"
