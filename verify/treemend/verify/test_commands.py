"""Test commands known by name: how each is made to report its tests, and to run a few of them alone."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from treemend.store.errors import UsageError
from treemend.verify.test_reports import (
    Output,
    Reported,
    parse_any_junit,
    parse_cargo,
    parse_go,
    parse_jest,
    parse_maven,
    parse_node,
    parse_vitest,
)

Words = tuple[str, ...]
REPORT = "treemend-report"
FOUND_REPORTS = (
    "**/TEST-*.xml",
    "**/*junit*.xml",
    "**/test-results/**/*.xml",
    "**/test-reports/**/*.xml",
    "report.xml",
    "test-report.xml",
    "test-results.xml",
)
"""Where the reports of commands that are not known by name usually lie."""
SELECTED_CHARS_MAX = 60_000
"""The most that the names of selected tests may take on a command line."""

_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_SHELL = re.compile(r"[|&;<>()$`\n~#]")
_GLOB = re.compile(r"[*?]|\[")
_WRAPPERS: tuple[Words, ...] = (
    ("uv", "run"), ("poetry", "run"), ("pdm", "run"), ("hatch", "run"), ("pipenv", "run"), ("rye", "run"),
    ("npx",), ("npm", "exec", "--"), ("npm", "exec"), ("pnpm", "exec"), ("pnpm",), ("yarn",), ("bunx",),
)  # fmt: skip
_SCRIPT_RUNNERS: tuple[Words, ...] = (
    ("npm", "test"), ("npm", "run", "test"), ("npm", "t"), ("yarn", "test"), ("yarn", "run", "test"),
    ("pnpm", "test"), ("pnpm", "run", "test"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tool:
    """A test tool known by name.

    Attributes:
        whole: From the words that the user gave to those that run everything with a report.
        parse: From what it left to its tests.
        select: From the words of `whole` to those that run these tests alone; None where it can't.
        reports: Patterns of the files that it writes its results to; () where it prints them.
    """

    name: str
    whole: Callable[[Words], Words]
    parse: Callable[[Output], Reported]
    select: Callable[[Words, Sequence[str]], Words | None] | None = None
    reports: Words = ()


@dataclass(frozen=True, slots=True)
class TestCommand:
    """A test command as it is run.

    Attributes:
        text: As the user gave it.
        argv: The words that run everything.
        env: Variables that were set in front of it.
        tool: What it runs, None where that is not known by name.
        reports: Patterns of its JUnit XML reports, where the user names them.
        globs: Words that stand for the files of the tree that they match.
    """

    __test__ = False  # not a test class of pytest's

    text: str
    argv: Words
    env: Mapping[str, str] = field(default_factory=dict)
    tool: Tool | None = None
    reports: Words = ()
    globs: Words = ()

    @property
    def watched(self) -> Words:
        """Patterns of the files that may be reports."""
        return self.tool.reports if self.tool else self.reports or FOUND_REPORTS

    @property
    def must_report(self) -> bool:
        """Whether a run without a report says nothing, whatever its exit code."""
        return bool(self.reports or self.tool)

    def selecting(self, tests: Sequence[str]) -> Words | None:
        """The words that run these tests alone, None where only all can be run."""
        if self.tool is None or self.tool.select is None or sum(map(len, tests)) > SELECTED_CHARS_MAX:
            return None
        return self.tool.select(self.argv, tests)

    def parse(self, output: Output) -> Reported:
        """What the reports say of each test.

        Raises:
            UsageError: a report can't be read; the message names it.
        """
        return self.tool.parse(output) if self.tool else parse_any_junit(output)


def make_test_command(
    text: str, reports: Sequence[str] = (), scripts: Mapping[str, str] | None = None
) -> TestCommand:
    """Recognise what a command runs. `scripts` are those of the repository's package.json.

    With `reports` it runs as it is, and they tell.

    Raises:
        UsageError: it can't be split as a shell would.
    """
    env, words = split_command(text)
    if not words:
        raise UsageError("--test-cmd is empty.", mend="Give the command that runs the tests.")
    tool = None
    if not reports and not has_shell_syntax(text):
        words = _script(words, scripts or {})
        known = _unwrapped(words)
        tool = next((tool for recognises, tool in _TOOLS if recognises(known)), None)
        if tool is not None:
            globs = tuple(word for word in known if _GLOB.search(word))
            return TestCommand(text, tool.whole(known), env, tool, globs=globs)
    return TestCommand(text, ("/bin/sh", "-c", text), {}, None, tuple(reports))


def split_command(text: str) -> tuple[dict[str, str], Words]:
    """The variables set in front of a command, and its words.

    Raises:
        UsageError: it can't be split as a shell would.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(
            f"--test-cmd can't be split into words ({error}): {text!r}",
            mend="Quote it as for a shell, for example --test-cmd 'pytest -q tests'.",
        ) from error
    env: dict[str, str] = {}
    while words and _ASSIGNMENT.match(words[0]):
        name, _, value = words.pop(0).partition("=")
        env[name] = value
    return env, tuple(words)


