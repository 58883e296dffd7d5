"""The private copy of the user's tree."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from treemend.store.errors import UsageError
from treemend.tools.worktree import NOTES_MAX, TREE_BYTES_MAX, PrivateTree, make_private_tree

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nowhere",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{role}_{what}": "x@y" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}
HOSTILE_SETTINGS = """
[core]
    fsmonitor = {canary}
    hooksPath = {hooks}
    sshCommand = {canary}
    editor = {canary}
    pager = {canary}
    untrackedCache = true
    alternateRefsCommand = {canary}
[diff]
    external = {canary}
[diff "evil"]
    textconv = {canary}
[filter "evil"]
    clean = {canary}
    smudge = {canary}
    process = {canary}
    required = true
[gpg]
    program = {canary}
[alias]
    ls-files = !{canary}
"""


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every path with its mode, modification time and content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
        if stat.S_ISLNK(status.st_mode):
            content = os.fsencode(os.readlink(path))
        found[str(path)] = (status.st_mode, status.st_mtime_ns, content)
    return found


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    root = tmp_path / "re po"
    write(root, {"a.py": "1\n", "pkg/b.py": "1\n", "gone.py": "1\n", ".gitignore": "*.log\nout/\n"})
    git(tmp_path, "init", "-q", "-b", "main", str(root))
    git(root, "add", ".")
    git(root, "commit", "-qm", "first")
    return root


@pytest.fixture
def copy(tmp_path: Path) -> Callable[..., PrivateTree]:
    def made(repo: Path, commit: str = "") -> PrivateTree:
        before = snapshot(repo)
        try:
            return make_private_tree(repo, tmp_path / "copy", commit=commit)
        finally:
            assert snapshot(repo) == before

    return made


Make = Callable[..., PrivateTree]


@pytest.fixture
def hostile(repo: Path, tmp_path: Path) -> Path:
    """A repository all of whose settings, hooks and filters run a canary; it returns its trace."""
    trace = tmp_path / "canary-ran"
    canary = tmp_path / "canary"
    canary.write_text(f"#!/bin/sh\necho x >> '{trace}'\nexit 0\n")
    canary.chmod(0o755)
    write(repo, {".gitattributes": "* filter=evil diff=evil\n"})
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "attributes")
    hooks = repo / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-index-change", "fsmonitor-watchman", "post-checkout", "pre-auto-gc"):
        shutil.copy(canary, hooks / name)
    settings = HOSTILE_SETTINGS.format(canary=canary, hooks=hooks)
    with (repo / ".git/config").open("a") as config:
        config.write(settings)
    # The stat data of the index is stale, so that git would have to ask the filters.
    os.utime(repo / "a.py", ns=(1, 1))
    return trace


def test_the_tree_as_it_lies(repo: Path, copy: Make) -> None:
    write(repo, {"a.py": "changed\n", "tests/test_new.py": "new\n", "x.log": "", "out/o.py": ""})
    (repo / "gone.py").unlink()
    (repo / "pkg/b.py").chmod(0o755)
    tree = copy(repo)
    assert tree.files == (".gitignore", "a.py", "pkg/b.py", "tests/test_new.py")
    assert (tree.root / "a.py").read_text() == "changed\n"
    assert os.access(tree.root / "pkg/b.py", os.X_OK)
    assert not (tree.root / ".git").exists()
    assert tree.notes == ()


def test_caches_and_environments_are_left_out_though_nothing_ignores_them(repo: Path, copy: Make) -> None:
    write(repo, {"pkg/__pycache__/b.pyc": "", "env/pyvenv.cfg": "", "env/bin/x.py": "", "new.py": ""})
    assert copy(repo).files == (".gitignore", "a.py", "gone.py", "new.py", "pkg/b.py")


def test_a_tracked_file_is_copied_though_ignored(repo: Path, copy: Make) -> None:
    write(repo, {"kept.log": "1"})
    git(repo, "add", "-f", "kept.log")
    assert "kept.log" in copy(repo).files


def test_the_repositorys_own_exclude_file_counts(repo: Path, copy: Make) -> None:
    write(repo, {".git/info/exclude": "secret.py\n", "secret.py": "1"})
    assert "secret.py" not in copy(repo).files


def test_the_digest_tells_trees_apart_and_nothing_else(repo: Path, copy: Make) -> None:
    first = copy(repo)
    os.utime(repo / "a.py", ns=(5, 5))
    assert copy(repo).digest == first.digest
    (repo / "a.py").chmod(0o755)
    second = copy(repo)
    write(repo, {"a.py": "2\n"})
    third = copy(repo)
    assert len({first.digest, second.digest, third.digest}) == 3


def test_a_subfolder_obeys_the_ignore_rules_above_it(repo: Path, copy: Make) -> None:
    write(repo, {"pkg/x.log": "", "pkg/c.py": ""})
    assert copy(repo / "pkg").files == ("b.py", "c.py")


def test_a_subfolder_that_is_ignored_is_walked(repo: Path, copy: Make) -> None:
    write(repo, {"out/proj/a.py": "", "out/proj/.venv/pyvenv.cfg": "", "out/proj/.venv/bin/b.py": ""})
    assert copy(repo / "out/proj").files == ("a.py",)


def test_a_linked_work_tree(repo: Path, tmp_path: Path, copy: Make) -> None:
    git(repo, "worktree", "add", "-q", "--detach", str(tmp_path / "other"))
    write(tmp_path / "other", {"new.py": "", "x.log": ""})
    assert copy(tmp_path / "other").files == (".gitignore", "a.py", "gone.py", "new.py", "pkg/b.py")
    assert copy(tmp_path / "other", "HEAD").files == (".gitignore", "a.py", "gone.py", "pkg/b.py")


def test_a_folder_under_no_version_control(tmp_path: Path, copy: Make) -> None:
    root = tmp_path / "plain"
    skipped = {
        f"{name}/x.py": ""
        for name in (".hg", ".svn", "node_modules", ".tox", ".nox", ".mypy_cache", "pkg/__pycache__")
    }
    write(root, {"a.py": "", "pkg/b.py": "", "p.egg-info/PKG-INFO": "", "env/pyvenv.cfg": "", **skipped})
    write(root, {"env/bin/c.py": "", "fixture/pyvenv.cfg": ""})
    assert copy(root).files == ("a.py", "fixture/pyvenv.cfg", "p.egg-info/PKG-INFO", "pkg/b.py")


def test_a_commit(repo: Path, copy: Make) -> None:
    (repo / "link.py").symlink_to("a.py")
    (repo / "pkg/b.py").chmod(0o755)
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "second")
    git(repo, "tag", "v1")
    git(repo, "rm", "-q", "gone.py")
    git(repo, "commit", "-qm", "third")
    write(repo, {"a.py": "not committed\n"})
    for name in ("v1", "HEAD~1", "main~1", git(repo, "rev-parse", "HEAD~1")[:10]):
        tree = copy(repo, name)
        assert tree.files == (".gitignore", "a.py", "gone.py", "link.py", "pkg/b.py")
        assert (tree.root / "a.py").read_text() == "1\n"
        assert os.readlink(tree.root / "link.py") == "a.py"
        assert os.access(tree.root / "pkg/b.py", os.X_OK)
    git(repo, "gc", "-q")
    assert copy(repo, "v1").digest == tree.digest
    assert copy(repo / "pkg", "v1").files == ("b.py",)


@pytest.mark.parametrize("commit", ["nonsense", "HEAD:a.py", "--all", "", "HEAD\n", "v9^{tree}"])
def test_H31_an_unknown_commit_is_refused(repo: Path, copy: Make, commit: str) -> None:
    with pytest.raises(UsageError, match="no commit"):
        copy(repo, commit or "0" * 40)


def test_H31_a_folder_the_commit_lacks(repo: Path, copy: Make) -> None:
    write(repo, {"later/a.py": ""})
    with pytest.raises(UsageError, match="no folder later"):
        copy(repo / "later", "HEAD")


def test_H31_missing_objects_are_said(repo: Path, copy: Make) -> None:
    name = git(repo, "rev-parse", "HEAD:a.py")
    (repo / ".git/objects" / name[:2] / name[2:]).unlink()
    with pytest.raises(UsageError, match="not complete"):
        copy(repo, "HEAD")
    assert "a.py" in copy(repo).files


def test_H31_an_unborn_branch_and_a_detached_head(repo: Path, tmp_path: Path, copy: Make) -> None:
    git(repo, "checkout", "-q", "--detach")
    assert "a.py" in copy(repo, "HEAD").files
    write(tmp_path / "new", {"a.py": ""})
    git(tmp_path / "new", "init", "-q")
    assert copy(tmp_path / "new").files == ("a.py",)


def test_H31_a_sha256_repository(tmp_path: Path, copy: Make) -> None:
    write(tmp_path / "r", {"a.py": "", "b.log": "", ".gitignore": "*.log"})
    git(tmp_path / "r", "init", "-q", "--object-format=sha256")
    git(tmp_path / "r", "add", ".")
    git(tmp_path / "r", "commit", "-qm", "x")
    assert copy(tmp_path / "r").files == copy(tmp_path / "r", "HEAD").files == (".gitignore", "a.py")


def test_H31_a_shallow_clone_and_split_and_sparse_indexes(repo: Path, tmp_path: Path, copy: Make) -> None:
    expected = (".gitignore", "a.py", "gone.py", "pkg/b.py")
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repo}", "shallow")
    assert copy(tmp_path / "shallow", "HEAD").files == expected
    git(repo, "update-index", "--split-index")
    assert copy(repo).files == expected
    git(repo, "update-index", "--no-split-index")
    git(repo, "sparse-checkout", "set", "--cone", "--sparse-index", "other")
    write(repo, {"pkg/new.py": ""})
    assert copy(repo).files == (".gitignore", "a.py", "gone.py", "pkg/new.py")


def test_H31_a_broken_index_is_done_without(repo: Path, copy: Make) -> None:
    write(repo, {"x.log": ""})
    (repo / ".git/index").write_bytes(b"broken")
    tree = copy(repo)
    assert tree.files == (".gitignore", "a.py", "gone.py", "pkg/b.py")
    assert "index" in tree.notes[0]


def test_H16_H17_H18_H19_H20_no_code_of_the_repository_runs(repo: Path, hostile: Path, copy: Make) -> None:
    write(repo, {"new.py": ""})
    assert "new.py" in copy(repo).files
    assert "a.py" in copy(repo, "HEAD").files
    assert not hostile.exists()
    # The canary is alive: git itself would have run it.
    subprocess.run(["git", "status"], cwd=repo, env=ENVIRONMENT, capture_output=True, check=False)
    assert hostile.exists()


def test_H21_a_nested_repository_is_copied_without_its_git(
    repo: Path, tmp_path: Path, hostile: Path, copy: Make
) -> None:
    outer = tmp_path / "outer"
    write(outer, {"top.py": ""})
    git(outer, "init", "-q")
    repo.rename(outer / "nested")
    tree = copy(outer)
    assert set(tree.files) >= {"nested/a.py", "nested/pkg/b.py", "top.py"}
    assert not list(tree.root.rglob(".git"))
    assert not hostile.exists()


def test_H22_an_embedded_bare_repository_is_data(repo: Path, hostile: Path, copy: Make) -> None:
    shutil.copytree(repo / ".git", repo / "bare.git")
    tree = copy(repo)
    assert "bare.git/config" in tree.files
    copy(repo / "bare.git")
    assert not hostile.exists()


def test_H12_H13_submodules_are_never_initialised(repo: Path, copy: Make) -> None:
    write(
        repo,
        {".gitmodules": '[submodule "x"]\n\tpath = ../x\n\turl = ext::sh -c touch% ran\n'},
    )
    git(repo, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},sub")
    git(repo, "add", ".gitmodules")
    git(repo, "commit", "-qm", "sub")
    (repo / "sub").mkdir()
    expected = (".gitignore", ".gitmodules", "a.py", "gone.py", "pkg/b.py")
    assert copy(repo).files == copy(repo, "HEAD").files == expected


def test_H14_large_file_pointers_stay_pointers(repo: Path, copy: Make) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    write(repo, {"big.bin": pointer, ".gitattributes": "*.bin filter=lfs\n"})
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "lfs")
    assert (copy(repo, "HEAD").root / "big.bin").read_text() == pointer


@pytest.mark.parametrize("versioned", [True, False])
def test_H08_H09_H10_links_are_copied_and_never_followed(repo: Path, copy: Make, versioned: bool) -> None:
    links = {"loop": "loop", "up": "..", "root": "/", "zero": "/dev/zero", "dangling": "no"}
    for name, leads_to in links.items():
        (repo / name).symlink_to(leads_to)
    if not versioned:
        shutil.rmtree(repo / ".git")
    tree = copy(repo)
    assert set(links) <= set(tree.files)
    assert all(os.readlink(tree.root / name) == to for name, to in links.items())
    assert len(tree.files) == 4 + len(links)


def test_H09_a_tracked_folder_that_became_a_link_is_not_followed(
    repo: Path, tmp_path: Path, copy: Make
) -> None:
    write(tmp_path / "outside", {"b.py": "secret"})
    shutil.rmtree(repo / "pkg")
    (repo / "pkg").symlink_to(tmp_path / "outside")
    tree = copy(repo)
    assert "pkg" in tree.files
    assert "pkg/b.py" not in tree.files


SWAPPER = """
import ctypes, os, sys
libc = ctypes.CDLL(None)
os.chdir(sys.argv[1])
os.symlink(sys.argv[2], "link")
print("ran", flush=True)
while True:
    libc.renameat2(-100, b"folder", -100, b"link", 2)  # RENAME_EXCHANGE
