"""What a Python project declares that it needs, read off its files; nothing of it is executed."""

from __future__ import annotations

import configparser
import hashlib
import os
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

REQUIREMENT_FILES = (
    *("requirements.txt", "requirements-dev.txt", "requirements-test.txt", "requirements-tests.txt"),
    *("requirements_dev.txt", "requirements_test.txt", "dev-requirements.txt", "test-requirements.txt"),
    *("requirements/base.txt", "requirements/dev.txt", "requirements/test.txt", "requirements/tests.txt"),
)
GROUPS = ("test", "tests", "testing", "dev", "development")
_FILE_BYTES_MAX = 1 << 20
_INCLUDES_MAX = 20
_INCLUDE = re.compile(r"(?:-r|--requirement)[\s=]+(\S+)$")


@dataclass(frozen=True, slots=True)
class Declared:
    """What a repository declares.

    Attributes:
        requirements: PEP 508 requirements by name and version, sorted.
        sources: The files that declare them.
        requires_python: The versions of Python that it is for, "" where it doesn't say.
        left_out: Lines that are not installed, and why: anything but a name from the index.
    """

    requirements: tuple[str, ...]
    sources: tuple[str, ...]
    requires_python: str
    left_out: tuple[str, ...]

    @property
    def digest(self) -> str:
        text = "\n".join((self.requires_python, *self.requirements))
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def read_declarations(repo: Path) -> Declared:
    """The dependencies of a project and of its tests: pyproject.toml, setup.cfg, requirements files."""
    reading = _Reading(repo)
    reading.pyproject()
    reading.setup_cfg()
    for name in REQUIREMENT_FILES:
        reading.requirements_file(repo / name)
    return Declared(
        requirements=tuple(sorted(reading.found)),
        sources=tuple(dict.fromkeys(reading.sources)),
        requires_python=reading.requires_python,
        left_out=tuple(dict.fromkeys(reading.left_out)),
    )


class _Reading:
    def __init__(self, repo: Path) -> None:
        self._repo = repo
        self.found: set[str] = set()
        self.sources: list[str] = []
        self.left_out: list[str] = []
        self.requires_python = ""
        self._included: set[Path] = set()

    def _add(self, source: str, declared: Iterable[object]) -> None:
        lines = [str(line) for line in declared]
        if lines:
            self.sources.append(source)
        for line in lines:
            try:
                requirement = Requirement(line)
            except InvalidRequirement:
                self.left_out.append(f"{source}: {line[:200]!r} is no requirement by name")
                continue
            if requirement.url is not None:
                self.left_out.append(f"{source}: {requirement.name} comes from an address")
            else:
                self.found.add(str(requirement))

    def pyproject(self) -> None:
        try:
            data = tomllib.loads(_text(self._repo / "pyproject.toml"))
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            self.left_out.append(f"pyproject.toml: {str(error)[:200]}")
            return
        project = _table(data, "project")
        self.requires_python = str(project.get("requires-python") or "")
        self._add("pyproject.toml", _listed(project.get("dependencies")))
        for groups in (_table(project, "optional-dependencies"), _table(data, "dependency-groups")):
            for group in GROUPS:
                # An entry may be a table that includes another group.
                lines = [line for line in _listed(groups.get(group)) if isinstance(line, str)]
                self._add("pyproject.toml", lines)
        poetry = _table(_table(data, "tool"), "poetry")
        self._add("pyproject.toml", _poetry(_table(poetry, "dependencies")))
        for group in GROUPS:
            table = _table(_table(_table(poetry, "group"), group), "dependencies")
            self._add("pyproject.toml", _poetry(table))

    def setup_cfg(self) -> None:
        config = configparser.ConfigParser(interpolation=None, strict=False)
        try:
            config.read_string(_text(self._repo / "setup.cfg"))
        except configparser.Error as error:
            self.left_out.append(f"setup.cfg: {str(error)[:200]!r}")
            return
        self.requires_python = self.requires_python or config.get("options", "python_requires", fallback="")
        self._add("setup.cfg", _lines(config.get("options", "install_requires", fallback="")))
        for group in GROUPS:
            self._add("setup.cfg", _lines(config.get("options.extras_require", group, fallback="")))

    def requirements_file(self, path: Path) -> None:
        path = Path(os.path.normpath(path))
        inside = path.resolve().is_relative_to(self._repo.resolve())
        if path in self._included or not inside or len(self._included) > _INCLUDES_MAX:
            return
        self._included.add(path)
        plain = []
        for line in _lines(_text(path)):
            if include := _INCLUDE.match(line):
                self.requirements_file(path.parent / include[1])
            else:
                plain.append(re.split(r"\s+--hash=", line)[0].rstrip("\\ "))
        source = path.relative_to(self._repo).as_posix() if path.is_relative_to(self._repo) else path.name
        self._add(source, [line for line in plain if line and not line.startswith("--hash")])


def _poetry(table: dict[str, Any]) -> Iterator[str]:
    """Poetry's requirements as PEP 508 has them; its caret and tilde are lower bounds."""
    for name, wanted in table.items():
        version = wanted.get("version", "*") if isinstance(wanted, dict) else wanted
        if name == "python":
            continue
        if isinstance(wanted, dict) and {"git", "path", "url"} & wanted.keys():
            yield f"{name} @ {next(iter(wanted.values()))}"
        elif isinstance(version, str) and version not in ("", "*"):
            yield f"{name}{_bound(version)}"
        else:
            yield name


def _bound(version: str) -> str:
    if version[0] in "^~" and version[1:2].isdigit():
        return f">={version[1:]}"
    return version if version[0] in "<>=!~" else f"=={version}"


def _table(data: object, name: str) -> dict[str, Any]:
    found = data.get(name) if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _lines(text: str) -> list[str]:
    stripped = (re.sub(r"(^|\s)#.*$", "", line).strip() for line in text.splitlines())
    return [line for line in stripped if line]


def _text(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return file.read(_FILE_BYTES_MAX).decode("utf-8", "replace")
