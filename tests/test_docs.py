"""Pages that are made from the code say what the code does now."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def builder() -> ModuleType:
    """The program docs/build_templates.py, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("build_templates", DOCS / "build_templates.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_every_template_mends_its_example_and_the_page_shows_it(builder: ModuleType) -> None:
    """Where this fails: mend docs/templates.txt, then run `python docs/build_templates.py`."""
    page = builder.render_page(builder.read_examples((DOCS / "templates.txt").read_text()))
    assert (DOCS / "templates.md").read_text() == page


def test_all_templates_without_a_right_example_are_named(builder: ModuleType) -> None:
    examples = builder.read_examples((DOCS / "templates.txt").read_text())
    chosen = {"off-by-one", "comparison-operator", "wrong-call"}
    del examples["wrong-call"]
    examples["off-by-one"] = builder.Example("def f(a):\n    return a\n", "nothing that it makes")
    with pytest.raises(builder.NoExample) as raised:
        builder.render_page(examples, [t for t in builder.TEMPLATES if t.name in chosen])
    assert [line.split(":")[0] for line in str(raised.value).splitlines()] == ["off-by-one", "wrong-call"]


def test_no_example_is_left_of_a_template_that_is_gone(builder: ModuleType) -> None:
    examples = builder.read_examples((DOCS / "templates.txt").read_text())
    assert not examples.keys() - {template.name for template in builder.TEMPLATES}
