"""The toolchains on this machine, as a sandbox must see them: found from PATH, nothing executed.

Only what is needed is shown. The folders around a package cache hold credentials (`~/.cargo`, `~/.m2`,
`~/.npmrc`), so the caches alone are.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

SYSTEM = (Path("/usr"), Path("/bin"), Path("/lib"))
OFFLINE = {
    "CI": "true",
    "CARGO_NET_OFFLINE": "true",
    "CARGO_TERM_COLOR": "never",
    "RUSTUP_AUTO_INSTALL": "0",
    "GOPROXY": "off",
    "GOFLAGS": "-mod=mod",
    "GOTOOLCHAIN": "local",
    "GOTELEMETRY": "off",
    "npm_config_offline": "true",
    "npm_config_update_notifier": "false",
    "NO_COLOR": "1",
    # Node gives up where /etc/ssl is closed, as it is under Landlock.
    "OPENSSL_CONF": "/dev/null",
}
"""No tool asks the network, none asks a person, none colours what is read by a program."""

_CHANNEL = re.compile(r'^\s*(?:channel\s*=\s*)?"?([A-Za-z0-9._-]+)"?\s*$', re.MULTILINE)
_DEFAULT = re.compile(r'^default_toolchain\s*=\s*"([^"/]+)"', re.MULTILINE)
_FILE_CHARS_MAX = 10_000
_MODULE_FOLDERS_MAX = 50


@dataclass(frozen=True, slots=True)
class Toolchains:
    """What the sandbox shows of the machine's toolchains.

    Attributes:
        path: Folders of programs, for PATH.
        readable: What may be read besides the system, at its own path.
        env: Variables that keep the tools offline and quiet.
        links: Links to make where nothing lies: by path from the tree, or from the home folder after "~/".
        notes: What a tool may miss, and what to do about it, a sentence each.
    """

    path: tuple[Path, ...] = ()
    readable: tuple[Path, ...] = ()
    env: Mapping[str, str] = field(default_factory=lambda: dict(OFFLINE))
    links: Mapping[str, Path] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def find_toolchains(repo: Path, words: tuple[str, ...] = ()) -> Toolchains:
    """Those of Node, Rust, Java, Maven and Go that PATH leads to, and what `repo` has installed for them.

    `words` are those of the test command: the Maven repository that it names is used.
    """
    path: list[Path] = []
    readable: list[Path] = []
    links: dict[str, Path] = {}
    cargo = _rust(repo)
    if cargo is not None:
        path.append(cargo / "bin")
        readable.append(cargo)
    for program in ("node", "java", "mvn", "go"):
        found = _program(program, repo)
        if found is not None:
            readable += _installation(found)
            if not _in_system(found):
                path.append(found.parent)
    for name, cache in _caches(words):
        readable.append(cache)
        links[name] = cache
    for modules in _node_modules(repo):
        readable.append(modules)
        links[str(modules.relative_to(repo))] = modules
        if (modules / ".bin").is_dir():
            path.append(modules / ".bin")
    return Toolchains(
        path=tuple(dict.fromkeys(path)),
        readable=tuple(dict.fromkeys(readable)),
        links=links,
        notes=tuple(_closed(cache) for cache in links.values() if os.geteuid() == 0 and _is_closed(cache)),
    )


def _program(name: str, repo: Path) -> Path | None:
    """A program by the path that PATH gives it, unless that lies in the repository."""
    found = shutil.which(name)
    if found is None or Path(found).resolve().is_relative_to(repo):
        return None
    return Path(found).absolute()


def _installation(program: Path) -> Iterator[Path]:
    """The folder that a program is installed in, and what its settings lead to outside of it."""
    real = program.resolve()
    home = real.parent.parent
    for place in (program, real):
        if not _in_system(place):
            prefix = place.parent.parent
            broad = prefix in (Path.home(), *Path.home().parents, Path("/"))
            yield place if broad else prefix
    # Debian keeps the settings of Maven and of Java in /etc.
    for folder in (home, home / "conf", home / "conf" / "security", home / "lib", home / "lib" / "security"):
        if folder.is_dir() and home != Path("/usr"):
            for entry in (folder, *folder.iterdir()):
                target = entry.resolve()
                if entry.is_symlink() and target.is_relative_to("/etc") and target.exists():
                    yield target


def _in_system(path: Path) -> bool:
    return any(path.is_relative_to(folder) for folder in SYSTEM)


# -- Rust --------------------------------------------------------------------------------------


def _rust(repo: Path) -> Path | None:
    """The toolchain that rustup's `cargo` would start; rustup itself is left out, it may want to install."""
    cargo = _program("cargo", repo)
    if cargo is None or _in_system(cargo.resolve()):
        return None
    if cargo.resolve().name != "rustup":
        return cargo.resolve().parent.parent
    home = Path(os.environ.get("RUSTUP_HOME") or Path.home() / ".rustup")
    wanted = os.environ.get("RUSTUP_TOOLCHAIN") or _channel(repo) or _default(home)
    installed = sorted(entry for entry in (home / "toolchains").glob("*") if (entry / "bin/cargo").exists())
    exact = [entry for entry in installed if entry.name == wanted]
    named = [entry for entry in installed if wanted and entry.name.startswith(f"{wanted}-")]
    return next(iter((*exact, *named, *installed)), None)


def _channel(repo: Path) -> str:
    for name in ("rust-toolchain.toml", "rust-toolchain"):
        match = _CHANNEL.search(_start_of(repo / name).replace("[toolchain]", ""))
        if match:
            return match[1]
    return ""


def _default(home: Path) -> str:
    match = _DEFAULT.search(_start_of(home / "settings.toml"))
    return match[1] if match else ""


def _start_of(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(_FILE_CHARS_MAX)


# -- caches ------------------------------------------------------------------------------------


def _caches(words: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    """Package caches that are there, by where a tool looks for them."""
    home = Path.home()
    cargo = Path(os.environ.get("CARGO_HOME") or home / ".cargo")
    go = Path(os.environ.get("GOPATH") or home / "go")
    maven = _named_maven_repository(words) or home / ".m2" / "repository"
    for name, cache in (
        ("~/.cargo/registry", cargo / "registry"),
        ("~/.cargo/git", cargo / "git"),
        ("~/.m2/repository", maven),
        ("~/go/pkg/mod", go / "pkg" / "mod"),
    ):
        if cache.is_dir():
            yield name, cache.resolve()


def _named_maven_repository(words: tuple[str, ...]) -> Path | None:
    option = "-Dmaven.repo.local="
    named = [word.removeprefix(option) for word in words if word.startswith(option)]
    return Path(named[-1]) if named and Path(named[-1]).is_absolute() else None


def _node_modules(repo: Path) -> list[Path]:
    """The repository's installed packages, of its top folder and of its workspaces: git ignores them, so
    the private copy lacks them."""
    found = []
    inside = repo.resolve()
    for pattern in ("node_modules", "*/node_modules", "*/*/node_modules"):
        for folder in sorted(repo.glob(pattern)):
            ours = "node_modules" not in folder.relative_to(repo).parts[:-1]
            if (
                ours
                and not folder.is_symlink()
                and folder.is_dir()
                and folder.resolve().is_relative_to(inside)
            ):
                found.append(folder)
    return found[:_MODULE_FOLDERS_MAX]


def _is_closed(cache: Path) -> bool:
    return cache.stat().st_mode & 0o005 != 0o005


def _closed(cache: Path) -> str:
    return (
        f"{cache} is closed to other users, and root's tests run as one: "
        f"open it with `chmod -R o+rX {cache}`."
    )
