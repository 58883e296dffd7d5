"""Seeded toy searches give, node for node, the trees that are stored in golden/.

After a change that is meant to change them: `python tests/search/test_golden.py` writes them anew
(treemend installed, any working directory); then read the difference before you keep it.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import typing
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from treemend.search.tree import Node
from treemend.store.records import Strategy

if TYPE_CHECKING:
    from tests.search.conftest import Search, ToyTask

    SearchFn = Callable[[ToyTask, Strategy, int], Search]

FOLDER = Path(__file__).parent / "golden"
ROUNDS = 24
SHAPE = {"seed": 7, "places": 8, "changes": 8, "right_place": 3, "right_change": 4}


def render(done: Search) -> str:
    """Return a search as JSON with one step and one node a line; floats to six digits."""
    steps = [f"{type(step).__name__} {step.node}" for step in done.steps]
    nodes = [
        {"name": "/".join(map(str, name)), **node_fields(node)}
        for node, name in zip(done.tree.nodes, done.names, strict=True)
    ]
    return "{\n" + f'"steps": {listed(steps)},\n"nodes": {listed(nodes)}' + "\n}\n"


def node_fields(node: Node) -> dict[str, object]:
    values = {field.name: getattr(node, field.name) for field in fields(node)}
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in values.items()}


def listed(items: list[typing.Any]) -> str:
    return "[\n  " + ",\n  ".join(json.dumps(item) for item in items) + "\n]"


def differences(stored: dict[str, list[typing.Any]], now: dict[str, list[typing.Any]]) -> list[str]:
    """Name each node and the first step that differ, with both values."""
    lines = []
    for number, (old, new) in enumerate(zip(stored["steps"], now["steps"], strict=False)):
        if old != new:
            lines.append(f"step {number}: {old} is now {new}")
            break
    for old, new in zip(stored["nodes"], now["nodes"], strict=False):
        changed = [f"{key} {old.get(key)} -> {new[key]}" for key in new if old.get(key) != new[key]]
        if changed:
            lines.append(f"node {new['seq']} ({old['name']}): {', '.join(changed)}")
    for what in ("steps", "nodes"):
        if len(stored[what]) != len(now[what]):
            lines.append(f"{len(stored[what])} {what} are now {len(now[what])}")
    return lines


@pytest.mark.parametrize("strategy", typing.get_args(Strategy))
def test_the_tree_is_the_stored_one(strategy: Strategy, toy_task: type[ToyTask], search: SearchFn) -> None:
    stored = json.loads((FOLDER / f"{strategy}.json").read_text(encoding="utf-8"))
    now = json.loads(render(search(toy_task(**SHAPE), strategy, ROUNDS)))
    found = differences(stored, now)
    assert not found, "\n".join(found)
    assert stored == now


def test_a_difference_names_its_node(toy_task: type[ToyTask], search: SearchFn) -> None:
    stored = json.loads(render(search(toy_task(**SHAPE), "mcts", 5)))
    now = json.loads(json.dumps(stored))
    now["nodes"][4]["value"] = 0.123
    assert differences(stored, now) == ["node 4 (0/0): value 0.0 -> 0.123"]
    assert differences(stored, stored) == []


def write_all() -> None:
    """Write golden/*.json anew from the toy task in conftest.py."""
    spec = importlib.util.spec_from_file_location("toy", Path(__file__).with_name("conftest.py"))
    assert spec and spec.loader
    toy = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = toy
    spec.loader.exec_module(toy)
    for strategy in typing.get_args(Strategy):
        done = toy.run_search(toy.ToyTask(**SHAPE), strategy, ROUNDS)
        (FOLDER / f"{strategy}.json").write_text(render(done), encoding="utf-8")


if __name__ == "__main__":
    write_all()
