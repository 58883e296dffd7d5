"""Where the target's Python lies, by the conventions of the tools that make environments.

Nothing is executed: environments are recognised by their files.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

VENV_FOLDERS = (".venv", "venv", ".virtualenv", "env")
_CONDA_HOMES = (".conda", "miniconda3", "anaconda3", "miniforge3", "mambaforge")
_NAME = re.compile(r"^name\s*[:=]\s*[\"']?([A-Za-z0-9][A-Za-z0-9._-]*)[\"']?\s*$", re.MULTILINE)
_FILE_BYTES_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class FoundPython:
    """An interpreter, and what tells that it is the target's."""

    path: Path
    because: str


def found_pythons(repo: Path, built: Path | None = None) -> Iterator[FoundPython]:
    """Interpreters of a repository, the most telling first; the last one is treemend's own.

    `built` is the environment that treemend built for it, if it did.
    """
    for name in VENV_FOLDERS:
        yield from _environment(repo / name, f"the virtual environment {name} of the repository")
    named = os.environ.get("UV_PROJECT_ENVIRONMENT")
    if named:
        yield from _environment(repo / named, "UV_PROJECT_ENVIRONMENT, as uv takes it")
    yield from _conda_folder(repo)
    yield from _poetry(repo)
    for folder, tool in ((".tox", "tox"), (".nox", "nox")):
        for environment in sorted((repo / folder).glob("*"), key=lambda path: path.name, reverse=True):
            yield from _environment(environment, f"the environment {folder}/{environment.name} of {tool}")
    if built is not None:
        yield from _environment(built, "the environment that `treemend env --build` made for it")
    yield from _conda_named(repo)
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        active = os.environ.get(variable)
        if active and Path(active).resolve() != Path(sys.prefix).resolve():
            yield from _environment(Path(active), f"the active environment ({variable})")
    yield FoundPython(
        Path(sys.executable), "no environment of the repository's own was found: treemend's own"
    )


def _environment(folder: Path, because: str) -> Iterator[FoundPython]:
    python = folder / "bin" / "python"
    if ((folder / "pyvenv.cfg").is_file() or (folder / "conda-meta").is_dir()) and python.exists():
        yield FoundPython(python, because)


def _conda_folder(repo: Path) -> Iterator[FoundPython]:
    for name in (".conda", "envs/default", ".pixi/envs/default"):
        yield from _environment(repo / name, f"the conda environment {name} of the repository")


def _conda_named(repo: Path) -> Iterator[FoundPython]:
    """The environment that environment.yml names, where conda keeps those."""
    for file in ("environment.yml", "environment.yaml"):
        match = _NAME.search(_text(repo / file))
        for home in _CONDA_HOMES if match else ():
            assert match is not None
            folder = Path.home() / home / "envs" / match[1]
            yield from _environment(folder, f"the conda environment {match[1]}, which {file} names")


def _poetry(repo: Path) -> Iterator[FoundPython]:
    """The environment that poetry keeps for the project of this folder.

    Its name is that of the project and eight characters of a SHA-256 of the folder's path.
    """
    text = _text(repo / "pyproject.toml")
    match = _NAME.search(text)
    if match is None or "poetry" not in text:
        return
    digest = hashlib.sha256(os.path.normcase(repo.resolve()).encode()).digest()
    name = f"{match[1].lower()[:42]}-{base64.urlsafe_b64encode(digest).decode()[:8]}"
    cache = Path(os.environ.get("POETRY_CACHE_DIR") or Path.home() / ".cache" / "pypoetry")
    for folder in sorted((cache / "virtualenvs").glob(f"{name}-py*"), reverse=True):
        yield from _environment(folder, f"the environment {folder.name} of poetry")


def _text(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return file.read(_FILE_BYTES_MAX).decode("utf-8", "replace")
