"""Which folders of a tree are looked into."""

from __future__ import annotations

DEPTH_MAX = 256
"""How many folders deep."""
SKIPPED_FOLDERS = frozenset(
    {
        ".git",
        ".hg",
        ".hypothesis",
        ".mypy_cache",
        ".nox",
        ".pytest_cache",
        ".ruff_cache",
        ".svn",
        ".tox",
        "__pycache__",
        "node_modules",
    }
)
