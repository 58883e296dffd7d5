"""Unified diffs, and the user's own tree as the place they go to."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treemend.store.errors import UsageError
from treemend.tools.patches import (
    apply_patch_to_checkout,
    apply_to_checkout,
    edit_lines,
    touched_paths,
    unified_diff,
)

PIECES = [
    b"\n",
    b"\r\n",
    b"\r",
    b"a",
    b"b\n",
    b"\xef\xbb\xbf",
    b"\xe9",
    b"\xff\n",
    b"\\",
    b"-- x\n",
]
CONTENT = st.one_of(
    st.lists(st.sampled_from([*PIECES, b"++ y\n", b"@@ -1 +1 @@\n"]), max_size=30).map(b"".join),
    st.binary(max_size=40),
)
NAMES = [
    "a.py",
    "a b.py",
    'q"uote.py',
    "back\\slash.py",
    "tab\t.py",
    "new\nline.py",
    "-dash",
    "ä.py",
]
ODD_NAMES = [*NAMES, " lead", "trail ", "$(x)", "\x1b[31m", "b/c d/e.py", "\udcff.py", "x b/x"]


def git_apply(folder: Path, patch: bytes, *options: str) -> subprocess.CompletedProcess[bytes]:
    environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "HOME": "/"}
    environment |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CEILING_DIRECTORIES": str(folder.parent)}
    command = ["git", "apply", "--whitespace=nowarn", *options]
    return subprocess.run(command, input=patch, cwd=folder, env=environment, capture_output=True)


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mode)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def test_a_patch_reads_as_git_writes_it() -> None:
    patch = unified_diff("src/a.py", b"one\ntwo\nthree\n", b"one\n2\nthree\n")
    assert patch == (
        b"diff --git a/src/a.py b/src/a.py\n"
        b"index 4cb29ea38f70..f04eb265ebd7\n"
        b"--- a/src/a.py\n+++ b/src/a.py\n"
        b"@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"
    )


def test_equal_files_give_no_patch() -> None:
    assert unified_diff("a.py", b"x", b"x") == b""


def test_context_is_bounded_and_far_changes_have_their_own_hunks() -> None:
    before = b"".join(b"%d\n" % number for number in range(100))
    after = before.replace(b"\n10\n", b"\nten\n").replace(b"\n90\n", b"\nninety\n")
    patch = unified_diff("a.py", before, after, context=1)
    assert [line for line in patch.split(b"\n") if line.startswith(b"@@")] == [
        b"@@ -10,3 +10,3 @@",
        b"@@ -90,3 +90,3 @@",
    ]


def test_P17_a_missing_last_line_end_is_marked() -> None:
    patch = unified_diff("a.py", b"x", b"x\n")
    assert patch.endswith(b"-x\n\\ No newline at end of file\n+x\n")


def test_H15_names_are_quoted_as_git_does() -> None:
    patch = unified_diff('ä"\n\x1b.py', b"", b"x\n")
    assert b'--- "a/\\303\\244\\"\\n\\033.py"\n' in patch


def test_P16_what_is_put_among_its_like_keeps_the_context_behind_it(tmp_path: Path) -> None:
    before, after = b"\r\n" * 3 + b"\n" * 5, b"\r\n" * 4 + b"\n" * 5
    (tmp_path / "a.py").write_bytes(before)
    assert git_apply(tmp_path, unified_diff("a.py", before, after)).returncode == 0
    assert (tmp_path / "a.py").read_bytes() == after


@settings(max_examples=60, deadline=None)
@given(CONTENT, CONTENT, st.sampled_from(ODD_NAMES))
def test_P16_P17_P18_P19_H15_git_apply_gives_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, before: bytes, after: bytes, name: str
) -> None:
    if before == after:
        return
    folder = tmp_path_factory.mktemp("apply")
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(before)
    patch = unified_diff(name, before, after)
    assert touched_paths(patch) == (name,)
    applied = git_apply(folder, patch)
    assert (applied.returncode, applied.stderr) == (0, b"")
    assert path.read_bytes() == after


@settings(max_examples=60, deadline=None)
@given(CONTENT, CONTENT, st.integers(0, 4))
def test_P16_P17_P18_P19_our_own_writer_gives_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, before: bytes, after: bytes, context: int
) -> None:
    folder = tmp_path_factory.mktemp("apply")
    (folder / "a b.py").write_bytes(before)
    apply_patch_to_checkout(folder, unified_diff("a b.py", before, after, context))
    assert (folder / "a b.py").read_bytes() == after


@settings(max_examples=60, deadline=None)
@given(CONTENT, CONTENT)
def test_edit_lines_are_not_fooled_by_lines_that_look_like_headers(before: bytes, after: bytes) -> None:
    patch = unified_diff("a.py", before, after) + unified_diff("b.py", b"1\n", b"2\n")
    assert touched_paths(patch)[-1] == "b.py"
    assert edit_lines(patch)[-2:] == (("b.py", "-", "1"), ("b.py", "+", "2"))
    assert {path for path, _, _ in edit_lines(patch)} <= {"a.py", "b.py"}


def test_P26_many_hunks_take_little_time(tmp_path: Path) -> None:
    before = b"".join(b"%d\n\n\n\n\n\n\n\n" % number for number in range(10_000))
    after = before.replace(b"7\n", b"seven\n")
    (tmp_path / "a.py").write_bytes(before)
    apply_patch_to_checkout(tmp_path, unified_diff("a.py", before, after))
    assert (tmp_path / "a.py").read_bytes() == after


def test_edit_lines_are_normalized_and_leave_blank_ones_out() -> None:
    patch = unified_diff("a.py", b"x =  1\n\n", b"x\t= 2\n\n\n  \ny\n")
    assert edit_lines(patch) == (
        ("a.py", "-", "x = 1"),
        ("a.py", "+", "x = 2"),
        ("a.py", "+", "y"),
    )


@pytest.mark.parametrize(
    ("patch", "paths"),
    [
        (b"diff --git a/x b/x\nold mode 100644\nnew mode 100755\n", ("x",)),
        (
            b"diff --git a/x b/y\nsimilarity index 100%\nrename from x\nrename to y\n",
            ("x", "y"),
        ),
        (
            b"--- /dev/null\n+++ b/.github/workflows/x.yml\n@@ -0,0 +1 @@\n+on\n",
            (".github/workflows/x.yml",),
        ),
        (b"--- a/../x\n+++ b/../x\n@@ -1 +1 @@\n-a\n+b\n", ("../x",)),
        (b"--- a/x\n+++ b/x\n@@ -1 +1 @@\n--- a/z\n+++ b/z\n", ("x",)),
        (b'diff --git "a/\\303\\244" "b/\\303\\244"\ndeleted file mode 100644\n', ("ä",)),
        (b"no patch at all\n", ()),
    ],
)
def test_P09_P10_P12_P20_every_touched_path_is_named(patch: bytes, paths: tuple[str, ...]) -> None:
    assert touched_paths(patch) == paths


def test_a_patch_cut_short_is_refused() -> None:
    with pytest.raises(UsageError, match="cut short"):
        touched_paths(b"--- a/x\n+++ b/x\n@@ -1,9 +1 @@\n-a\n")


def test_apply_writes_all_files_and_keeps_their_modes(tmp_path: Path) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg/a.py").write_bytes(b"1\r\n")
    (tmp_path / "run.sh").write_bytes(b"1\n")
    (tmp_path / "run.sh").chmod(0o750)
    apply_to_checkout(
        tmp_path,
        {"pkg/a.py": b"1\r\n", "run.sh": b"1\n"},
        {"pkg/a.py": b"2\r\n", "run.sh": b"2\n"},
    )
    assert snapshot(tmp_path) == {
        "pkg/a.py": (b"2\r\n", stat.S_IFREG | 0o644),
        "run.sh": (b"2\n", stat.S_IFREG | 0o750),
    }


def test_P24_a_file_that_changed_meanwhile_stops_all(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"1\n")
    (tmp_path / "b.py").write_bytes(b"changed\n")
    start = snapshot(tmp_path)
    with pytest.raises(UsageError, match=r"b\.py changed since the run started"):
        apply_to_checkout(tmp_path, {"a.py": b"1\n", "b.py": b"1\n"}, {"a.py": b"2\n", "b.py": b"2\n"})
    assert snapshot(tmp_path) == start


@pytest.mark.parametrize("now", [b"0\n1\n", b"1\n2\n3\n4\n5\nmore\n", b"", b"1"])
def test_P24_a_patch_for_another_content_is_refused(tmp_path: Path, now: bytes) -> None:
    patch = unified_diff("a.py", b"1\n2\n3\n4\n5\n", b"one\n2\n3\n4\n5\n")
    (tmp_path / "a.py").write_bytes(now)
    with pytest.raises(UsageError, match="changed since"):
        apply_patch_to_checkout(tmp_path, patch)
    assert (tmp_path / "a.py").read_bytes() == now


@pytest.mark.parametrize("path", ["../out.py", "/tmp/out.py", ".git/config", ".GIT/config", "a\nb"])
def test_P01_P02_P06_P07_P14_paths_that_leave_are_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(UsageError):
        apply_to_checkout(tmp_path, {path: b""}, {path: b"x"})
    with pytest.raises(UsageError):
        apply_patch_to_checkout(tmp_path, unified_diff(path, b"", b"x"))


def test_P04_P05_P20_nothing_is_written_through_links(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.py").write_bytes(b"1\n")
    repo = tmp_path / "repo"
    repo.mkdir()
    (repo / "linked").symlink_to(outside)
    (repo / "a.py").symlink_to(outside / "a.py")
    for path in ("linked/a.py", "a.py"):
        with pytest.raises(UsageError, match="changed since"):
            apply_to_checkout(repo, {path: b"1\n"}, {path: b"2\n"})
    assert (outside / "a.py").read_bytes() == b"1\n"


def test_P29_H11_a_folder_or_a_pipe_in_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.py").mkdir()
    os.mkfifo(tmp_path / "b.py")
    for path in ("a.py", "b.py", "missing.py", "b.py/c.py"):
        with pytest.raises(UsageError, match="changed since"):
            apply_to_checkout(tmp_path, {path: b""}, {path: b"x"})


@pytest.mark.parametrize(
    "patch",
    [
        b"diff --git a/a.py b/a.py\nold mode 100644\nnew mode 100755\n",
        b"diff --git a/a.py b/c.py\nrename from a.py\nrename to c.py\n",
        b"--- a/a.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-1\n",
    ],
)
def test_P12_P13_P20_only_changes_of_lines_are_made(tmp_path: Path, patch: bytes) -> None:
    (tmp_path / "a.py").write_bytes(b"1\n")
    with pytest.raises(UsageError, match="more"):
        apply_patch_to_checkout(tmp_path, patch)
    assert list(snapshot(tmp_path)) == ["a.py"]


def test_P27_a_failure_between_two_files_takes_the_first_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_bytes(b"1\n")
    start = snapshot(tmp_path)
    rename = os.rename

    def failing(source: str, target: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        if target == "b.py" and source.endswith(".new"):
            raise OSError(28, "No space left on device")
        rename(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(os, "rename", failing)
    before, after = {"a.py": b"1\n", "b.py": b"1\n"}, {"a.py": b"2\n", "b.py": b"2\n"}
    with pytest.raises(UsageError, match="No space left"):
        apply_to_checkout(tmp_path, before, after)
    assert snapshot(tmp_path) == start
