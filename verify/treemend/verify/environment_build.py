"""Builds an environment from what a project declares, of wheels alone.

The network is on for one step, which runs pip and nothing of the repository's, in a sandbox of its own.
Wheels come out of it over a pipe and are unpacked: nothing in them is executed.
"""

from __future__ import annotations

import base64
import configparser
import hashlib
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from treemend.store.errors import TreemendError, UsageError
from treemend.verify.declarations import Declared
from treemend.verify.interpreter import Interpreter
from treemend.verify.probe_events import Event, EventLines
from treemend.verify.sandbox import Command, Limits, Sandbox
from treemend.verify.staging import private_folder

INSIDE = Path(__file__).parent / "inside"
COMPLETE = "complete.json"
WHEELS_BYTES_MAX = 4 << 30
DOWNLOAD_S = 900.0
STEP_S = 300.0
_WHEEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*\.whl")
_PIP_FILES = ("/etc/pip.conf", "~/.pip/pip.conf", "~/.config/pip/pip.conf")
_PIP_OPTIONS = ("index-url", "extra-index-url", "find-links", "trusted-host", "cert", "proxy")
_PASSED_ON = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
)
_BASE = ("--disable-pip-version-check", "--no-input", "--no-cache-dir")


def environment_folder(environments: Path, repo: Path, declared: Declared) -> Path:
    """Where the environment of a repository with these declarations is kept."""
    return environments / f"{repo.name[:40]}-{_key(repo, declared)}"


def _key(repo: Path, declared: Declared) -> str:
    return hashlib.sha256(f"{repo}\n{declared.digest}".encode("utf-8", "surrogateescape")).hexdigest()[:16]


def built_environment(environments: Path, repo: Path, declared: Declared) -> Path | None:
    """The environment that was built for these declarations, None where none was."""
    folder = environment_folder(environments, repo, declared)
    return folder / "env" if (folder / COMPLETE).is_file() else None


async def build_environment(
    sandbox: Sandbox, base: Interpreter, environments: Path, repo: Path, declared: Declared
) -> Path:
    """Build it anew; an unfinished one is removed. Returns the environment's folder.

    Raises:
        UsageError: a requirement has no wheel here, or the base Python can't make environments.
        SandboxUnavailableError: no sandbox can be given the network.
    """
    folder = environment_folder(environments, repo, declared)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # The sandbox enters it as another user; the state folder above is closed to all others.
    folder.chmod(0o755)
    try:
        _make_venv(Path(sys.executable), folder / "tools", with_pip=True)
        _make_venv(base.path, folder / "env", with_pip=False)
        await _download(sandbox, base, folder, declared)
        _install(folder)
        _show_sources(folder / "env", repo)
        facts = {"repo": str(repo), "requirements": declared.requirements, "base": str(base.path)}
        (folder / COMPLETE).write_text(json.dumps(facts))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        for name in ("tools", "wheels"):
            shutil.rmtree(folder / name, ignore_errors=True)
    return folder / "env"


def _make_venv(python: Path, folder: Path, *, with_pip: bool) -> None:
    options = () if with_pip else ("--without-pip",)
    done = _on_host(str(python), "-I", "-m", "venv", *options, str(folder))
    if done.returncode != 0:
        raise UsageError(
            f"{python} can't make an environment: {_last_line(done.stdout + done.stderr)}",
            mend="Install its venv module (`apt-get install python3-venv`), or give --python another Python.",
        )


def _install(folder: Path) -> None:
    """Unpack the wheels with a pip that lies elsewhere, in one process: none of their code runs."""
    wheels = sorted(map(str, (folder / "wheels").iterdir()))
    if not wheels:
        return
    pip = (str(folder / "tools/bin/python"), "-I", "-m", "pip", *_BASE)
    into = ("--python", str(folder / "env/bin/python"), "install", "--no-index", "--no-deps", "--no-compile")
    done = _on_host(*pip, *into, *wheels)
    if done.returncode != 0:
        raise TreemendError(
            f"The wheels can't be installed: {_last_line(done.stderr)}", mend="Build the environment by hand."
        )


def _on_host(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv,
        env={"PATH": os.defpath, "PIP_CONFIG_FILE": os.devnull, "LANG": "C.UTF-8"},
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=STEP_S,
        umask=0o022,
        check=False,
    )


