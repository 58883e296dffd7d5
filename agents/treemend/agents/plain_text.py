"""Text from outside, made safe to print on a terminal."""

from __future__ import annotations

import re

# Escape sequences (CSI, OSC and the rest), then whatever control characters are left but tab and newline.
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])")
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """The text without escape sequences, control characters and marks that reorder what is read."""
    return CONTROLS.sub("", ESCAPES.sub("", text))


def one_line(text: str) -> str:
    """`plain`, with every run of white space made one space."""
    return " ".join(plain(text).split())


def counted(count: int, noun: str) -> str:
    """A number with its noun: "1 test", "2 tests"."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
