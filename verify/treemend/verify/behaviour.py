"""What a tree's functions do with given arguments: a digest that tells candidates apart where no test does.

Calls are those that existing tests make, and ones made of them. They run in the target's interpreter with no
test runner loaded, each tree in a fork, each call twice: what differs then (times, random numbers) is not
compared. Everything compared ran under the same PYTHONHASHSEED.
"""

from __future__ import annotations

import ast
import hashlib
import json
import secrets
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

from treemend.store.records import CallChange
from treemend.verify.probe_events import Event, Listener
from treemend.verify.pytest_target import PytestTarget
from treemend.verify.runner import Function, RecordedCall, TestRequest

CALL_LIMIT_S = 0.5
CHANGES_MAX = 20
FUNCTIONS_MAX = 40
TESTS_MAX = 40
PROCESS_LIMIT_S = 60.0
Key = tuple[int, int]
"""Number of a recorded call, and of a variant of it: 0 is the call itself."""


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """A call as source text, what came of it, the digest of that, and whether it came twice alike."""

    call: str
    text: str
    digest: str
    constant: bool


@dataclass(frozen=True, slots=True)
class Behaviour:
    """All that one tree was seen to do: outcomes of calls, and for tests called as plain functions what each
    set of parameters raised ("" for nothing), by test id without parameters."""

    outcomes: Mapping[Key, CallOutcome] = field(default_factory=dict)
    plain: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlainFile:
    """A test file whose tests are called as functions: its path, their dotted names, and the name that its
    module has meanwhile."""

    path: str
    tests: tuple[str, ...]
    word: str


async def observe_behaviour(
    target: PytestTarget,
    overlays: Sequence[Mapping[str, bytes]],
    calls: Sequence[RecordedCall],
    plain: Sequence[PlainFile] = (),
) -> tuple[Behaviour, ...]:
    """What the target's tree does with each overlay.

    Raises:
        SandboxUnavailableError: the sandbox broke.
    """
    outcomes: list[dict[Key, CallOutcome]] = [{} for _ in overlays]
    results: list[dict[str, tuple[str, ...]]] = [{} for _ in overlays]

    def take(event: Event) -> None:
        if event["event"] == "outcomes":
            for variant, raw in enumerate(event["outcomes"]):
                outcomes[event["candidate"]][int(event["call"]), variant] = _outcome(raw)
        elif event["event"] == "plain":
            for name, raised in event["results"].items():
                test = f"{event['path']}::{name.replace('.', '::')}"
                results[event["candidate"]][test] = tuple(map(str, raised))

    listener = Listener(secrets.token_hex(16), TestRequest(), others=take)
    asked = {
        "nonce": listener.nonce,
        "calls": [(_asked(call)) for call in calls],
        "candidates": [[(path, len(data)) for path, data in overlay.items()] for overlay in overlays],
        "tests": [{"path": file.path, "tests": file.tests, "word": file.word} for file in plain],
        "limit_s": CALL_LIMIT_S,
    }
    contents = [data for overlay in overlays for data in overlay.values()]
    command = replace(target, run_limit_s=PROCESS_LIMIT_S).command(
        "behaviour_probe.py", TestRequest(), listener.hear
    )
    command = replace(command, stdin=b"".join((json.dumps(asked).encode(), b"\n", *contents)))
    await target.sandbox.run(command)
    return tuple(Behaviour(*both) for both in zip(outcomes, results, strict=True))


def _asked(call: RecordedCall) -> dict[str, str]:
    return {"path": call.path, "name": call.name, "module": call.module, "arguments": call.arguments}


def _outcome(raw: Sequence[object]) -> CallOutcome:
    call, text, digest, constant = raw
    return CallOutcome(str(call), str(text), str(digest), bool(constant))


def behaviour_classes(reference: Behaviour, candidates: Sequence[Behaviour]) -> tuple[str, ...]:
    """A digest for each candidate, equal for those that did the same in all calls that are comparable:
    constant in the untouched tree and in every candidate that came to them. () where nothing can be compared.
    """
    keys = [
        key
        for key, outcome in reference.outcomes.items()
        if outcome.constant and all(c.outcomes[key].constant for c in candidates if key in c.outcomes)
    ]
    if not keys:
        return ()
    told = (
        "\n".join(candidate.outcomes[key].digest if key in candidate.outcomes else "-" for key in keys)
        for candidate in candidates
    )
    return tuple(hashlib.sha256(text.encode()).hexdigest()[:16] for text in told)


