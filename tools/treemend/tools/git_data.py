"""A git repository read as data: its index, refs and objects, never its configuration.

Git runs with a GIT_DIR of our own, into which the index, the refs and info/exclude are copied, so
that nothing the repository says about hooks, filters, monitors or programs is ever heard.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from treemend.store.errors import UsageError

_TIMEOUT_S = 120.0
_CONTENT_BYTES_MAX = 1 << 30
_ANSWER_BYTES_MAX = 64 << 20
_SETTINGS = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.untrackedCache=false",
    "safe.directory=*",
)
_SHA256 = re.compile(rb"^\s*objectformat\s*=\s*\"?sha256", re.IGNORECASE | re.MULTILINE)
_LINK, _SUBMODULE = b"120000", b"160000"


class UnreadableIndex(Exception):
    """Git can't list the files with this index."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a commit. Of a link, `content` is where it leads to."""

    path: str
    content: bytes
    executable: bool
    is_link: bool


def find_git() -> str | None:
    """The path of the git that is used, None where it isn't installed."""
    return shutil.which("git", path=_search_path())


def find_repository(folder: Path) -> GitRepository | None:
    """The repository whose work tree `folder` (resolved) lies in, found without running git."""
    for top in (folder, *folder.parents):
        own = _git_folder(top / ".git")
        if own is None:
            continue
        common = _common_folder(own)
        if (own / "HEAD").is_file() and (common / "objects").is_dir():
            return GitRepository(folder, top, own, common)
    return None


