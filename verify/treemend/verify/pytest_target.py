"""The target's pytest or unittest: how it is started in the sandbox, and what it is asked."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from treemend.store.errors import UsageError
from treemend.verify.interpreter import Interpreter
from treemend.verify.runner import TestRequest
from treemend.verify.sandbox import Command, Limits, Sandbox

INSIDE = Path(__file__).parent / "inside"

# Last, so that they win over the project's own options: every test runs, in one process, in a
# fixed order, and leaves nothing in the tree. langsmith's plugin comes with treemend itself.
FIXED_ARGUMENTS = (
    "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:random_order", "-p", "no:langsmith_plugin",
    "--maxfail=0", "--continue-on-collection-errors", "--tb=no", "--no-header", "-q",
)  # fmt: skip


Framework = Literal["pytest", "unittest"]
PROBES: dict[Framework, str] = {"pytest": "pytest_probe.py", "unittest": "unittest_probe.py"}
"""The script of `inside/` that runs each framework's tests and reports them."""


def pytest_arguments(test_command: str) -> tuple[str, ...]:
    """The options in a test command: what follows `pytest`, or all of it when it is options alone.

    Raises:
        UsageError: it can't be split as a shell would, or it runs something other than pytest.
    """
    try:
        words = shlex.split(test_command)
    except ValueError as error:
        raise UsageError(
            f"--test-cmd can't be split into words ({error}): {test_command!r}",
            mend="Quote it as for a shell, for example --test-cmd 'pytest -q tests'.",
        ) from error
    names = [Path(word).name for word in words]
    for name in ("pytest", "py.test"):
        if name in names:
            return tuple(words[names.index(name) + 1 :])
    if words and not words[0].startswith("-"):
        raise UsageError(
            f"--test-cmd runs {words[0]!r}, and this version runs pytest only.",
            mend="Give a pytest command, for example --test-cmd 'pytest -q tests'.",
        )
    return tuple(words)


@dataclass(frozen=True, slots=True)
class PytestTarget:
    """A tree whose tests run inside the target's own Python.

    Attributes:
        tree: The private tree on the host (a copy of `repo`); the sandbox copies it for each process.
        repo: The path of the user's checkout, at which the copy appears where the sandbox can do so.
        arguments: Options of the user's test command.
        run_limit_s: The most that one process may take.
        framework: What runs the tests there.
    """

    sandbox: Sandbox
    interpreter: Interpreter
    tree: Path
    repo: Path
    arguments: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    run_limit_s: float = 3600.0
    framework: Framework = "pytest"

    def command(self, script: str, request: TestRequest, hear: Callable[[bytes], float | None]) -> Command:
        """The command that starts a script of `inside/`, in the environment that a request needs."""
        return Command(
            argv=(str(self.interpreter.path), str(INSIDE / script)),
            tree=self.tree,
            at=self.repo,
            readable=(*self.interpreter.readable, INSIDE),
            env=self._environment(request),
            limits=replace(self.limits, wall_s=self.run_limit_s),
            on_report=hear,
        )

    def _environment(self, request: TestRequest) -> dict[str, str]:
        environment = {
            "PATH": f"{self.interpreter.path.parent}:/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "TZ": request.time_zone,
            "PYTHONHASHSEED": str(request.hash_seed),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        if not request.load_plugins:
            environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        return environment

    def probe_request(self, request: TestRequest, nonce: str) -> dict[str, Any]:
        """What the probe reads on its standard input."""
        files, limits = None, dict(request.limits_s)
        if request.tests is not None:
            limits = {test: limits[test] for test in request.tests if test in limits}
            files = list(dict.fromkeys(test.split("::")[0] for test in request.tests))
        return {
            "nonce": nonce,
            "arguments": [*self.arguments, *(FIXED_ARGUMENTS if self.framework == "pytest" else ())],
            "files": files,
            "tests": None if request.tests is None else list(request.tests),
            "gate": request.gate,
            "limit_s": request.limit_s,
            "limits": limits,
            "coverage": request.coverage,
            "exact": list(request.exact),
            "explained": request.explained,
            "recorded": [(function.path, function.name, function.line) for function in request.recorded],
            "origin": str(self.repo),
        }
