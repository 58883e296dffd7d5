"""The index of a run's private tree."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from treemend.agents.run_context import RunContext
from treemend.store.state import state_folder
from treemend.tools.git_data import find_repository
from treemend.tools.git_history import Revision
from treemend.tools.index.repository import RepositoryIndex, default_cache_path
from treemend.tools.index.schema import copy_cache


@contextmanager
def open_run_index(context: RunContext) -> Iterator[RepositoryIndex]:
    """The index of the private tree, in the run's folder. Close it by leaving the block.

    It begins with what is known of the user's repository, and where nothing is, its own stays for the next
    run or search: what both trees hold is parsed once. Its past is that of the commit the run begins from.
    """
    mine = context.folder / "index.db"
    of_repository = default_cache_path(Path(context.task.repo), state_folder())
    if not mine.exists():
        copy_cache(of_repository, mine)
    repository = find_repository(Path(context.task.repo).resolve())
    past = None if repository is None else Revision(repository, context.task.commit or "HEAD")
    with RepositoryIndex(context.tree, mine, past=past) as index:
        index.refresh()
        if not of_repository.exists():
            copy_cache(mine, of_repository)
        yield index
