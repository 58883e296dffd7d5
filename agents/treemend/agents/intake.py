"""From what the user has at hand to a task: a repository and a symptom."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from treemend.store.errors import UsageError
from treemend.store.records import Budget, Frame, Models, Strategy, Symptom, Task
from treemend.tools.junit import parse_junit
from treemend.tools.paths import is_protected
from treemend.tools.traces import parse_trace

ISSUE_CHARS_MAX = 200_000
SandboxChoice = Literal["auto", "bubblewrap", "landlock", "none"]


def make_task(
    repo: str | Path,
    *,
    issue: str = "",
    failing_tests: Sequence[str] = (),
    trace: str = "",
    junit: bytes = b"",
    only: Sequence[str] = (),
    test_command: str = "",
    junit_reports: Sequence[str] = (),
    python: str = "",
    commit: str = "",
    sandbox: SandboxChoice = "auto",
    test_timeout_s: float | None = None,
    strategy: Strategy = "mcts",
    budget: Budget | None = None,
    models: Models | None = None,
    seed: int = 0,
    command: Sequence[str] = (),
    kind: Literal["fix", "verify"] = "fix",
    allow_test_edits: bool = False,
) -> Task:
    """Check what can be checked before anything runs, and put it into one task.

    Raises:
        UsageError: the repository, a test's file or a part of the report isn't there.
    """
    root = check_repo(Path(repo))
    symptom = make_symptom(root, issue=issue, failing_tests=failing_tests, trace=trace, junit=junit)
    if not commit:
        # Another commit may have what the tree as it lies has not.
        for test in symptom.failing_tests:
            _check_test_file(test, root)
        for path in only:
            _check_only(path, root)
    return Task(
        repo=str(root),
        symptom=symptom,
        only=tuple(path.removeprefix("./") for path in only),
        test_command=test_command,
        junit_reports=tuple(junit_reports),
        python=python,
        commit=commit,
        sandbox=sandbox,
        test_timeout_s=test_timeout_s,
        strategy=strategy,
        seed=seed,
        budget=budget or Budget(),
        models=models,
        command=tuple(command),
        kind=kind,
        allow_test_edits=allow_test_edits,
    )


def make_symptom(
    root: Path, *, issue: str, failing_tests: Sequence[str], trace: str, junit: bytes
) -> Symptom:
    """One symptom of all that the user has at hand.

    Raises:
        UsageError: the report can't be read, or a trace that is all there is names no file of `root`.
    """
    given = [failing_tests] if isinstance(failing_tests, str) else failing_tests
    named = [_relative_id(test, root) for test in given]
    frames = parse_trace(trace, root) if trace else ()
    if trace and not (frames or named or issue or junit):
        raise UsageError(
            f"The trace names no file of {root}.", mend="Give the whole trace, or --repo its repository."
        )
    traces = [trace] if trace else []
    if junit:
        report = parse_junit(junit, root)
        named += report.failing
        traces += report.traces
        frames = frames or _first_frames(report.traces, root)
    return Symptom(
        issue=clean_text(issue),
        failing_tests=tuple(dict.fromkeys(named)),
        frames=frames,
        trace=clean_text("\n".join(traces)),
    )


def check_repo(repo: Path) -> Path:
    """The repository's real path. Raises UsageError where there is no such folder."""
    if not repo.exists():
        raise UsageError(
            f"There is no folder {repo}.", mend="Give --repo the path of the repository to repair."
        )
    if not repo.is_dir():
        raise UsageError(f"{repo} is a file, not a folder.", mend="Give --repo the folder that contains it.")
    return repo.resolve()


def clean_text(text: str) -> str:
    """Text as the store can hold it: no NUL, no lone surrogates, bounded."""
    text = text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    return text[:ISSUE_CHARS_MAX]


def _first_frames(traces: Sequence[str], root: Path) -> tuple[Frame, ...]:
    for trace in traces:
        frames = parse_trace(trace, root)
        if frames:
            return frames
    return ()


def _relative_id(test: str, root: Path) -> str:
    """A test's id as pytest prints it at the root: paths from elsewhere are made relative to it."""
    path, separator, rest = test.removeprefix("./").partition("::")
    if (root / path).exists() and not Path(path).is_absolute():
        return path + separator + rest
    found = Path(path).resolve()
    if found.exists() and found.is_relative_to(root):
        return found.relative_to(root).as_posix() + separator + rest
    return test


def _check_only(wanted: str, root: Path) -> None:
    """Whether `--only` leaves anything to patch. Raises UsageError."""
    path = wanted.removeprefix("./").rstrip("/")
    inside = path and not Path(path).is_absolute() and ".." not in Path(path).parts
    files = list(root.glob(path)) if inside else []
    if not files:
        raise UsageError(
            f"--only {wanted} matches nothing in {root}.",
            mend="Give a file, a folder or a pattern, relative to the repository.",
        )
    names = [file.relative_to(root).as_posix() + ("/x.py" if file.is_dir() else "") for file in files]
    if all(map(is_protected, names)):
        raise UsageError(
            f"--only {wanted}: tests and what configures them are never patched.",
            mend="Name the code that they test.",
        )


def _check_test_file(test: str, root: Path) -> None:
    path = test.split("::")[0]
    # Other runners' ids begin otherwise.
    if path.endswith(".py") and not (root / path).exists():
        raise UsageError(
            f"There is no file {path} in {root}, which the test {test} names.",
            mend="Give the test's id as pytest prints it, for example tests/test_cart.py::test_total.",
        )
