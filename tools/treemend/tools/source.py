"""Source files as text and back, every byte that isn't edited kept."""

from __future__ import annotations

import codecs
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

SOURCE_BYTES_MAX = 1_000_000

# PEP 263: a comment on one of the first two lines, the first one blank or a comment too.
_COOKIE = re.compile(rb"[ \t\f]*#[^\r\n]{0,1000}?coding[:=][ \t]*([-\w.]+)")
_BLANK = re.compile(rb"[ \t\f]*(?:#[^\r\n]*)?$")


class NotEditable(Exception):
    """The file can't be edited as text without touching bytes that nobody meant to change."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file as text: `text` is without the byte order mark and has its line ends untouched.

    `newline` is the commonest of "\\n", "\\r\\n" and "\\r" ("\\n" if there is none).
    """

    data: bytes
    text: str
    encoding: str
    bom: bytes
    newline: str

    @classmethod
    def read(cls, path: Path) -> SourceFile:
        """The file at `path`, which is not followed if it is a link.

        Raises:
            NotEditable: no regular file, too large, binary, or not text in its own encoding.
            OSError: the file is missing or can't be read.
        """
        if not stat.S_ISREG(path.lstat().st_mode):
            raise NotEditable("not a regular file")
        # A pipe put in the file's place meanwhile must not block, nor a link lead elsewhere.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            return cls.decode(file.read(SOURCE_BYTES_MAX + 1))

    @classmethod
    def decode(cls, data: bytes) -> SourceFile:
        """The file whose content is `data`.

        Raises:
            NotEditable: too large, binary, or not text in its own encoding.
        """
        if len(data) > SOURCE_BYTES_MAX:
            raise NotEditable(f"more than {SOURCE_BYTES_MAX} bytes")
        if b"\0" in data:
            raise NotEditable("binary: it holds a NUL byte")
        bom = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
        encoding = _encoding(data[len(bom) :], with_bom=bool(bom))
        try:
            text = data[len(bom) :].decode(encoding)
        except (UnicodeError, LookupError) as error:
            raise NotEditable(f"not {encoding} text: {error}") from error
        source = cls(data, text, encoding, bom, _dominant_newline(text))
        if source.encode(text) != data:
            raise NotEditable(f"{encoding} text that does not encode to the same bytes again")
        return source

    def encode(self, text: str) -> bytes:
        """The bytes of this file if it held `text`.

        Raises:
            NotEditable: the file's encoding has no such characters.
        """
        try:
            return self.bom + text.encode(self.encoding)
        except UnicodeError as error:
            raise NotEditable(f"cannot be written as {self.encoding}: {error}") from error


def lines_of(text: str) -> list[str]:
    """The lines of a source text as Python counts them: a form feed ends none."""
    return [
        line.decode("utf-8", "surrogatepass") for line in text.encode("utf-8", "surrogatepass").splitlines()
    ]


def _encoding(data: bytes, *, with_bom: bool) -> str:
    cookie = _cookie(data)
    if cookie is None:
        return "utf-8"
    try:
        codec = codecs.lookup(cookie)
    except (LookupError, ValueError) as error:
        raise NotEditable(f"unknown encoding {cookie!r}") from error
    # Codecs such as rot13 or base64 don't turn bytes into text; utf-7 and the escapes can smuggle
    # line ends, and utf-16 contradicts a cookie that could be read as ASCII.
    if not getattr(codec, "_is_text_encoding", True) or codec.name in _NOT_FOR_SOURCE:
        raise NotEditable(f"{codec.name} is no encoding for source files")
    if with_bom and codec.name != "utf-8":
        raise NotEditable(f"a UTF-8 byte order mark, and a cookie that says {cookie}")
    return "utf-8" if codec.name == "utf-8-sig" else codec.name


_NOT_FOR_SOURCE = frozenset(
    {
        "idna",
        "punycode",
        "raw-unicode-escape",
        "undefined",
        "unicode-escape",
        "utf-16",
        "utf-16-be",
        "utf-16-le",
        "utf-32",
        "utf-32-be",
        "utf-32-le",
        "utf-7",
    }
)


def _cookie(data: bytes) -> str | None:
    for line in re.split(rb"\r\n|\r|\n", data[:4096], maxsplit=2)[:2]:
        match = _COOKIE.match(line)
        if match:
            return match[1].decode("ascii", "replace")
        if not _BLANK.match(line):
            return None
    return None


def _dominant_newline(text: str) -> str:
    crlf = text.count("\r\n")
    counts = {"\n": text.count("\n") - crlf, "\r\n": crlf, "\r": text.count("\r") - crlf}
    return max(counts, key=lambda newline: counts[newline])
