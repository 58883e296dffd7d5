"""What a person says of tests that a model wrote: asked where candidates part, and kept.

A test that a person calls right is trusted: what fails it is no answer. One that is wrong counts no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from treemend.agents.reproduction import Reproducer
from treemend.agents.run_context import Question, RunContext
from treemend.store.database import Store
from treemend.store.records import Candidate, RunId, TestRole

QUESTIONS_MAX = 3
RIGHT, WRONG, NONE = b"right", b"wrong", b"no answer"


def answers_of(store: Store, run_id: RunId) -> dict[str, bool]:
    """The tests that a person called right or wrong."""
    written = (case.id for case in store.test_cases(run_id) if case.role is TestRole.EVIDENCE)
    given = {test: store.get_blob(run_id, _name(test)) for test in written}
    return {test: answer == RIGHT for test, answer in given.items() if answer in (RIGHT, WRONG)}


def _name(test: str) -> str:
    return f"answer to {test}"


async def ask_person(
    context: RunContext,
    tests: Sequence[Reproducer],
    candidates: Sequence[Candidate],
    passes: Mapping[tuple[int, str], bool],
) -> dict[str, bool]:
    """Which of the tests are right and which are wrong, as far as a person says so. Those are asked about
    that part the candidates most evenly; a step that runs again asks nothing twice."""
    store, ask = context.store, context.ask
    if ask is not None:
        for question in _questions(tests, candidates, passes):
            if store.get_blob(context.id, _name(question.test)) is None:
                answer = {True: RIGHT, False: WRONG, None: NONE}[await ask(question)]
                store.put_blob(context.id, _name(question.test), answer)
    said = answers_of(store, context.id)
    store.trust_tests(context.id, [test for test, right in said.items() if right])
    return said


def _questions(
    tests: Sequence[Reproducer], candidates: Sequence[Candidate], passes: Mapping[tuple[int, str], bool]
) -> list[Question]:
    found = []
    for test in tests:
        passing = sum(passes.get((candidate.seq, test.id), False) for candidate in candidates)
        failing = len(candidates) - passing
        if passing and failing:
            found.append(Question(test.id, test.behaviour, test.code, passing, failing))
    return sorted(found, key=lambda one: abs(one.passing - one.failing))[:QUESTIONS_MAX]
