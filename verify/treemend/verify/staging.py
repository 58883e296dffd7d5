"""Private host folders of a run, and the files put over the copy of a tree."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from treemend.store.errors import UsageError

_SHM = Path("/dev/shm")
_OWNED = re.compile(r"treemend-(\d+)-(\d+)-(\d+)-")


def run_prefix() -> str:
    """How the name of everything starts that this process leaves on the host while it runs.

    A process is told by its id and its start time. The inode is that of the pid namespace: a process id
    means nothing in another one.
    """
    pid = os.getpid()
    return f"treemend-{os.stat('/proc/self/ns/pid').st_ino}-{pid}-{_started(pid)}-"


def is_leftover(name: str) -> bool:
    """Whether a thing of this name was left behind by a process that is dead."""
    found = _OWNED.match(name)
    if found is None:
        return False
    namespace, pid, started = map(int, found.groups())
    return namespace == os.stat("/proc/self/ns/pid").st_ino and _started(pid) != started


def _started(pid: int) -> int:
    """When a process started, in clock ticks after the boot; -1 when there is none of this id."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return -1
    # The name in parentheses may hold anything; the state is the third field, the start time the 22nd.
    return int(stat.rpartition(b")")[2].split()[19])


def staging_bases() -> tuple[Path, ...]:
    """Where private folders are made: memory first, then the temp folder."""
    return (_SHM, Path(tempfile.gettempdir()))


@contextlib.contextmanager
def private_folder(room_bytes: int = 0) -> Iterator[Path]:
    """A fresh folder of mode 0700 that is gone afterwards, in memory where there is room for it."""
    folder = Path(tempfile.mkdtemp(prefix=run_prefix(), dir=_base(room_bytes)))
    try:
        yield folder
    finally:
        remove_tree(folder)


def _base(room_bytes: int) -> Path:
    shm, temp = staging_bases()
    with contextlib.suppress(OSError):
        free = os.statvfs(shm)
        if os.access(shm, os.W_OK | os.X_OK) and free.f_bavail * free.f_frsize >= room_bytes:
            return shm
    return temp


def remove_tree(folder: Path) -> None:
    """Remove a folder whatever lies in it: unreadable folders, or ones nested beyond any path."""
    # Python's rmtree recurses, and a hostile tree is deeper than its stack.
    for argv in (["rm", "-rf"], ["chmod", "-R", "u+rwx"], ["rm", "-rf"]):
        if not os.path.lexists(folder):
            return
        subprocess.run(
            [*argv, "--", str(folder)],
            check=False,
            env={"PATH": "/usr/bin:/bin"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def write_overlay(overlay: Mapping[str, bytes], tree: Path, folder: Path) -> None:
    """Make `folder` and the overlay's files in it, each with the mode of what it replaces.

    A replaced file's time is one second past the old one's, so that no bytecode compiled from the
    old text is ever taken for the new.

    Raises:
        UsageError: a path is absolute, climbs out of the tree, or runs through a link in it.
    """
    folder.mkdir()
    for name in sorted(overlay):
        _refuse_outside(name, tree)
        old = _file_status(tree / name)
        new = folder / name
        new.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes(overlay[name])
        new.chmod(stat.S_IMODE(old.st_mode) if old else 0o644)
        mtime = old.st_mtime + 1 if old else time.time()
        os.utime(new, (mtime, mtime))
    _copy_modes(folder, tree)


def _refuse_outside(name: str, tree: Path) -> None:
    parts = PurePosixPath(name).parts
    plain = parts and "\0" not in name and not name.startswith("/") and ".." not in parts
    if not plain or name.endswith("/"):
        raise UsageError(
            f"{name!r} is no path of a file inside the tree.",
            mend="Give paths relative to the tree's root, without '..'.",
        )
    for parent in list(PurePosixPath(name).parents)[:-1]:
        if (tree / parent).is_symlink():
            raise UsageError(
                f"{name!r} runs through the symbolic link {str(parent)!r}.",
                mend="Give the path that the link leads to.",
            )


def _file_status(path: Path) -> os.stat_result | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _copy_modes(folder: Path, tree: Path) -> None:
    """Give the overlay's folders the tree's modes and times, since the copy takes them over."""
    for path, _, _ in os.walk(folder, topdown=False):
        original = tree / Path(path).relative_to(folder)
        if original.is_dir():
            shutil.copystat(original, path)
            os.chmod(path, stat.S_IMODE(original.stat().st_mode) | stat.S_IRWXU)