@dataclass(frozen=True, slots=True)
class GitRepository:
    """`folder` in the work tree `top`; `own` is its git folder, `common` that of all work trees."""

    folder: Path
    top: Path
    own: Path
    common: Path

    def listed(self, ignored_folders: Iterable[str]) -> list[str]:
        """Tracked and untracked but not ignored files below `folder`, relative to it, sorted.

        Folders with the names `ignored_folders` are ignored like those that .gitignore names. A
        submodule is listed as its folder, a nested repository as its folder and a "/".

        Raises:
            UnreadableIndex: git can't read the index.
            UsageError: git isn't installed.
        """
        return self._list(ignored_folders, with_index=True)

    def listed_without_index(self, ignored_folders: Iterable[str]) -> list[str]:
        """The files that aren't ignored, as if none were tracked.

        Raises:
            UnreadableIndex: git can't list the files at all.
        """
        return self._list(ignored_folders, with_index=False)

    def files_at(self, commit: str) -> Iterator[Entry]:
        """The files of `commit` below `folder`, as they are stored: no filter runs.

        Raises:
            UsageError: there is no such commit, or it lacks the folder, or objects are missing.
        """
        with self._git_folder_with_objects() as git_dir:
            tree = self._tree_of(git_dir, commit)
            listed = self._run(git_dir, "ls-tree", "-r", "-z", "--full-tree", tree)
            if listed.returncode:
                raise _incomplete(commit, listed.stderr)
            rows = [_row(line) for line in listed.stdout.split(b"\0") if line]
            # Links last: no file can then be written through one that a forged tree put in its way.
            rows = [row for row in rows if row.mode != _SUBMODULE and _is_plain(row.path)]
            yield from self._contents(git_dir, commit, sorted(rows, key=lambda row: row.order))

    def answer(self, *arguments: str, attributes: str = "") -> bytes | None:
        """What git prints for a command that only reads commits, None where it fails or takes too long.

        Of more than 64 MiB the rest is left out. `attributes` are lines of a gitattributes file, which count
        before those of the repository.

        Raises:
            UsageError: git isn't installed.
        """
        with self._git_folder_with_objects() as git_dir:
            _copy_file(self.common / "shallow", git_dir / "shallow")
            (git_dir / "info" / "attributes").write_text(attributes)
            with self._started(git_dir, *arguments) as process:
                assert process.stdout is not None
                timer = threading.Timer(_TIMEOUT_S, process.kill)
                timer.start()
                try:
                    printed = process.stdout.read(_ANSWER_BYTES_MAX)
                    is_cut = bool(process.stdout.read(1))
                    if is_cut:
                        process.kill()
                    process.wait()
                finally:
                    timer.cancel()
            return printed if is_cut or process.returncode == 0 else None

    def _list(self, ignored_folders: Iterable[str], *, with_index: bool) -> list[str]:
        with self._git_folder_of_our_own() as git_dir:
            if with_index:
                for index in (self.own / "index", *sorted(self.own.glob("sharedindex.*"))):
                    _copy_file(index, git_dir / index.name)
            _copy_file(self.common / "info" / "exclude", git_dir / "info" / "exclude")
            options = ["--cached", "--others", "--exclude-standard"]
            options += (f"--exclude={folder}/" for folder in sorted(ignored_folders))
            try:
                listed = self._run(git_dir, "ls-files", "-z", *options)
            except subprocess.TimeoutExpired as error:
                raise UnreadableIndex(f"no answer in {_TIMEOUT_S:.0f} s") from error
        if listed.returncode:
            raise UnreadableIndex(_first_line(listed.stderr))
        return sorted({os.fsdecode(path) for path in listed.stdout.split(b"\0") if path})

    def _tree_of(self, git_dir: Path, commit: str) -> str:
        arguments = ("rev-parse", "--verify", "--quiet", "--end-of-options")
        # `<commit>:<path>` would be read as a path of the commit: only names of commits are asked.
        name = self._run(git_dir, *arguments, f"{commit}^{{commit}}")
        if name.returncode:
            raise UsageError(
                f"There is no commit {commit!r} in {self.top}.",
                mend="Give a branch, a tag or a hash that `git rev-parse` knows there.",
            )
        folder = self.folder.relative_to(self.top).as_posix()
        inside = "" if folder == "." else folder
        tree = self._run(git_dir, *arguments, f"{name.stdout.decode().strip()}:{inside}")
        if tree.returncode:
            raise UsageError(
                f"There is no folder {inside or self.top} in commit {commit!r}.",
                mend="Give a commit that has the folder, or the repository's top folder.",
            )
        return tree.stdout.decode().strip()

    def _contents(self, git_dir: Path, commit: str, rows: Iterable[_Row]) -> Iterator[Entry]:
        wanted = list(rows)
        with tempfile.TemporaryFile() as names:
            names.write(b"".join(row.name + b"\n" for row in wanted))
            names.seek(0)
            with self._started(git_dir, "cat-file", "--batch", stdin=names) as process:
                assert process.stdout is not None
                try:
                    for row in wanted:
                        content = _read_object(process.stdout, row, commit)
                        yield Entry(row.path, content, row.mode == b"100755", row.mode == _LINK)
                finally:
                    process.kill()

    @contextmanager
    def _git_folder_of_our_own(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="treemend-git-") as name:
            git_dir = Path(name).resolve()
            for folder in ("objects/info", "refs", "info"):
                (git_dir / folder).mkdir(parents=True)
            (git_dir / "HEAD").write_text("ref: refs/heads/none\n")
            (git_dir / "config").write_text(self._config())
            yield git_dir

    @contextmanager
    def _git_folder_with_objects(self) -> Iterator[Path]:
        with self._git_folder_of_our_own() as git_dir:
            self._copy_refs(git_dir)
            self._show_objects(git_dir)
            yield git_dir

    def _config(self) -> str:
        theirs = _read_bounded(self.common / "config")
        if _SHA256.search(theirs):
            return "[core]\n\trepositoryformatversion = 1\n[extensions]\n\tobjectformat = sha256\n"
        return "[core]\n\trepositoryformatversion = 0\n"

    def _show_objects(self, git_dir: Path) -> None:
        """Only for commands that never write: one that would write an object which is there
        already sets the time of that object's file anew."""
        # Alternates have a quoting of their own; a link of ours needs none of it.
        (git_dir / "theirs").symlink_to((self.common / "objects").resolve())
        (git_dir / "objects/info/alternates").write_text(f"{git_dir}/theirs\n")

    def _copy_refs(self, git_dir: Path) -> None:
        _copy_file(self.common / "packed-refs", git_dir / "packed-refs")
        for source in (self.common, self.own):
            for name in ("HEAD", "ORIG_HEAD", "FETCH_HEAD", "MERGE_HEAD"):
                _copy_file(source / name, git_dir / name)
            for folder, _, files in os.walk(source / "refs"):
                below = git_dir / Path(folder).relative_to(source)
                below.mkdir(parents=True, exist_ok=True)
                for name in files:
                    _copy_file(Path(folder) / name, below / name)

    def _run(self, git_dir: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            self._command(*arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
            cwd=self.folder,
            env=self._environment(git_dir),
        )

    def _started(
        self, git_dir: Path, *arguments: str, stdin: IO[bytes] | int = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._command(*arguments),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            env=self._environment(git_dir),
        )

    def _command(self, *arguments: str) -> list[str]:
        git = find_git()
        if git is None:
            raise UsageError(
                f"{self.top} is a git repository, and git is not installed.",
                mend="Install git.",
            )
        settings = (part for setting in _SETTINGS for part in ("-c", setting))
        return [git, "--no-pager", *settings, *arguments]

    def _environment(self, git_dir: Path) -> dict[str, str]:
        return {
            "PATH": _search_path(),
            "HOME": str(git_dir),
            "LC_ALL": "C",
            "GIT_DIR": str(git_dir),
            "GIT_WORK_TREE": str(self.top),
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TERMINAL_PROMPT": "0",
        }


@dataclass(frozen=True, slots=True)
class _Row:
    mode: bytes
    name: bytes
    path: str

    @property
    def order(self) -> tuple[bool, str]:
        return self.mode == _LINK, self.path


def _row(line: bytes) -> _Row:
    facts, path = line.split(b"\t", 1)
    mode, _, name = facts.split(b" ")
    return _Row(mode, name, os.fsdecode(path))


def _is_plain(path: str) -> bool:
    return not any(part.casefold() in ("", ".", "..", ".git") for part in path.split("/"))


def _read_object(stream: IO[bytes], row: _Row, commit: str) -> bytes:
    header = stream.readline().split()
    if len(header) != 3 or header[1] != b"blob":
        raise _incomplete(commit, b"no content of " + os.fsencode(row.path))
    if int(header[2]) > _CONTENT_BYTES_MAX:
        raise UsageError(
            f"{row.path!a} in commit {commit!r} has {int(header[2]) >> 20} MiB.",
            mend="Leave --commit out, and let .gitignore name what isn't source.",
        )
    content = stream.read(int(header[2]))
    if len(content) != int(header[2]) or stream.read(1) != b"\n":
        raise _incomplete(commit, b"cut short: " + os.fsencode(row.path))
    return content


def _incomplete(commit: str, reason: bytes) -> UsageError:
    return UsageError(
        f"Commit {commit!r} is not complete in this repository: {_first_line(reason)}.",
        mend="Fetch what is missing (a partial clone: git fetch --refetch), or leave --commit out.",
    )


def _first_line(message: bytes) -> str:
    line = message.strip().split(b"\n", 1)[0].decode("utf-8", "replace")
    return ascii(line)[1:-1] or "no reason given"


def _git_folder(place: Path) -> Path | None:
    """The folder that `.git` is or names; None if it does neither."""
    if place.is_dir():
        return place
    if not place.is_file():
        return None
    text = _read_bounded(place)
    if not text.startswith(b"gitdir: "):
        return None
    folder = place.parent / os.fsdecode(text[8:].rstrip(b"\r\n"))
    return folder if folder.is_dir() else None


def _common_folder(own: Path) -> Path:
    place = own / "commondir"
    if not place.is_file():
        return own
    return own / os.fsdecode(_read_bounded(place).rstrip(b"\r\n"))


def _search_path() -> str:
    """PATH without relative folders: a repository can't bring a git of its own."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if os.path.isabs(folder))


def _copy_file(source: Path, target: Path) -> None:
    """Copy a regular file, if there is one."""
    try:
        if stat.S_ISREG(source.lstat().st_mode):
            shutil.copyfile(source, target, follow_symlinks=False)
    except FileNotFoundError:
        return


def _read_bounded(path: Path) -> bytes:
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        return file.read(1 << 20)
