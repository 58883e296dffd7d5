"""Import statements as the names they bring in."""

from __future__ import annotations

import pytest

from treemend.tools.index.imports import imported_names


@pytest.mark.parametrize(
    ("language", "statement", "expected"),
    [
        ("python", "from . import a, b as c", [(".", "a", ""), (".", "b", "c")]),
        ("python", "from ..x.y import (\n    a,  # why\n    b,\n)", [("..x.y", "a", ""), ("..x.y", "b", "")]),
        ("python", "from x import *", [("x", "*", "")]),
        ("python", "import a.b, c as d", [("a.b", "", ""), ("c", "", "d")]),
        ("typescript", "import a, { b as c, type D } from 'x'",
         [("x", "default", "a"), ("x", "b", "c"), ("x", "D", "")]),
        ("typescript", "import * as n from \"x\";", [("x", "*", "n")]),
        ("typescript", "import type { T } from './t';", [("./t", "T", "")]),
        ("javascript", "import './side.js'", [("./side.js", "", "")]),
        ("javascript", "export { a as b } from './x'", [("./x", "a", "b")]),
        ("java", "import com.a.B;", [("com.a", "B", "")]),
        ("java", "import static com.a.B.*;", [("com.a.B", "*", "")]),
        ("go", 'alias "a/b/c"', [("a/b/c", "", "alias")]),
        ("go", '. "a/b"', [("a/b", "*", "")]),
        ("rust", "pub use crate::a::{self, b::C, d as e};",
         [("crate", "a", ""), ("crate.a.b", "C", ""), ("crate.a", "d", "e")]),
        ("rust", "use a::*;", [("a", "*", "")]),
        ("cpp", "#include <vector>", [("vector", "*", "")]),
        ("cpp", "using namespace std;", [("std", "*", "")]),
        ("csharp", "using static System.Math;", [("System.Math", "*", "")]),
        ("ruby", "require_relative 'a/b'", [("./a/b", "*", "")]),
        ("php", "use A\\B as C;", [("A", "B", "C")]),
        ("python", "import", []),
        ("go", "?", []),
        ("cobol", "COPY X.", []),
    ],
)  # fmt: skip
def test_imports(language: str, statement: str, expected: list[tuple[str, str, str]]) -> None:
    assert imported_names(language, statement) == expected


def test_H26_a_statement_that_nests_without_end_is_read_to_a_limit() -> None:
    assert imported_names("rust", "use " + "a::{" * 5000 + "b" + "}" * 5000) == []
    assert len(imported_names("python", "from x import " + ", ".join("a" * 5 for _ in range(9000)))) == 2000
