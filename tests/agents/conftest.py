"""The real command line, on the examples."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from treemend.agents.intake import SandboxChoice, make_task
from treemend.agents.judging.judge import Ruling
from treemend.agents.judging.verification import Ground, Submission
from treemend.agents.preparation import copy_tree
from treemend.agents.run_context import RunContext
from treemend.agents.runs import new_run
from treemend.agents.wiring import open_context
from treemend.store.database import Store, open_store
from treemend.store.errors import SandboxUnavailableError
from treemend.store.records import Candidate
from treemend.tools.submitted import read_changes

ROOT = Path(__file__).parents[2]
PORTIONS = ("agents", "tools", "search", "verify", "store")
SOURCES = os.pathsep.join(str(ROOT / portion) for portion in PORTIONS)
COMMAND_S_MAX = 600
HASH_SEED = "1"
BARE_PYTEST = "pytest -p no:asyncio -p no:hypothesispytest -p no:anyio -p no:xdist -p no:xdist.looponfail"
MAIN = "from treemend.agents.cli import main; main()"

Treemend = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state folder of this test's runs."""
    return tmp_path / "state"


class CommandServer:
    """The command line in forks of a process that has imported it, which takes seconds otherwise."""

    def __init__(self, *options: str) -> None:
        self._options = options
        self._process = self._started()

    def run(
        self, arguments: tuple[str, ...], environment: dict[str, str], folder: Path, stdin: str = ""
    ) -> subprocess.CompletedProcess[bytes]:
        streams = {name: folder / name for name in ("stdout", "stderr")}
        for file in streams.values():
            file.touch()
        request = {"arguments": arguments, "environment": environment, **streams}
        if stdin:
            (folder / "stdin").write_text(stdin)
            request["stdin"] = folder / "stdin"
        code = self._ask(json.dumps(request, default=str).encode())
        stdout, stderr = (file.read_bytes() for file in streams.values())
        return subprocess.CompletedProcess(arguments, code, stdout, stderr)

    def _ask(self, request: bytes) -> int:
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(request + b"\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], COMMAND_S_MAX)
        if not ready:
            self.close()
            self._process = self._started()
            pytest.fail(f"the command took more than {COMMAND_S_MAX} s")
        return int(process.stdout.readline())

    def _started(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, str(Path(__file__).parent / "command_server.py"), *self._options],
            env={**os.environ, "PYTHONPATH": SOURCES, "PYTHONHASHSEED": HASH_SEED},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def kill_running(self) -> None:
        """SIGKILL what it runs, and leave it alone itself."""
        number = self._process.pid
        children = Path(f"/proc/{number}/task/{number}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGKILL)

    def close(self) -> None:
        """End it with what it runs."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


@pytest.fixture(scope="session")
def command_server() -> Iterator[CommandServer]:
    server = CommandServer()
    yield server
    server.close()


@pytest.fixture(scope="session")
def treemend_in(command_server: CommandServer, tmp_path_factory: pytest.TempPathFactory) -> Treemend:
    """Runs the command line in a process of its own, with its runs in a state folder."""

    def run(state: Path, *arguments: str, **options: object) -> subprocess.CompletedProcess[bytes]:
        return command_server.run(
            arguments, environment(state, **options), tmp_path_factory.mktemp("streams")
        )

    return run


@pytest.fixture
def treemend(state: Path, treemend_in: Treemend) -> Treemend:
    """The same, with the runs of this test."""
    return partial(treemend_in, state)


@pytest.fixture
def fix(treemend: Treemend, fix_command: Callable[[Path], tuple[str, ...]]) -> Treemend:
    """`treemend fix` of a repository, whose tests run without the plugins of our own tests."""

    def run(repo: Path, *arguments: str, **options: object) -> subprocess.CompletedProcess[bytes]:
        return treemend(*fix_command(repo), *arguments, **options)

    return run


@pytest.fixture(scope="session")
def fix_command() -> Callable[[Path], tuple[str, ...]]:
    """What `fix` runs, for those that run it otherwise."""
    return lambda repo: ("fix", "--repo", str(repo), "--test-cmd", BARE_PYTEST)


@pytest.fixture
def start(state: Path) -> Callable[..., subprocess.Popen[bytes]]:
    """Starts the command line as a user does, with a fresh interpreter, and lets it run."""

    def run(*arguments: str, **options: object) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command(*arguments),
            env=environment(state, **options),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # As at a terminal, also where the tests themselves run with SIGINT ignored.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )

    return run


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", MAIN, *arguments]


def environment(state: Path, **more: object) -> dict[str, str]:
    fixed = {"PYTHONPATH": SOURCES, "TREEMEND_STATE": str(state)}
    return {**os.environ, **fixed, **{name: str(value) for name, value in more.items()}}


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example repositories, freshly built."""
    out = tmp_path_factory.mktemp("examples")
    build = [sys.executable, str(ROOT / "examples" / "build.py"), str(out)]
    subprocess.run(build, check=True, capture_output=True)
    return out


def git(folder: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True).stdout


def write(folder: Path, files: Mapping[str, str | None]) -> None:
    """Make these files, or unmake those with None."""
    for name, text in files.items():
        path = folder / name
        if text is None:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@dataclass
class Bench:
    """One observed tree, on which any patch can be judged."""

    folder: Path
    store: Store
    observed: RunContext

    @property
    def tree(self) -> Path:
        """The private tree that patches are judged on."""
        return self.observed.tree

    def diff(self, after: Mapping[str, str | None]) -> bytes:
        """The patch that `git diff` gives, binary parts included."""
        try:
            write(self.folder, after)
            git(self.folder, "add", "--all")
            return git(self.folder, "diff", "--cached", "--binary", "HEAD")
        finally:
            git(self.folder, "reset", "--hard", "--quiet", "HEAD")

    async def judge(self, patch: bytes) -> Ruling:
        task = self.observed.task
        run = new_run(self.store, task, patch)
        # Its own canaries are looked at again; what the suite did on the untouched tree is known.
        for name in ("tree", "suite", "repeat-1", "repeat-2"):
            data = self.store.get_blob(self.observed.id, name)
            assert data is not None
            self.store.put_blob(run.id, name, data)
        context = open_context(self.store, run)
        context.folder.mkdir(parents=True)
        context.tree.symlink_to(self.observed.tree)
        tree = self.observed.tree
        candidate = Candidate(seq=1, thought=0, edits=(), patch=patch, prior=1.0)
        self.store.add_candidate(run.id, candidate)
        submission = Submission(context, patch, read_changes(tree, patch))
        ground = await submission.observe()
        assert isinstance(ground, Ground), ground
        return await submission.judge(ground)


@pytest.fixture(scope="session")
def make_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Bench]]:
    """Observes a git repository once, so that many patches can be judged on it; `repair` says which
    functions' calls are worth recording."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TREEMEND_STATE", str(tmp_path_factory.mktemp("state")))

        def make(repo: Path, repair: Mapping[str, str | None], mechanism: SandboxChoice = "auto") -> Bench:
            store = open_store(None)
            task = make_task(repo, kind="verify", test_command=BARE_PYTEST, sandbox=mechanism)
            run = new_run(store, task, b"")
            try:
                context = open_context(store, run)
            except SandboxUnavailableError as error:
                pytest.skip(str(error))
            copy_tree(context)
            bench = Bench(repo, store, context)
            diff = bench.diff(repair)
            ground = asyncio.run(Submission(context, diff, read_changes(context.tree, diff)).observe())
            assert isinstance(ground, Ground), ground
            return bench

        yield make
