"""`treemend env` on repositories, and an environment built from an index on loopback."""

from __future__ import annotations

import http.server
import json
import subprocess
import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from treemend.store.errors import SandboxUnavailableError
from treemend.verify.sandboxes import find_sandbox

Treemend = Callable[..., subprocess.CompletedProcess[bytes]]


def make_wheel(folder: Path, name: str, source: str) -> None:
    folder.mkdir(parents=True)
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": source,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(path, text)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """An index with two distributions: one that is needed, and a pytest that only says so."""
    make_wheel(tmp_path / "index" / "needed", "needed", "open('/tmp/ran', 'w')\nVALUE = 2\n")
    make_wheel(tmp_path / "index" / "pytest", "pytest", "raise SystemExit('never run on the host')\n")
    handler = partial(Quiet, directory=str(tmp_path / "index"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    (folder / "src" / "mine").mkdir(parents=True)
    (folder / "src" / "mine" / "__init__.py").write_text("import needed\n")
    (folder / "requirements.txt").write_text("needed\n-e git+https://example.invalid/x\n")
    (folder / "test_mine.py").write_text("import unittest, mine\n")
    return folder


def test_what_is_found_and_why(treemend: Treemend, repo: Path) -> None:
    told = treemend("env", "--repo", str(repo))
    assert told.returncode == 0, told.stderr
    text = told.stdout.decode()
    assert "tests:   pytest" in text
    assert "1 dependency in requirements.txt" in text
    assert "left out: requirements.txt: '-e git+https://example.invalid/x'" in text
    assert f"treemend env --repo {repo} --build" in text
    found = json.loads(treemend("env", "--repo", str(repo), "--json").stdout)
    assert found["declared"]["requirements"] == ["needed"]
    assert found["built"] is False


def test_a_repository_of_another_language(treemend: Treemend, tmp_path: Path) -> None:
    (tmp_path / "Cargo.toml").touch()
    assert b"tests:   cargo test (Cargo.toml)" in treemend("env", "--repo", str(tmp_path)).stdout


def test_nothing_to_build_from(treemend: Treemend, tmp_path: Path) -> None:
    result = treemend("env", "--repo", str(tmp_path), "--build")
    assert result.returncode == 2
    assert b"declares no dependencies" in result.stderr


@pytest.mark.slow
@pytest.mark.sandbox
def test_an_environment_of_wheels_is_built_and_then_found(treemend: Treemend, repo: Path, index: str) -> None:
    try:
        find_sandbox("bubblewrap")
    except SandboxUnavailableError as error:
        pytest.skip(str(error))
    settings = {"PIP_INDEX_URL": index, "PIP_FIND_LINKS": "", "PIP_EXTRA_INDEX_URL": ""}
    built = treemend("env", "--repo", str(repo), "--build", "--json", **settings)
    assert built.returncode == 0, built.stderr.decode()
    found = json.loads(built.stdout)
    assert found["built"] is True
    assert "treemend env --build" in found["python_because"]
    ran = treemend(
        "sandbox", "--workspace", str(repo), "--", "python", "-c", "import mine; print(mine.needed.VALUE)"
    )
    assert ran.stdout == b"2\n", ran.stderr
    (repo / "requirements.txt").write_text("needed\nmore\n")
    assert json.loads(treemend("env", "--repo", str(repo), "--json").stdout)["built"] is False
    missing = treemend("env", "--repo", str(repo), "--build", **settings)
    assert missing.returncode == 2
    assert b"can't be had as wheels" in missing.stderr and b"more" in missing.stderr
