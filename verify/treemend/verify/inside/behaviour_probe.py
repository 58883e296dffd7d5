"""Calls functions of the tree outside of any test runner, and says what came of it.

Standard library only, Python 3.8 on. Reads a line of JSON from standard input: `nonce`; `calls`, recorded
ones; `candidates`, each a list of [path, bytes] whose contents follow the line; `tests`, files with tests to
call as plain functions; `limit_s` for each call. Every candidate is served in a fork, on the tree with its
files, and what it did is told over the pipe call by call.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import importlib
import inspect
import json
import os
import pickle
import signal
import sys

import forks  # type: ignore[import-not-found] # beside this file, where it runs
import made_inputs  # type: ignore[import-not-found]
import pytest_probe  # type: ignore[import-not-found]
import told_values  # type: ignore[import-not-found]
import tree_files  # type: ignore[import-not-found]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

OURS = (
    *(
        "call_recorder",
        "failure_explainer",
        "forks",
        "line_tracers",
        "made_inputs",
        "pytest_probe",
        "returned_values",
    ),
    *("told_values", "tree_files"),
)
SKIPS = ("Skipped", "SkipTest", "XFailed")
SHOWN_CHARS = 300
HARD_AFTER_S = 2.0
IMPORT_LIMIT_S = 20.0
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Overrun(BaseException):
    """Raised in a call that takes too long."""


class Limit:
    """Bounds a call: softly by an alarm, hard by the parent."""

    def __init__(self, seconds: float, shared: forks.Shared) -> None:
        self._seconds = seconds
        self._shared = shared
        signal.signal(signal.SIGALRM, self._ring)

    def start(self, seconds: float | None = None) -> None:
        seconds = self._seconds if seconds is None else seconds
        self._shared.set(seconds + HARD_AFTER_S)
        signal.setitimer(signal.ITIMER_REAL, seconds, 0.1)

    def stop(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        self._shared.set(pytest_probe.BETWEEN_TESTS_S)

    def _ring(self, number: int, frame: Any) -> None:
        raise Overrun


def main() -> int:
    fd = pytest_probe.report_fd()
    root = sys.path[0] = os.getcwd()
    for name in OURS:
        # The target may have modules of these names.
        sys.modules.pop(name, None)
    sys.dont_write_bytecode = True
    request = json.loads(sys.stdin.buffer.readline())
    shared = forks.Shared()
    for number, files in enumerate(request["candidates"]):
        overlay = {path: sys.stdin.buffer.read(size) for path, size in files}
        originals = {path: tree_files.Original(path) for path in overlay}
        for path, data in overlay.items():
            tree_files.write(path, data)
        shared.reset(pytest_probe.BETWEEN_TESTS_S)
        child = forks.start()
        if child == 0:
            become(root, request, number, pytest_probe.Reporter(fd, request["nonce"]), shared)
        forks.finish(child, shared)
        for original in originals.values():
            original.put_back()
    pytest_probe.Reporter(fd, request["nonce"]).send("end")
    return 0


def become(
    root: str, request: dict[str, Any], number: int, reporter: pytest_probe.Reporter, shared: forks.Shared
) -> None:
    """The fork: everything that a candidate is asked, and the end."""
    try:
        forks.quiet()
        limit = Limit(request["limit_s"], shared)
        for index, call in enumerate(request["calls"]):
            outcomes = list(outcomes_of(root, call, limit))
            reporter.send("outcomes", candidate=number, call=index, outcomes=outcomes)
        for file in request["tests"]:
            results = run_plainly(root, file, limit)
            reporter.send("plain", candidate=number, path=file["path"], results=results)
    except BaseException:
        os._exit(1)
    os._exit(0)


def outcomes_of(root: str, call: dict[str, Any], limit: Limit) -> Iterator[list[Any]]:
    """[shown call, what came of it, digest of that, whether it is constant], the recorded call first."""
    try:
        limit.start(IMPORT_LIMIT_S)
        function = resolve(root, call["path"], call["module"], call["name"])
        values, keywords = pickle.loads(base64.b64decode(call["arguments"]))
        limit.stop()
    except (Exception, Overrun, SystemExit) as error:
        limit.stop()
        yield [call["name"], told_values.raised(error)[:SHOWN_CHARS], "", False]
        return
    inputs = [
        (values, keywords),
        *made_inputs.variants(values, keywords),
        *from_annotations(function),
    ]
    method = "." in call["name"]
    for values, keywords in inputs:
        try:
            data = pickle.dumps((values, keywords), protocol=4)
        except Exception:
            continue
        shown = show_call(call["name"], values[1:] if method else values, keywords)
        first, second = (perform(function, data, limit) for _ in range(2))
        digest = hashlib.sha256(first.encode("utf-8", "backslashreplace")).hexdigest()[:16]
        yield [shown, first[:SHOWN_CHARS], digest, first == second]
        if "takes too long" in first:
            # Others like it would cost as much.
            return


def perform(function: Callable[..., Any], data: bytes, limit: Limit) -> str:
    """What a call gives or raises, and what it leaves of arguments that it changed."""
    values, keywords = pickle.loads(data)
    before = told_values.told([values, keywords])
    try:
        limit.start()
        text = f"gives {told_values.told(function(*values, **keywords))}"
    except Overrun:
        return "takes too long"
    except (Exception, SystemExit) as error:
        text = told_values.raised(error)
    finally:
        limit.stop()
    after = told_values.told([values, keywords])
    return text if after == before else f"{text} and leaves {after}"


def show_call(name: str, values: list[Any], keywords: dict[str, Any]) -> str:
    parts = [told_values.told(value) for value in values]
    parts += [f"{key}={told_values.told(value)}" for key, value in keywords.items()]
    return f"{name}({', '.join(parts)})"[:SHOWN_CHARS]


def resolve(root: str, path: str, module: str, name: str) -> Callable[..., Any]:
    """The function of a file, imported by the name that the tests had for its module."""
    parts = module.split(".")
    folders = path[: -len(".py")].split("/")
    if folders[-1] == "__init__":
        folders.pop()
    above = "/".join(folders[: -len(parts)]) if folders[-len(parts) :] == parts else ""
    entry = os.path.join(root, above) if above else root
    if entry not in sys.path:
        sys.path.insert(0, entry)
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        held = vars(found) if isinstance(found, type) else None
        found = held[part] if held is not None and part in held else getattr(found, part)
    if isinstance(found, (staticmethod, classmethod)):
        found = found.__func__
    if isinstance(found, property):
        found = found.fget
    return found  # type: ignore[no-any-return]


def from_annotations(function: Callable[..., Any]) -> Iterator[tuple[list[Any], dict[str, Any]]]:
    """Inputs for a plain function whose parameters are all annotated."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    wanted = [p.annotation for p in parameters if p.default is p.empty and p.kind in kinds]
    if len(wanted) == len(parameters) and inspect.Parameter.empty not in wanted:
        for made in made_inputs.annotated(wanted):
            yield made, {}


