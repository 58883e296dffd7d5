"""The Python that a repository's tests run with, the one that treemend built for it among those."""

from __future__ import annotations

from pathlib import Path

from treemend.store.state import state_folder, state_path
from treemend.verify.interpreter import Interpreter, find_interpreter

ENVIRONMENTS = "environments"


def environments_folder() -> Path:
    """Where environments that treemend builds are kept."""
    return state_folder() / ENVIRONMENTS


def target_interpreter(python: str, repo: Path) -> Interpreter:
    """The interpreter that `python` names, else that of the repository's own or built environment.

    Raises:
        UsageError: the named interpreter isn't there, or is a script.
    """
    return find_interpreter(python, repo, None if python else built_for(repo))


def built_for(repo: Path) -> Path | None:
    """The environment that treemend built for what the repository declares now."""
    environments = state_path() / ENVIRONMENTS
    if not environments.is_dir():
        return None
    from treemend.verify.declarations import read_declarations
    from treemend.verify.environment_build import built_environment

    return built_environment(environments, repo, read_declarations(repo))
