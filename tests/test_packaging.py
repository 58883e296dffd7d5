"""The namespace, the wheel, and what the command line leaves unloaded."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PORTIONS = ("agents", "tools", "search", "verify", "store")
NO_FILES = ("__pycache__", ".mypy_cache")


def source_files(portion: str) -> set[str]:
    folder = ROOT / portion
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not any(part in NO_FILES for part in path.parts)
    }


@pytest.mark.parametrize("portion", PORTIONS)
def test_nothing_lies_directly_in_the_namespace(portion: str) -> None:
    entries = {path.name for path in (ROOT / portion / "treemend").iterdir()}
    assert entries - set(NO_FILES) == {portion}


@pytest.mark.parametrize("portion", PORTIONS)
def test_every_portion_is_typed(portion: str) -> None:
    assert (ROOT / portion / "treemend" / portion / "py.typed").is_file()


@pytest.mark.slow
def test_the_wheel_of_the_sdist_holds_exactly_the_portions(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path)]
    subprocess.run([*build, "--sdist", str(ROOT)], check=True, capture_output=True)
    (sdist,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "sdist", filter="data")
    (unpacked,) = (tmp_path / "sdist").iterdir()
    subprocess.run([*build, "--wheel", str(unpacked)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert packed == set().union(*(source_files(portion) for portion in PORTIONS))


LOADED = """
import sys
sys.argv = ["treemend", *{arguments!r}]
from treemend.agents.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("LOADED", *sorted(sys.modules))
"""


def loaded_by(arguments: list[str], state: Path) -> set[str]:
    paths = os.pathsep.join(str(ROOT / portion) for portion in PORTIONS)
    process = subprocess.run(
        [sys.executable, "-c", LOADED.format(arguments=arguments)],
        env={**os.environ, "PYTHONPATH": paths, "TREEMEND_STATE": str(state)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(process.stdout.split("LOADED", 1)[1].split())


HEAVY = {"litellm", "langgraph", "langchain_core", "openai", "tree_sitter", "pytest"}


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    loaded = loaded_by(["--help"], tmp_path)
    assert not loaded & (HEAVY | {"sqlmodel", "sqlalchemy", "pydantic"})


def test_runs_loads_neither_graph_nor_model(tmp_path: Path) -> None:
    assert not loaded_by(["runs"], tmp_path) & HEAVY


def test_doctor_loads_neither_graph_nor_model(tmp_path: Path) -> None:
    assert not loaded_by(["doctor", "--repo", str(tmp_path)], tmp_path / "state") & HEAVY


def test_importing_the_api_is_cheap() -> None:
    paths = os.pathsep.join(str(ROOT / portion) for portion in PORTIONS)
    code = "import sys; from treemend.agents import repair; print(*sys.modules)"
    process = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not set(process.stdout.split()) & (HEAVY | {"sqlmodel", "sqlalchemy", "rich"})


def test_no_file_names_a_machine() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.suffix in {".py", ".md", ".toml", ".yml", ".lock", ".json"} and path.is_file():
            text = path.read_text()
            for word in ("/wo" + "rk/", "/ro" + "ot/.", "index-" + "url http"):
                assert word not in text, f"{name} holds {word}"
