"""What comes back from a sandbox: counted bytes over a pipe; nothing is opened, unpacked or revived.

The numbers are the cases of the threat model. Every attack says that it ran, and a naive reader shows what it
would win.
"""

from __future__ import annotations

import ast
import io
import json
import os
import pickle
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from treemend.verify.probe_events import Listener
from treemend.verify.runner import TestReport, TestRequest
from treemend.verify.sandbox import Limits

if TYPE_CHECKING:
    from tests.verify.conftest import Attack, Confined

pytestmark = pytest.mark.sandbox

NONCE = "the attacker knows it"


async def reported(confined: Confined, source: str, *arguments: str, **changes: object) -> TestReport:
    """What the host makes of the reports that an attack writes."""
    listener = Listener(NONCE, TestRequest())
    command = replace(confined.python(source, *arguments), on_report=listener.hear, **changes)  # type: ignore[arg-type]
    result = await confined.run(command)
    assert result.stdout.startswith(b"ran\n"), result
    return listener.report(result)


def zip_bomb() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../evil", "evil")
        archive.writestr("zeros", bytes(50 << 20))
    return packed.getvalue()


async def test_E57_an_archive_is_neither_unpacked_nor_more_than_its_bytes(
    attack: Attack, confined: Confined, tree: Path
) -> None:
    bomb = zip_bomb()
    (tree / "bomb.zip").write_bytes(bomb)
    with zipfile.ZipFile(tree / "bomb.zip") as naive:
        assert sum(member.file_size for member in naive.infolist()) > 50 << 20
    assert len(bomb) < 1 << 16
    chunks: list[bytes] = []
    body = "os.write(int(os.environ['TREEMEND_REPORT_FD']), open('bomb.zip', 'rb').read())"
    outcome = await attack(body, on_report=chunks.append, limits=Limits(tree_bytes=8 << 20))
    assert outcome.won and b"".join(chunks) == bomb
    assert sorted(os.listdir(tree)) == ["bomb.zip", "pkg"] and not (tree.parent / "evil").exists()


class Evil:
    """Unpickling it makes a folder."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (self.path,)


async def test_E58_a_pickle_is_never_revived(confined: Confined, tmp_path: Path) -> None:
    bomb = pickle.dumps(Evil(str(tmp_path / "evil")))
    source = """
        import os, sys
        print("ran", flush=True)
        bomb = bytes.fromhex(sys.argv[2])
        os.write(int(os.environ["TREEMEND_REPORT_FD"]), sys.argv[1].encode() + b" " + bomb + b"\\n" + bomb)
    """
    report = await reported(confined, source, NONCE, bomb.hex())
    assert report.collected is None and not report.results
    assert not (tmp_path / "evil").exists()
    pickle.loads(bomb)
    assert (tmp_path / "evil").exists()


async def test_E58_hostile_json_is_no_result(confined: Confined) -> None:
    """Deep, long, of other types, unfinished, no text: what follows is still heard."""
    source = """
        import os, sys
        print("ran", flush=True)
        hostile = (
            "[" * 200_000,
            "1" * 200_000,
            "[1, 2]",
            '{"event": "collected"}',
            '{"event": "start", "test": {"a": [1]}}',
            '{"event": "no-pytest", "python": "' + chr(92) + 'ud800"}',
            "{",
            chr(0xDCFF),
            '{"event": "collected", "tests": ["a"], "errors": []}',
        )
        for line in hostile:
            left = f"{sys.argv[1]} {line}".encode("utf-8", "surrogateescape") + bytes([10])
            while left: left = left[os.write(int(os.environ["TREEMEND_REPORT_FD"]), left):]
    """
    report = await reported(confined, source, NONCE)
    assert report.collected == ("a",)
    json.dumps([report.problem, *report.results]).encode()


async def test_E59_what_a_command_leaves_behind_is_not_opened(
    attack: Attack, control: Attack, confined: Confined, open_folder: Path, leftovers: Callable[[], list[str]]
) -> None:
    """A reader of files would read the secret, hang at the pipe, and never get through the hole."""
    secret = open_folder / "secret"
    secret.write_text("canary")
    secret.chmod(0o644)
    body = """
        os.symlink(sys.argv[1], "report.json")
        os.mkfifo("report.xml")
        for folder in ("HOME", "TMPDIR"): os.symlink("/", os.environ[folder] + "/outside")
        with open("coverage.json", "wb") as file: file.truncate(LIMIT)
        return os.listdir(".")
    """
    limits = Limits(file_bytes=1 << 40)
    outcome = await attack(body.replace("LIMIT", str(1 << 40)), str(secret), limits=limits)
    assert outcome.won and "report.xml" in outcome.said
    assert "canary" not in outcome.said + str(outcome.result)
    assert secret.read_text() == "canary" and leftovers() == []
    naive = await control("os.symlink(sys.argv[1], 'x'); return open('x').read()", str(secret))
    assert "canary" in naive.said


async def test_E59_a_tree_with_a_pipe_and_a_hole_is_copied_without_waiting(
    attack: Attack, tree: Path
) -> None:
    os.mkfifo(tree / "pipe")
    with open(tree / "hole", "wb") as file:
        file.truncate(1 << 40)
    outcome = await attack(
        "return os.stat('hole').st_size, os.stat('hole').st_blocks", limits=Limits(wall_s=30)
    )
    assert outcome.said.endswith(f"won ({1 << 40}, 0)\n")


def test_E58_nothing_on_the_host_revives_objects() -> None:
    """No module that reads what came from outside imports a format that runs code; the launcher's orders
    come from treemend itself."""
    source = Path(sys.modules[Listener.__module__].__file__ or "").parent
    reviving = {"pickle", "shelve", "dill", "yaml", "eval", "exec"}
    for module in source.glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            named = {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
            named |= {node.module or ""} if isinstance(node, ast.ImportFrom) else set()
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            named |= {node.func.id} if called else set()  # type: ignore[attr-defined]
            assert not named & reviving, f"{module.name} uses {named & reviving}"
