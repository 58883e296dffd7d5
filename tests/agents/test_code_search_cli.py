"""The real `treemend search`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MODULES = """
import sys
from treemend.agents.cli import main
sys.argv = ["treemend", "search", "total price"]
try:
    main()
except SystemExit as end:
    assert end.code == 0, end.code
print(sorted({"langgraph", "litellm", "pydantic", "sqlmodel", "rich", "pytest"} & set(sys.modules)))
"""


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    (root / "shop").mkdir(parents=True)
    (root / "shop/cart.py").write_text("class Cart:\n    def total_price(self):\n        return 1\n")
    (root / "shop/odd\x1b[31m\n.py").write_text("def total_price(): pass\n")
    (root / "min.js").write_text("a=1;" * 20_000)
    return root


def run(repo: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "TREEMEND_STATE": str(repo.parent / "state"),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    return subprocess.run(
        [sys.executable, *arguments], cwd=repo, env=environment, capture_output=True, text=True, check=False
    )


def search(repo: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(repo, "-c", "from treemend.agents.cli import main; main()", "search", *arguments)


def test_people_get_lines_with_a_place(repo: Path) -> None:
    done = search(repo, "Cart.total_price")
    assert done.returncode == 0
    assert done.stdout.splitlines()[0].split() == [
        "shop/cart.py:2:9", "method", "Cart.total_price", "def", "total_price(self)",
    ]  # fmt: skip
    assert "1 file left out: minified." in done.stderr
    assert "left out" not in search(repo, "Cart.total_price").stderr


def test_H15_names_of_files_can_not_write_to_the_terminal(repo: Path) -> None:
    done = search(repo, "total_price")
    assert "\x1b" not in done.stdout
    assert len(done.stdout.splitlines()) == 2


def test_context_shows_the_code(repo: Path) -> None:
    assert "  >     2      def total_price(self):" in search(repo, "Cart.total_price", "-C", "1").stdout


def test_programs_get_json(repo: Path) -> None:
    answer = json.loads(search(repo, "Cart", "--json").stdout)
    assert answer["hits"][0]["path"] == "shop/cart.py"
    assert answer["skipped"] == [["min.js", "minified"]]
    assert answer["is_cut"] is False


def test_nothing_found_is_exit_4(repo: Path) -> None:
    done = search(repo, "zebra_quark")
    assert (done.returncode, done.stdout) == (4, "")
    assert "Nothing found." in done.stderr


def test_mistakes_are_exit_2_without_a_traceback(repo: Path) -> None:
    for arguments in (["x", "--lang", "cobol"], ["(((", "--pattern"], ["x", "--repo", "/nowhere"], [" "]):
        done = search(repo, *arguments)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


def test_search_loads_nothing_heavy(repo: Path) -> None:
    done = run(repo, "-c", MODULES)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_the_python_api(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from treemend.agents import search as search_code

    monkeypatch.setenv("TREEMEND_STATE", str(repo.parent / "state"))
    assert search_code("Cart", repo).hits[0].name == "Cart"
    assert search_code("def $F(self): $$$", repo, pattern=True).hits[0].line == 2


def inspect(repo: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(repo, "-c", "from treemend.agents.cli import main; main()", "inspect", *arguments)


def test_inspect_answers_people_and_programs(repo: Path) -> None:
    shown = inspect(repo, "body", "Cart.total_price")
    assert shown.stdout.splitlines() == [
        "shop/cart.py:2:9  Cart.total_price",
        "    def total_price(self):",
        "        return 1",
        "",
    ]
    answer = json.loads(inspect(repo, "class", "Cart", "--json").stdout)
    assert answer["classes"][0]["methods"][0]["name"] == "total_price"
    assert "class Cart" in inspect(repo, "map", "--tokens", "100").stdout


def test_inspect_says_what_it_misses(repo: Path) -> None:
    done = inspect(repo, "signature", "total_prise")
    assert (done.returncode, done.stdout) == (4, "")
    assert "Did you mean total_price?" in done.stderr
    assert inspect(repo, "body").returncode == 2


def test_a_reader_that_leaves_is_no_error(repo: Path) -> None:
    code = "from treemend.agents.cli import main; main()"
    environment = os.environ | {
        "TREEMEND_STATE": str(repo.parent / "state"),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    with subprocess.Popen(
        [sys.executable, "-c", code, "search", "total_price"],
        cwd=repo,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
        assert process.wait() == 0


def test_the_tools_from_python(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from treemend.agents import inspect as ask

    monkeypatch.setenv("TREEMEND_STATE", str(repo.parent / "state"))
    assert ask("get_class_info", repo, name="Cart").found
