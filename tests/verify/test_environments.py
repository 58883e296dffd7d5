"""Where the target's Python lies, what a project declares, why a suite does not import."""

from __future__ import annotations

import base64
import hashlib
import sys
from pathlib import Path

import pytest

from treemend.verify.declarations import read_declarations
from treemend.verify.environments import found_pythons
from treemend.verify.interpreter import Interpreter, is_installed
from treemend.verify.missing_modules import distribution_of, missing_module


def make_environment(folder: Path, marker: str = "pyvenv.cfg") -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    path = folder / marker
    path.mkdir() if marker == "conda-meta" else path.touch()
    return folder / "bin" / "python"


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX", "UV_PROJECT_ENVIRONMENT", "POETRY_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "repo"
    folder.mkdir()
    return folder


def test_treemends_own_python_comes_last(repo: Path) -> None:
    (found,) = found_pythons(repo)
    assert str(found.path) == sys.executable


@pytest.mark.parametrize(
    "place, marker, word",
    [
        (".venv", "pyvenv.cfg", "virtual environment .venv"),
        (".tox/py311", "pyvenv.cfg", "tox"),
        (".nox/tests", "pyvenv.cfg", "nox"),
        (".conda", "conda-meta", "conda"),
        (".pixi/envs/default", "conda-meta", "conda"),
    ],
)
def test_environments_in_the_repository(repo: Path, place: str, marker: str, word: str) -> None:
    python = make_environment(repo / place, marker)
    found = next(iter(found_pythons(repo)))
    assert found.path == python and word in found.because


def test_a_folder_that_only_looks_like_one_is_passed_over(repo: Path) -> None:
    (repo / ".venv" / "bin").mkdir(parents=True)
    (repo / ".venv" / "bin" / "python").symlink_to(sys.executable)
    assert len(list(found_pythons(repo))) == 1


def test_what_a_user_set_counts_unless_it_is_treemends(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = make_environment(tmp_path / "active")
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "active"))
    assert next(found_pythons(repo)).path == python
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)
    assert len(list(found_pythons(repo))) == 1


def test_poetrys_cache_is_known_by_the_folders_hash(repo: Path, tmp_path: Path) -> None:
    (repo / "pyproject.toml").write_text('[tool.poetry]\nname = "My-App"\n')
    digest = base64.urlsafe_b64encode(hashlib.sha256(str(repo).encode()).digest()).decode()[:8]
    cache = tmp_path / "home" / ".cache" / "pypoetry" / "virtualenvs"
    python = make_environment(cache / f"my-app-{digest}-py3.11")
    make_environment(cache / "my-app-other000-py3.12")
    assert [found.path for found in found_pythons(repo)][:-1] == [python]


@pytest.mark.parametrize("name, found", [("science", True), ("../../../tmp", False), ("a b", False)])
def test_conda_by_the_name_in_environment_yml(repo: Path, tmp_path: Path, name: str, found: bool) -> None:
    make_environment(tmp_path / "home" / "miniconda3" / "envs" / "science", "conda-meta")
    (repo / "environment.yml").write_text(f"name: {name}\ndependencies: [python=3.11]\n")
    assert (len(list(found_pythons(repo))) == 2) is found


def test_what_is_installed_is_seen_without_running_it(repo: Path) -> None:
    python = make_environment(repo / ".venv")
    packages = repo / ".venv" / "lib" / "python3.11" / "site-packages"
    (packages / "pytest").mkdir(parents=True)
    interpreter = Interpreter(python, ())
    assert is_installed("pytest", interpreter)
    assert not is_installed("yaml", interpreter)
    assert is_installed("pytest", Interpreter(Path(sys.executable), ()))


# -- declarations ------------------------------------------------------------------------------

EVIL = "http://evil"
PYPROJECT = """
[project]
name = "x"
requires-python = ">=3.9"
dependencies = ["one>=1", "url @ https://h/x.whl"]
[project.optional-dependencies]
test = ["two"]
docs = ["sphinx"]
[dependency-groups]
dev = ["three", {include-group = "other"}]
[tool.poetry.dependencies]
python = "^3.9"
four = "^1.2"
five = {git = "https://h/x"}
"""


