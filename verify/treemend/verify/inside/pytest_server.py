"""A warm pytest inside the sandbox: imports once, then forks for each request.

Standard library and the target's own pytest only, Python 3.8 on. Reads requests from standard input, a
line of JSON each: those of the probe, with `overlay` (base64 by path). A fork puts the overlay over the
tree, runs the tests and ends; the parent kills what the fork left, puts the files back, and says in its
`done` event whether anything else of the tree is not what it was.
"""

from __future__ import annotations

import base64
import gc
import importlib
import json
import os
import shutil
import signal
import sys
import sysconfig
import tempfile
import threading

import pytest_probe  # type: ignore[import-not-found] # beside this file, where it runs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SKIPPED_FOLDERS = ("__pycache__", ".git")


def main() -> int:
    fd = pytest_probe.report_fd()
    root = os.getcwd()
    sys.path[0] = root
    import _pytest.config

    # Imports pytest's own plugins, which every session needs.
    _pytest.config.get_config()
    sys.dont_write_bytecode = True
    for line in sys.stdin.buffer:
        request = json.loads(line.decode("utf-8"))
        reporter = pytest_probe.Reporter(fd, request["nonce"])
        serve(request, reporter, root)
    return 0


def serve(request: dict[str, Any], reporter: pytest_probe.Reporter, root: str) -> None:
    """Answer one request in a fork."""
    preload(request.pop("preload"))
    if threading.active_count() > 1:
        reporter.send("unsafe", message="importing the dependencies starts threads")
        return
    overlay = {path: base64.b64decode(data) for path, data in request.pop("overlay").items()}
    before = snapshot(root)
    originals = {path: read(path) for path in overlay}
    scratch = tempfile.mkdtemp(prefix="fork-")
    gc.freeze()
    child = os.fork()
    if child == 0:
        answer(request, reporter, overlay, scratch)
    _, status = os.waitpid(child, 0)
    kill_group(child)
    for path, data in originals.items():
        put_back(path, data)
    shutil.rmtree(scratch, ignore_errors=True)
    touched = set(overlay)
    after = snapshot(root)
    changed = [path for path in before.keys() | after.keys() if before.get(path) != after.get(path)]
    reporter.send("done", status=status, changed=sorted(set(changed) - touched)[:10])


def answer(
    request: dict[str, Any], reporter: pytest_probe.Reporter, overlay: dict[str, bytes], scratch: str
) -> None:
    """The fork: run the tests and end, without the parent's way out."""
    status = 1
    try:
        os.setpgid(0, 0)
        quiet()
        os.environ["TMPDIR"] = tempfile.tempdir = scratch
        for path, data in overlay.items():
            write(path, data)
        importlib.invalidate_caches()
        before = set(sys.modules)
        pytest_probe.run(request, reporter)
        reporter.send("loaded", modules=sorted(dependencies(before)))
        status = 0
    finally:
        os._exit(status)


def quiet() -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nothing, fd)


def dependencies(before: set[str]) -> list[str]:
    """Modules that the run loaded from the interpreter's own folders: they are the same for all forks."""
    folders = tuple(
        {sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    )
    found = []
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None) or ""
        if name not in before and path.startswith(folders) and "pytest" not in name:
            found.append(name)
    return found


def preload(names: list[str]) -> None:
    for name in names:
        try:
            importlib.import_module(name)
        except Exception:
            # The forks import it themselves, and see what it raises.
            continue


def snapshot(root: str) -> dict[str, tuple[int, int, int]]:
    """Size, time of change and inode of every file below the root."""
    found = {}
    folders = [root]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in SKIPPED_FOLDERS:
                        folders.append(entry.path)
                    continue
                facts = entry.stat(follow_symlinks=False)
                key = os.path.relpath(entry.path, root)
                found[key] = (facts.st_size, facts.st_mtime_ns, facts.st_ino)
    return found


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


def put_back(path: str, data: bytes | None) -> None:
    try:
        if data is None:
            os.unlink(path)
        else:
            write(path, data)
    except OSError:
        # The snapshot tells of it.
        return


def kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except OSError:
        return


if __name__ == "__main__":
    sys.exit(main())
