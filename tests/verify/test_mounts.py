"""Where the copy and the readable paths go under bubblewrap."""

from __future__ import annotations

from pathlib import Path

import pytest

from treemend.store.errors import UsageError
from treemend.verify.mounts import Placement, place, workspace_arguments
from treemend.verify.sandbox import Command


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    for name in ("repo/sub/.venv/lib", "repo/.venv", "library/nested"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path / "repo"


def placed(repo: Path, *readable: Path) -> Placement:
    return place(Command(argv=("true",), tree=repo, at=repo, readable=readable))


def test_readable_paths_inside_the_copy_are_holes_in_it(repo: Path) -> None:
    placement = placed(repo, repo / "sub" / ".venv", repo / ".venv", repo / "missing")
    assert placement.holes == (repo / ".venv", repo / "sub" / ".venv")
    assert placement.folders == (repo, repo / "sub")


def test_what_is_visible_already_is_not_mounted_again(repo: Path) -> None:
    library = repo.parent / "library"
    nested = (library / "nested", library, repo / "sub" / ".venv" / "lib", repo / "sub" / ".venv")
    placement = placed(repo, *nested, Path("/usr/bin"), repo, library / ".." / "library")
    assert placement.readable == (library, repo / "sub" / ".venv")


def test_a_readable_path_may_hold_the_copy(repo: Path) -> None:
    """The folder above is shown; the copy covers its part; a path in the copy is shown again."""
    placement = placed(repo, repo.parent, repo / ".venv")
    assert placement.readable == (repo.parent, repo / ".venv")
    assert placement.holes == (repo / ".venv",)


def test_outer_mounts_come_first(repo: Path) -> None:
    readable = (repo / ".venv", repo.parent)
    command = Command(argv=("true",), tree=repo, at=repo, readable=readable)
    arguments = workspace_arguments(command, place(command), None)
    targets = [arguments.index(str(p), 3) for p in (repo.parent, repo, repo / ".venv")]
    assert targets == sorted(targets)


def test_folders_above_a_readable_path_are_open_to_all(repo: Path) -> None:
    """Those above a bind bwrap itself makes for their owner only, those above the copy's place for all."""
    readable = repo / ".venv"
    command = Command(argv=("true",), tree=repo, at=Path("/root/a/b"), readable=(readable,))
    text = " ".join(workspace_arguments(command, place(command), None))
    assert f"--dir {repo.parent} --dir {repo} --ro-bind {readable} {readable} " in text
    assert "--dir /root" not in text and "--tmpfs /root/a/b" in text


@pytest.mark.parametrize("path", ["/", "/proc/1", "/dev/sda", "/sys", "relative"])
def test_parts_of_the_kernel_are_refused(repo: Path, path: str) -> None:
    with pytest.raises(UsageError):
        placed(repo, Path(path))