def has_shell_syntax(text: str) -> bool:
    """Whether only a shell can run it: pipes, redirections, several commands, expansions."""
    unquoted = re.sub(r"'[^']*'|\"[^\"$`]*\"", "", text)
    return bool(_SHELL.search(unquoted))


def _script(words: Words, scripts: Mapping[str, str]) -> Words:
    """The words of package.json's test script, where that is what they run, with what they add."""
    for runner in _SCRIPT_RUNNERS:
        script = scripts.get("test", "")
        if words[: len(runner)] == runner and script and not has_shell_syntax(script):
            more = words[len(runner) :]
            env, inner = split_command(script)
            return (*inner, *(more[1:] if more[:1] == ("--",) else more)) if not env else words
    return words


def _unwrapped(words: Words) -> Words:
    for wrapper in _WRAPPERS:
        inner = words[len(wrapper) :]
        if words[: len(wrapper)] == wrapper and inner and not inner[0].startswith("-"):
            return inner
    return words


def _program(words: Words) -> str:
    return PurePath(words[0]).name if words else ""


# -- node:test ---------------------------------------------------------------------------------

NODE_REPORT = f"{REPORT}.xml"


def _is_node(words: Words) -> bool:
    return _program(words) == "node" and "--test" in words


def _whole_node(words: Words) -> Words:
    kept = _without(words, "--test-reporter", "--test-reporter-destination")
    return (kept[0], "--test-reporter=junit", f"--test-reporter-destination={NODE_REPORT}", *kept[1:])


def _select_node(words: Words, tests: Sequence[str]) -> Words | None:
    """By the name of each test and of the suites around it, which must match, too."""
    names = {part for test in tests for part in _bare(test.partition("::")[2] or test).split(" > ")}
    patterns = [f"--test-name-pattern=/^{_escaped(name)}$/" for name in sorted(names)]
    return (words[0], *patterns, *words[1:])


# -- jest and vitest ---------------------------------------------------------------------------


def _is_jest(words: Words) -> bool:
    return _program(words) in ("jest", "jest.js")


def _whole_jest(words: Words) -> Words:
    kept = _without(words, "--outputFile", flags=("--json", "--watch", "--watchAll"))
    return (*kept, "--ci", "--json", f"--outputFile={REPORT}.json")


def _is_vitest(words: Words) -> bool:
    return _program(words) in ("vitest", "vitest.mjs")


def _whole_vitest(words: Words) -> Words:
    kept = _without(words, "--reporter", "--outputFile", flags=("--watch", "-w"))
    if kept[1:2] not in (("run",), ("related",)):
        kept = (kept[0], "run", *(word for word in kept[1:] if word not in ("watch", "dev")))
    return (*kept, "--reporter=junit", f"--outputFile={REPORT}.xml")


def _select_by_title(words: Words, tests: Sequence[str]) -> Words | None:
    titles = {_bare(test.partition("::")[2]).replace(" > ", " ") for test in tests}
    if "" in titles:
        return None
    return (*words, "-t", "^(" + "|".join(_escaped(title) for title in sorted(titles)) + ")$")


# -- go ----------------------------------------------------------------------------------------


def _is_go(words: Words) -> bool:
    return _program(words) == "go" and words[1:2] == ("test",)


