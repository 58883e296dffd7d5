"""`treemend verify` on projects of other languages: a right and a wrong patch of each."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import pytest

Treemend = Callable[..., subprocess.CompletedProcess[bytes]]

NODE = {
    "package.json": '{"scripts": {"test": "node --test test/*.js"}}\n',
    "sum.js": "exports.add = (a, b) => a - b;\n",
    "test/sum.test.js": """const test = require('node:test');
const assert = require('node:assert');
const {add} = require('../sum.js');
test('adds', () => assert.strictEqual(add(1, 2), 3));
test('zero', () => assert.strictEqual(add(0, 0), 0));
""",
}
RUST = {
    "Cargo.toml": '[package]\nname = "calc"\nversion = "0.1.0"\nedition = "2021"\n',
    "src/lib.rs": "pub fn add(a: i32, b: i32) -> i32 { a - b }\n",
    "tests/api.rs": """#[test] fn adds() { assert_eq!(calc::add(1, 2), 3); }
#[test] fn zero() { assert_eq!(calc::add(0, 0), 0); }
""",
}
JAVA = {
    "src/main/java/Sum.java": "public class Sum { public static int add(int a, int b) { return a - b; } }\n",
    "src/test/java/SumTest.java": """import static org.junit.jupiter.api.Assertions.assertEquals;
import org.junit.jupiter.api.Test;
class SumTest {
  @Test void adds() { assertEquals(3, Sum.add(1, 2)); }
  @Test void zero() { assertEquals(0, Sum.add(0, 0)); }
}
""",
}


class Maven(Protocol):
    """A project file, and a repository that has what it needs (tests/conftest.py)."""

    pom: str
    repository: Path


pytestmark = [pytest.mark.slow, pytest.mark.sandbox, pytest.mark.toolchain]


@pytest.fixture
def check_verdicts(treemend: Treemend, tmp_path: Path) -> Callable[..., None]:
    """A right patch of a project's line `a - b` is accepted, and a wrong one refused."""

    def check(files: Mapping[str, str], code: str, *options: str) -> None:
        for path, text in files.items():
            (tmp_path / "repo" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "repo" / path).write_text(text)
        verdicts = {}
        for name, change in (("right", "a + b"), ("wrong", "3")):
            old = files[code]
            new = old.replace("a - b", change)
            (tmp_path / name).write_text(f"--- a/{code}\n+++ b/{code}\n@@ -1 +1 @@\n-{old}+{new}")
            arguments = (str(tmp_path / name), "--repo", str(tmp_path / "repo"), "--json", *options)
            result = treemend("verify", *arguments)
            verdicts[name] = (result.returncode, json.loads(result.stdout)["outcome"])
        assert verdicts == {"right": (0, "accepted"), "wrong": (4, "refused")}

    return check


def test_patches_of_a_node_project(needs: Callable[..., None], check_verdicts: Callable[..., None]) -> None:
    needs("node")
    check_verdicts(NODE, "sum.js")


def test_patches_of_a_rust_project(needs: Callable[..., None], check_verdicts: Callable[..., None]) -> None:
    needs("cargo")
    check_verdicts(RUST, "src/lib.rs")


@pytest.mark.thorough
def test_patches_of_a_java_project(maven: Maven, check_verdicts: Callable[..., None]) -> None:
    command = f"mvn -q -Dmaven.repo.local={maven.repository} test"
    check_verdicts({"pom.xml": maven.pom, **JAVA}, "src/main/java/Sum.java", "--test-cmd", command)