def test_dependencies_of_the_project_and_of_its_tests(repo: Path) -> None:
    (repo / "pyproject.toml").write_text(PYPROJECT)
    (repo / "setup.cfg").write_text(
        "[options]\ninstall_requires =\n    six>=1\n[options.extras_require]\ntest = seven\n"
    )
    (repo / "requirements.txt").write_text("-r more/in.txt\neight==1 --hash=sha256:00  # why\n")
    (repo / "more").mkdir()
    (repo / "more" / "in.txt").write_text("nine\n-r ../requirements.txt\n")
    declared = read_declarations(repo)
    assert declared.requirements == (
        "eight==1",
        "four>=1.2",
        "nine",
        "one>=1",
        "seven",
        "six>=1",
        "three",
        "two",
    )
    assert declared.requires_python == ">=3.9"
    assert declared.sources == ("pyproject.toml", "setup.cfg", "more/in.txt", "requirements.txt")
    assert len(declared.left_out) == 2


@pytest.mark.parametrize(
    "line",
    [f"--index-url {EVIL}", f"-i {EVIL}", "-e git+https://h/x", "-e .", "./local", "git+ssh://h/x",
     "x @ file:///etc", f"--extra-index-url={EVIL}", f"-c {EVIL}/c.txt", "$(touch /tmp/x)",
     "a;b\x00c"],
)  # fmt: skip
def test_H30_nothing_but_names_of_the_index_is_taken(repo: Path, line: str) -> None:
    (repo / "requirements.txt").write_text(f"fine\n{line}\n")
    declared = read_declarations(repo)
    assert declared.requirements == ("fine",)
    assert len(declared.left_out) == 1


@pytest.mark.parametrize(
    "text", ["\x00", "[project", "[project]\ndependencies = 3\n", "a = " + "[" * 5000, "\ud800"]
)
@pytest.mark.parametrize("name", ["pyproject.toml", "setup.cfg", "requirements.txt"])
def test_H24_declarations_that_are_none_declare_nothing(repo: Path, name: str, text: str) -> None:
    (repo / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    assert read_declarations(repo).requirements == ()


def test_H08_includes_end_and_stay_inside(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_text("secret\n")
    (repo / "requirements.txt").write_text("-r requirements.txt\n-r ../outside.txt\n-r link.txt\n")
    (repo / "link.txt").symlink_to(tmp_path / "outside.txt")
    assert read_declarations(repo).requirements == ()


def test_the_digest_is_that_of_what_is_declared(repo: Path) -> None:
    (repo / "requirements.txt").write_text("b\na\n")
    before = read_declarations(repo).digest
    (repo / "requirements.txt").write_text("a\n\n# more\nb\n")
    assert read_declarations(repo).digest == before
    (repo / "requirements.txt").write_text("a\n")
    assert read_declarations(repo).digest != before


# -- missing modules ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "module, distribution",
    [
        ("yaml", "PyYAML"),
        ("cv2", "opencv-python-headless"),
        ("google.protobuf", "protobuf"),
        ("google.cloud", "google"),
        ("flask_login", "flask-login"),
        ("numpy.linalg", "numpy"),
    ],
)
def test_the_likely_distribution(module: str, distribution: str) -> None:
    assert distribution_of(module) == distribution


def test_the_line_to_type_for_a_missing_module(repo: Path) -> None:
    interpreter = Interpreter(Path("/opt/my env/bin/python"), ())
    text = "E   ModuleNotFoundError: No module named 'yaml.nodes'; 'yaml' is not a package"
    found = missing_module(["nothing", text], interpreter, repo)
    assert found is not None and found.module == "yaml.nodes"
    assert found.line == "'/opt/my env/bin/python' -m pip install PyYAML"


def test_the_repositorys_own_module_is_no_distribution(repo: Path) -> None:
    (repo / "src" / "mine").mkdir(parents=True)
    interpreter = Interpreter(Path("/p"), ())
    found = missing_module(["ModuleNotFoundError: No module named 'mine.part'"], interpreter, repo)
    assert found is not None
    assert found.line == f"/p -m pip install --editable {repo}"


@pytest.mark.parametrize(
    "text", ["", "ImportError: cannot import name 'x' from 'y'", "No module named '; rm -rf'"]
)
def test_other_errors_are_not_explained(repo: Path, text: str) -> None:
    assert missing_module([text], Interpreter(Path("/p"), ()), repo) is None