def diversity(classes: Sequence[str]) -> float | None:
    """The part of all pairs of candidates that behave differently, in [0, 1]; None for fewer than two. This
    is PlanSearch's measure (Wang et al., 2024, section 6) with behaviour in the place of a judge."""
    pairs = list(combinations(classes, 2))
    return sum(one != other for one, other in pairs) / len(pairs) if pairs else None


def changed_calls(
    before: Behaviour, after: Behaviour, calls: Sequence[RecordedCall], passing: Collection[str]
) -> tuple[CallChange, ...]:
    """Calls that do something else after a patch though a test that passed before made them, or none did:
    those of such tests first. What only raised before, and was made up, is left out: few promise anything of
    it."""
    found: list[tuple[bool, CallChange]] = []
    for (number, variant), old in before.outcomes.items():
        new = after.outcomes.get((number, variant))
        if new is None or not (old.constant and new.constant) or old.digest == new.digest:
            continue
        tests = tuple(test for test in calls[number].tests if test in passing) if variant == 0 else ()
        if (variant == 0 and not tests) or (variant and old.text.startswith("raises ")):
            continue
        found.append((not tests, CallChange(call=old.call, before=old.text, after=new.text, by_tests=tests)))
    found.sort(key=lambda item: item[0])
    return tuple(dict.fromkeys(change for _, change in found))[:CHANGES_MAX]


def compared(before: Behaviour, after: Behaviour) -> int:
    """How many calls can be compared."""
    return sum(
        outcome.constant and after.outcomes[key].constant
        for key, outcome in before.outcomes.items()
        if key in after.outcomes
    )


def functions_at(path: str, source: bytes, lines: Collection[int]) -> tuple[Function, ...]:
    """The functions and methods that contain any of these lines, those within others left out."""
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    return tuple(
        Function(path, name, first)
        for name, first, last in _functions(module, "")
        if any(first <= line <= last for line in lines)
    )[:FUNCTIONS_MAX]


def _functions(owner: ast.Module | ast.ClassDef, prefix: str) -> Iterator[tuple[str, int, int]]:
    for node in owner.body:
        if isinstance(node, ast.ClassDef):
            yield from _functions(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.FunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            yield f"{prefix}{node.name}", first, node.end_lineno or node.lineno


def plain_files(tests: Sequence[str], secret: str) -> tuple[PlainFile, ...]:
    """The files of these tests, for `observe_behaviour`."""
    by_path: dict[str, list[str]] = {}
    for test in tests[:TESTS_MAX]:
        path, _, name = test.partition("::")
        if path.endswith(".py") and name:
            names = by_path.setdefault(path, [])
            plain_name = name.split("[")[0].replace("::", ".")
            if plain_name not in names:
                names.append(plain_name)
    return tuple(
        PlainFile(path, tuple(names), "m" + hashlib.sha256(f"{secret} {path}".encode()).hexdigest()[:10])
        for path, names in by_path.items()
    )


def differs_without_runner(
    before: Behaviour, after: Behaviour, targets: Sequence[str], passing: Sequence[str]
) -> tuple[str, ...]:
    """Target tests, without their parameters, that do outside of a test runner what they did before the
    patch: fail with the same exception. They are assumed to pass inside of one. Of a test with parameters,
    as many sets may fail as are neither targets nor `passing`."""
    targeted = dict.fromkeys(map(_without_parameters, targets))
    wanted = Counter(map(_without_parameters, (*targets, *passing)))
    return tuple(
        test
        for test in targeted
        if _same_failures(before, after, test) > max(0, len(before.plain.get(test, ())) - wanted[test])
    )


def _without_parameters(test: str) -> str:
    return test.split("[")[0]


def _same_failures(before: Behaviour, after: Behaviour, test: str) -> int:
    pairs = zip(before.plain.get(test, ()), after.plain.get(test, ()), strict=False)
    return sum(bool(old) and old == new for old, new in pairs)


def called_plainly(
    before: Behaviour, after: Behaviour, targets: Sequence[str], passing: Sequence[str]
) -> bool:
    """Whether calling tests as functions shows anything here: some target fails so before the patch; tests
    that pass under their runner were called, and none fails so, for want of what a runner sets up."""
    fails = {test: sum(map(bool, raised)) for test, raised in before.plain.items()}
    shown = any(fails.get(test) for test in map(_without_parameters, targets) if test in after.plain)
    steady = Counter(test for test in map(_without_parameters, passing) if test in fails)
    return bool(shown and steady) and all(
        fails[test] <= len(before.plain[test]) - count for test, count in steady.items()
    )
