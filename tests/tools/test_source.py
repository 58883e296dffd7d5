"""Source files as text and back."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treemend.tools.source import SOURCE_BYTES_MAX, NotEditable, SourceFile


def test_plain_utf8() -> None:
    source = SourceFile.decode("x = 'é'\n".encode())
    assert (source.text, source.encoding, source.bom, source.newline) == (
        "x = 'é'\n",
        "utf-8",
        b"",
        "\n",
    )


def test_empty_file() -> None:
    source = SourceFile.decode(b"")
    assert (source.text, source.newline, source.encode("")) == ("", "\n", b"")


def test_P18_a_byte_order_mark_is_kept_and_is_no_text() -> None:
    source = SourceFile.decode(codecs.BOM_UTF8 + b"x = 1\n")
    assert source.text == "x = 1\n"
    assert source.encode("x = 2\n") == codecs.BOM_UTF8 + b"x = 2\n"


@pytest.mark.parametrize(
    "cookie", [b"# -*- coding: latin-1 -*-\n", b"#!/bin/python\n# vim: fileencoding=iso-8859-1\n"]
)
def test_P19_H01_latin_1_by_its_cookie(cookie: bytes) -> None:
    source = SourceFile.decode(cookie + b"x = '\xe9'\n")
    assert source.text.endswith("x = 'é'\n")
    assert source.encode(source.text + "y = 'ü'\n") == cookie + b"x = '\xe9'\ny = '\xfc'\n"


@pytest.mark.parametrize("data", [b"x = 1\n# coding: latin-1\n", b"\n\n# coding: latin-1\n"])
def test_a_cookie_after_code_or_the_second_line_is_a_comment(data: bytes) -> None:
    assert SourceFile.decode(data).encoding == "utf-8"


def test_P19_a_character_the_encoding_lacks_is_refused_on_the_way_back() -> None:
    source = SourceFile.decode(b"# coding: latin-1\n")
    with pytest.raises(NotEditable, match="iso8859-1"):
        source.encode(source.text + "x = '\u4e2d'\n")


@pytest.mark.parametrize(
    ("data", "newline"),
    [
        (b"a\r\nb\r\nc\n", "\r\n"),
        (b"a\rb\r", "\r"),
        (b"a\nb\r\nc\n", "\n"),
        (b"a", "\n"),
    ],
)
def test_P16_line_ends_are_untouched_and_the_commonest_is_known(data: bytes, newline: str) -> None:
    source = SourceFile.decode(data)
    assert source.newline == newline
    assert source.encode(source.text) == data


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"x = '\xff'\n", "not utf-8"),
        (b"# coding: nonsense\n", "unknown encoding"),
        (b"# coding: rot13\n", "no encoding for source"),
        (b"# coding: utf-7\n+AAo-", "no encoding for source"),
        (codecs.BOM_UTF8 + b"# coding: latin-1\n", "byte order mark"),
        (b"# coding: iso2022_jp\nx = '\x1b$B\x1b(B'\n", "same bytes"),
    ],
)
def test_H01_what_is_no_text_in_its_encoding_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(NotEditable, match=reason):
        SourceFile.decode(data)


@pytest.mark.parametrize("data", [b"x = 1\0\n", "x = 1\n".encode("utf-16")])
def test_H02_P25_binary_is_refused(data: bytes) -> None:
    with pytest.raises(NotEditable, match="NUL"):
        SourceFile.decode(data)


def test_H03_a_large_file_is_refused(tmp_path: Path) -> None:
    large = tmp_path / "large.py"
    large.touch()
    os.truncate(large, 100 * SOURCE_BYTES_MAX)
    with pytest.raises(NotEditable, match="more than"):
        SourceFile.read(large)


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"x = 1\r\n")
    assert SourceFile.read(tmp_path / "a.py").data == b"x = 1\r\n"


def test_H08_H10_H11_links_pipes_and_folders_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "zero.py").symlink_to("/dev/zero")
    (tmp_path / "loop.py").symlink_to("loop.py")
    (tmp_path / "folder.py").mkdir()
    for name in ("pipe.py", "zero.py", "loop.py", "folder.py"):
        with pytest.raises(NotEditable, match="regular"):
            SourceFile.read(tmp_path / name)


@settings(deadline=None)
@given(
    st.sampled_from([b"", codecs.BOM_UTF8, b"# coding: latin-1\n", b"# coding: shift_jis\n"]),
    st.binary(max_size=60),
)
def test_H01_decoding_gives_the_same_bytes_again_or_refuses(head: bytes, body: bytes) -> None:
    try:
        source = SourceFile.decode(head + body)
    except NotEditable:
        return
    assert source.encode(source.text) == source.data == head + body
