"""What the user names on the command line, read."""

from __future__ import annotations

import sys
from pathlib import Path

from treemend.store.errors import UsageError

TEXT_ENDINGS = (".md", ".txt", ".rst", ".log")


def read_issue(value: str) -> str:
    """The issue's text: from standard input ("-"), from the file of this name, or the value itself.

    Raises:
        UsageError: it looks like the name of a file, and there is none.
    """
    if value == "-" or _is_file(value):
        return read_text(value)
    if len(value.split()) == 1 and value.endswith(TEXT_ENDINGS):
        raise UsageError(
            f"There is no file {value}.", mend="Give the issue as text, or the path of a file that holds it."
        )
    return value


def _is_file(value: str) -> bool:
    try:
        return bool(value) and Path(value).is_file()
    except (OSError, ValueError):
        # Longer than a file's name can be: a text.
        return False


def read_text(name: str) -> str:
    """A text file, or standard input for "-"; what is no UTF-8 is replaced. Raises UsageError."""
    data = sys.stdin.buffer.read() if name == "-" else read_bytes(Path(name))
    return data.decode("utf-8", "replace")


def read_patch(name: str) -> bytes:
    """A diff's bytes, from a file or standard input ("-"). Raises UsageError."""
    return sys.stdin.buffer.read() if name == "-" else read_bytes(Path(name))


def read_bytes(path: Path) -> bytes:
    """A file's bytes. Raises UsageError where it can't be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{path} can't be read: {error.strerror}.", mend="Give the path of a readable file."
        ) from error
