"""What the prompts of a run show of the code."""

from __future__ import annotations

from pathlib import Path

from treemend.agents.feedback import Feedback
from treemend.agents.model_policy.brief import FILE_CHARS_MAX, brief_sections
from treemend.agents.planning import Plan
from treemend.store.records import Symptom
from treemend.tools.source import SourceFile
from treemend.tools.syntax import parse_module

NOTHING_FAILS = Feedback(passed=frozenset(), failures={})


def test_a_suspicious_line_of_a_long_table_is_shown_with_those_around_it(tmp_path: Path) -> None:
    rows = [f"    'word{number}': {number}," for number in range(FILE_CHARS_MAX // 10)]
    (tmp_path / "words.py").write_text("\n".join(["WORDS = {", *rows, "}", ""]))
    sources = {"words.py": SourceFile.read(tmp_path / "words.py")}
    modules = {path: parse_module(path, source.text) for path, source in sources.items()}
    plan = Plan(sources, modules, {}, NOTHING_FAILS, lambda _: {("words.py", 302): 1.0})
    shown = {section.title: section.text for section in brief_sections(Symptom(issue="?"), plan, {})}["code"]
    assert rows[300] in shown
    assert shown.startswith("words.py:281\n")
    assert len(shown) < FILE_CHARS_MAX / 4


def test_a_form_feed_ends_no_line(tmp_path: Path) -> None:
    rows = [f"    'word{number}': {number}," for number in range(FILE_CHARS_MAX // 10)]
    (tmp_path / "words.py").write_text("\n".join(["\f", "\f", "\f", "WORDS = {", *rows, "}", ""]))
    sources = {"words.py": SourceFile.read(tmp_path / "words.py")}
    modules = {path: parse_module(path, source.text) for path, source in sources.items()}
    plan = Plan(sources, modules, {}, NOTHING_FAILS, lambda _: {("words.py", 302): 1.0})
    shown = {section.title: section.text for section in brief_sections(Symptom(issue="?"), plan, {})}["code"]
    assert shown.splitlines()[1] == rows[281 - 5]
