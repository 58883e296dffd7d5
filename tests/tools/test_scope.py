from __future__ import annotations

from treemend.tools.scope import Scope, ScopeIndex
from treemend.tools.syntax import parse_module

SOURCE = """\
import os
from json import dumps as to_json

TABLE = {"a": 1}


class Cart:
    def __init__(self, items: list[str], rate=0.5):
        self.items = items
        self.names = []

    def total(self, limit, *rest, **options):
        count, text = 0, "x"
        seen = set()
        for index, item in enumerate(self.items):
            if item.price > limit:
                seen.add(item)
                count += 1
        with open(text) as handle:
            lines = handle.read().splitlines()
        def helper(k):
            return k
        if (size := len(lines)) > 3:
            return helper(size)
        return count


def free(a, b, c=None):
    return [x for x in a if x]
"""


def scope_at(line: int, source: str = SOURCE) -> Scope:
    module = parse_module("m.py", source)
    statement = next(s for s in module.statements if s.line == line)
    return ScopeIndex(module).at(statement)


def shapes(scope: Scope, *names: str) -> list[str | None]:
    return [scope.shape_of(name) for name in names]


def test_names_are_ordered_from_the_function_outwards() -> None:
    names = {name.text: name.distance for name in scope_at(21).names}
    assert names["limit"] == names["count"] == names["handle"] == names["size"] == names["rest"] == 0
    assert names["TABLE"] == names["os"] == names["to_json"] == names["Cart"] == names["free"] == 2
    assert "x" not in names and "a" not in names


def test_an_inner_function_sees_the_outer_one() -> None:
    names = {name.text: name.distance for name in scope_at(22).names}
    assert (names["k"], names["count"], names["TABLE"]) == (0, 1, 2)


def test_shapes_come_from_values_annotations_and_use() -> None:
    scope = scope_at(13)
    assert shapes(scope, "count", "text", "seen", "index", "limit") == [
        "number", "string", "set", "number", None,
    ]  # fmt: skip
    assert shapes(scope, "lines", "helper", "size", "os", "TABLE") == [
        "list", "callable", None, "module", "dict",
    ]  # fmt: skip
    assert shapes(scope_at(9), "items", "rate") == ["list", "number"]
    assert shapes(scope, "self.names", "rest", "options") == ["list", "list", "dict"]


def test_use_tells_the_shape_of_a_parameter() -> None:
    source = "def f(n, s, d, xs, m):\n    s.strip(); d.items(); xs.append(n // 2)\n    return m < 3\n"
    assert shapes(scope_at(3, source), "n", "s", "d", "xs", "m") == [
        "number",
        "string",
        "dict",
        "list",
        "number",
    ]


def test_a_name_knows_where_and_how_often_it_occurs() -> None:
    count = scope_at(13).name("count")
    assert count is not None
    assert (count.line, count.lines, count.uses) == (13, (13, 18, 25), 3)
    assert count.gap(20) == 2


def test_unbound_names_are_told_from_bound_and_builtin_ones() -> None:
    scope = scope_at(13)
    assert scope.is_bound("count") and scope.is_bound("len") and scope.is_bound("free")
    assert not scope.is_bound("cuont") and not scope.is_bound("x")


def test_functions_have_their_numbers_of_parameters_without_the_receiver() -> None:
    functions = scope_at(13).functions
    assert (functions["free"], functions["helper"], functions["__init__"]) == (3, 1, 2)


def test_attributes_are_known_by_receiver() -> None:
    attributes = scope_at(13).attributes
    assert attributes["self"] == ("items", "names")
    assert attributes["item"] == ("price",)


def test_variables_leave_out_what_is_called_imported_or_the_object_itself() -> None:
    texts = [name.text for name in scope_at(13).variables]
    assert "count" in texts
    assert not {"helper", "self", "os", "TABLE"} & set(texts)
