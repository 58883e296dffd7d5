"""Which files are worth parsing, and their bytes as UTF-8.

What is left out is left out for a reason that has a name; what is generated, vendored or a test is
indexed and marked.
"""

from __future__ import annotations

import codecs
import os
import re
import stat
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath

FILE_BYTES_MAX = 1_000_000
_LINE_BYTES_MAX = 50_000
_MINIFIED_BYTES_A_LINE = 400
_HEAD_BYTES = 2_000

_COOKIE = re.compile(rb"^[ \t\f]*#.{0,200}?coding[:=][ \t]*([-\w.]+)", re.MULTILINE)
_GENERATED = re.compile(
    rb"@generated|do not edit|automatically generated"
    rb"|auto-?generated (?:by|from|file)"
    rb"|^.{0,8}generated (?:by|from|with) ",
    re.MULTILINE,
)
_VENDORED = re.compile(
    r"(^|/)(vendor|vendors|vendored|_vendor|third[_-]?party|extern|externals|node_modules|bower_components)/"
)
_TEST_FOLDER = re.compile(r"(^|/)(tests?|testing|__tests__|spec|specs|testdata|test-data)/")
_TEST_NAME = re.compile(
    r"test_.*\.py|.*_tests?\.(py|go|rs|rb|c|cc|cpp|exs)|tests?\.(py|rs)|conftest\.py|.*\.(test|spec)\.[cm]?[jt]sx?"
    r"|(Test\w*|\w*Tests?|\w*IT)\.(java|cs|php|kt)|.*_spec\.rb"
)


class Skip(StrEnum):
    """Why a file has no facts. The values are what people read."""

    LARGE = "larger than 1 MB"
    BINARY = "binary"
    POINTER = "a Git LFS pointer"
    MINIFIED = "minified"
    LINK = "a link"
    NOT_A_FILE = "no regular file"
    UNREADABLE = "unreadable"
    UNDECODABLE = "not text in any known encoding"
    TIMED_OUT = "took the parser too long"
    CRASHED = "broke the parser"


class Skipped(Exception):
    """The file is left out; `reason` says why."""

    def __init__(self, reason: Skip) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Marks:
    """What a file's path and head say about the worth of its code."""

    is_generated: bool
    is_vendored: bool
    is_test: bool


def read_regular(path: Path) -> bytes:
    """The bytes of a regular file, which is not followed if it is a link.

    Raises:
        Skipped: a link, a pipe, a device, larger than FILE_BYTES_MAX, or unreadable.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Skipped(Skip.LINK if path.is_symlink() else Skip.UNREADABLE) from error
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Skipped(Skip.NOT_A_FILE)
        if status.st_size > FILE_BYTES_MAX:
            raise Skipped(Skip.LARGE)
        data = file.read(FILE_BYTES_MAX + 1)
    if len(data) > FILE_BYTES_MAX:
        raise Skipped(Skip.LARGE)
    return data


def as_utf8(data: bytes) -> bytes:
    """A source file's bytes as UTF-8 without a byte order mark.

    Bytes that are no UTF-8 are read in the encoding that a cookie declares, else as Latin-1.

    Raises:
        Skipped: binary, a Git LFS pointer, minified, or in an unknown encoding.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        data = _decoded(data, "utf-16")
    if b"\0" in data:
        raise Skipped(Skip.BINARY)
    if data.startswith(b"version https://git-lfs.github.com/"):
        raise Skipped(Skip.POINTER)
    data = data.removeprefix(codecs.BOM_UTF8)
    if _is_minified(data):
        raise Skipped(Skip.MINIFIED)
    if data.isascii():
        return data
    try:
        data.decode("utf-8")
        return data
    except UnicodeDecodeError:
        cookie = _COOKIE.search(data[:_HEAD_BYTES])
        declared = cookie[1].decode("ascii", "replace") if cookie else "latin-1"
        return _decoded(data, declared if declared.lower() not in ("utf-8", "utf8") else "latin-1")


def marks_of(path: str, data: bytes) -> Marks:
    """What the path (relative, with "/") and the first bytes of a file say."""
    name = PurePosixPath(path).name
    head = data[:_HEAD_BYTES].lower()
    may_be_generated = b"generated" in head or b"do not edit" in head
    return Marks(
        is_generated=may_be_generated and _GENERATED.search(head) is not None,
        is_vendored=_VENDORED.search(path) is not None,
        is_test=_TEST_FOLDER.search(path) is not None or _TEST_NAME.fullmatch(name) is not None,
    )


def _decoded(data: bytes, encoding: str) -> bytes:
    try:
        codec = codecs.lookup(encoding)
        if not getattr(codec, "_is_text_encoding", True):
            raise Skipped(Skip.UNDECODABLE)
        return data.decode(encoding).encode("utf-8", "replace")
    except (LookupError, ValueError) as error:
        raise Skipped(Skip.UNDECODABLE) from error


def _is_minified(data: bytes) -> bool:
    """A line that no person wrote, or lines that are very long on the whole."""
    if len(data) < 10_000:
        return False
    lines = data.count(b"\n") + 1
    if len(data) / lines > _MINIFIED_BYTES_A_LINE:
        return True
    return len(data) > _LINE_BYTES_MAX and max(map(len, data.split(b"\n"))) > _LINE_BYTES_MAX
