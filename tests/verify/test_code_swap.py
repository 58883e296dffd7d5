"""Which changes may be swapped into live functions, and that those behave as after an import."""

from __future__ import annotations

import gc
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

import pytest

INSIDE = Path(__file__).parents[2] / "verify" / "treemend" / "verify" / "inside"


def load(path: Path, name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load_inside(name: str) -> Any:
    """A script's module with those beside it, whose names are nobody else's business."""
    sys.path.insert(0, str(INSIDE))
    try:
        return load(INSIDE / f"{name}.py", f"{name}_under_test")
    finally:
        sys.path.remove(str(INSIDE))
        sys.modules.pop("source_parts", None)


code_swap = load_inside("code_swap")


@pytest.fixture(scope="module", autouse=True)
def small_heap() -> Iterator[None]:
    """Every object of a process is looked at; those of other tests' modules are many."""
    gc.freeze()
    yield
    gc.unfreeze()


class Target:
    """A module that was imported from a file while every code object that ran was noted."""

    def __init__(self, path: Path, source: str) -> None:
        self.path = path
        path.write_bytes(source.encode())
        self.ran: list[CodeType] = []
        tracer = sys.gettrace()
        sys.settrace(self._note)
        try:
            self.module: ModuleType = load(path, path.stem)
        finally:
            sys.settrace(tracer)
        self.imported = code_swap.Imported(str(path.parent), self.ran)

    def _note(self, frame: FrameType, event: str, argument: object) -> None:
        self.ran.append(frame.f_code)

    def become(self, source: str) -> Any:
        """Swap the code in; the module afterwards."""
        for function, code in self.imported.region(str(self.path), source.encode()).plan():
            function.__code__ = code
        return self.module


Import = Callable[[str], Target]


@pytest.fixture
def target(tmp_path: Path) -> Import:
    return lambda source: Target(tmp_path / "swapped.py", source)


FILE = '''"""A module."""
import os.path as path
from math import floor

LIMIT = 3


def early(n, least=0):
    """Says early."""
    return max(n, least)


class Box:
    size = 2

    def __init__(self, items):
        self.items = items

    @property
    def first(self):
        return self.items[0]

    @classmethod
    def of(cls, *items):
        return cls(list(items))

    def grown(self):
        return [item + self.size for item in self.items]


def late(n):
    return floor(n) + path.isabs("x")
'''


def test_a_changed_body_is_swapped_in(target: Import) -> None:
    module = target(FILE).become(FILE.replace("max(n, least)", "min(n, least)"))
    assert module.early(5) == 0


def test_every_function_object_of_the_changed_code_changes(target: Import) -> None:
    live = target(FILE)
    kept = [live.module.Box.grown, live.module.Box(["a"]).grown, live.module.Box.of]
    live.become(
        FILE.replace("item + self.size", "item * self.size").replace("list(items)", "list(items * 2)")
    )
    assert kept[1]() == ["aa"]
    assert kept[2](1).items == [1, 1]
    assert kept[0](live.module.Box.of(4)) == [8, 8]


def test_properties_and_closures_change(target: Import) -> None:
    source = (
        FILE
        + "\n\ndef adder(n):\n    def add(m):\n        return n + m\n    return add\n\n\nadd2 = adder(2)\n"
    )
    live = target(source)
    live.become(source.replace("return n + m", "return n * m").replace("self.items[0]", "self.items[-1]"))
    assert live.module.add2(5) == 10
    assert live.module.adder(3)(5) == 15
    assert live.module.Box([1, 2]).first == 2


def test_code_below_the_change_shows_its_new_lines(target: Import) -> None:
    changed = FILE.replace("    return max(n, least)", "    n = n + 0\n\n    return max(n, least)")
    live = target(FILE)
    live.become(changed)
    with pytest.raises(TypeError) as raised:
        live.module.late("x")
    assert (
        raised.traceback[-1].lineno + 1
        == changed.splitlines().index('    return floor(n) + path.isabs("x")') + 1
    )
    assert (
        live.module.Box.grown.__code__.co_firstlineno == FILE.splitlines().index("    def grown(self):") + 3
    )


def test_the_swapped_code_is_what_an_import_would_give(target: Import, tmp_path: Path) -> None:
    changed = FILE.replace("return max(n, least)", "return sum([n]) + least").replace("floor(n) +", "n or")
    swapped = target(FILE).become(changed)
    (tmp_path / "fresh.py").write_text(changed)
    fresh = load(tmp_path / "fresh.py", "fresh")
    for name in ("early", "late"):
        assert getattr(swapped, name).__code__ == getattr(fresh, name).__code__
    assert swapped.Box.grown.__code__ == fresh.Box.grown.__code__


def test_calls_through_imported_modules_compile_as_in_the_whole_file(target: Import) -> None:
    source = (
        "import math\nfrom itertools import chain\n\n\n"
        "def f(x):\n    return chain.from_iterable([[math.floor(x)]])\n"
    )
    module = target(source).become(source.replace("floor(x)", "ceil(x)"))
    assert list(module.f(1.5)) == [2]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("LIMIT = 3", "LIMIT = 4", "ran on import"),
        ("from math import floor", "from math import ceil as floor", "ran on import"),
        ("    size = 2", "    size = 3", "ran on import"),
        ("least=0", "least=1", "ran on import"),
        ("def early(n, least", "def early(m, least", "changes than its body"),
        ("def late(n)", "def late(n, m)", "changes than its body"),
        ("def late(n):", "def late(n: int):", "ran on import"),
        ("def late(n)", "async def late(n)", "changes than its body"),
        ("    return floor(n) +", "    yield floor(n) +", "changes than its body"),
        ("Says early", "Says late", "changes than its body"),
        ("    @property\n", "", "ran on import"),
        ("def late(n)", "def later(n)", "ran on import"),
        ("def late(n)", "def late(n", "does not compile"),
        ("def early", "x = 1\n\ndef early", "ran on import"),
        ("return floor(n) +", "return LIMIT) + (", "does not compile"),
        ('"""A module."""', '"""A module!"""', "ran on import"),
        ("return [item + self.size", "return super().x or [item + self.size", "ran on import|its body"),
    ],
)
def test_whatever_an_import_would_leave_otherwise_is_refused(
    target: Import, old: str, new: str, why: str
) -> None:
    assert old in FILE
    live = target(FILE)
    with pytest.raises(code_swap.Unswappable, match=why):
        live.become(FILE.replace(old, new, 1))


