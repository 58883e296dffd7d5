"""A diff that somebody else made, applied to a tree in memory: what each file held, and what it holds then.

Diffs that people and models write are off in their line numbers, have the other line ends, or are in UTF-8
where the file isn't. A hunk is placed by its lines, where that is unambiguous; every byte that it doesn't
change is kept.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from treemend.store.errors import UsageError
from treemend.tools.checkout import read_in_checkout
from treemend.tools.patches import FilePatch, Hunk, parse_patch
from treemend.tools.paths import check_relative
from treemend.tools.source import NotEditable, SourceFile

_BOM = b"\xef\xbb\xbf"
_MODES = {"100644": False, "100755": True}
_SHOWN_CHARS = 60
_MEND = "Make the diff against the tree as it lies (git diff), or give --commit the one that it was made for."

Respell = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file before and after a patch, None where it isn't there; `executable` where the patch says so."""

    path: str
    before: bytes | None
    after: bytes | None
    executable: bool | None = None


def read_changes(tree: Path, patch: bytes) -> tuple[FileChange, ...]:
    """What a diff makes of the files of `tree`, which is only read; sorted by path.

    Raises:
        UsageError: it is no diff, names a path outside, makes a link or a submodule, is binary, or does not
            apply: then the message says which hunk, and what the file says there.
    """
    files = parse_patch(patch)
    if not files:
        raise UsageError("There is no unified diff in the patch.", mend="Give the output of `git diff`.")
    changes: dict[str, FileChange] = {}
    for file in files:
        for change in _changes(tree, file):
            if change.path in changes:
                raise UsageError(f"The patch changes {change.path} twice.", mend="Join its two parts.")
            changes[change.path] = change
    changed = [c for c in changes.values() if c.before != c.after or c.executable is not None]
    if not changed:
        raise UsageError("The patch changes nothing.", mend="Give a diff that does.")
    return tuple(sorted(changed, key=lambda change: change.path))


def _changes(tree: Path, file: FilePatch) -> Iterator[FileChange]:
    for path in file.paths:
        check_relative(path)
    _check_kind(file)
    old, new = file.paths[0], file.paths[-1]
    executable = _MODES[file.mode] if file.mode else None
    if file.creates:
        if os.path.lexists(tree / new):
            raise UsageError(f"The patch creates {new}, which is there already.", mend=_MEND)
        yield FileChange(new, None, _applied(file, new, b""), executable)
        return
    before = _read(tree, old)
    after = _applied(file, old, before)
    if file.removes:
        if after:
            raise UsageError(f"The patch removes {old}, which holds more than it says.", mend=_MEND)
        yield FileChange(old, before, None)
        return
    if old == new:
        yield FileChange(old, before, after, executable)
        return
    if os.path.lexists(tree / new):
        raise UsageError(f"The patch puts a file at {new}, where there is one already.", mend=_MEND)
    if not file.copies:
        yield FileChange(old, before, None)
    was = bool(os.stat(tree / old).st_mode & stat.S_IXUSR)
    yield FileChange(new, None, after, was if executable is None else executable)


def _check_kind(file: FilePatch) -> None:
    path = file.paths[-1]
    if file.binary:
        raise UsageError(f"The patch of {path} is binary.", mend="Give a patch of text files alone.")
    if file.mode and file.mode not in _MODES:
        what = {"120000": "a symbolic link", "160000": "a submodule"}.get(file.mode, f"mode {file.mode}")
        raise UsageError(f"The patch makes {path} {what}.", mend="Give a patch of plain files alone.")


def _read(tree: Path, path: str) -> bytes:
    try:
        return read_in_checkout(tree, path)
    except UsageError as error:
        if not os.path.lexists(tree / path):
            raise UsageError(f"There is no file {path} for the patch to change.", mend=_MEND) from error
        raise UsageError(f"The patch changes {path}, which is no plain file.", mend=_MEND) from error


def _applied(file: FilePatch, path: str, before: bytes) -> bytes:
    bom = before[: len(_BOM)] if before.startswith(_BOM) else b""
    failure: UsageError | None = None
    for kept, data in ((b"", before), (bom, before[len(bom) :])) if bom else ((b"", before),):
        for respell in _respellings(data):
            try:
                return kept + _with_hunks(file.hunks, path, data, respell)
            except UsageError as error:
                failure = failure or error
    assert failure is not None
    raise failure


