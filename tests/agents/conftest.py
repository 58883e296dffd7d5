"""The real command line, on the examples."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PORTIONS = ("agents", "tools", "search", "verify", "store")
MAIN = "from treemend.agents.cli import main; main()"

Treemend = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state folder of this test's runs."""
    return tmp_path / "state"


@pytest.fixture
def treemend(state: Path) -> Treemend:
    """Runs the command line in a process of its own, as a user does."""

    def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            command(*arguments),
            env=environment(state, **options),
            capture_output=True,
            timeout=300,
        )

    return run


@pytest.fixture
def start(state: Path) -> Callable[..., subprocess.Popen[bytes]]:
    """Starts the command line and lets it run."""

    def run(*arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command(*arguments),
            env=environment(state),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # As at a terminal, also where the tests themselves run with SIGINT ignored.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )

    return run


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", MAIN, *arguments]


def environment(state: Path, **more: object) -> dict[str, str]:
    roots = os.pathsep.join(str(ROOT / portion) for portion in PORTIONS)
    fixed = {"PYTHONPATH": roots, "TREEMEND_STATE": str(state)}
    return {**os.environ, **fixed, **{name: str(value) for name, value in more.items()}}


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example repositories, freshly built."""
    out = tmp_path_factory.mktemp("examples")
    build = [sys.executable, str(ROOT / "examples" / "build.py"), str(out)]
    subprocess.run(build, check=True, capture_output=True)
    return out
