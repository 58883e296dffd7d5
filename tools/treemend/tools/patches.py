"""Unified diffs of any bytes, as git writes and reads them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from treemend.store.errors import UsageError
from treemend.tools.checkout import apply_to_checkout as apply_to_checkout
from treemend.tools.checkout import read_in_checkout
from treemend.tools.line_diff import Change, changes
from treemend.tools.paths import check_relative

_NO_NEWLINE = b"\\ No newline at end of file\n"
_OBJECT_HEX = 12
_HUNK = re.compile(rb"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@")
_INDEX = re.compile(rb"index ([0-9a-f]{7,64})\.\.([0-9a-f]{7,64})")
_ESCAPES = {7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r", 34: '"', 92: "\\"}
_UNESCAPES = {ord(letter): byte for byte, letter in _ESCAPES.items()}
_QUOTED = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_ESCAPED = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_STALE = "{} changed since the run started."
_STALE_MEND = "Nothing was written. Run treemend again, or apply the patch by hand: git apply --3way."


def unified_diff(path: str, before: bytes, after: bytes, context: int = 3) -> bytes:
    """The patch that turns `before` into `after`, as `git apply` takes it; b"" if they are equal.

    Lines end at b"\\n" alone, so that every other byte is a part of its line.
    """
    if before == after:
        return b""
    old, new = _lines(before), _lines(after)
    name_a, name_b = _quote(f"a/{path}"), _quote(f"b/{path}")
    tab_a, tab_b = (b"\t" if b" " in name else b"" for name in (name_a, name_b))
    parts = [
        b"diff --git " + name_a + b" " + name_b + b"\n",
        b"index " + _object_name(before) + b".." + _object_name(after) + b"\n",
        b"--- " + name_a + tab_a + b"\n",
        b"+++ " + name_b + tab_b + b"\n",
    ]
    for group in _near(list(_changes_between_equal_ends(old, new)), 2 * context):
        parts += _hunk(group, old, new, context)
    return b"".join(parts)


def _changes_between_equal_ends(old: list[bytes], new: list[bytes]) -> Iterator[Change]:
    head = _common_prefix(old, new)
    tail = _common_prefix(old[head:][::-1], new[head:][::-1])
    for change in changes(old[head : len(old) - tail], new[head : len(new) - tail]):
        old_span = (head + change.old_start, head + change.old_end)
        yield Change(*old_span, head + change.new_start, head + change.new_end)


def touched_paths(patch: bytes) -> tuple[str, ...]:
    """Every path that the patch reads, writes, renames or removes, in order of first mention."""
    paths = (path for file in parse_patch(patch) for path in file.paths)
    return tuple(dict.fromkeys(paths))


def edit_lines(patch: bytes) -> tuple[tuple[str, str, str], ...]:
    """(path, "+" or "-", text) of each line added or removed, blank ones left out.

    White space in the text is normalized to single spaces.
    """
    found = []
    for file in parse_patch(patch):
        for hunk in file.hunks:
            for sign, line in hunk.lines:
                text = " ".join(line.decode("utf-8", "replace").split())
                if sign != " " and text:
                    found.append((file.paths[-1], sign, text))
    return tuple(found)


def apply_patch_to_checkout(repo: Path, patch: bytes) -> None:
    """Make the changes of `patch`, which `unified_diff` wrote, in the user's own tree.

    Raises:
        UsageError: a file changed since the patch was made, or its path leaves the repository.
            No file is changed then.
    """
    before: dict[str, bytes] = {}
    after: dict[str, bytes] = {}
    for file in parse_patch(patch):
        path = file.paths[0]
        if len(file.paths) != 1 or file.special or path in before:
            raise UsageError(
                f"The patch does more to {path!r} than change its lines.",
                mend="Nothing was written. Review the patch, and apply it by hand: git apply.",
            )
        check_relative(path)
        before[path] = read_in_checkout(repo, path)
        after[path] = _patched(file, before[path])
    apply_to_checkout(repo, before, after)


def _lines(data: bytes) -> list[bytes]:
    lines = [line + b"\n" for line in data.split(b"\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def _object_name(data: bytes) -> bytes:
    header = b"blob %d\0" % len(data)
    digest = hashlib.sha1(header + data, usedforsecurity=False).hexdigest()
    return digest[:_OBJECT_HEX].encode()


def _common_prefix(old: list[bytes], new: list[bytes]) -> int:
    pairs = enumerate(zip(old, new, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(old), len(new)))


def _near(changed: list[Change], gap: int) -> Iterator[list[Change]]:
    """The changes in groups that lie no more than `gap` lines apart."""
    group: list[Change] = []
    for change in changed:
        if group and change.old_start - group[-1].old_end > gap:
            yield group
            group = []
        group.append(change)
    if group:
        yield group


def _hunk(group: list[Change], old: list[bytes], new: list[bytes], context: int) -> Iterator[bytes]:
    first, last = group[0], group[-1]
    lead = min(context, first.old_start)
    trail = min(context, len(old) - last.old_end)
    old_range = _range(first.old_start - lead, last.old_end + trail)
    new_range = _range(first.new_start - lead, last.new_end + trail)
    yield f"@@ -{old_range} +{new_range} @@\n".encode()
    done = first.old_start - lead
    for change in group:
        yield from (_signed(b" ", line) for line in old[done : change.old_start])
        yield from (_signed(b"-", line) for line in old[change.old_start : change.old_end])
        yield from (_signed(b"+", line) for line in new[change.new_start : change.new_end])
        done = change.old_end
    yield from (_signed(b" ", line) for line in old[done : done + trail])


def _range(start: int, end: int) -> str:
    if start == end:
        return f"{start},0"
    return f"{start + 1}" if end - start == 1 else f"{start + 1},{end - start}"


def _signed(sign: bytes, line: bytes) -> bytes:
    return sign + line if line.endswith(b"\n") else sign + line + b"\n" + _NO_NEWLINE


def _quote(name: str) -> bytes:
    """`name` in C style if it holds bytes that git quotes (core.quotePath=true)."""
    data = name.encode("utf-8", "surrogateescape")
    if all(32 <= byte < 127 and byte not in _ESCAPES for byte in data):
        return data
    return b'"' + "".join(_escape(byte) for byte in data).encode() + b'"'


def _escape(byte: int) -> str:
    if byte in _ESCAPES:
        return "\\" + _ESCAPES[byte]
    return chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}"


def _unquote(name: bytes) -> str:
    if name.startswith(b'"'):
        name = _ESCAPED.sub(lambda match: _unescape(match[1]), name[1:-1])
    return name.decode("utf-8", "surrogateescape")


def _unescape(escape: bytes) -> bytes:
    if len(escape) == 3:
        return bytes([int(escape, 8) & 255])
    return bytes([_UNESCAPES.get(escape[0], escape[0])])


@dataclass(slots=True)
class Hunk:
    """The old file's first line of it, and its lines: (" ", "+" or "-", the line with its end)."""

    start: int
    lines: list[tuple[str, bytes]] = field(default_factory=list)


