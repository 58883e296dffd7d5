"""One repository in five languages, indexed once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from treemend.tools.index.repository import RepositoryIndex

FILES = {
    # Python: inheritance across files and through a re-export, decorators, nested classes, namesakes.
    "shop/__init__.py": "",
    "shop/base/__init__.py": "from .core import Base as Base\nfrom .core import helper\n",
    "shop/base/core.py": '''
class Root:
    """The root."""

    def identity(self):
        return id(self)


class Base(Root):
    """What is sold."""

    registry = {}

    def __init__(self, name):
        self.name = name

    def price(self):
        """The price."""
        return helper(self.name)

    def identity(self):
        return self.name


def helper(name):
    return len(name)
''',
    "shop/cart.py": """
from functools import lru_cache

from shop.base import Base
from . import tax
from .base import helper as help_me


class Cart(Base):
    class Row:
        def price(self):
            return 1

    limit = 3

    @property
    @lru_cache(maxsize=1)
    def total(self):
        rows = [self.price(), help_me("x")]
        return tax.rate(sum(rows))

    def price(self):
        return super().price() + 1
""",
    "shop/tax.py": "RATE = 19\n\n\ndef rate(amount):\n    return amount * RATE\n",
    "shop/other.py": """
class Base:
    def unlike(self):
        return 0


def rate(amount):
    return amount
""",
    "shop/lacking.py": """
import os


def pay(cart: Cart, *, tip=0):
    for row in cart.rows:
        tip += row
    undefined_thing()
    print(os.sep, tax.rate(tip), RATE)
    return [x for x in helper(tip)]
""",
    "shop/broken.py": "def fine():\n    return rate(1)\n\n\ndef bad(:\n    x = (\n",
    "tests/test_cart.py": """
from shop.cart import Cart


def make():
    return Cart("a")


def test_total():
    cart = Cart("b")
    assert cart.total == 1


def test_made():
    assert make().price()


def test_other():
    assert 1
""",
    # Java: overloads, an interface and a base in other packages, a nested class, namesakes.
    "java/com/shop/base/Base.java": """package com.shop.base;
/** What is sold. */
public abstract class Base implements Priced {
  protected String name;
  public Base(String name) { this.name = name; }
  public int price() { return name.length(); }
  public int price(int discount) { return price() - discount; }
  public static int count() { return 0; }
}
""",
    "java/com/shop/base/Priced.java": "package com.shop.base;\npublic interface Priced { int price(); }\n",
    "java/com/shop/Cart.java": """package com.shop;
import com.shop.base.Base;
public class Cart extends Base {
  private static final int LIMIT = 3;
  public Cart() { super("cart"); }
  @Override
  public int price() { return super.price() + Base.count() + tax(1); }
  private int tax(int a) { return Rates.of(a); }
  static int measure(Base<String> base) { return base.price(2); }
  public static class Row { public int sum() { return 1; } }
}
""",
    "java/com/shop/Rates.java": "package com.shop;\nclass Rates { static int of(int a) { return a; } }\n",
    "java/com/other/Base.java": "package com.other;\npublic class Base { public void unlike() {} }\n",
    "java/com/shop/web/Page.java": """package com.shop.web;
public class Page {
  Cart cart;
  List<String> rows;
  int show(int x) { return new Cart().price() + x; }
}
""",
    # TypeScript: a re-export, an interface, overloads, a nested type, a decorator.
    "web/base.ts": """/** What is sold. */
export abstract class Base { name = ''; price(): number { return helper(this.name); } }
export interface Priced { price(): number; }
export function helper(name: string): number { return name.length; }
""",
    "web/index.ts": "export { Base } from './base';\nexport * from './base';\n",
    "web/cart.ts": """import { Base, helper as helpMe } from './index';
import type { Priced } from './base';
@Component()
export class Cart extends Base implements Priced {
  static limit = 3;
  total(): number;
  total(discount?: number): number { return this.price() - helpMe('x'); }
  size() { return 1; }
}
export function measure(cart: Cart) { return cart.size(); }
""",
    "web/page.ts": """export function show(cart: Cart) {
  const x = helper('a');
  return new Cart().total() + x;
}
""",
    # Go: embedding across files of a package, an interface, another package.
    "go.mod": "module example.com/shop\n",
    "goshop/base.go": """package goshop

// Base is what is sold.
type Base struct { Name string }

// Price says the price.
func (b *Base) Price() int { return len(b.Name) }

type Priced interface { Price() int }
""",
    "goshop/cart.go": """package goshop

import "example.com/shop/rates"

type Cart struct {
	*Base
	Rows []int
}

func (c *Cart) Total() int { return c.Price() + rates.Of(len(c.Rows)) + round(1) }

func round(a int) int { return a }
""",
    "rates/rates.go": "package rates\n\nfunc Of(a int) int { return a }\n\ntype Cart struct{}\n",
    "cmd/main.go": "package main\n\nfunc main() { println(rates.Of(1)) }\n",
    # Rust: impls in other files, trait defaults, a module tree.
    "rust/src/lib.rs": "pub mod base;\npub mod cart;\npub use crate::base::Priced;\n",
    "rust/src/base.rs": """/// What has a price.
pub trait Priced: Named {
    fn price(&self) -> u32;
    fn double(&self) -> u32 { self.price() * 2 }
}
pub trait Named { fn name(&self) -> String { String::new() } }
pub fn helper(a: u32) -> u32 { a }
""",
    "rust/src/cart.rs": """use crate::base::{helper as help_me, Named, Priced};

/// A cart.
#[derive(Debug)]
pub struct Cart { pub rows: Vec<u32> }

impl Cart {
    pub fn new() -> Self { Cart { rows: Vec::new() } }
    pub fn total(&self) -> u32 { self.double() + help_me(1) }
}
impl Priced for Cart { fn price(&self) -> u32 { 1 } }
impl Named for Cart {}
pub fn measure(cart: &Cart) -> u32 { cart.total() }
""",
    "rust/src/page.rs": "pub fn show(cart: &Cart) -> u32 { helper(cart.total()) }\n",
    # The others: definitions, outline, body, references.
    "other/r.rb": "class Cart\n  def total\n    price(1)\n  end\nend\n",
    "other/p.php": "<?php\nclass Cart { function total() { return price(1); } }\n",
    "other/c.c": "static int price(int a) { return a; }\nint total(void) { return price(1); }\n",
    "other/k.cpp": "class Cart { int total(); };\nint Cart::total() { return price(1); }\n",
    "other/s.cs": """namespace N { class Cart {
  int Total() { return Price(1); }
  int Price(int a) { return a; }
} }
""",
    "other/j.js": "class Cart { total() { return price(1); } }\nfunction price(a) { return a; }\n",
}


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RepositoryIndex]:
    root = tmp_path_factory.mktemp("tree")
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    with RepositoryIndex(root, tmp_path_factory.mktemp("state") / "index.sqlite3", workers=1) as opened:
        opened.refresh()
        yield opened
