"""A warm pytest inside the sandbox: imports once, then forks for each request.

Standard library and the target's own pytest only, Python 3.8 on. Reads requests from standard input, a
line of JSON each: those of the probe, with `overlay` ([path, bytes] for each file, whose contents follow
the line), `preload` and `swap`. It puts the overlay over the tree and has the tests run: in a fork of a
collector (`pytest_collector`) where the request allows it and the change is a matter of function bodies, else
in a fork of its own, which imports everything afresh. Then it kills what the fork left, puts the files back,
and says in its `done` event whether anything else of the tree is not what it was.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import sysconfig
import tempfile
import threading

import forks  # type: ignore[import-not-found] # beside this file, where it runs
import pytest_collector  # type: ignore[import-not-found]
import pytest_probe  # type: ignore[import-not-found]
import tree_files  # type: ignore[import-not-found]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OURS = (
    *("argument_types", "call_recorder", "code_swap", "failure_explainer", "forks", "line_tracers"),
    *("pytest_collector", "pytest_probe", "returned_values", "source_parts", "tree_files"),
)
COLLECTORS_MAX = 12
"""Collectors started in a life of the server; a suite that needs more of them gains nothing from them."""


def main() -> int:
    fd = pytest_probe.report_fd()
    root = os.getcwd()
    sys.path[0] = root
    # The target may have modules of these names.
    for name in OURS:
        sys.modules.pop(name)
    import _pytest.config

    # Imports pytest's own plugins, which every session needs.
    _pytest.config.get_config()
    sys.dont_write_bytecode = True
    server = Server(fd, root)
    for line in sys.stdin.buffer:
        request = json.loads(line)
        overlay = {path: sys.stdin.buffer.read(size) for path, size in request.pop("overlay")}
        server.serve(request, line, overlay)
    return 0


class Server:
    """What outlives a request."""

    def __init__(self, report_fd: int, root: str) -> None:
        self._fd = report_fd
        self._root = root
        self._shared = forks.Shared()
        self._preloaded: list[str] = []
        self._folders = [folder for folder in private_folders() if not os.listdir(folder)]
        self._before: tree_files.Snapshot | None = None
        self._collector: pytest_collector.Collector | None = None
        self._collectors = 0
        self._refused: dict[frozenset[str], str] = {}

    def serve(self, request: dict[str, Any], line: bytes, overlay: dict[str, bytes]) -> None:
        """Answer one request."""
        reporter = pytest_probe.Reporter(self._fd, request["nonce"])
        reporter.send("received")
        unsafe = self._preload(request["preload"])
        if unsafe:
            reporter.send("unsafe", message=unsafe)
            return
        before = self._before or tree_files.snapshot(self._root)
        collector = self._collector_for(request, overlay)
        originals = {path: tree_files.Original(path) for path in overlay}
        known = {folder: set(os.listdir(folder)) for folder in self._folders}
        scratch = tempfile.mkdtemp(prefix="fork-")
        for path, data in overlay.items():
            tree_files.write(path, data)
        answer = self._swapped(collector, reporter, line, list(overlay), scratch)
        swapped = answer is not None
        if answer is None:
            answer = self._afresh(request, scratch, bool(overlay))
        spoilt = [path for path, original in originals.items() if not original.put_back()]
        for folder, names in known.items():
            tree_files.remove_new(folder, names)
        after = tree_files.snapshot(self._root)
        changed = tree_files.changed(before, after, overlay)
        caches = list(filter(tree_files.is_cache, changed))
        for path in caches if overlay else ():
            # It may be compiled from the candidate, or made up by it.
            tree_files.remove(path)
            after.pop(path, None)
        self._before = after
        spoilt += [path for path in changed if path not in caches]
        reporter.send("done", changed=spoilt[:10], swapped=swapped, **answer)

    def _swapped(
        self,
        collector: pytest_collector.Collector | None,
        reporter: pytest_probe.Reporter,
        line: bytes,
        paths: list[str],
        scratch: str,
    ) -> dict[str, Any] | None:
        """The answer of a collector's fork, None where the request must be served afresh."""
        if collector is None:
            return None
        answer = collector.serve(line, paths, scratch)
        if answer is None:
            # Its fork took it down; what that reported can't be told from a forgery.
            self._close_collector()
            return {"lost": True, "killed": False}
        if answer["reason"]:
            reporter.send("unswappable", reason=answer["reason"])
        return {"lost": False, "killed": answer["killed"]} if answer["ran"] else None

    def _afresh(self, request: dict[str, Any], scratch: str, touched: bool) -> dict[str, Any]:
        gc.freeze()
        self._shared.reset(pytest_probe.BETWEEN_TESTS_S)
        child = forks.start()
        if child == 0:
            # The code of the untouched tree is compiled once for all.
            sys.dont_write_bytecode = touched
            self._run(request, scratch)
        _, killed = forks.finish(child, self._shared)
        return {"lost": False, "killed": killed}

    def _run(self, request: dict[str, Any], scratch: str) -> None:
        """The fork: run the tests and end, without the parent's way out."""
        status = 1
        try:
            if self._collector is not None:
                self._collector.forget()
            forks.quiet()
            os.environ["TMPDIR"] = tempfile.tempdir = scratch
            importlib.invalidate_caches()
            before = set(sys.modules)
            reporter = pytest_probe.Reporter(self._fd, request["nonce"])
            pytest_probe.run(request, reporter, self._shared)
            reporter.send("loaded", modules=sorted(dependencies(before)))
            status = 0
        finally:
            os._exit(status)

    def _collector_for(
        self, request: dict[str, Any], overlay: dict[str, bytes]
    ) -> pytest_collector.Collector | None:
        """A collector of the files asked for, None where the request is none for it."""
        sources = all(path.endswith(".py") and os.path.isfile(path) for path in overlay)
        if not request["swap"] or not sources:
            return None
        files = frozenset(request["files"])
        if self._collector is not None and files <= self._collector.files:
            return self._collector
        if self._collector is not None:
            files |= self._collector.files
            self._close_collector()
        if files in self._refused or self._collectors >= COLLECTORS_MAX:
            return None
        self._collector = self._start_collector({**request, "files": in_order(request["files"], files)})
        return self._collector

    def _start_collector(self, request: dict[str, Any]) -> pytest_collector.Collector | None:
        self._collectors += 1
        known = {folder: set(os.listdir(folder)) for folder in self._folders}
        collector = pytest_collector.Collector(request, self._fd)
        left = any(set(os.listdir(folder)) - names - {collector.folder} for folder, names in known.items())
        refused = "collecting leaves files" if left else collector.refused
        if not refused:
            return collector
        collector.close()
        for folder, names in known.items():
            tree_files.remove_new(folder, names)
        self._refused[collector.files] = refused
        reporter = pytest_probe.Reporter(self._fd, request["nonce"])
        reporter.send("refused", reason=refused)
        return None

    def _close_collector(self) -> None:
        if self._collector is not None:
            self._collector.close()
            self._collector = None

    def _preload(self, names: list[str]) -> str:
        """Import the dependencies; why that makes forks unsafe, "" if it does not."""
        if names != self._preloaded:
            self._preloaded = names
            for name in names:
                try:
                    importlib.import_module(name)
                except Exception:
                    # The forks import it themselves, and see what it raises.
                    continue
            own = modules_below(self._root)
            if own:
                return f"a dependency imports {own[0]}, which is a part of the tree"
        return "importing the dependencies starts threads" if threading.active_count() > 1 else ""


def in_order(first: list[str], files: frozenset[str]) -> list[str]:
    return [*first, *sorted(files - set(first))]


def private_folders() -> list[str]:
    """The home and the temporary folder that the sandbox gave this process."""
    return [folder for folder in (os.environ.get("HOME", ""), tempfile.gettempdir()) if os.path.isdir(folder)]


def libraries() -> tuple[str, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return tuple({sysconfig.get_path(name) + os.sep for name in names})


def dependencies(before: set[str]) -> list[str]:
    """Modules that the run loaded from the interpreter's own folders: they are the same for all forks."""
    folders = libraries()
    found = []
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None) or ""
        if name not in before and path.startswith(folders) and "pytest" not in name:
            found.append(name)
    return found


def modules_below(root: str) -> list[str]:
    """Loaded modules of the tree itself."""
    folders, prefix = libraries(), root.rstrip(os.sep) + os.sep
    paths = {name: getattr(module, "__file__", None) or "" for name, module in list(sys.modules.items())}
    return sorted(n for n, path in paths.items() if path.startswith(prefix) and not path.startswith(folders))


if __name__ == "__main__":
    sys.exit(main())
