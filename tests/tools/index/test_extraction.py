"""Definitions, imports and identifiers of every language."""

from __future__ import annotations

import pytest

from treemend.tools.index.extraction import extract_facts
from treemend.tools.index.facts import Definition, FileFacts, Use, decode_occurrences, encode_facts
from treemend.tools.index.languages import LANGUAGES

PYTHON = b'''"""Prices."""
from .money import (Euro as E, round_up,)
import os.path as p

RATE = 1

class Cart(Base, mixins.Priced[int]):
    """A cart."""
    limit: int = 3

    @property
    @cached(60)
    def total(self, tax, *, net=False) -> "int":
        """The sum."""
        self.seen = True
        def inner(): pass
        return self.rows(tax).sum(p.join(f"{tax}"))  # rows and sum

    class Row:
        def total(self): ...
'''
TYPESCRIPT = b"""import def, { type A, B as C } from './x';
export * from './y';
/** Doc of K. */
@Dec()
export class K<T> extends Base<T> implements I1 {
  private f: number = 1;
  constructor(private x: string) { super(); this.z = 1; }
  /** first */
  m(a: number): string;
  m(a: any): string { return ns.go<string>(a); }
}
export const arrow = async (a: number) => { foo(a); };
export interface I1 extends I0 { p: string; q(): void }
enum Color { Red, Blue = 2 }
type Alias = string | number;
namespace N { export function deep() {} }
"""
JAVA = b"""package com.shop;
import java.util.*;
import static com.shop.Money.round;
/** A cart. */
@Entity
public class Cart<T> extends Base<T> implements Priced, Sized<K> {
  private int a, b = 2;
  @Override
  public int total(int x) { return round(x) + this.a + new Row<>().sum(); }
  int total(int x, int y) { return 1; }
  Cart() {}
  static class Row { int sum() { return 0; } }
  enum State { OPEN, PAID }
}
interface Priced extends Valued { int price(); }
record Pair(int a, int b) {}
"""
GO = b"""// Package shop sells.
package shop
import (
  "fmt"
  web "net/http"
)
const Rate = 1
var Open, Closed int
// Cart holds rows.
type Cart[T any] struct { Base; *web.Server; rows, total int }
type Priced interface { Valued; Price(a int) error }
// Add adds.
func (c *Cart[T]) Add(a int) error { fmt.Println(c.rows); return check(Row{a}) }
func check(r Row) error { return nil }
"""
RUST = b"""//! Shop.
use std::collections::{HashMap, hash_map::{self, Entry as E}};
mod money;
/// A cart.
#[derive(Debug)]
pub struct Cart<T> {
    pub rows: T,
}
impl<T> Cart<T> { pub fn new(rows: T) -> Self { Cart { rows } } }
impl<T: Clone> Priced for Cart<T> {
    fn price(&self) -> f64 { self.rows.clone(); check::<T>(); println!("x"); 0.0 }
}
pub trait Priced: Valued { fn price(&self) -> f64; fn free(&self) -> bool { false } }
mod inner { pub fn deep() {} }
enum State { Open, Paid(i32) }
const RATE: i32 = 1;
macro_rules! sum { () => {} }
"""
C = b"""#include <stdio.h>
#define MAX(a, b) a
typedef struct { int a; } Point;
struct Cart { int rows; struct Cart *next; };
int declared(int a);
/* Adds. */
static int *add(struct Cart *cart, int a) { cart->rows = declared(a); return 0; }
enum State { OPEN, PAID };
"""
CPP = b"""#include "shop.h"
namespace shop {
/* A cart. */
class Cart : public Base<int>, Priced {
 public:
  int rows;
  void add(int a);
  int total() const { return sum(); }
};
}
void shop::Cart::add(int a) { shop::check(a); this->total(); auto x = new Row(); }
template <class T> T twice(T a) { return a; }
using Money = int;
"""
CSHARP = b"""using System.Text;
using F = A.B;
namespace Shop.Core {
/// <summary>A cart.</summary>
[Serializable]
public class Cart<T> : Base<T>, IPriced {
  private int rows = 1;
  public string Name { get; set; }
  public Cart() {}
  public int Total(int a) { return Round(a) + this.Sum<int>(1); }
}
interface IPriced { void Price(); }
enum State { Open, Paid }
}
"""
RUBY = b"""require 'json'
require_relative 'lib/money'
module Shop
  # A cart.
  class Cart < Base::Box
    include Priced
    RATE = 1
    def initialize(a)
      @rows = a
    end
    def self.make(x) = new(x)
    def empty?
      @rows.sum(1)
      helper
    end
  end
end
"""
PHP = b"""<?php
namespace App\\Shop;
use A\\B\\{C, D as E};
use function X\\round;
/** A cart. */
#[Entity]
class Cart extends Base implements Priced {
  use Sized;
  const RATE = 1;
  private $rows = 1;
  public function total(int $a): int { return $this->sum($a) + Money::round() + strlen("x") + new Row(); }
}
function check($a) { return $a; }
trait Sized {}
"""
JAVASCRIPT = b"""const {a, b: c} = require('./x');
function sum(x) { return new Cart(x).total(); }
class Cart extends Base { #p = 1; total() { this.rows = 1; } static make = () => 1; }
exports.price = function (a) {};
Cart.prototype.add = function () {};
module.exports = { keep: (a) => a };
export default function App() { return <Foo x={1}><Bar/></Foo>; }
"""