def _show_sources(environment: Path, repo: Path) -> None:
    """Let the repository's own packages be imported, as an editable install does."""
    sources = [str(folder) for folder in (repo / "src", repo) if folder.is_dir()]
    for packages in environment.glob("lib/python3*/site-packages"):
        (packages / "treemend-repository.pth").write_text("\n".join(sources) + "\n")


# -- the step with the network -----------------------------------------------------------------


async def _download(sandbox: Sandbox, base: Interpreter, folder: Path, declared: Declared) -> None:
    wheels = folder / "wheels"
    wheels.mkdir()
    taken = _Taken(secrets.token_hex(16), wheels)
    # What runs the tests is needed, whether or not it is declared.
    requirements = "\n".join((*declared.requirements, "pytest"))
    tools = folder / "tools" / "bin" / "python"
    argv = [
        *(str(tools), "-I", "-m", "pip", *_BASE, "--python", str(folder / "env/bin/python"), "download"),
        *("--only-binary", ":all:", "--dest", "wheels", "--requirement", "requirements.txt"),
    ]
    with private_folder() as empty:
        command = Command(
            argv=(str(tools), "-I", "-S", str(INSIDE / "wheel_fetcher.py")),
            tree=empty,
            at=Path("/tmp/treemend-wheels"),
            overlay={"requirements.txt": requirements.encode(), "wheels/.keep": b""},
            readable=(*base.readable, *_named_files(), Path(sys.base_prefix).resolve(), folder, INSIDE),
            env={"LANG": "C.UTF-8", "PIP_CONFIG_FILE": os.devnull, **pip_environment()},
            stdin=json.dumps({"nonce": taken.nonce, "argv": argv}).encode(),
            limits=replace(
                Limits(),
                wall_s=DOWNLOAD_S,
                file_bytes=WHEELS_BYTES_MAX,
                tree_bytes=WHEELS_BYTES_MAX,
                report_bytes=2 * WHEELS_BYTES_MAX,
            ),
            on_report=taken.hear,
            network=True,
        )
        result = await sandbox.run(command)
    if taken.exit != 0:
        said = (result.stdout + result.stderr).decode("utf-8", "replace")
        raise UsageError(
            f"The declared dependencies can't be had as wheels: {_error_line(said)}",
            mend="Install what has no wheel by hand, in an environment of your own, and give --python that.",
        )


class _Taken:
    """Wheels as they come over the pipe."""

    def __init__(self, nonce: str, wheels: Path) -> None:
        self.nonce = nonce
        self.exit: int | None = None
        self._wheels = wheels
        self._events = EventLines(nonce)

    def hear(self, chunk: bytes) -> float | None:
        for event in self._events.feed(chunk):
            with suppress(KeyError, TypeError, ValueError):
                self._take(event)
        return None

    def _take(self, event: Event) -> None:
        if event["event"] == "end":
            self.exit = int(event["exit"])
        elif event["event"] == "wheel" and _WHEEL.fullmatch(str(event["name"])):
            with open(self._wheels / str(event["name"]), "ab") as file:
                file.write(base64.b64decode(event["data"]))


def pip_environment() -> Mapping[str, str]:
    """The index and the way to it, as this user's pip would take them."""
    found: dict[str, str] = {}
    for name in _PIP_FILES:
        config = configparser.ConfigParser(interpolation=None, strict=False)
        with suppress(configparser.Error, OSError, UnicodeDecodeError):
            config.read(Path(name).expanduser(), encoding="utf-8")
            for section in ("global", "download"):
                for option in _PIP_OPTIONS:
                    value = config.get(section, option, fallback="")
                    if value:
                        found[f"PIP_{option.upper().replace('-', '_')}"] = value
    own = {f"PIP_{option.upper().replace('-', '_')}" for option in _PIP_OPTIONS}
    return found | {name: value for name, value in os.environ.items() if name in own or name in _PASSED_ON}


def _named_files() -> Iterator[Path]:
    """Certificates and folders of wheels that the settings name."""
    named = {**os.environ, **pip_environment()}
    for variable in ("PIP_CERT", "SSL_CERT_FILE", "PIP_FIND_LINKS"):
        for word in named.get(variable, "").split():
            if word.startswith("/"):
                yield Path(word)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it says nothing"


def _error_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if "ERROR: " in line and "Exception:" not in line]
    return (lines[0] if lines else _last_line(text)).removeprefix("ERROR: ")[:300]
