"""Which files of a tree hold source."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from treemend.store.errors import UsageError
from treemend.tools.index import listing
from treemend.tools.index.listing import list_sources

NOWHERE = Path("/nowhere")
IDENTITY = ("-c", "user.name=a", "-c", "user.email=a@example.org")


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x = 1\n")


def git(folder: Path, *arguments: str) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": "/nowhere", "GIT_CONFIG_GLOBAL": "/dev/null"}
    subprocess.run(["git", *arguments], cwd=folder, env=environment, check=True, capture_output=True)


def listed(root: Path) -> list[str]:
    return [one.path for one in list_sources(root.resolve(), NOWHERE)[0]]


@pytest.mark.parametrize("with_repository", [False, True])
def test_ignored_files_are_left_out(tmp_path: Path, with_repository: bool) -> None:
    if with_repository:
        git(tmp_path, "init", "-q")
    write(tmp_path, "a.py", "b/c.ts", "b/out/d.js", "e.txt", "node_modules/f.js", "Gemfile", "env/lib/g.py")
    write(tmp_path, "env/pyvenv.cfg", "env/bin/python")
    (tmp_path / "b/.gitignore").write_text("out/\n")
    assert listed(tmp_path) == ["Gemfile", "a.py", "b/c.ts"]


def test_a_tracked_file_is_listed_though_ignored_and_not_when_it_is_gone(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    write(tmp_path, "a.py", "b.py")
    git(tmp_path, "add", ".")
    (tmp_path / ".gitignore").write_text("*.py\n")
    (tmp_path / "b.py").unlink()
    assert listed(tmp_path) == ["a.py"]


def test_H12_a_submodule_is_read_as_it_lies(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    write(tmp_path, "a.py", "sub.module/b.py", "plain/c.py")
    for name in ("sub.module", "plain"):
        git(tmp_path / name, "init", "-q")
    (tmp_path / ".gitmodules").write_text(
        '[submodule "x"]\n\tpath = sub.module\n\turl = ext::sh -c "touch /tmp/x"\n'
    )
    head = "0123456789012345678901234567890123456789"
    git(tmp_path, "update-index", "--add", "--cacheinfo", f"160000,{head},sub.module")
    assert listed(tmp_path) == ["a.py", "plain/c.py", "sub.module/b.py"]


def test_H08_links_are_not_followed(tmp_path: Path) -> None:
    write(tmp_path, "a/b.py")
    (tmp_path / "a/loop").symlink_to(tmp_path)
    (tmp_path / "root.py").symlink_to("/")
    (tmp_path / "link.py").symlink_to(tmp_path / "a/b.py")
    os.mkfifo(tmp_path / "pipe.py")
    assert listed(tmp_path) == ["a/b.py"]


def test_H15_odd_names_are_names(tmp_path: Path) -> None:
    names = sorted(["a\nb.py", "-r.py", "$(x).py", "q\"'.py", "\x1b[31m.py", "ü 漢.py", "\u202egnp.py"])
    write(tmp_path, *names)
    (tmp_path / os.fsdecode(b"bad\xff.py")).write_text("x = 1\n")
    assert listed(tmp_path) == sorted([*names, os.fsdecode(b"bad\xff.py")])


def test_H05_H07_deep_folders_and_long_names_are_walked_to_a_limit(tmp_path: Path) -> None:
    place = tmp_path
    for _ in range(60):
        place = place / ("d" * 50)
    place.mkdir(parents=True)
    write(tmp_path, "x" * 252 + ".py", "a.py")
    assert listed(tmp_path) == ["a.py", "x" * 252 + ".py"]


def test_H17_the_repository_can_not_run_anything(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    write(tmp_path, "a.py")
    canary = tmp_path / "canary"
    (tmp_path / ".git/config").write_text(f"[core]\n\tfsmonitor = touch {canary}\n\thooksPath = {tmp_path}\n")
    assert listed(tmp_path) == ["a.py"]
    assert not canary.exists()


def test_a_broken_repository_is_listed_all_the_same(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    write(tmp_path, "a.py")
    git(tmp_path, "add", ".")
    (tmp_path / ".git/index").write_bytes(b"garbage")
    found, notes = list_sources(tmp_path.resolve(), NOWHERE)
    assert [one.path for one in found] == ["a.py"]
    assert any("index" in note for note in notes)


def test_without_git_the_tree_is_walked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "a.py", ".venv/pyvenv.cfg", ".venv/b.py", "__pycache__/c.py", "d/e.go")
    monkeypatch.setenv("PATH", "/nowhere")
    found, notes = list_sources(tmp_path.resolve(), NOWHERE)
    assert [one.path for one in found] == ["a.py", "d/e.go"]
    assert notes == ["git is not installed: .gitignore files went unheard."]


def test_a_sparse_checkout_has_what_lies_there(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    write(tmp_path, "kept/a.py", "left/b.py")
    git(tmp_path, "add", ".")
    git(tmp_path, *IDENTITY, "commit", "-qm", "all")
    git(tmp_path, "sparse-checkout", "set", "kept")
    assert listed(tmp_path) == ["kept/a.py"]


def test_a_shallow_clone_is_listed_like_any_other(tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    write(origin, "a.py")
    git(origin, "init", "-q")
    for message in ("one", "two"):
        git(origin, "add", ".")
        git(origin, *IDENTITY, "commit", "-qm", message, "--allow-empty")
    git(tmp_path, "clone", "-q", "--depth", "1", origin.as_uri(), "clone")
    assert listed(tmp_path / "clone") == ["a.py"]


def test_a_tree_of_more_files_than_can_be_a_project_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "FILES_MAX", 3)
    write(tmp_path, *(f"{number}.py" for number in range(4)))
    with pytest.raises(UsageError, match="more than 3 source files"):
        listed(tmp_path)