def facts(language: str, source: bytes) -> FileFacts:
    found = extract_facts(language, source)
    encoded = encode_facts(found)
    assert decode_occurrences(encoded.names.decode(), encoded.occurrences) == found.occurrences
    return found


def named(found: FileFacts, qualified: str, at: int = 0) -> Definition:
    return [one for one in found.definitions if one.qualified == qualified and one.kind != "impl"][at]


def kinds(found: FileFacts) -> dict[str, str]:
    return {one.qualified: one.kind for one in found.definitions[1:]}


def uses(found: FileFacts, name: str) -> list[str]:
    occurrences = found.occurrences
    return [occurrences.at(at).use.name for at in occurrences.positions_of(name)]


def imported(found: FileFacts) -> set[tuple[str, str, str]]:
    return {(one.module, one.name, one.alias) for one in found.imports}


def test_python() -> None:
    found = facts("python", PYTHON)
    assert kinds(found) == {
        "RATE": "constant",
        "Cart": "class",
        "Cart.limit": "field",
        "Cart.total": "method",
        "Cart.seen": "field",
        "Cart.total.inner": "function",
        "Cart.Row": "class",
        "Cart.Row.total": "method",
    }
    cart, total = named(found, "Cart"), named(found, "Cart.total")
    assert cart.bases == ("Base", "mixins.Priced")
    assert cart.signature == "class Cart(Base, mixins.Priced[int])"
    assert total.signature == 'def total(self, tax, *, net=False) -> "int"'
    assert total.decorators == ("@property", "@cached(60)")
    assert (total.top_line, total.line, total.column, total.end_line) == (11, 13, 9, 17)
    assert total.doc == "The sum."
    assert found.definitions[0].doc == "Prices."
    assert imported(found) == {(".money", "Euro", "E"), (".money", "round_up", ""), ("os.path", "", "p")}
    assert uses(found, "rows") == ["CALL"]
    assert uses(found, "tax") == ["BINDING", "NAME", "NAME"]
    assert uses(found, "seen") == ["DEFINITION"]
    assert uses(found, "int") == ["NAME", "TYPE"]


def test_a_call_knows_its_receiver() -> None:
    found = facts("python", PYTHON).occurrences
    receivers = {
        found.at(at).name: found.receiver(at) for at in range(len(found)) if found.at(at).use is Use.CALL
    }
    assert receivers == {"cached": "", "rows": "self", "sum": "", "join": "p"}
    assert [found.at(at).is_member for at in found.positions_of("sum")] == [True]


@pytest.mark.parametrize(
    ("language", "source"),
    [
        ("typescript", b"function f(cart?: Cart) { return cart?.total(1); }"),
        ("typescript", b"function f(cart?: Cart) { return cart!.total(1); }"),
        ("javascript", b"function f(cart) { return cart?.total(1) }"),
        ("csharp", b"class A { int F(Cart cart) { return cart?.total(1); } }"),
    ],
)
def test_a_call_of_what_may_be_missing_knows_its_receiver(language: str, source: bytes) -> None:
    found = facts(language, source).occurrences
    (at,) = found.positions_of("total")
    assert found.at(at).use is Use.CALL
    assert found.receiver(at) == "cart"


def test_a_call_on_a_result_has_no_receiver() -> None:
    found = facts("typescript", b"function f(cart) { return make(cart)?.total(1); }").occurrences
    assert found.receiver(found.positions_of("total")[0]) == ""


