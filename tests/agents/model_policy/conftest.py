"""Whole runs with a model that a script plays."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.agents.conftest import BARE_PYTEST, ROOT, CommandServer, environment
from tests.agents.model.answering import Answering
from tests.agents.model_policy.policy_bench import CODE, ISSUE, Bench, MakeBench

from treemend.agents.intake import make_task
from treemend.agents.runs import new_run
from treemend.agents.scripted_provider import Request, Rule, ScriptedProvider, load_script
from treemend.store.database import open_store

KEY = "sk-canary-0123456789abcdef"
SCRIPT = ROOT / "examples" / "late-fee.script.json"


@dataclass
class Models:
    """The command line with a scripted provider beside it."""

    server: CommandServer
    folder: Path

    def run(
        self,
        *arguments: str,
        repo: Path,
        rules: Sequence[Rule] = (),
        on_request: Callable[[Request], None] | None = None,
        command: str = "fix",
        model: str = "openai/scripted",
        stdin: str = "",
    ) -> tuple[subprocess.CompletedProcess[bytes], list[Request]]:
        """What a command came to, and what the provider was asked meanwhile. `rules` go before the script's.

        The port is that of earlier runs, so that a resumed run finds its provider.
        """
        port_file = self.folder / "port"
        port = int(port_file.read_text()) if port_file.exists() else 0
        script = [*rules, *load_script(SCRIPT)]
        with ScriptedProvider(script, port=port, on_request=on_request) as provider:
            port_file.write_text(provider.base_url.split(":")[2].removesuffix("/v1"))
            told = () if command == "resume" else self._told(repo, provider.base_url, model)
            streams = self.folder / f"streams-{len(list(self.folder.iterdir()))}"
            streams.mkdir()
            result = self.server.run(
                (command, *told, *arguments),
                environment(self.folder / "state", OPENAI_API_KEY=KEY),
                streams,
                stdin,
            )
            return result, provider.requests

    def _told(self, repo: Path, base_url: str, model: str) -> tuple[str, ...]:
        return (
            *("--repo", str(repo), "--test-cmd", BARE_PYTEST, "--time", "3000", "--test-timeout", "120"),
            *("--model", model, "--api-base", base_url),
        )


@pytest.fixture(scope="session")
def model_server() -> Iterator[CommandServer]:
    server = CommandServer("--with-models")
    yield server
    server.close()


@pytest.fixture
def models(model_server: CommandServer, tmp_path: Path) -> Models:
    return Models(model_server, tmp_path)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeBench]:
    """Makes a policy over a small tree, of rules; `issue` is what it is about."""
    monkeypatch.setenv("TREEMEND_STATE", str(tmp_path / "state"))
    tree = tmp_path / "tree"
    (tree / "tests").mkdir(parents=True)
    (tree / "shop.py").write_text(CODE)
    (tree / "tests" / "test_shop.py").write_text("from shop import total\n")

    def make(*rules: Rule, tools: bool = False, issue: str = ISSUE) -> Bench:
        store = open_store(tmp_path / "store.db")
        run = new_run(store, make_task(tree, issue=issue))
        return Bench(store, run, tree, Answering(rules), opened, [], tools)

    with ExitStack() as opened:
        yield make
