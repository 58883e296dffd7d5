"""What a run finds and leaves in the state folder."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from treemend.agents.intake import make_task
from treemend.agents.runs import new_run
from treemend.store.database import open_store
from treemend.store.records import Outcome

Treemend = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.mark.slow
@pytest.mark.sandbox
def test_folders_of_ended_runs_are_swept_and_all_others_are_kept(
    treemend: Treemend, tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that was killed after its answer, one that can be resumed, and one of another store."""
    monkeypatch.setenv("TREEMEND_STATE", str(state))
    repo = tmp_path / "repo"
    repo.mkdir()
    (repo / "test_it.py").write_text(
        "import unittest\nclass Case(unittest.TestCase):\n    def test_it(self): pass\n"
    )
    store = open_store(None)
    ended, resumable = (new_run(store, make_task(repo)).id for _ in range(2))
    store.finish_run(ended, Outcome.NOTHING_PLAUSIBLE, "")
    for name in (ended, resumable, "elsewhere"):
        (state / "runs" / name / "tree").mkdir(parents=True)
    result = treemend("fix", "--repo", str(repo), "--test-cmd", "python -m unittest")
    assert result.returncode == 7, result.stderr.decode()
    assert sorted(path.name for path in (state / "runs").iterdir()) == sorted([resumable, "elsewhere"])
