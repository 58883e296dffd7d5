"""`treemend locate` as people and programs see it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from treemend.agents import locate

CART = '''class Cart:
    def total(self):
        """The price of all items."""
        return sum(self.items)

    def clear(self):
        self.items = []
'''
TRACE = (
    'Traceback (most recent call last):\n  File "/elsewhere/shop/cart.py", line 4, in total\nTypeError: x\n'
)
REPORT = """<testsuites><testsuite><testcase classname="tests.test_cart" name="test_clear">
<failure message="assert">shop/cart.py:7: AssertionError</failure></testcase></testsuite></testsuites>"""


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    for name, text in (
        ("shop/cart.py", CART),
        ("tests/test_cart.py", "def test_clear():\n    Cart().clear()\n"),
    ):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text(text)
    return root


def run(repo: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    code = "import sys; from treemend.agents.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, "locate", *arguments, "--repo", str(repo)],
        input=stdin,
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "TREEMEND_STATE": str(repo.parent / "state"),
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
    )


def test_people_see_places_and_reasons(repo: Path) -> None:
    result = run(repo, "The total price is wrong", "--limit", "1")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["1", "shop/cart.py:2:9", "Cart.total", "1.000"]
    assert "the title says total" in lines[1] and "words: " in lines[1]
    assert "Files" in lines
    assert "There are more than 1 functions" in result.stderr


def test_programs_get_json(repo: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace.txt"
    trace.write_text(TRACE)
    answer = json.loads(run(repo, "--trace", str(trace), "--json").stdout)
    assert answer["functions"][0]["name"] == "Cart.total"
    assert answer["lines"][0]["line"] == 4
    assert answer["files"][0]["path"] == "shop/cart.py"


def test_standard_input_and_a_report(repo: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT)
    assert "Cart.clear" in run(repo, "-", stdin="clear fails").stdout.splitlines()[0]
    assert "Cart.clear" in run(repo, "--junit", str(report)).stdout.splitlines()[0]


def test_nothing_found_and_mistakes_have_their_codes(repo: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    nothing = run(empty, "it fails")
    assert (nothing.returncode, nothing.stdout) == (4, "")
    assert "Nothing found." in nothing.stderr
    for arguments in ([], ["missing.md"], ["x", "--junit", "missing.xml"]):
        mistake = run(repo, *arguments)
        assert mistake.returncode == 2 and "Traceback" not in mistake.stderr


def test_nothing_heavy_is_loaded(repo: Path) -> None:
    code = (
        "import sys\nfrom treemend.agents.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'langgraph', 'litellm', 'sqlmodel', 'rich', 'pytest', 'numpy'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, "locate", "total", "--repo", str(repo)],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "TREEMEND_STATE": str(repo.parent / "state"),
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
    )
    assert result.stderr.splitlines()[-1] == "[]"


def test_from_python(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TREEMEND_STATE", str(repo.parent / "state"))
    located = locate("Cart.clear keeps an item", repo)
    assert located.functions[0].name == "Cart.clear"
