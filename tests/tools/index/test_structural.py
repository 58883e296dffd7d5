"""Patterns of code find what has their shape."""

from __future__ import annotations

import pytest

from treemend.tools.index.structural import PatternError, find_matches, pattern_names


@pytest.mark.parametrize(
    ("language", "pattern", "source", "lines"),
    [
        ("python", "$X.get($$$A)", "a.b.get(1,\n 2)\nc.get()\nget(1)\n# c.get()\n", [1, 3]),
        ("python", "$X == $X", "a.b == a.b\na == b\n", [1]),
        (
            "python",
            "def $F(self): $$$",
            "class A:\n  def f(self):\n    return 1\n  def g(self, a): pass\n",
            [2],
        ),
        ("python", "f($$$A, x, $$$B)", "f(1, x)\nf(x, 2, 3)\nf(1)\n", [1, 2]),
        ("javascript", "if ($A) { $$$ }", "if (x) { a(); b(); }\nif (y) z();\n", [1]),
        ("typescript", "console.log($A)", "console.log(a);\nconsole.log(a, b);\n", [1]),
        ("tsx", "useState($A)", "const [a, b] = useState(1);\n", [1]),
        ("java", "$X.equals($Y)", "class A { boolean f() {\n return a.b().equals(c); } }\n", [2]),
        (
            "java",
            "try { $$$ } catch ($E $N) { }",
            "class A { void f() {\n try { a(); } catch (E e) { } } }\n",
            [2],
        ),
        ("go", "if err != nil { $$$ }", "package a\nfunc f() {\nif err != nil { return }\n}\n", [3]),
        ("rust", "$X.unwrap()", "fn f() {\na.b().unwrap();\n}\n", [2]),
        ("c", "free($P)", "void f() {\nfree(a->b);\n}\n", [2]),
        ("cpp", "new $T()", "void f() {\nauto a = new B();\n}\n", [2]),
        ("csharp", "$X.ToString()", "class A { void F() {\nb.ToString(); } }\n", [2]),
        ("ruby", "$X.map($$$)", "a.map(1)\nmap(2)\n", [1]),
        ("php", "foo($A, $$$B)", "<?php\nfoo($x, 1, 2);\n", [2]),
    ],
)
def test_patterns(language: str, pattern: str, source: str, lines: list[int]) -> None:
    assert [row[0] for row in find_matches(language, pattern, source.encode())] == lines


def test_holes_say_what_filled_them() -> None:
    rows = find_matches("python", "$X.get($A, $$$REST)", b"a.b.get(1, 2, 3)")
    assert rows == [[1, 1, 1, 17, {"X": "a.b", "A": "1", "REST": "2, 3"}]]


def test_names_that_every_match_has() -> None:
    assert pattern_names("go", "fmt.Println($$$A)") == ["fmt", "Println"]
    assert pattern_names("python", "'text' + $X") == []


@pytest.mark.parametrize("pattern", ["", "$X", "$$$", "def", "a b c", "a\nb", "((("])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        find_matches("python", pattern, b"a\n")


def test_H28_deep_code_is_matched_in_bounded_time() -> None:
    assert find_matches("python", "f($$$, $X, $$$, $Y, $$$)", b"f(" + b"1, " * 300 + b"2)\n" + b"(" * 3000)