def test_typescript() -> None:
    found = facts("typescript", TYPESCRIPT)
    assert kinds(found) == {
        "K": "class",
        "K.f": "field",
        "K.constructor": "method",
        "K.z": "field",
        "K.m": "method",
        "arrow": "function",
        "I1": "interface",
        "I1.p": "field",
        "I1.q": "method",
        "Color": "enum",
        "Color.Red": "constant",
        "Color.Blue": "constant",
        "Alias": "type",
        "N": "namespace",
        "N.deep": "function",
    }
    assert named(found, "K").bases == ("Base", "I1")
    assert named(found, "K").doc == "Doc of K."
    assert named(found, "arrow").signature == "const arrow = async (a: number)"
    assert [named(found, "K.m", at).signature for at in (0, 1)] == [
        "m(a: number): string",
        "m(a: any): string",
    ]
    assert imported(found) == {
        ("./x", "default", "def"),
        ("./x", "A", ""),
        ("./x", "B", "C"),
        ("./y", "*", ""),
    }
    assert uses(found, "go") == ["CALL"]


def test_java() -> None:
    found = facts("java", JAVA)
    cart = named(found, "Cart")
    assert found.package == "com.shop"
    assert cart.bases == ("Base", "Priced", "Sized")
    assert cart.doc == "A cart."
    assert cart.decorators == ("@Entity",)
    assert [named(found, "Cart.total", at).parameters for at in (0, 1)] == [1, 2]
    assert named(found, "Cart.b").signature == "private int a, b = 2"
    assert kinds(found)["Cart.Row.sum"] == "method"
    assert kinds(found)["Cart.State.PAID"] == "constant"
    assert named(found, "Priced").bases == ("Valued",)
    assert imported(found) == {("java.util", "*", ""), ("com.shop.Money", "round", "")}
    assert uses(found, "Row") == ["CALL", "DEFINITION"]


def test_go() -> None:
    found = facts("go", GO)
    assert found.package == "shop"
    assert kinds(found) == {
        "Rate": "constant",
        "Open": "variable",
        "Closed": "variable",
        "Cart": "struct",
        "Cart.rows": "field",
        "Cart.total": "field",
        "Priced": "interface",
        "Priced.Price": "method",
        "Cart.Add": "method",
        "check": "function",
    }
    assert named(found, "Cart").bases == ("Base", "web.Server")
    assert named(found, "Priced").bases == ("Valued",)
    assert named(found, "Cart.Add").doc == "Add adds."
    assert imported(found) == {("fmt", "", ""), ("net/http", "", "web")}
    assert "CALL" in uses(found, "Row")


def test_rust() -> None:
    found = facts("rust", RUST)
    assert kinds(found) == {
        "Cart": "impl",
        "Cart.rows": "field",
        "Cart.new": "method",
        "Cart.price": "method",
        "Priced": "trait",
        "Priced.price": "method",
        "Priced.free": "method",
        "inner": "namespace",
        "inner.deep": "function",
        "State": "enum",
        "State.Open": "constant",
        "State.Paid": "constant",
        "RATE": "constant",
        "sum": "macro",
    }
    assert named(found, "Cart").decorators == ("#[derive(Debug)]",)
    assert named(found, "Cart").doc == "A cart."
    assert [one.bases for one in found.definitions if one.kind == "impl"] == [(), ("Priced",)]
    assert uses(found, "check") == ["CALL"]
    assert uses(found, "println") == ["CALL"]
    assert ("std.collections.hash_map", "Entry", "E") in imported(found)
    assert ("self.money", "", "money") in imported(found)


def test_c() -> None:
    found = facts("c", C)
    assert kinds(found) == {
        "MAX": "macro",
        "Point": "type",
        "Point.a": "field",
        "Cart": "struct",
        "Cart.rows": "field",
        "Cart.next": "field",
        "declared": "function",
        "add": "function",
        "State": "enum",
        "State.OPEN": "constant",
        "State.PAID": "constant",
    }
    assert named(found, "add").doc == "Adds."
    assert named(found, "add").parameters == 2
    assert uses(found, "declared") == ["DEFINITION", "CALL"]


def test_cpp() -> None:
    found = facts("cpp", CPP)
    assert kinds(found)["shop.Cart.add"] == "method"
    assert named(found, "shop.Cart").bases == ("Base", "Priced")
    assert named(found, "shop.Cart.add", 1).line == 11
    assert kinds(found)["twice"] == "function"
    assert uses(found, "total") == ["DEFINITION", "CALL"]
    assert uses(found, "Row") == ["CALL"]