def _whole_go(words: Words) -> Words:
    return (*words[:2], "-json", *(word for word in words[2:] if word not in ("-json", "-v")))


def _select_go(words: Words, tests: Sequence[str]) -> Words | None:
    names = {_bare(test.partition("::")[2]).partition("/")[0] for test in tests}
    if "" in names or any(word.startswith(("-run", "--run")) for word in words):
        return None
    return (*words[:3], "-run", "^(" + "|".join(map(re.escape, sorted(names))) + ")$", *words[3:])


# -- cargo -------------------------------------------------------------------------------------


def _is_cargo(words: Words) -> bool:
    return _program(words) == "cargo" and words[1:2] in (("test",), ("t",))


def _whole_cargo(words: Words) -> Words:
    own, inner = _split_at_dashes(words)
    added = [flag for flag in ("--no-fail-fast", "--offline") if flag not in own]
    return (*own, *added, "--color=never", *(("--", *inner) if inner else ()))


def _select_cargo(words: Words, tests: Sequence[str]) -> Words | None:
    """By name alone, which libtest takes, so also the tests of that name in other crates."""
    own, inner = _split_at_dashes(words)
    if inner or any(" (doc)::" in test or "::" not in test for test in tests):
        return None
    names = sorted({_bare(test).partition("::")[2] for test in tests})
    return (*own, "--", "--exact", *names)


def _split_at_dashes(words: Words) -> tuple[Words, Words]:
    if "--" not in words:
        return words, ()
    at = words.index("--")
    return words[:at], words[at + 1 :]


# -- maven -------------------------------------------------------------------------------------


def _is_maven(words: Words) -> bool:
    return _program(words) in ("mvn", "mvnw") and any(
        word in ("test", "verify", "package", "install", "surefire:test") for word in words
    )


def _whole_maven(words: Words) -> Words:
    """Offline, and with test failures told by the reports, so that every module is tested."""
    added = ("-o", "-B", "-ntp", "-Dstyle.color=never", "-Dmaven.test.failure.ignore=true")
    return ("mvn", *words[1:], *(word for word in added if word not in words))


def _select_maven(words: Words, tests: Sequence[str]) -> Words | None:
    methods: dict[str, set[str]] = {}
    for test in tests:
        place, _, method = test.partition("#")
        methods.setdefault(place, set()).add(re.split(r"[(\[{]", method)[0].strip())
    if any(not name.isidentifier() for names in methods.values() for name in names):
        return None
    chosen = ",".join(f"{place}#{'+'.join(sorted(names))}" for place, names in sorted(methods.items()))
    return (*words, f"-Dtest={chosen}", "-Dsurefire.failIfNoSpecifiedTests=false", "-DfailIfNoTests=false")


# -- what they share ---------------------------------------------------------------------------


def _without(words: Words, *options: str, flags: Words = ()) -> Words:
    """The words without some options and their values, and without some flags."""
    kept: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in options:
            skip = True
        elif word not in flags and not any(word.startswith(f"{option}=") for option in options):
            kept.append(word)
    return tuple(kept)


def _bare(test: str) -> str:
    """A test's name without the number that tells it from others of that name."""
    return re.sub(r"\[\d+\]$", "", test)


def _escaped(name: str) -> str:
    """As a JavaScript regular expression that matches just this."""
    return re.sub(r"[\\^$.*+?()\[\]{}|/]", r"\\\g<0>", name)


_TOOLS: tuple[tuple[Callable[[Words], bool], Tool], ...] = (
    (_is_node, Tool("node --test", _whole_node, parse_node, _select_node, (NODE_REPORT,))),
    (_is_jest, Tool("jest", _whole_jest, parse_jest, _select_by_title, (f"{REPORT}.json",))),
    (_is_vitest, Tool("vitest", _whole_vitest, parse_vitest, _select_by_title, (f"{REPORT}.xml",))),
    (_is_go, Tool("go test", _whole_go, parse_go, _select_go)),
    (_is_cargo, Tool("cargo test", _whole_cargo, parse_cargo, _select_cargo)),
    (
        _is_maven,
        Tool("mvn", _whole_maven, parse_maven, _select_maven, ("**/surefire-reports/TEST-*.xml",)),
    ),
)
