"""Makes docs/templates.md: every fix template with an example, which it has really mended.

    python docs/build_templates.py

The names, the order and the sentences come from the catalogue, the code to mend from docs/templates.txt,
where a line `# NAME: WANTED` stands above each piece: the first change of that template after which the
code holds WANTED, or holds it once more, is shown. `\\n` in WANTED is a new line.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from treemend.agents.templates.catalogue import TEMPLATES, Change, changes
from treemend.agents.templates.site import Template
from treemend.tools.syntax import parse_module

HERE = Path(__file__).parent
PAGE, EXAMPLES = HERE / "templates.md", HERE / "templates.txt"
HEADING = re.compile(r"^# ([a-z0-9-]+): (.+)\n", re.MULTILINE)
INTRODUCTION = """# Fix templates

Where no model is asked, these templates think of what may be wrong at a suspicious line and of how people
mend such a slip. There are {count} of them in {families} families. Those that people need most come first in
the search, and of a template's changes at a place the likeliest.

This page is made by `python docs/build_templates.py` from the catalogue: each example is what the template
made of the code.
"""


@dataclass(frozen=True, slots=True)
class Example:
    """A piece of code with a slip, and what the mended code holds that it doesn't."""

    code: str
    wanted: str


class NoExample(Exception):
    """A template has no example, or doesn't mend the one it has."""


def read_examples(text: str) -> dict[str, Example]:
    """The examples by the name of their template."""
    _, *parts = HEADING.split(text)
    found = zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    return {
        name: Example(code.strip("\n") + "\n", wanted.replace("\\n", "\n")) for name, wanted, code in found
    }


def render_page(examples: dict[str, Example], templates: Sequence[Template] = TEMPLATES) -> str:
    """The page. Raises NoExample, which names every template whose example is missing or wrong."""
    families = [(name, list(family)) for name, family in groupby(templates, lambda t: t.make.__module__)]
    pieces, troubles = [INTRODUCTION.format(count=len(templates), families=len(families))], []
    for name, family in families:
        pieces.append(f"## {name.rsplit('.', 1)[-1].replace('_', ' ').capitalize()}\n\n{_said(name)}\n")
        for template in family:
            try:
                pieces.append(_render_template(template, examples.get(template.name)))
            except NoExample as trouble:
                troubles.append(str(trouble))
    if troubles:
        raise NoExample("\n".join(troubles))
    return "\n".join(pieces)


def _said(module: str) -> str:
    return inspect.getdoc(importlib.import_module(module)) or ""


def _render_template(template: Template, example: Example | None) -> str:
    if example is None:
        raise NoExample(f"{template.name}: docs/templates.txt has no example.")
    change, mended = _mended(template, example)
    before, after = (text.splitlines(keepends=True) for text in (example.code, mended))
    diff = "".join([*difflib.unified_diff(before, after, n=len(before))][3:])
    told = inspect.getdoc(template.make) or ""
    return f"### {template.name}\n\n{told}\n\n```diff\n{diff}```\n\n{change.fault} {change.remedy}\n"


def _mended(template: Template, example: Example) -> tuple[Change, str]:
    module = parse_module("example.py", example.code)
    offered = []
    for change in changes(module, range(1, example.code.count("\n") + 1), templates=[template]):
        text = _edited(example.code, change)
        if text.count(example.wanted) > example.code.count(example.wanted):
            return change, text
        offered.append(change.remedy)
    raise NoExample(f"{template.name}: no change gives {example.wanted!r} but: {' '.join(offered[:12])}")


def _edited(code: str, change: Change) -> str:
    for edit in reversed(change.edits):
        code = code[: edit.start] + edit.text + code[edit.end :]
    return code


def main() -> int:
    try:
        PAGE.write_text(render_page(read_examples(EXAMPLES.read_text())))
    except NoExample as trouble:
        print(trouble, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
