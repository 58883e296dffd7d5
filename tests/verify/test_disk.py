"""What a folder takes, where others use the file system, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from treemend.verify import disk
from treemend.verify.sandbox import Limits


def test_a_folder_that_grows_is_noticed_though_others_free_as_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What others do to a file system can't be had at will.
    monkeypatch.setattr(disk, "_used", lambda folder: (0, 0))
    is_over = disk.folder_over(tmp_path, Limits(tree_bytes=1 << 20))
    assert not any(is_over(0) for _ in range(100))
    (tmp_path / "file").write_bytes(bytes(2 << 20))
    assert any(is_over(0) for _ in range(100))