def test_csharp() -> None:
    found = facts("csharp", CSHARP)
    assert kinds(found)["Shop.Core.Cart.Total"] == "method"
    assert kinds(found)["Shop.Core.Cart.Name"] == "field"
    assert named(found, "Shop.Core.Cart").bases == ("Base", "IPriced")
    assert named(found, "Shop.Core.Cart").doc == "A cart."
    assert uses(found, "Sum") == ["CALL"]
    assert imported(found) == {("System.Text", "*", ""), ("A.B", "", "F")}


def test_ruby() -> None:
    found = facts("ruby", RUBY)
    assert kinds(found)["Shop.Cart.empty?"] == "method"
    assert named(found, "Shop.Cart").bases == ("Base.Box", "Priced")
    assert named(found, "Shop.Cart").doc == "A cart."
    assert kinds(found)["Shop.Cart.rows"] == "field"
    assert imported(found) == {("json", "*", ""), ("./lib/money", "*", "")}
    assert uses(facts("ruby", b"puts 'x'\nrequire 'y'\n"), "puts") == ["CALL"]
    assert uses(found, "sum") == ["CALL"]


def test_php() -> None:
    found = facts("php", PHP)
    assert found.package == "App.Shop"
    assert named(found, "Cart").bases == ("Base", "Priced", "Sized")
    assert named(found, "Cart").doc == "A cart."
    assert kinds(found)["Cart.rows"] == "field"
    assert uses(found, "round") == ["IMPORT", "CALL"]
    assert imported(found) == {("A.B", "C", ""), ("A.B", "D", "E"), ("X", "round", "")}


def test_javascript() -> None:
    found = facts("javascript", JAVASCRIPT)
    assert kinds(found)["price"] == "function"
    assert kinds(found)["Cart.add"] == "method"
    assert kinds(found)["keep"] == "function"
    assert kinds(found)["Cart.rows"] == "field"
    assert imported(found) == {("./x", "a", ""), ("./x", "b", "c")}
    assert uses(facts("javascript", b"const x = load('y')\n"), "load") == ["CALL"]
    assert uses(found, "Bar") == ["CALL"]


def test_a_colon_or_a_comparison_makes_no_member() -> None:
    found = facts("python", b"x = {a:b, 'k':1}[c:d]\ny = a>b\n").occurrences
    assert not any(found.at(at).is_member for at in range(len(found)))
    assert (
        facts("cpp", b"int f() { return a->g() + N::h() + (a>b); }").occurrences.uses.count(Use.CALL | 24)
        == 2
    )


def test_a_broken_file_keeps_what_can_be_understood() -> None:
    found = facts(
        "python", b"def good(): pass\n\ndef bad(:\n    x = (\n\nclass Also:\n    def fine(self): pass\n"
    )
    assert found.has_errors
    assert "good" in kinds(found)


def test_names_in_strings_and_comments_are_no_references() -> None:
    found = facts("python", b"# total\nx = 'total' + f'{total} total'\n")
    assert uses(found, "total") == ["NAME"]


def test_lines_count_as_the_file_has_them() -> None:
    found = facts("python", b"\x0c\r\ndef a(): pass\r\n\r\ndef b(): pass")
    assert [named(found, name).line for name in ("a", "b")] == [2, 4]
    occurrences = found.occurrences
    assert [occurrences.at(at).line for at in occurrences.positions_of("b")] == [4]


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize(
    "source", [b"", b"\n", b"(" * 3_000, b"{[(" * 1_000, "ünïcödé → 漢字 = 1\n".encode(), b"\xff\xfe("]
)
def test_H28_nothing_in_a_file_stops_the_extraction(language: str, source: bytes) -> None:
    found = extract_facts(language, source)
    assert found.definitions[0].kind == "module"


def test_the_comment_at_the_top_is_the_files_however_many_follow() -> None:
    """tree-sitter gives what a query captures in the order of addresses."""
    later = b"".join(b"// says %d\nfunction f%d() {}\n" % (n, n) for n in range(100))
    facts = extract_facts("javascript", b"// What it is for.\n\n" + later)
    assert facts.definitions[0].doc == "What it is for."
    assert [row.doc for row in facts.definitions[1:]] == [f"says {n}" for n in range(100)]
    imports = extract_facts("python", b"".join(b"import m%d, n\n" % n for n in range(100))).imports
    assert [one.line for one in imports] == sorted(one.line for one in imports)