@dataclass(slots=True)
class FilePatch:
    """One file's part: its paths (old, new), object names (old, new) and hunks.

    `special`: it also creates, removes, renames, copies or is binary, or changes a mode. `mode` is that of
    the file afterwards, "" where the patch doesn't say.
    """

    paths: list[str] = field(default_factory=list)
    objects: tuple[bytes, bytes] = (b"", b"")
    hunks: list[Hunk] = field(default_factory=list)
    special: bool = False
    has_old: bool = False
    mode: str = ""
    creates: bool = False
    removes: bool = False
    copies: bool = False
    binary: bool = False

    def add_path(self, path: str) -> None:
        if path not in self.paths:
            self.paths.append(path)


def parse_patch(patch: bytes) -> list[FilePatch]:
    """What a patch does to each file. Raises UsageError where a hunk is cut short."""
    files: list[FilePatch] = []
    lines = iter(_lines(patch))
    for line in lines:
        hunk = _HUNK.match(line)
        if hunk and files:
            files[-1].hunks.append(_read_hunk(hunk, lines))
        elif line.startswith(b"\\") and files and files[-1].hunks:
            _drop_newline(files[-1].hunks[-1])
        else:
            _read_header(line.rstrip(b"\r\n"), files)
    return [file for file in files if file.paths]


