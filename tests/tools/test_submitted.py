"""Diffs that somebody else made, applied in memory and to a copy of the tree."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treemend.store.errors import UsageError
from treemend.tools.patches import unified_diff
from treemend.tools.submitted import FileChange, make_patched_tree, read_changes

LINES = [f"line {number}\n" for number in range(1, 31)]
TEXT = "".join(LINES).encode()


def changed(tree: Path, patch: bytes) -> bytes:
    (change,) = read_changes(tree, patch)
    assert change.after is not None
    return change.after


def hunk(start: int, *lines: str, path: str = "a.py") -> bytes:
    """One hunk of one file; `lines` begin with their signs and have no ends."""
    old, new = (sum(line[0] != sign for line in lines) for sign in "+-")
    head = f"--- a/{path}\n+++ b/{path}\n@@ -{start},{old} +{start},{new} @@\n"
    return (head + "".join(f"{line}\n" for line in lines)).encode()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "a.py").write_bytes(TEXT)
    return folder


def test_a_hunk_is_applied_where_it_says(tree: Path) -> None:
    after = changed(tree, hunk(4, " line 4", "-line 5", "+five", " line 6"))
    assert after == TEXT.replace(b"line 5\n", b"five\n")


def test_a_hunk_that_is_off_by_some_lines_is_placed_by_what_it_holds(tree: Path) -> None:
    after = changed(tree, hunk(20, " line 4", "-line 5", "+five", " line 6"))
    assert after == TEXT.replace(b"line 5\n", b"five\n")


def test_P22_a_hunk_that_fits_at_two_places_is_refused_and_both_are_named(tree: Path) -> None:
    (tree / "a.py").write_bytes(b"x\ny\nx\ny\nz\n")
    with pytest.raises(UsageError, match=r"Hunk 1 of a\.py \(line 4\).* fits at lines 1, 3 alike"):
        read_changes(tree, hunk(4, " x", "-y", "+Y"))


def test_P24_a_hunk_that_does_not_apply_is_named_with_what_the_file_says_there(tree: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_changes(tree, hunk(4, " line 4", "-line five", "+five", " line 6"))
    assert caught.value.message == (
        "Hunk 1 of a.py (line 4) does not apply: line 5 is 'line 5', and the patch expects 'line five'."
    )


def test_P21_overlapping_hunks_are_refused(tree: Path) -> None:
    first = hunk(4, " line 4", "-line 5", "+five", " line 6")
    second = b"@@ -5,2 +5,2 @@\n-line 5\n+other\n line 6\n"
    with pytest.raises(UsageError, match=r"Hunk 2 of a\.py .* an earlier hunk has changed these lines"):
        read_changes(tree, first + second)


def test_P16_a_diff_with_other_line_ends_keeps_those_of_the_file(tree: Path) -> None:
    (tree / "a.py").write_bytes(TEXT.replace(b"\n", b"\r\n"))
    after = changed(tree, hunk(4, " line 4", "-line 5", "+five", "+more", " line 6"))
    assert after == TEXT.replace(b"line 5\n", b"five\nmore\n").replace(b"\n", b"\r\n")


def test_P17_a_missing_last_line_end_is_kept_though_the_diff_does_not_say_it(tree: Path) -> None:
    (tree / "a.py").write_bytes(b"one\ntwo\nthree")
    assert changed(tree, hunk(1, " one", "-two", "+2", " three")) == b"one\n2\nthree"


def test_P18_a_byte_order_mark_is_kept_though_the_diff_lacks_it(tree: Path) -> None:
    (tree / "a.py").write_bytes(b"\xef\xbb\xbfone\ntwo\n")
    assert changed(tree, hunk(1, "-one", "+1", " two")) == b"\xef\xbb\xbf1\ntwo\n"


def test_P19_a_diff_in_utf_8_changes_a_file_in_latin_1(tree: Path) -> None:
    (tree / "a.py").write_bytes("# coding: latin-1\nä = 'é'\nb = 1\n".encode("latin-1"))
    after = changed(tree, hunk(1, " # coding: latin-1", "-ä = 'é'", "+ä = 'ü'", " b = 1"))
    assert after == "# coding: latin-1\nä = 'ü'\nb = 1\n".encode("latin-1")


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from([b"a\n", b"b\r\n", b"\n", b"\xff", b"c"]), max_size=12).map(b"".join),
    st.lists(st.sampled_from([b"a\n", b"b\r\n", b"\n", b"\xff", b"d\n"]), max_size=12).map(b"".join),
)
def test_P16_P17_P18_P19_exact_diffs_give_the_exact_bytes(
    tmp_path_factory: pytest.TempPathFactory, before: bytes, after: bytes
) -> None:
    if before == after:
        return
    folder = tmp_path_factory.mktemp("tree")
    (folder / "a.py").write_bytes(before)
    assert changed(folder, unified_diff("a.py", before, after)) == after


@pytest.mark.parametrize(
    "path",
    [
        *("../a.py", "/a.py", "x/../../a.py", ".git/hooks/x", ".GIT/config", ".git./config", "a\\..\\b"),
        *("new\\nline", "C:/a.py"),
    ],
    ids=["P01", "P02", "P01-inside", "P06", "P07", "P08", "P01-backslash", "P14", "P02-drive"],
)
def test_paths_that_leave_the_tree_are_refused(tree: Path, path: str) -> None:
    patch = hunk(1, "+x", path=path).replace(f"a/{path}".encode(), b"/dev/null", 1).replace(b"-1,0", b"-0,0")
    if "\\n" in path:
        patch = patch.replace(f"b/{path}".encode(), f'"b/{path}"'.encode())
    with pytest.raises(UsageError):
        read_changes(tree, patch)
    assert sorted(os.listdir(tree)) == ["a.py"]


@pytest.mark.parametrize(
    ("patch", "said"),
    [
        (b"diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/etc\n", "link"),
        (
            b"diff --git a/s b/s\nnew file mode 160000\n--- /dev/null\n+++ b/s\n@@ -0,0 +1 @@\n+x\n",
            "submodule",
        ),
        (b"diff --git a/a.py b/a.py\nindex 1..2 100644\nGIT binary patch\nliteral 1\nIc$@\n", "binary"),
        (b"no diff at all\n", "no unified diff"),
        (hunk(1, " line 1") + hunk(1, " line 1"), "twice"),
        (hunk(1, " line 1"), "changes nothing"),
        (hunk(1, "-x", path="missing.py"), "no file missing.py"),
    ],
    ids=["P05", "P11", "P25", "no-diff", "twice", "nothing", "missing"],
)
def test_what_is_no_change_of_plain_files_is_refused(tree: Path, patch: bytes, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_changes(tree, patch)


def test_P03_P04_P20_P29_nothing_goes_through_links_or_folders(tree: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "b.py").write_bytes(b"1\n")
    (tree / "linked").symlink_to(outside)
    (tree / "b.py").symlink_to(outside / "b.py")
    (tree / "c.py").mkdir()
    for path in ("linked/b.py", "b.py", "c.py"):
        with pytest.raises(UsageError):
            read_changes(tree, hunk(1, "-1", "+2", path=path))
    with pytest.raises(UsageError):
        make_patched_tree(tree, tmp_path / "into", [FileChange("linked/new.py", None, b"x")])
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == {"b.py": b"1\n"}


def test_P12_P13_P15_P28_everything_that_git_writes_can_be_applied(tree: Path, tmp_path: Path) -> None:
    """Creation, deletion, renaming, modes and odd names, compared with what git makes of the same patch."""
    (tree / "gone.py").write_bytes(b"1\n")
    (tree / "run.sh").write_bytes(b"#!/bin/sh\n")
    (tree / "old.py").write_bytes(TEXT)
    (tree / "read only.py").write_bytes(b"1\n")
    os.chmod(tree / "read only.py", 0o444)
    repo = tmp_path / "repo"
    make_patched_tree(tree, repo, [])
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@y", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *arguments], cwd=repo, check=True)
    (repo / "gone.py").unlink()
    os.chmod(repo / "run.sh", 0o755)
    (repo / "old.py").rename(repo / "new.py")
    (repo / "new.py").write_bytes(TEXT.replace(b"line 7\n", b"seven\n"))
    (repo / "-dash ä.py").write_bytes(b"2\n")
    os.chmod(repo / "read only.py", 0o644)
    (repo / "read only.py").write_bytes(b"2\n")
    subprocess.run([*git, "add", "-A"], cwd=repo, check=True)
    diff = subprocess.run([*git, "diff", "--cached", "-M"], cwd=repo, check=True, capture_output=True).stdout
    into = tmp_path / "into"
    make_patched_tree(tree, into, read_changes(tree, diff))

    def files(folder: Path) -> dict[str, tuple[bytes, int]]:
        paths = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)
        return {path.name: (path.read_bytes(), path.stat().st_mode & 0o100) for path in paths}

    assert files(into) == files(repo)
    assert (tree / "gone.py").exists()


def test_P26_ten_thousand_hunks_take_little_time(tree: Path) -> None:
    before = b"".join(b"%d\n\n\n\n\n\n\n\n" % number for number in range(10_000))
    after = before.replace(b"7\n", b"seven\n")
    (tree / "a.py").write_bytes(before)
    assert changed(tree, unified_diff("a.py", before, after)) == after
