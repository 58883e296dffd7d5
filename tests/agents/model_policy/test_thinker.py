"""What a model is shown and asked beside the policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.agents.model.answering import Answering

from treemend.agents.feedback import Failure, Feedback
from treemend.agents.intake import make_task
from treemend.agents.model.client import ModelClient
from treemend.agents.model.ledger import Ledger
from treemend.agents.model.prices import Abilities
from treemend.agents.model.settings import parse_models
from treemend.agents.model_policy.thinker import Thinker, deciding_lines
from treemend.agents.progress import Event, Listener, Noted, ignore
from treemend.agents.run_context import RunContext
from treemend.agents.run_index import open_run_index
from treemend.agents.runs import new_run
from treemend.agents.scripted_provider import Rule
from treemend.store.database import Store, open_store
from treemend.store.records import Budget, Candidate, Frame, Run

CANDIDATE = Candidate(seq=3, thought=1, edits=(), patch=b"-a\n+b\n", prior=1.0)
GRADED = Rule(last="# Task: grade", answer={"against": "None.", "grade": 0.5})
JUDGED = ("openai/scripted", "judge=openai/judge")


def made(store: Store, run: Run, folder: Path, listener: Listener = ignore) -> RunContext:
    """A context in which nothing can be run."""
    nothing: Any = None
    return RunContext(store, run, folder, nothing, nothing, None, None, nothing, listener=listener)


@pytest.mark.parametrize(
    "names, rule, tokens, grade, note",
    [
        pytest.param(JUDGED, GRADED, None, 0.5, "", id="graded"),
        pytest.param(JUDGED, Rule(answer={"grade": 7}), None, 1.0, "", id="beyond the bounds"),
        pytest.param(JUDGED, Rule(fault="refusal"), None, None, "refuses", id="refused"),
        pytest.param(JUDGED, GRADED, 10, None, "budget", id="too dear"),
        pytest.param(("openai/scripted",), GRADED, None, None, "", id="nobody named"),
    ],
)
async def test_a_grade_is_an_opinion_within_bounds(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    names: tuple[str, ...],
    rule: Rule,
    tokens: int | None,
    grade: float | None,
    note: str,
) -> None:
    monkeypatch.setenv("TREEMEND_STATE", str(tmp_path / "state"))
    (tmp_path / "tree").mkdir()
    store, events = open_store("sqlite://"), list[Event]()
    run = new_run(store, make_task(tmp_path / "tree", models=parse_models(names)))
    answering, models = Answering([rule]), parse_models(names)
    assert models is not None
    ledger = Ledger(store, run.id, Budget(tokens=tokens), lambda model: Abilities())
    client = ModelClient(models, ledger, answering, lambda model: Abilities())
    context = made(store, run, tmp_path, events.append)
    assert await Thinker(client, None).grade(context, CANDIDATE) == grade
    assert {call.model for call in answering.asked} <= {"openai/judge"}
    assert note in "".join(event.text for event in events if isinstance(event, Noted))


def test_the_lines_that_may_decide_a_failing_assertion_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TREEMEND_STATE", str(tmp_path / "state"))
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "shop.py").write_text("def total(prices):\n    unused = 1\n    return sum(prices)\n")
    (tree / "test_shop.py").write_text(
        "from shop import total\n\n\ndef test_total():\n    assert total([1]) == 2\n"
    )
    store = open_store("sqlite://")
    context = made(store, new_run(store, make_task(tree)), tmp_path)

    def shown(path: str) -> str:
        failure = Failure(message="assert 1 == 2", frames=(Frame(path=path, line=5, function="test_total"),))
        failing = Feedback(passed=frozenset(), failures={"t": failure})
        with open_run_index(context) as index:
            sections = deciding_lines(context, failing, lambda: index)
        return "".join(section.text for section in sections)

    assert "shop.py:3:1  total  return sum(prices)" in shown("test_shop.py")
    assert "unused" not in shown("test_shop.py")
    assert shown("tests/test_written_by_a_model.py") == ""
