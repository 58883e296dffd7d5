"""`treemend verify` on projects of other languages: a right and a wrong patch of each."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

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
PROJECTS = {"node": (NODE, "sum.js"), "cargo": (RUST, "src/lib.rs")}


@pytest.mark.slow
@pytest.mark.sandbox
@pytest.mark.toolchain
@pytest.mark.parametrize("tool", PROJECTS)
def test_a_right_patch_is_accepted_and_a_wrong_one_refused(
    treemend: Treemend, tmp_path: Path, tool: str
) -> None:
    found = shutil.which(tool)
    if found is None or subprocess.run([found, "--version"], capture_output=True).returncode:
        pytest.skip(f"{tool} is not installed")
    files, code = PROJECTS[tool]
    for path, text in files.items():
        (tmp_path / "repo" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "repo" / path).write_text(text)
    verdicts = {}
    for name, change in (("right", "a + b"), ("wrong", "3")):
        old = files[code]
        new = old.replace("a - b", change)
        diff = f"--- a/{code}\n+++ b/{code}\n@@ -1 +1 @@\n-{old}+{new}"
        (tmp_path / name).write_text(diff)
        result = treemend("verify", str(tmp_path / name), "--repo", str(tmp_path / "repo"), "--json")
        verdicts[name] = (result.returncode, json.loads(result.stdout)["outcome"])
    assert verdicts == {"right": (0, "accepted"), "wrong": (4, "refused")}