def _respellings(data: bytes) -> Iterator[Respell]:
    """How the diff's lines may be spelt in the file: as they are, with its line ends, in its encoding."""
    crlf = b"\r\n" in data
    yield lambda line: line
    if crlf:
        yield _with_crlf
    try:
        encoding = SourceFile.decode(data).encoding
    except NotEditable:
        return
    if encoding != "utf-8":
        yield lambda line: _encoded(line, encoding)
        if crlf:
            yield lambda line: _with_crlf(_encoded(line, encoding))


def _with_crlf(line: bytes) -> bytes:
    return line[:-1].removesuffix(b"\r") + b"\r\n" if line.endswith(b"\n") else line


def _encoded(line: bytes, encoding: str) -> bytes:
    try:
        return line.decode("utf-8").encode(encoding)
    except UnicodeError:
        return line


def _with_hunks(hunks: Sequence[Hunk], path: str, before: bytes, respell: Respell) -> bytes:
    lines = _lines(before)
    done = 0
    parts: list[bytes] = []
    for number, hunk in enumerate(hunks, 1):
        old = [respell(line) for sign, line in hunk.lines if sign != "+"]
        start = _place(lines, old, hunk, done, f"Hunk {number} of {path}")
        parts += lines[done:start]
        at = start
        for sign, line in hunk.lines:
            if sign == "+":
                parts.append(respell(line))
                continue
            if sign == " ":
                parts.append(lines[at])
            at += 1
        done = at
    return b"".join([*parts, *lines[done:]])


def _place(lines: list[bytes], old: list[bytes], hunk: Hunk, done: int, name: str) -> int:
    """The index of the line where a hunk begins: where it says, else the only place where it fits."""
    if not old:
        return max(done, min(hunk.start, len(lines)))
    said = max(hunk.start - 1, 0)
    if said >= done and _fits(lines, old, said):
        return said
    places = [at for at in range(done, len(lines) - len(old) + 1) if _fits(lines, old, at)]
    if len(places) == 1:
        return places[0]
    if places:
        shown = ", ".join(str(at + 1) for at in places[:5])
        raise UsageError(
            f"{name} (line {hunk.start}) does not apply there, and fits at lines {shown} alike.", mend=_MEND
        )
    raise UsageError(
        f"{name} (line {hunk.start}) does not apply: {_differing(lines, old, said)}.", mend=_MEND
    )


def _fits(lines: list[bytes], old: list[bytes], at: int) -> bool:
    there = lines[at : at + len(old)]
    if there == old:
        return True
    # The last line of the file may have no end, which people's diffs don't say.
    unended = at + len(old) == len(lines) and there[:-1] == old[:-1]
    return unended and bool(there) and there[-1].rstrip(b"\r\n") == old[-1].rstrip(b"\r\n")


def _differing(lines: list[bytes], old: list[bytes], at: int) -> str:
    for offset, wanted in enumerate(old):
        line = at + offset
        if line >= len(lines):
            return f"the file ends at line {len(lines)}, and the patch expects {_shown(wanted)}"
        if lines[line] != wanted:
            return f"line {line + 1} is {_shown(lines[line])}, and the patch expects {_shown(wanted)}"
    return "an earlier hunk has changed these lines"


def _shown(line: bytes) -> str:
    text = line.rstrip(b"\r\n").decode("utf-8", "backslashreplace")
    return ascii(text[:_SHOWN_CHARS] + "…" if len(text) > _SHOWN_CHARS else text)


def _lines(data: bytes) -> list[bytes]:
    lines = [line + b"\n" for line in data.split(b"\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def make_patched_tree(tree: Path, into: Path, changes: Sequence[FileChange]) -> None:
    """A copy of the private tree `tree` with the changes made; what lies at `into` goes.

    Raises:
        UsageError: a folder of a changed path is a link, or a file.
    """
    shutil.rmtree(into, ignore_errors=True)
    shutil.copytree(tree, into, symlinks=True)
    for change in changes:
        target = into / change.path
        for folder in list(target.parents)[: -len(into.parents) - 1]:
            if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
                raise UsageError(f"The patch goes through {folder.name}, which is no folder.", mend=_MEND)
        if change.after is None:
            target.unlink()
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(change.after)
        if change.executable is not None:
            target.chmod(0o755 if change.executable else 0o644)
