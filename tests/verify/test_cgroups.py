"""Where control groups can be made, on both kinds of hierarchy."""

from __future__ import annotations

from pathlib import Path

from treemend.verify.cgroups import control_group, parent_group
from treemend.verify.sandbox import Limits


def test_version_1_has_a_hierarchy_for_processes(tmp_path: Path) -> None:
    (tmp_path / "pids" / "job").mkdir(parents=True)
    membership = "9:name=systemd:/\n8:pids:/job\n4:memory:/other\n0::/\n"
    assert parent_group(tmp_path, membership) == tmp_path / "pids" / "job"


def test_version_2_must_have_the_controller_switched_on(tmp_path: Path) -> None:
    group = tmp_path / "user.slice"
    group.mkdir()
    (group / "cgroup.subtree_control").write_text("cpu memory\n")
    assert parent_group(tmp_path, "0::/user.slice\n") is None
    (group / "cgroup.subtree_control").write_text("cpu memory pids\n")
    assert parent_group(tmp_path, "0::/user.slice\n") == group


def test_group_that_is_not_mounted_here(tmp_path: Path) -> None:
    assert parent_group(tmp_path, "8:pids:/elsewhere\n") is None


def test_group_holds_the_limit_while_it_lives(tmp_path: Path) -> None:
    with control_group(tmp_path, Limits(processes=7)) as group:
        assert (group / "pids.max").read_text() == "7"
        (group / "pids.max").unlink()  # the kernel's files go with their group
    assert list(tmp_path.iterdir()) == []
