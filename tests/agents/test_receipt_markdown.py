"""Receipts as Markdown: everything from outside stands quoted."""

from __future__ import annotations

import pytest

from treemend.agents.receipts.markdown import render_markdown
from treemend.agents.receipts.receipt import Counts, Receipt, SandboxUsed, TestChange
from treemend.store.records import Outcome, TestRole


def receipt(**changed: object) -> Receipt:
    usual: dict[str, object] = {
        "run": "r1",
        "treemend": "0.1.0",
        "outcome": Outcome.REPAIRED,
        "reason": "",
        "repo": "/repo",
        "tree_digest": "0" * 64,
        "issue": "",
        "patch": "--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a\n+b\n",
        "thought": "Use `b` instead of `a`.",
        "targets": (change("tests/t.py::test_a"),),
        "regression_tests": 3,
        "regression_passed": 3,
        "set_aside": (),
        "ranking_note": "",
        "ranking": (),
        "alternatives": (),
        "notes": (),
        "sandbox": SandboxUsed(name="bubblewrap", not_covered=("The number of files is not bounded.",)),
        "counts": Counts(
            thoughts=9,
            candidates_executed=5,
            duplicates=1,
            plausible=2,
            until_plausible=3,
            tests_run=40,
            seconds=1.5,
        ),
        "strategy": "mcts",
        "seed": 0,
        "command": "treemend fix --repo /repo",
    }
    return Receipt.model_validate({**usual, **changed})


def change(test: str, role: TestRole = TestRole.TARGET) -> TestChange:
    return TestChange(test=test, role=role, before="failed", after="passed")


def test_a_repair_shows_patch_thought_tests_and_sandbox() -> None:
    text = render_markdown(receipt())
    assert text.startswith("# treemend: repaired\n")
    assert "```diff\n--- a/x.py" in text
    assert "Use `b` instead of `a`." in text
    assert "| `tests/t.py::test_a` | failed | passed |" in text
    assert "3 of 3 tests that passed before pass" in text
    assert "not covered: The number of files is not bounded." in text
    assert "treemend fix --repo /repo" in text


def test_without_a_patch_the_reason_stands_first() -> None:
    text = render_markdown(
        receipt(outcome=Outcome.NOTHING_PLAUSIBLE, reason="every change was tried", patch="", targets=())
    )
    assert "No patch: every change was tried." in text
    assert "```diff" not in text


@pytest.mark.parametrize("inside", ["```", "````\n# heading"])
def test_I16_a_patch_can_not_end_the_block_it_is_quoted_in(inside: str) -> None:
    text = render_markdown(receipt(patch=f"+{inside}\n+@everyone\n"))
    fence = next(line for line in text.splitlines() if line.endswith("diff"))[: -len("diff")]
    body = text.split(f"{fence}diff\n", 1)[1].split(f"\n{fence}\n", 1)[0]
    assert "@everyone" in body


HOSTILE = [
    pytest.param("thanks @everyone and `@nobody`", "thanks @\u200beveryone and `@nobody`", id="mention"),
    pytest.param(
        "Fixes #12, closes o/r#3 GH-4", "Fixes #\u200b12, closes o/r#\u200b3 GH-\u200b4", id="closes"
    ),
    pytest.param("![x](http://e/i.png)", r"\!\[x\](http://" + "\u200be/i.png)", id="I05-image"),
    pytest.param("<img src=x onerror=y>", r"\<img src=x onerror=y\>", id="I05-html"),
    pytest.param("see www.e.org?token=sk", "see www.\u200be.org?token=sk", id="I17-link"),
    pytest.param("```@x` y", r"\`\``@x` y", id="backticks"),
    pytest.param(
        "a\n# heading\n::set-output name=x::y", "a # heading ::set-output name=x::y", id="I13-lines"
    ),
]


@pytest.mark.parametrize("text, shown", HOSTILE)
def test_I16_what_a_model_says_is_text_and_no_more(text: str, shown: str) -> None:
    repaired = render_markdown(receipt(thought=text, rationale=f"because {text}"))
    assert f"\n{shown}\n" in repaired
    refused = render_markdown(receipt(outcome=Outcome.NOT_REPRODUCED, reason=text, patch=""))
    assert f"No patch: {shown}." in refused


def test_I18_a_test_id_can_not_break_the_table() -> None:
    text = render_markdown(receipt(targets=(change("t.py::test_a[`|`\n|x]"),)))
    row = next(line for line in text.splitlines() if "test_a" in line)
    assert row.count("|") - row.count("\\|") == 4


def test_what_was_set_aside_is_named() -> None:
    text = render_markdown(receipt(set_aside=(change("t.py::test_f", TestRole.FLAKY),)))
    assert "Set aside (flaky): `t.py::test_f`" in text
