"""docs/models.md: its scripts are scripts, and its policy is one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from treemend.agents.feedback import Feedback
from treemend.agents.planning import Plan
from treemend.agents.policy import Parent, Policy
from treemend.agents.scripted_provider import FAULTS, Rule, load_script
from treemend.tools.edits import apply_edits
from treemend.tools.source import SourceFile
from treemend.tools.syntax import parse_module

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "models.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_scripts_that_are_shown_and_shipped_can_be_loaded(tmp_path: Path) -> None:
    (shown,) = blocks("json")
    (tmp_path / "script.json").write_text(shown)
    rules = [*load_script(tmp_path / "script.json"), *load_script(ROOT / "examples" / "late-fee.script.json")]
    assert all(isinstance(rule, Rule) and (not rule.fault or rule.fault in FAULTS) for rule in rules)
    assert json.loads(shown)["rules"][2]["fault"] == "rate limited"


@pytest.fixture
def policy() -> Policy:
    names: dict[str, Any] = {}
    exec(compile(blocks("python")[-1], "docs/models.md", "exec"), names)
    source = SourceFile.decode(b"def last(n):\n    return n + 1\n")
    plan = Plan(
        {"a.py": source},
        {"a.py": parse_module("a.py", source.text)},
        {},
        Feedback(passed=frozenset(), failures={}),
        lambda failing: {},
    )
    made: Policy = names["DropOne"](plan)
    return made


async def test_the_policy_that_is_shown_thinks_and_edits(policy: Policy) -> None:
    proposal = await policy.propose(Parent(), 0, 3)
    (idea,) = proposal.ideas
    assert proposal.reserve_prior == 0.0
    realized = await policy.realize(idea.key, (idea.text,))
    assert apply_edits("def last(n):\n    return n + 1\n", realized.edits) == "def last(n):\n    return n\n"