"""


def test_E26_a_folder_that_is_swapped_for_a_link_meanwhile(tmp_path: Path) -> None:
    """Whoever looks at a path first and opens it afterwards reads a secret within a moment."""
    tree, outside = tmp_path / "tree", tmp_path / "outside"
    for folder, text in ((tree / "folder", "harmless"), (outside, "secret")):
        folder.mkdir(parents=True)
        for number in range(400):
            (folder / f"{number}.py").write_text(text)
    place = tree / "folder" / "0.py"
    naive = 0
    with subprocess.Popen([sys.executable, "-c", SWAPPER, tree, outside], stdout=subprocess.PIPE) as swapper:
        assert swapper.stdout is not None and swapper.stdout.readline() == b"ran\n"
        try:
            for _ in range(1_000_000):
                if not place.parent.is_symlink() and place.read_text() == "secret":
                    naive += 1
                    break
            copies = [make_private_tree(tree, tmp_path / f"copy{number}").root for number in range(4)]
        finally:
            swapper.kill()
    assert naive > 0, "the attack did not work at all"
    read = [path.read_text() for copy in copies for path in copy.rglob("*.py") if not path.is_symlink()]
    assert "harmless" in read and "secret" not in read


@pytest.mark.parametrize("versioned", [True, False])
def test_H11_pipes_and_sockets_are_not_opened(
    repo: Path, copy: Make, versioned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repo)
    (repo / "a.py").unlink()
    os.mkfifo(repo / "a.py")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        if not versioned:
            shutil.rmtree(repo / ".git")
        tree = copy(repo)
    assert "a.py" not in tree.files
    assert any(note.startswith("a.py was left out") for note in tree.notes)


def test_H15_H32_odd_names(repo: Path, copy: Make) -> None:
    names = ["new\nline.py", "q\"uo'te.py", "$(x).py", "-rf", "\x1b[31m.py", "\u202egnp.py", " "]
    names += ["\udcff.py", "tab\t.py", "n" * 250 + ".py"]
    write(repo, dict.fromkeys(names, "1"))
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "odd")
    assert set(copy(repo).files) > set(names)
    assert set(copy(repo, "HEAD").files) > set(names)
    os.mkfifo(repo / "\x1b]0;pipe\n")
    shutil.rmtree(repo / ".git")
    tree = copy(repo)
    assert set(tree.files) > set(names)
    assert all(note.isprintable() for note in tree.notes) and tree.notes


def test_H05_very_deep_folders_are_bounded(tmp_path: Path) -> None:
    root = tmp_path / "r"
    write(root, {"a.py": ""})
    folder = os.open(root, os.O_RDONLY)
    for _ in range(400):
        os.mkdir("d", dir_fd=folder)
        below = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(folder)
    tree = make_private_tree(root, tmp_path / "copy")
    assert tree.files == ("a.py",)
    assert "folders deep" in tree.notes[0]


@pytest.mark.parametrize("commit", ["", "HEAD"])
def test_H05_very_deep_folders_that_git_tracks_are_bounded(repo: Path, tmp_path: Path, commit: str) -> None:
    deep = "d/" * 1500
    folder = os.open(repo, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=folder)
        below = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(os.open("x.py", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
    os.close(folder)
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "deep")
    tree = make_private_tree(repo, tmp_path / "copy", commit=commit)
    assert tree.files == (".gitignore", "a.py", "gone.py", "pkg/b.py")
    assert tree.notes == (f"{deep}x.py was left out: more than 256 folders deep.",)
    # pytest can't remove what is that deep.
    subprocess.run(["rm", "-rf", str(repo)], check=True)


def test_notes_are_bounded(repo: Path, copy: Make) -> None:
    for number in range(NOTES_MAX + 7):
        os.mkfifo(repo / f"{number}.py")
    shutil.rmtree(repo / ".git")
    notes = copy(repo).notes
    assert len(notes) == NOTES_MAX + 1
    assert notes[-1] == "7 more were left out."


def test_H31_a_git_file_that_leads_astray(tmp_path: Path, copy: Make) -> None:
    write(tmp_path / "r", {"a.py": "", ".git": "gitdir: /etc\n"})
    assert copy(tmp_path / "r").files == ("a.py",)


def test_P06_H25_a_forged_commit_writes_nothing_outside(repo: Path, tmp_path: Path, copy: Make) -> None:
    blob = git(repo, "rev-parse", "HEAD:a.py")
    link = subprocess.run(
        ["git", "hash-object", "-w", "--stdin"],
        cwd=repo, env=ENVIRONMENT, input=str(tmp_path).encode(), capture_output=True, check=True,
    ).stdout.decode().strip()  # fmt: skip

    def tree(*rows: tuple[str, str, str]) -> str:
        data = b"".join(f"{mode} {name}".encode() + b"\0" + bytes.fromhex(oid) for mode, name, oid in rows)
        command = ["git", "hash-object", "-t", "tree", "-w", "--literally", "--stdin"]
        done = subprocess.run(command, cwd=repo, env=ENVIRONMENT, input=data, capture_output=True, check=True)
        return done.stdout.decode().strip()

    inner = tree(("100644", "escaped.py", blob))
    top = tree(
        ("40000", "..", inner),
        ("40000", ".GIT", inner),
        ("100644", "a.py", blob),
        ("120000", "way", link),
        ("40000", "way", inner),
    )
    made = copy(repo, git(repo, "commit-tree", top, "-m", "forged"))
    assert not (tmp_path / "escaped.py").exists()
    assert made.files == ("a.py", "way/escaped.py")
    assert made.notes


def test_what_an_interrupted_copy_left_is_removed(repo: Path, tmp_path: Path, copy: Make) -> None:
    write(tmp_path / "copy", {"left.py": "", "a.py": "half"})
    tree = copy(repo)
    assert not (tree.root / "left.py").exists()
    assert (tree.root / "a.py").read_text() == "1\n"


def test_a_copy_over_the_repository_is_refused(repo: Path) -> None:
    with pytest.raises(ValueError, match="replace"):
        make_private_tree(repo, repo.parent)
    assert (repo / "a.py").exists()


def test_a_copy_inside_a_plain_folder_does_not_hold_itself(tmp_path: Path) -> None:
    write(tmp_path / "r", {"a.py": ""})
    assert make_private_tree(tmp_path / "r", tmp_path / "r/state/tree").files == ("a.py",)


def test_a_missing_folder_is_refused(tmp_path: Path, copy: Make) -> None:
    with pytest.raises(UsageError, match="no folder"):
        copy(tmp_path / "missing")


def test_without_git_only_a_git_repository_is_refused(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "plain", {"a.py": ""})
    monkeypatch.setenv("PATH", str(tmp_path))
    assert make_private_tree(tmp_path / "plain", tmp_path / "copy").files == ("a.py",)
    with pytest.raises(UsageError, match="not installed"):
        make_private_tree(repo, tmp_path / "copy")


def test_the_environments_git_settings_are_not_heard(
    repo: Path, tmp_path: Path, copy: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    assert "a.py" in copy(repo).files
    assert "a.py" in copy(repo, "HEAD").files


def test_H03_more_than_a_sandbox_takes_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "r", {"a.py": ""})
    with (tmp_path / "r/sparse").open("wb") as file:
        file.truncate(TREE_BYTES_MAX + 1)
    with pytest.raises(UsageError, match="MiB"):
        make_private_tree(tmp_path / "r", tmp_path / "copy")


def test_H32_a_path_too_long_for_any_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be read"):
        make_private_tree(tmp_path / ("a" * 5000), tmp_path / "copy")


# A limit that anybody can set, in place of a full disk.
FULL = """
import resource, sys
from pathlib import Path
from treemend.store.errors import StoreError
from treemend.tools.worktree import make_private_tree
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    make_private_tree(Path(sys.argv[1]), Path(sys.argv[2]))
except StoreError as error:
    print(error.mend)
"""


def test_S04_a_full_disk_makes_no_tree_that_lacks_files(tmp_path: Path) -> None:
    write(tmp_path / "r", {"a.py": "", "b.py": "x" * 9000})
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "r"), str(tmp_path / "copy")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Free some space" in done.stdout
