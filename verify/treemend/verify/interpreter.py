"""The target's own Python: which one, and which folders it must be able to read.

Nothing is executed to find out: an interpreter that lies in the repository is hostile like the rest
of it, so its surroundings are read from `pyvenv.cfg` and `.pth` files.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from treemend.store.errors import UsageError
from treemend.verify.environments import FoundPython, found_pythons

ELF_MAGIC = b"\x7fELF"


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python by the path it is started with, and the host folders it reads."""

    path: Path
    readable: tuple[Path, ...]


def find_interpreter(wanted: str, repo: Path, built: Path | None = None) -> Interpreter:
    """The interpreter the user named, else that of the repository's environment, else this one.

    `built` is the environment that treemend built for the repository, if it did.

    Raises:
        UsageError: the named interpreter isn't there, or is a script (such as a version manager's shim).
    """
    return _admitted(_described(choose_python(wanted, repo, built).path), repo)


def choose_python(wanted: str, repo: Path, built: Path | None = None) -> FoundPython:
    """The interpreter to take, and why. Raises UsageError where the named one isn't there."""
    if wanted:
        return FoundPython(_named(wanted), "--python names it")
    return next(found_pythons(repo, built))


def is_installed(module: str, interpreter: Interpreter) -> bool:
    """Whether a top-level module or package lies where this Python imports from; nothing is run."""
    return any(
        (folder / module).is_dir() or (folder / f"{module}.py").is_file()
        for folder in (*_site_folders(interpreter), *interpreter.readable)
    )


def _site_folders(interpreter: Interpreter) -> Iterator[Path]:
    prefixes = [_prefix(interpreter.path.resolve())]
    configuration = interpreter.path.parent.parent / "pyvenv.cfg"
    if configuration.is_file():
        shared = re.search(r"^include-system-site-packages\s*=\s*true", _text_of(configuration), re.M | re.I)
        prefixes = [_prefix(interpreter.path), *(prefixes if shared else [])]
    for prefix in prefixes:
        for pattern in ("lib*/python3*/site-packages", "lib/python3*/dist-packages"):
            yield from prefix.glob(pattern)
            yield from prefix.glob(f"local/{pattern}")


def _text_of(path: Path) -> str:
    return path.read_text(errors="replace")


def _admitted(found: Interpreter, repo: Path) -> Interpreter:
    """Without the repository's own folders, of which the command sees a copy.

    Where the environment lies in the repository, which may have brought it along, also without whatever is
    no Python: its files could name any folder.
    """
    environment = [path for path in found.readable if path in found.path.parents]
    others = [path for path in found.readable if path not in environment and not path.is_relative_to(repo)]
    if found.path.is_relative_to(repo):
        inside = repo.resolve()
        environment = [p for p in environment if p != repo and p.resolve().is_relative_to(inside)]
        others = [path for path in others if _holds_python(path, repo)]
    return Interpreter(found.path, (*environment, *others))


def _holds_python(path: Path, repo: Path) -> bool:
    """Whether it is the folder of an installed Python, its `bin`, or one of importable sources."""
    if path in (Path.home(), *Path.home().parents) or path in repo.parents:
        return False
    prefix = path.parent if path.name == "bin" else path
    if any(prefix.glob("lib/python3*/os.py")):
        return True
    hidden = any(part.startswith(".") for part in path.parts)
    return not hidden and any(any(path.glob(pattern)) for pattern in ("*.py", "*/__init__.py"))


def _named(wanted: str) -> Path:
    folder = Path(wanted)
    if (folder / "bin" / "python").exists():
        return (folder / "bin" / "python").absolute()
    found = shutil.which(wanted)
    if found is None:
        raise UsageError(
            f"There is no Python interpreter at {wanted!r}.",
            mend="Give --python the path of one, or of a virtual environment's folder.",
        )
    return Path(found).absolute()


def _described(python: Path) -> Interpreter:
    real = python.resolve()
    with real.open("rb") as file:
        magic = file.read(4)
    if magic != ELF_MAGIC:
        raise UsageError(
            f"{python} is a script that starts some Python, not an interpreter.",
            mend=f"Give --python what this prints: {python} -c 'import sys; print(sys.executable)'",
        )
    prefixes = [_prefix(real)]
    configuration = python.parent.parent / "pyvenv.cfg"
    if configuration.is_file():
        prefixes.append(python.parent.parent)
        home = _home(configuration)
        if home is not None:
            prefixes.append(_prefix(home / "python"))
    chain = [link.parent for link in _links(python)]
    extra = [path for prefix in prefixes for path in _path_file_entries(prefix)]
    wanted = dict.fromkeys([*prefixes, *chain, *extra])
    return Interpreter(python, tuple(path for path in wanted if path != Path("/usr")))


def _prefix(python: Path) -> Path:
    return python.parent.parent


def _home(configuration: Path) -> Path | None:
    for line in _text_of(configuration).splitlines():
        key, _, value = line.partition("=")
        if key.strip() == "home":
            return Path(value.strip()).resolve()
    return None


def _links(python: Path) -> list[Path]:
    """The interpreter's links on the way to the real file, each of which must be readable."""
    chain = [python]
    while chain[-1].is_symlink() and len(chain) < 16:
        target = chain[-1].readlink()
        chain.append(target if target.is_absolute() else chain[-1].parent / target)
    return [path for path in chain if path.parent not in (Path("/usr/bin"), Path("/bin"))]


def _path_file_entries(prefix: Path) -> list[Path]:
    """Folders outside the prefix that `.pth` files add, as editable installs do."""
    found = []
    for path_file in sorted(prefix.glob("lib/python3*/site-packages/*.pth")):
        for line in _text_of(path_file).splitlines():
            entry = line.strip()
            if entry.startswith("/") and Path(entry).is_dir():
                found.append(Path(entry))
    return found
