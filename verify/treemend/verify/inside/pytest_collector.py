"""A process that collects the untouched tree's tests once, and forks before the first for each candidate.

Standard library and the target's own pytest only, Python 3.8 on. A fork gets the candidate's function bodies
swapped into what was imported (`code_swap`), and goes on into pytest's own loop. Where collecting leaves
something that forks would share, the collector refuses to serve, and says why.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import stat
import sys
import tempfile
import threading

import code_swap  # type: ignore[import-not-found] # beside this file, where it runs
import forks  # type: ignore[import-not-found]
import line_tracers  # type: ignore[import-not-found]
import pytest_probe  # type: ignore[import-not-found]
import tree_files  # type: ignore[import-not-found]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, FrameType
    from typing import Any, BinaryIO

UNSWAPPABLE = 1
"""Exit code of a fork that could not take its candidate; it has not begun."""


class Collector:
    """The server's end of a collector.

    `refused` says why it can't serve, "" where it can; `folder` is the name of its temporary folder.
    """

    def __init__(self, request: dict[str, Any], report_fd: int) -> None:
        self.files = frozenset(request["files"])
        ours, theirs = os.pipe(), os.pipe()
        self._path = tempfile.mkdtemp(prefix="collect-")
        self.folder = os.path.basename(self._path)
        self._child = os.fork()
        if self._child == 0:
            for fd in (ours[0], theirs[1]):
                os.close(fd)
            _be_collector(request, report_fd, self._path, Link(theirs[0], ours[1]))
        for fd in (theirs[0], ours[1]):
            os.close(fd)
        self._link = Link(ours[0], theirs[1])
        answer = self._link.hear()
        self.refused: str = "it ended while collecting" if answer is None else answer["refused"]

    def serve(self, request: bytes, paths: list[str], scratch: str) -> dict[str, Any] | None:
        """Have a request served in a fork, on the files that lie in the tree now; None if it has died."""
        try:
            self._link.send({"paths": paths, "scratch": scratch}, request)
        except OSError:
            return None
        return self._link.hear()

    def forget(self) -> None:
        """Let go of it in a fork, which has no business with it."""
        self._link.close()

    def close(self) -> None:
        os.kill(self._child, signal.SIGKILL)
        os.waitpid(self._child, 0)
        forks.kill_group(self._child)
        self._link.close()
        tree_files.remove(self._path)


class Link:
    """A pipe each way: lines of JSON, some with a request behind them."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self._reader: BinaryIO = os.fdopen(read_fd, "rb")
        self._write_fd = write_fd

    def send(self, message: dict[str, Any], request: bytes = b"") -> None:
        data = json.dumps(message).encode() + b"\n" + request
        while data:
            data = data[os.write(self._write_fd, data) :]

    def hear(self) -> dict[str, Any] | None:
        line = self._reader.readline()
        if not line.endswith(b"\n"):
            return None
        message: dict[str, Any] = json.loads(line)
        return message

    def request(self) -> dict[str, Any]:
        request: dict[str, Any] = json.loads(self._reader.readline())
        return request

    def close(self) -> None:
        self._reader.close()
        os.close(self._write_fd)


class Silent:
    """Reports to nobody."""

    def send(self, event: str, **values: object) -> None:
        pass

    hold = send