def _read_hunk(header: re.Match[bytes], lines: Iterator[bytes]) -> Hunk:
    """The hunk's lines by its own counts: a removed `-- x` looks like a header otherwise."""
    hunk = Hunk(int(header[1]))
    old, new = (int(count) if count is not None else 1 for count in (header[2], header[4]))
    while old > 0 or new > 0:
        line = next(lines, b"")
        sign = line[:1].decode("latin-1")
        if sign == "\\":
            _drop_newline(hunk)
            continue
        if sign == "\n":
            sign, line = " ", b" " + line
        if sign not in ("+", "-", " "):
            raise UsageError("A hunk of the patch is cut short.", mend="Give the whole patch.")
        hunk.lines.append((sign, line[1:]))
        old -= sign != "+"
        new -= sign != "-"
    return hunk


def _drop_newline(hunk: Hunk) -> None:
    if hunk.lines:
        sign, line = hunk.lines[-1]
        hunk.lines[-1] = (sign, line.removesuffix(b"\n"))


_SPECIAL = re.compile(
    rb"(?:old mode|new mode|new file mode|deleted file mode|similarity index|GIT binary patch"
    rb"|Binary files|rename from |rename to |copy from |copy to )"
)
_NAMING = re.compile(rb"(?:rename|copy) (?:from|to) ")


def _read_header(line: bytes, files: list[FilePatch]) -> None:
    if line.startswith(b"diff --git "):
        files.append(FilePatch(_named_twice(line[11:])))
    elif line.startswith(b"--- "):
        # A patch without git's headers: each `---` begins a file.
        if not files or files[-1].has_old or files[-1].hunks:
            files.append(FilePatch())
        files[-1].has_old = True
        files[-1].creates |= not _read_name(line[4:], files[-1])
    elif not files:
        return
    elif line.startswith(b"+++ "):
        files[-1].removes |= not _read_name(line[4:], files[-1])
    elif match := _INDEX.match(line):
        files[-1].objects = (match[1], match[2])
    elif _SPECIAL.match(line):
        _read_special(line, files[-1])


def _read_special(line: bytes, file: FilePatch) -> None:
    file.special = True
    file.creates |= line.startswith(b"new file")
    file.removes |= line.startswith(b"deleted file")
    file.copies |= line.startswith(b"copy ")
    file.binary |= line.startswith((b"GIT binary", b"Binary"))
    if line.startswith((b"new mode ", b"new file mode ")):
        file.mode = line.split()[-1].decode("ascii", "replace")
    if naming := _NAMING.match(line):
        file.add_path(_unquote(line[naming.end() :]))


def _named_twice(names: bytes) -> list[str]:
    """The path in `a/x b/x`; [] if the two differ, as then `rename` lines name them."""
    if names.startswith(b'"'):
        first = _QUOTED.match(names)
        return [_unquote(first[0])[2:]] if first else []
    half = len(names) // 2
    one, other = names[:half], names[half + 1 :]
    return [_unquote(one)[2:]] if one[2:] == other[2:] and names[half : half + 1] == b" " else []


def _read_name(name: bytes, file: FilePatch) -> bool:
    """Note a path; whether there is one."""
    quoted = _QUOTED.match(name)
    bare = quoted[0] if quoted else name.split(b"\t", 1)[0]
    if bare == b"/dev/null":
        file.special = True
        return False
    path = _unquote(bare)
    file.add_path(path[2:] if path.startswith(("a/", "b/")) else path)
    return True


def _patched(file: FilePatch, before: bytes) -> bytes:
    path = file.paths[0]
    old, done = _lines(before), 0
    parts: list[bytes] = []
    for hunk in file.hunks:
        removed = [line for sign, line in hunk.lines if sign != "+"]
        start = hunk.start - 1 if removed else hunk.start
        if start < done or old[start : start + len(removed)] != removed:
            raise UsageError(_STALE.format(path), mend=_STALE_MEND)
        parts += old[done:start]
        parts += (line for sign, line in hunk.lines if sign != "-")
        done = start + len(removed)
    after = b"".join([*parts, *old[done:]])
    names: Mapping[bytes, bytes] = {file.objects[0]: before, file.objects[1]: after}
    if any(name and not name.startswith(_object_name(data)) for name, data in names.items()):
        raise UsageError(_STALE.format(path), mend=_STALE_MEND)
    return after
