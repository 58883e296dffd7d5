"""The repository's index, opened where the state lies, and the questions to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from treemend.store.state import state_folder
from treemend.tools.index.repository import RepositoryIndex, default_cache_path
from treemend.tools.index.search import LIMIT, Filters, Found, search_pattern
from treemend.tools.index.search import search as search_words

if TYPE_CHECKING:
    from treemend.store.records import Symptom
    from treemend.tools.localization.locate import Located, Rerank


@contextmanager
def open_index(repo: str | PathLike[str] = ".") -> Iterator[RepositoryIndex]:
    """The index of a repository, brought up to date. Close it by leaving the block.

    Raises:
        UsageError: there is no such folder.
        StoreError: the state folder can't be used.
    """
    root = Path(repo)
    with RepositoryIndex(root, default_cache_path(root, state_folder())) as index:
        index.refresh()
        yield index


def search(
    query: str,
    repo: str | PathLike[str] = ".",
    *,
    pattern: bool = False,
    languages: Sequence[str] = (),
    paths: Sequence[str] = (),
    kinds: Sequence[str] = (),
    limit: int = LIMIT,
) -> Found:
    """Search the code of a repository by words, by a name, or by a pattern of code.

    The first call on a repository indexes it; later ones read only what changed. With `pattern`, the
    query is code with holes: `$X` stands for one piece, `$$$ARGS` for any number.

    Raises:
        UsageError: no such folder, language or kind, an empty query, or a pattern that can't be read.
        StoreError: the state folder can't be used.
    """
    filters = Filters.checked(languages, paths, kinds)
    with open_index(repo) as index:
        find = search_pattern if pattern else search_words
        return find(index, query, filters, limit)


def locate(
    symptom: str | Symptom,
    repo: str | PathLike[str] = ".",
    *,
    limit: int = LIMIT,
    rerank: Rerank | None = None,
) -> Located:
    """Rank the functions, files and lines of a repository by how likely a symptom is about them.

    A symptom is an issue's text, or a `Symptom` with failing tests, frames and a trace besides. Nothing is
    run and no model is asked; `rerank` may put the first hundred functions into another order (see
    `tools.localization.locate.Rerank`). The first call on a repository indexes it.

    Raises:
        UsageError: no such folder, or a symptom that says nothing.
        StoreError: the state folder can't be used.
    """
    from treemend.tools.localization.locate import locate as locate_in

    with open_index(repo) as index:
        return locate_in(index, symptom, limit=limit, rerank=rerank)
