"""The file tree that a command sees under bubblewrap, as arguments of `bwrap`."""

from __future__ import annotations

import os
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from treemend.store.errors import UsageError
from treemend.verify.sandbox import Command

STAGE = Path("/run/treemend")
SOURCE = STAGE / "source"
TREE = SOURCE / "tree"
OVERLAY = SOURCE / "overlay"
HOME = STAGE / "home"

_SYSTEM = tuple(Path("/", n) for n in ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"))
_ETC = tuple(
    Path("/etc", name)
    for name in (
        "alternatives",
        "ld.so.cache",
        "mime.types",
        "nsswitch.conf",
        "protocols",
        "services",
    )
)
_SHM = Path("/dev/shm")
SCRATCH = (Path("/tmp"), _SHM, HOME)
_SYSTEM_PATHS = frozenset((*_SYSTEM, *_ETC))
_KERNEL = frozenset(Path("/", name) for name in ("dev", "proc", "sys"))


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the copy and the readable paths go.

    `holes` are readable paths inside the copy, `folders` the copy's root and the folders made in it
    for them; a copied tree must leave out the former and may own the latter.
    """

    at: Path
    readable: tuple[Path, ...]
    holes: tuple[Path, ...]
    folders: tuple[Path, ...]


def place(command: Command) -> Placement:
    """Decide what is mounted; readable paths that are missing, or visible anyway, are left out.

    Raises:
        UsageError: the copy or a readable path would cover or bare a part of the system.
    """
    at = Path(os.path.normpath(command.at))
    _refuse_kernel(at)
    mounted: dict[Path, None] = {}
    for path in sorted({Path(os.path.normpath(p)) for p in command.readable}):
        _refuse_kernel(path)
        if path != at and path.exists() and not _visible(path, at, mounted.keys()):
            mounted[path] = None
    holes = tuple(p for p in mounted if at in p.parents)
    parents = {q for p in holes for q in p.parents if at in q.parents}
    _refuse_read_only(at, mounted.keys())
    return Placement(at, tuple(mounted), holes, (at, *sorted(parents)))


def _refuse_kernel(path: Path) -> None:
    kernel = _within(path, _KERNEL) and _SHM not in path.parents
    if not path.is_absolute() or path == Path("/") or kernel:
        raise UsageError(
            f"{path} can't be shown in a sandbox.",
            mend="Give the absolute path of a folder outside /dev, /proc and /sys.",
        )


def _within(path: Path, roots: AbstractSet[Path]) -> bool:
    return not roots.isdisjoint((path, *path.parents))


def _visible(path: Path, at: Path, mounted: AbstractSet[Path]) -> bool:
    """Whether the nearest mount above `path` shows it already."""
    for above in (path, *path.parents):
        if above == at:
            return False
        if above in mounted or above in _SYSTEM_PATHS:
            return True
    return False


def _refuse_read_only(at: Path, mounted: AbstractSet[Path]) -> None:
    if _within(at, mounted | set(_SYSTEM)) and (at in _SYSTEM or not at.is_dir()):
        raise UsageError(
            f"the tree can't appear at {at}, which is no folder of a read-only part of the system.",
            mend=f"Create the folder {at}, or move the repository.",
        )


def system_arguments(size_bytes: int) -> list[str]:
    """The read-only system, its kernel file systems and the scratch places."""
    size = str(size_bytes)
    arguments = []
    for path in _SYSTEM:
        if path.is_symlink():
            arguments += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            arguments += ["--ro-bind", str(path), str(path)]
    arguments += ["--dir", "/etc"]
    for path in _ETC:
        arguments += ["--ro-bind-try", str(path), str(path)]
    arguments += ["--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys"]
    # The first process is bwrap's own: it has no system call filter, and an ordinary user's command the
    # same user id as it.
    arguments += ["--tmpfs", "/proc/1", "--remount-ro", "/proc/1"]
    arguments += ["--dev", "/dev", "--perms", "1777", "--size", size, "--tmpfs", str(_SHM)]
    arguments += ["--remount-ro", "/dev"]
    arguments += ["--perms", "1777", "--size", size, "--tmpfs", "/tmp"]
    arguments += ["--dir", str(STAGE)]
    # Only the first command enters it: a socket of the host's is open to all in a read-only mount, too.
    arguments += ["--perms", "0700", "--dir", str(SOURCE)]
    return [*arguments, "--size", size, "--tmpfs", str(HOME)]


def workspace_arguments(command: Command, placement: Placement, overlay: Path | None) -> list[str]:
    """The tree, the empty place of its copy and the readable paths, outer ones first."""
    arguments = ["--ro-bind", str(command.tree), str(TREE)]
    if overlay is not None:
        arguments += ["--ro-bind", str(overlay), str(OVERLAY)]
    made = {Path("/"), Path("/tmp"), Path("/run"), Path("/dev"), _SHM}
    shown = frozenset(placement.readable)
    for path in sorted((placement.at, *placement.readable)):
        if path == placement.at:
            size = str(command.limits.tree_bytes)
            arguments += ["--size", size, "--tmpfs", str(path)]
        else:
            arguments += [*_folders(path, placement.at, shown, made), "--ro-bind", str(path), str(path)]
        made.add(path)
    return [*arguments, "--remount-ro", "/"]


def _folders(path: Path, at: Path, shown: AbstractSet[Path], made: set[Path]) -> list[str]:
    """Make the folders above a readable path traversable; those that bwrap makes for it are of mode 0700."""
    arguments = []
    for parent in reversed(path.parents):
        if parent in made or _visible(parent, at, shown):
            continue
        arguments += ["--dir", str(parent)]
        made.add(parent)
    return arguments