def test_a_function_that_ran_on_import_is_refused(target: Import) -> None:
    source = "def make():\n    return 1\n\n\nVALUE = make()\n\n\ndef other():\n    return 1\n"
    with pytest.raises(code_swap.Unswappable, match="make ran on import"):
        target(source).become(source.replace("return 1", "return 2", 1))


def test_a_generator_that_waits_is_refused(target: Import) -> None:
    source = "def count():\n    yield 1\n\n\nWAITING = count()\n"
    with pytest.raises(code_swap.Unswappable):
        target(source).become(source.replace("yield 1", "yield 2"))


def test_a_decorator_whose_wrapper_is_alive_may_change_the_wrapper_alone(target: Import) -> None:
    source = (
        "def twice(f):\n    def wrapper(n):\n        return f(f(n))\n    return wrapper\n\n\n"
        "@twice\ndef grow(n):\n    return n + 1\n"
    )
    live = target(source)
    with pytest.raises(code_swap.Unswappable, match="twice ran on import"):
        live.become(source.replace("return wrapper", "wrapper.x = 1; return wrapper"))
    assert live.become(source.replace("f(f(n))", "f(f(f(n)))")).grow(0) == 3


def test_code_that_somebody_rewrote_is_refused(target: Import) -> None:
    live = target(FILE)
    live.module.early.__code__ = (lambda n, least: n).__code__.replace(
        co_filename=live.module.early.__code__.co_filename,
        co_firstlineno=live.module.early.__code__.co_firstlineno,
    )
    live.imported = code_swap.Imported(str(live.path.parent), live.ran)
    with pytest.raises(code_swap.Unswappable, match="not what the source compiles to"):
        live.become(FILE.replace("max(n, least)", "min(n, least)"))


def test_equal_constants_of_other_types_differ(target: Import) -> None:
    source = "A = 1\nB = 0.0\n\n\ndef f():\n    return 1, 0.0\n"
    for old, new in (("A = 1", "A = True"), ("A = 1", "A = 1.0"), ("B = 0.0", "B = -0.0")):
        with pytest.raises(code_swap.Unswappable):
            target(source).become(source.replace(old, new))
    assert target(source).become(source.replace("return 1, 0.0", "return True, 0.0")).f()[0] is True


def test_a_statement_that_moves_from_try_to_else_is_a_change(target: Import) -> None:
    source = (
        "def f(g, h):\n    try:\n        g()\n        h()\n"
        "    except ValueError:\n        return 1\n    return 2\n"
    )
    changed = source.replace(
        "        h()\n    except ValueError:\n        return 1\n",
        "    except ValueError:\n        return 1\n    else:\n        h()\n",
    )
    module = target(source).become(changed)

    def fails() -> None:
        raise ValueError

    with pytest.raises(ValueError):
        module.f(list, fails)


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text.replace("\n\n\nclass", "\n\n# a remark\nclass"),
        lambda text: "# a remark\n" + text,
        lambda text: text + "\n# the end",
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: text.rstrip("\n"),
    ],
)
def test_a_change_of_form_alone_is_swappable(target: Import, edit: Callable[[str], str]) -> None:
    module = target(FILE).become(edit(FILE))
    assert module.early(5) == 5 and module.late(1.5) == 1


def test_two_changes_far_apart_are_swapped_together(target: Import) -> None:
    changed = FILE.replace("max(n, least)", "min(n, least)").replace("floor(n) +", "floor(-n) +")
    module = target(FILE).become(changed)
    assert (module.early(5), module.late(1.5)) == (0, -2)


def test_future_imports_hold_for_the_changed_part(target: Import) -> None:
    source = (
        "from __future__ import annotations\n\n\n"
        "def f(n: Unknown) -> None:\n    def g(m: Missing): return m\n    return g(n)\n"
    )
    module = target(source).become(source.replace("g(n)", "g(-n)"))
    assert module.f(1) == -1


def test_statements_on_one_line_are_one(target: Import) -> None:
    source = "A = 1; B = 2\ndef f(): return A\ndef g(): return B\n"
    module = target(source).become(source.replace("return A", "return -A"))
    assert (module.f(), module.g()) == (-1, 2)
    with pytest.raises(code_swap.Unswappable):
        target(source).become(source.replace("B = 2", "B = 3"))


def test_a_file_that_was_not_imported_is_refused(target: Import, tmp_path: Path) -> None:
    live = target(FILE)
    (tmp_path / "other.py").write_text("x = 1\n")
    with pytest.raises(code_swap.Unswappable, match="not imported"):
        live.imported.region(str(tmp_path / "other.py"), b"x = 2\n")


def test_a_file_imported_twice_is_refused(target: Import) -> None:
    live = target(FILE)
    load(live.path, "again")
    live.imported = code_swap.Imported(
        str(live.path.parent), [*live.ran, compile(FILE, str(live.path), "exec")]
    )
    with pytest.raises(code_swap.Unswappable, match="more than once"):
        live.become(FILE.replace("max(n, least)", "min(n, least)"))
