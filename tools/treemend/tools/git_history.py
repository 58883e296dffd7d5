"""A repository's past as data: what its commits said, and which functions they changed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from treemend.tools.git_data import GitRepository

_SUBJECT_AND_BODY = "--format=%x01%H%n%B%x02"
_NAME_ALONE = "--format=%x01%H%n%x02"
_RECORD = re.compile(r"\x01([0-9a-f]{40,64})\n([^\x02]*)\x02")
_TRAILER = re.compile(r"^\s*(?:[\w-]+-by|cc|git-svn-id|change-id)\b.*$", re.MULTILINE | re.IGNORECASE)
_MESSAGE_CHARS_MAX = 4_000
_DRIVERS = {
    "python": ("py", "pyi"), "rust": ("rs",), "golang": ("go",), "java": ("java",), "ruby": ("rb",),
    "php": ("php",), "csharp": ("cs",), "cpp": ("c", "h", "cc", "cpp", "cxx", "hpp", "hh"),
}  # fmt: skip
"""Git's own ways to tell in which function a hunk is."""
_ATTRIBUTES = "".join(f"*.{end} diff={name}\n" for name, ends in _DRIVERS.items() for end in ends)
_FUNCTION = re.compile(
    r"\b(?:def|func|fn|function)\s+(?:\([^)]*\)\s*)?(?:self\.)?([^\W\d]\w*)|([^\W\d]\w*)\s*(?:<[^<>]*>)?\("
)
_TYPE = re.compile(
    r"\s*(?:export |default |public |abstract |final )*(?:class|interface|trait|enum|struct)\b"
)


@dataclass(frozen=True, slots=True)
class Revision:
    """What names a commit in a repository: a branch, a tag, a hash, HEAD."""

    repository: GitRepository
    name: str = "HEAD"


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit's full name, and its message without trailers."""

    name: str
    message: str


def commit_named(revision: Revision) -> str | None:
    """The full name of the commit that a revision means; None where there is none that has the folder."""
    found = _verified(revision.repository, f"{revision.name}^{{commit}}")
    return found if found and _verified(revision.repository, f"{found}:./") else None


def _verified(repository: GitRepository, name: str) -> str:
    found = repository.answer("rev-parse", "--verify", "--quiet", "--end-of-options", name)
    return (found or b"").decode().strip()


def is_ancestor(repository: GitRepository, older: str, newer: str) -> bool:
    """Whether one commit is the other or among those before it."""
    return repository.answer("merge-base", "--is-ancestor", older, newer) is not None


def commits_before(
    repository: GitRepository, commit: str, count: int, *, after: str = ""
) -> list[Commit] | None:
    """The last `count` commits up to `commit`, newest first, merges left out; None where git can't tell.

    With `after` only those that aren't that commit or before it. Later commits are never looked at.
    """
    printed = repository.answer(
        "log", "--no-merges", "--topo-order", f"--max-count={count}", "--no-color", "--no-show-signature",
        "--no-notes", _SUBJECT_AND_BODY, commit, *([f"^{after}"] if after else []), "--",
    )  # fmt: skip
    if printed is None:
        return None
    return [
        Commit(name, _TRAILER.sub("", message[:_MESSAGE_CHARS_MAX]))
        for name, message in _RECORD.findall(printed.decode("utf-8", "replace"))
    ]


def changed_functions(repository: GitRepository, names: Iterable[str]) -> dict[str, set[tuple[str, str]]]:
    """For each of these commits the functions, as (path, last name), that its hunks lie in.

    A function's own first line counts as the one before it: git shows what stands above a hunk.
    """
    wanted = list(names)
    found: dict[str, set[tuple[str, str]]] = {name: set() for name in wanted}
    if not wanted:
        return found
    printed = repository.answer(
        "-c", "core.quotePath=false", "show", "--unified=0", "--no-renames", "--no-ext-diff",
        "--no-textconv", "--no-color", "--no-show-signature", "--no-notes", _NAME_ALONE, "--relative",
        *wanted, "--", attributes=_ATTRIBUTES,
    )  # fmt: skip
    name, path = "", ""
    for line in (printed or b"").decode("utf-8", "replace").split("\n"):
        if line.startswith("\x01"):
            name, path = line[1:], ""
        elif line.startswith("+++ "):
            path = line[6:].rstrip("\t") if line.startswith("+++ b/") else ""
        elif line.startswith("@@ ") and path and name in found:
            found[name].update((path, function) for function in _functions_in(line.split("@@", 2)[-1]))
    return found


def _functions_in(header: str) -> list[str]:
    """The name of the function whose first line a hunk's header shows, if it shows one."""
    match = None if _TYPE.match(header) else _FUNCTION.search(header)
    return [match[1] or match[2]] if match else []
