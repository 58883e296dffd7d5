"""Finding the target's Python without running it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from treemend.store.errors import UsageError
from treemend.verify.interpreter import find_interpreter


def virtual_environment(folder: Path) -> Path:
    (folder / "bin").mkdir(parents=True)
    python = folder / "bin" / "python"
    python.symlink_to(Path(sys.executable).resolve())
    home = Path(sys.executable).resolve().parent
    (folder / "pyvenv.cfg").write_text(f"home = {home}\nversion = 3\n")
    return python


def test_without_a_hint_it_is_the_running_one(tmp_path: Path) -> None:
    assert find_interpreter("", tmp_path).path == Path(sys.executable)


def test_the_repositorys_virtual_environment_is_found(tmp_path: Path) -> None:
    python = virtual_environment(tmp_path / ".venv")
    found = find_interpreter("", tmp_path)
    assert found.path == python
    assert tmp_path / ".venv" in found.readable


def test_the_base_of_a_virtual_environment_is_readable(tmp_path: Path) -> None:
    virtual_environment(tmp_path / "env")
    found = find_interpreter(str(tmp_path / "env"), tmp_path)
    base = Path(sys.executable).resolve().parent.parent
    assert base == Path("/usr") or base in found.readable


def test_folders_of_editable_installs_are_readable(tmp_path: Path) -> None:
    virtual_environment(tmp_path / "env")
    packages = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    packages.mkdir(parents=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (packages / "editable.pth").write_text(f"{elsewhere}\nimport os; os.system('false')\n/nowhere\n")
    assert elsewhere in find_interpreter(str(tmp_path / "env"), tmp_path / "repo").readable


def test_a_missing_interpreter_is_named_with_the_mend(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no Python interpreter at 'no-such-python'") as caught:
        find_interpreter("no-such-python", tmp_path)
    assert "--python" in caught.value.mend


def test_a_shim_is_refused_with_the_line_to_type(tmp_path: Path) -> None:
    shim = tmp_path / "python"
    shim.write_text("#!/bin/sh\nexec python3\n")
    shim.chmod(0o755)
    with pytest.raises(UsageError, match="script that starts some Python") as caught:
        find_interpreter(str(shim), tmp_path)
    assert "sys.executable" in caught.value.mend


def test_E01_an_environment_in_the_repository_names_no_folder_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever wrote the repository wrote its `pyvenv.cfg`, `.pth` files and links."""
    home = tmp_path / "home"
    secrets = (home, home / ".ssh", home / "documents", home / ".aws")
    for folder in (home / "bin", *secrets[1:]):
        folder.mkdir(parents=True)
        (folder / "secret").write_text("canary")
    (home / ".aws" / "x.py").touch()
    (home / "bin" / "tool").write_bytes(Path(sys.executable).resolve().read_bytes()[:4])
    monkeypatch.setenv("HOME", str(home))
    repo = tmp_path / "repo"
    python = virtual_environment(repo / ".venv")
    packages = repo / ".venv" / "lib" / "python3.11" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "evil.pth").write_text("".join(f"{folder}\n" for folder in (*secrets, repo.parent, "/etc")))
    for leads_to, base in (
        (sys.executable, home / ".ssh"),
        (home / "bin" / "tool", home / "documents" / "x"),
    ):
        python.unlink()
        python.symlink_to(leads_to)
        (repo / ".venv" / "pyvenv.cfg").write_text(f"home = {base}\n")
        readable = find_interpreter("", repo).readable
        assert repo / ".venv" in readable
        assert not {*secrets, repo.parent, Path("/etc")} & set(readable)
        assert not any(path.is_relative_to(home) for path in readable)


def test_sources_of_an_editable_install_in_the_repository_are_those_of_the_copy(tmp_path: Path) -> None:
    virtual_environment(tmp_path / ".venv")
    packages = tmp_path / ".venv" / "lib" / "python3.11" / "site-packages"
    packages.mkdir(parents=True)
    (tmp_path / "src" / "package").mkdir(parents=True)
    (packages / "editable.pth").write_text(f"{tmp_path / 'src'}\n")
    assert tmp_path / "src" not in find_interpreter("", tmp_path).readable
    assert tmp_path / "src" not in find_interpreter(str(tmp_path / ".venv"), tmp_path).readable