class Renamed(ast.NodeTransformer):
    """Takes from tests the names by which they could be told."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        if node.name.startswith("test"):
            node.name = self._new(node.name)
        return self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        if node.name.startswith("Test"):
            node.name = self._new(node.name)
        return self.generic_visit(node)

    def _new(self, name: str) -> str:
        return self.names.setdefault(name, f"part{len(self.names) + 1}")


def run_plainly(root: str, file: dict[str, Any], limit: Limit) -> dict[str, list[str]]:
    """What the tests of a file do when they are called as functions: by dotted name, for each set of
    parameters "" where nothing was raised, else the exception. Tests that need a runner are left out."""
    renamed = Renamed()
    try:
        limit.start(IMPORT_LIMIT_S)
        with open(file["path"], "rb") as source:
            tree = renamed.visit(ast.parse(source.read()))
        folder = os.path.join(root, os.path.dirname(file["path"]))
        path = os.path.join(folder, file["word"] + ".py")
        for entry in (folder, root):
            if entry not in sys.path:
                sys.path.insert(0, entry)
        names: dict[str, Any] = {"__name__": file["word"], "__file__": path}
        exec(compile(ast.fix_missing_locations(tree), path, "exec"), names)
    except (Exception, Overrun, SystemExit):
        return {}
    finally:
        limit.stop()
    found = {}
    for test in file["tests"]:
        parts = [renamed.names.get(part, part) for part in test.split(".")]
        calls = plain_calls(names, parts)
        if calls is not None:
            found[test] = [called_plainly(call, limit) for call in calls]
    return found


def plain_calls(names: dict[str, Any], parts: list[str]) -> list[Callable[[], object]] | None:
    """A call for each set of parameters, None where the test can't be called plainly."""
    owner = names.get(parts[0])
    function = vars(owner).get(parts[1]) if isinstance(owner, type) and len(parts) == 2 else owner
    if not inspect.isfunction(function) or inspect.iscoroutinefunction(function):
        return None
    takes = [p.name for p in inspect.signature(function).parameters.values() if p.default is p.empty]
    sets = parameter_sets(getattr(function, "pytestmark", []), takes[isinstance(owner, type) :])
    if sets is None or (isinstance(owner, type) and hasattr(owner, "pytestmark")):
        return None
    if not isinstance(owner, type):
        return [lambda given=given: function(**given) for given in sets]  # type: ignore[misc]
    return [lambda given=given: on_object(owner, function, given) for given in sets]  # type: ignore[misc]


def on_object(owner: type, function: Callable[..., object], given: dict[str, Any]) -> None:
    made: Any = owner(function.__name__) if hasattr(owner, "assertEqual") else owner()
    if hasattr(owner, "setUpClass"):
        owner.setUpClass()
    if hasattr(owner, "setUp"):
        made.setUp()
    if hasattr(owner, "setup_method"):
        made.setup_method(function)
    function(made, **given)


def parameter_sets(marks: list[Any], takes: list[str]) -> list[dict[str, Any]] | None:
    """The sets of arguments that a single parametrization gives; None where something else would."""
    marks = [mark for mark in (marks if isinstance(marks, list) else [marks])]
    if any(mark.name != "parametrize" for mark in marks) or len(marks) > 1:
        return None
    if not marks:
        return None if takes else [{}]
    names, rows = marks[0].args[:2]
    names = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    if sorted(names) != sorted(takes):
        return None
    found = []
    for row in rows:
        if getattr(row, "marks", ()):
            return None
        values = row.values if hasattr(row, "marks") else row if len(names) > 1 else [row]
        found.append(dict(zip(names, values)))  # noqa: B905 # Python 3.8 has no `strict`
    return found


def called_plainly(call: Callable[[], object], limit: Limit) -> str:
    try:
        limit.start()
        call()
    except Overrun:
        return "takes too long"
    except BaseException as error:
        return "" if type(error).__name__ in SKIPS else str(told_values.raised(error))[:SHOWN_CHARS]
    finally:
        limit.stop()
    return ""


if __name__ == "__main__":
    sys.exit(main())