class Entered:
    """Every code object that a frame was made for."""

    def __init__(self) -> None:
        self._by_id: dict[int, CodeType] = {}

    def start(self) -> None:
        threading.settrace(self._note)
        sys.settrace(self._note)

    def stop(self) -> bool:
        """Whether it saw everything."""
        saw_all = sys.gettrace() == self._note
        sys.settrace(None)
        threading.settrace(None)
        return saw_all

    def codes(self) -> list[CodeType]:
        return list(self._by_id.values())

    def _note(self, frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        self._by_id[id(code)] = code


def _be_collector(request: dict[str, Any], report_fd: int, folder: str, link: Link) -> None:
    """Never returns."""
    try:
        os.setpgid(0, 0)
        forks.quiet()
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        _collect(request, report_fd, folder, link)
        link.send({"refused": "pytest ended before the first test"})
    finally:
        os._exit(1)


def _collect(request: dict[str, Any], report_fd: int, folder: str, link: Link) -> None:
    import pytest

    request = {**request, "root": os.getcwd(), "tests": None}
    open_before = set(os.listdir("/proc/self/fd"))
    entered = Entered()
    probe = pytest_probe.Probe(request, Silent(), pytest_probe.NoWatcher())
    lines = line_tracers.Lines(request["root"])
    gate = Gate(probe, lines, report_fd, folder, link)

    class Waits:
        @pytest.hookimpl(tryfirst=True)
        def pytest_runtestloop(self, session: Any) -> None:
            saw_all = entered.stop()
            sys.dont_write_bytecode = True
            refused = unsafe(probe.errors, open_before, folder) if saw_all else "something else traces"
            gate.wait(session, request["origin"], refused, entered.codes())

    class Ends:
        @pytest.hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_runtestloop(self, session: Any) -> Iterator[None]:
            yield
            gate.end()

    # The code of the untouched tree is compiled once for all.
    sys.dont_write_bytecode = False
    entered.start()
    plugins = [probe, pytest_probe.make_plugin(probe, lines), Waits(), Ends()]
    pytest.main(list(request["arguments"]), plugins=plugins)


def unsafe(errors: list[dict[str, str]], open_before: set[str], folder: str) -> str:
    """Why forks of this process would not be alike or not be apart, "" if nothing speaks against them."""
    if errors:
        return f"{errors[0]['id']} can't be collected"
    if threading.active_count() > 1:
        return "collecting starts threads"
    with open(f"/proc/self/task/{os.getpid()}/children", "rb") as listing:
        if listing.read().strip():
            return "collecting starts processes"
    if os.listdir(folder):
        return "collecting leaves temporary files"
    shared = [name for name in os.listdir("/proc/self/fd") if name not in open_before and _is_shared(name)]
    return "collecting leaves something open" if shared else ""


def _is_shared(name: str) -> bool:
    """Whether forks would meet in an open file; those without a name are given to each on its own."""
    try:
        facts = os.fstat(int(name))
        with open(f"/proc/self/fdinfo/{name}") as info:
            flags = int(next(line for line in info if line.startswith("flags:")).split()[1], 8)
    except OSError:
        return False
    if stat.S_ISREG(facts.st_mode):
        return bool(facts.st_nlink) and flags & os.O_ACCMODE != os.O_RDONLY
    return not (stat.S_ISDIR(facts.st_mode) or stat.S_ISCHR(facts.st_mode))


class Gate:
    """Where a collector waits: each request passes it in a fork."""

    def __init__(
        self,
        probe: pytest_probe.Probe,
        lines: line_tracers.Lines,
        report_fd: int,
        folder: str,
        link: Link,
    ) -> None:
        self._probe = probe
        self._lines = lines
        self._report_fd = report_fd
        self._folder = folder
        self._link = link
        self._shared = forks.Shared()
        self._reporter = Silent()
        self._request: dict[str, Any] = {}
        self._modules: frozenset[str] = frozenset()
        self._foreign: list[str] = []

    def wait(self, session: Any, origin: str, refused: str, ran: list[CodeType]) -> None:
        """Returns in each fork, and nowhere else."""
        imported = None if refused else code_swap.Imported(os.getcwd(), ran)
        self._link.send({"refused": refused})
        if imported is None:
            os._exit(0)
        self._foreign = pytest_probe.imported_from(origin, os.getcwd())
        self._modules = frozenset(sys.modules)
        for module in list(sys.modules.values()):
            # A fork that has a traceback to tell finds the paths resolved.
            self._lines.relative(getattr(module, "__file__", None) or "")
        gc.freeze()
        while True:
            order = self._link.hear()
            if order is None:
                os._exit(0)
            request = self._link.request()
            answer = self._serve(session, imported, request, order)
            if answer is None:
                return
            self._link.send(answer)

    def _serve(
        self, session: Any, imported: code_swap.Imported, request: dict[str, Any], order: dict[str, Any]
    ) -> dict[str, Any] | None:
        """What came of a fork; None in the fork itself."""
        try:
            regions = [imported.region(path, tree_files.read(path)) for path in order["paths"]]
        except code_swap.Unswappable as error:
            return {"ran": False, "killed": False, "reason": str(error)}
        self._shared.reset(pytest_probe.BETWEEN_TESTS_S)
        child = forks.start()
        if child == 0:
            self._pass(session, regions, request, order)
            return None
        _, killed = forks.finish(child, self._shared)
        tree_files.remove_new(self._folder, set())
        return {"ran": self._shared.began, "killed": killed, "reason": ""}

    def _pass(
        self, session: Any, regions: list[code_swap.Region], request: dict[str, Any], order: dict[str, Any]
    ) -> None:
        """Become the candidate."""
        self._link.close()
        reporter = pytest_probe.Reporter(self._report_fd, request["nonce"])
        try:
            swaps = [swap for region in regions for swap in region.plan()]
            forks.own_nameless_files()
            os.environ["TMPDIR"] = tempfile.tempdir = order["scratch"]
            for function, code in swaps:
                function.__code__ = code
            forget_sources(order["paths"])
        except code_swap.Unswappable as error:
            reporter.send("unswappable", reason=str(error))
            os._exit(UNSWAPPABLE)
        except BaseException:
            os._exit(UNSWAPPABLE)
        self._shared.begin()
        request["root"] = os.getcwd()
        self._request, self._reporter = request, reporter
        self._probe.take(request, reporter, self._shared)
        self._probe.pytest_collection_modifyitems(session, session.config, session.items)
        session.testscollected = len(session.items)
        self._probe.pytest_collection_finish(session)

    def end(self) -> None:
        """The end of a fork: what pytest does after its loop can't change an outcome."""
        origin, root = self._request["origin"], self._request["root"]
        foreign = [*self._foreign, *pytest_probe.imported_from(origin, root, self._modules)]
        self._reporter.send("end", exit=0, foreign=foreign)
        os._exit(0)


def forget_sources(paths: list[str]) -> None:
    """Tracebacks show the candidate's lines."""
    linecache: Any = sys.modules.get("linecache")
    if linecache is not None:
        for path in paths:
            linecache.cache.pop(os.path.abspath(path), None)
