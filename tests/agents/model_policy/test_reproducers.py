"""What is taken for evidence of the tests that a model writes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from treemend.agents.model_policy.answers import WrittenTest
from treemend.agents.model_policy.reproducers import Draft, try_out
from treemend.store.records import TestOutcome
from treemend.verify.runner import TestReport, TestRequest, TestResult

TEST = "test_treemend_issue_1.py::test_it"


class Observing:
    """Answers each run of the one test with the next of these messages."""

    task = SimpleNamespace(test_timeout_s=None, only=())

    def __init__(self, *messages: str) -> None:
        self._messages = list(messages)

    async def observe(self, name: str, attempt: int, request: TestRequest, doing: str) -> TestReport:
        result = TestResult(
            TestOutcome.FAILED, 0.1, message=self._messages.pop(0), lines={"flatten.py": (3,)}
        )
        return TestReport(results={TEST: result}, collected=(TEST,))


@pytest.mark.parametrize(
    ("first", "second", "is_evidence"),
    [
        ("assert [<generator at 0x7f01aa>] == [1]", "assert [<generator at 0x55b2cc>] == [1]", True),
        ("assert {'a', 'b'} == [1]", "assert {'b', 'a'} == [1]", True),
        ("assert 4 == [1]", "assert 5 == [1]", False),
        ("assert [0x10] == [1]", "assert [0x11] == [1]", False),
    ],
    ids=["an address", "the order of a set", "another value", "a small number"],
)
async def test_a_failure_is_the_same_but_for_what_no_two_runs_share(
    first: str, second: str, is_evidence: bool
) -> None:
    written = WrittenTest(behaviour="it is flat", fails_with="AssertionError", code="def test_it(): ...\n")
    observation = SimpleNamespace(load_plugins=True)
    drafts = [Draft(written, "test_treemend_issue_1.py", TEST)]
    context = Observing(f"t.py:3: {first}", f"t.py:3: {second}")
    tried = await try_out(context, observation, drafts, "issue")  # type: ignore[arg-type] # what it uses
    assert bool(tried.admitted) is is_evidence
    assert is_evidence or "does not fail alike" in tried.refused[0][1]
