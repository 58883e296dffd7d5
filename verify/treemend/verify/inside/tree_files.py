"""The files below a folder: what they are, what they were, and back again.

Standard library only, Python 3.8 on.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Snapshot = dict[str, tuple[int, int, int]]

SKIPPED_FOLDERS = (".git",)
CACHE = os.sep + "__pycache__" + os.sep


def snapshot(root: str) -> Snapshot:
    """Size, time of change and inode of every file below the root, by path relative to it."""
    found = {}
    start = len(root.rstrip(os.sep)) + 1
    folders = [root]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in SKIPPED_FOLDERS:
                        folders.append(entry.path)
                    continue
                facts = entry.stat(follow_symlinks=False)
                found[entry.path[start:]] = (facts.st_size, facts.st_mtime_ns, facts.st_ino)
    return found


def changed(before: Snapshot, after: Snapshot, touched: Mapping[str, object]) -> list[str]:
    """The paths whose files differ, but for those that were touched on purpose."""
    if before == after:
        return []
    differing = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    return sorted(differing - touched.keys())


def is_cache(path: str) -> bool:
    """Whether it is compiled code, which is made from sources at any time."""
    return CACHE in os.sep + path


class Original:
    """A file as it was before something else is put over it; it may be absent."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._data = read(path)
        facts = None if self._data is None else os.stat(path)
        self._times = (0, 0) if facts is None else (facts.st_atime_ns, facts.st_mtime_ns)

    def put_back(self) -> bool:
        """Whether the file is what it was again; also its time, by which compiled code is held against it."""
        try:
            if os.path.islink(self._path) or (self._data is None and os.path.lexists(self._path)):
                os.unlink(self._path)
            if self._data is not None:
                write(self._path, self._data)
                os.utime(self._path, ns=self._times)
        except OSError:
            return False
        return read(self._path) == self._data


def read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


def write(path: str, data: bytes) -> None:
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def remove_new(folder: str, known: set[str]) -> None:
    """Remove every entry of a folder that was not there before."""
    for name in set(os.listdir(folder)) - known:
        remove(os.path.join(folder, name))


def remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            os.unlink(path)
