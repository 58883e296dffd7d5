from __future__ import annotations

import pytest

from treemend.tools.syntax import Module, parse_module, syntax_digest

SOURCE = """\
import os

class A:
    limit = 3

    @property
    def size(self):
        for x in self.items:
            if x:
                return (1,
                        2)
            else:
                pass
        def inner():
            return 0

if os.name == "nt": limit = 4
"""


def statements(module: Module) -> list[tuple[str, int, int, str, str]]:
    return [(s.node.type, s.line, s.end_line, s.function, s.class_name) for s in module.statements]


def test_statements_know_their_lines_function_and_class() -> None:
    assert statements(parse_module("a.py", SOURCE)) == [
        ("import_statement", 1, 1, "", ""),
        ("class_definition", 3, 3, "", ""),
        ("expression_statement", 4, 4, "", "A"),
        ("function_definition", 7, 7, "", "A"),
        ("for_statement", 8, 8, "A.size", "A"),
        ("if_statement", 9, 9, "A.size", "A"),
        ("return_statement", 10, 11, "A.size", "A"),
        ("else_clause", 12, 12, "A.size", "A"),
        ("pass_statement", 13, 13, "A.size", "A"),
        ("function_definition", 14, 14, "A.size", "A"),
        ("return_statement", 15, 15, "A.size.inner", "A"),
        ("if_statement", 17, 17, "", ""),
        ("expression_statement", 17, 17, "", ""),
    ]


def test_a_class_in_a_function_keeps_the_whole_qualified_name() -> None:
    module = parse_module("a.py", "def f():\n    class C:\n        def m(self):\n            return 1\n")
    assert module.statements[-1].function == "f.C.m"
    assert module.functions_by_line()[4] == "f.C.m"


def test_offsets_count_characters_not_bytes() -> None:
    text = "name = 'ä🙂'; other = 'ß'\nlast = 1\n"
    module = parse_module("a.py", text)
    assert [module.source(s.node) for s in module.statements] == ["name = 'ä🙂'", "other = 'ß'", "last = 1"]
    last = module.statements[-1].node
    assert text[module.start(last) : module.end(last)] == "last = 1"


def test_functions_by_line_names_the_innermost() -> None:
    lines = parse_module("a.py", SOURCE).functions_by_line()
    assert (lines[1], lines[8], lines[15], lines[17]) == ("", "A.size", "A.size.inner", "")


@pytest.mark.parametrize(
    ("text", "newline", "step"),
    [
        ("if a:\n  b\n", "\n", "  "),
        ("if a:\r\n\tb\r\n", "\r\n", "\t"),
        ("a\n", "\n", "    "),
    ],
)
def test_the_form_of_a_file_is_known(text: str, newline: str, step: str) -> None:
    module = parse_module("a.py", text)
    assert (module.newline, module.step) == (newline, step)


@pytest.mark.parametrize("text", ["def f(:\n  x = = 2\n", "\x00", "\ud800", "(" * 3000, "", "\ufeffx = 1\n"])
def test_what_is_no_python_is_parsed_without_an_error(text: str) -> None:
    module = parse_module("a.py", text)
    assert module.text == text
    assert len(syntax_digest(text)) == 64


def test_errors_show() -> None:
    assert parse_module("a.py", "def f(:\n").has_errors
    assert not parse_module("a.py", "def f(): pass\n").has_errors


@pytest.mark.parametrize(
    "same",
    [
        "def f(a):\n    return a + 1\n",
        "def f(a):   # comment\n\n    return (a + 1)\n",
        "def f( a ):\n  return (\n    a\n    + 1\n  )\n",
    ],
)
def test_form_does_not_change_the_digest(same: str) -> None:
    assert syntax_digest(same) == syntax_digest("def f(a): return a+1")


def test_meaning_changes_the_digest() -> None:
    one, other = syntax_digest("def f(a): return a+1"), syntax_digest("def f(a): return a-1")
    assert one != other
    assert syntax_digest("print 'a'") != syntax_digest("print 'b'")
    assert syntax_digest("print 'a'") == syntax_digest("print   'a'  # comment")
