"""Backward slices of a Python function: the lines that may decide what a line uses.

Static, by def-use edges and by the conditions around them (Weiser, Program slicing, ICSE 1981), without
aliases: a call on an object, `x.append(y)`, is taken to change it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Module
STEPS_MAX = 3000
"""Statements of one function that are looked at, the first; the time grows with their square."""
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True, slots=True)
class Sliced:
    """A line of a slice: `names` are those that it gives a value which is used further on."""

    line: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Slice:
    """The lines in order; `free` are the names that come from outside of the function."""

    lines: tuple[Sliced, ...]
    free: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Step:
    """A simple statement, or the header of a compound one. `kills` are those of its names that have no
    earlier value any more; `block` leads to the statements it stands among, `around` are the numbers of the
    headers around it, of which `loops` are those of loops."""

    first: int
    last: int
    defines: frozenset[str]
    kills: frozenset[str]
    uses: frozenset[str]
    block: tuple[int, ...]
    around: tuple[int, ...]
    loops: tuple[int, ...]


def backward_slice(scope: Scope, lines: Collection[int]) -> Slice:
    """What may decide the values that the statements at `lines` use, those statements included."""
    steps = list(islice(_steps(scope), STEPS_MAX))
    used_of: dict[int, set[str]] = {
        number: set() for number, step in enumerate(steps) if _includes(step, lines)
    }
    waiting, free = list(used_of), set[str]()
    while waiting:
        number = waiting.pop()
        reached: list[tuple[int, str]] = [(header, "") for header in steps[number].around]
        for name in steps[number].uses:
            found = list(_definitions(steps, number, name))
            if not found:
                free.add(name)
            reached += [(one, name) for one in found]
        for one, name in reached:
            if one not in used_of:
                used_of[one] = set()
                waiting.append(one)
            if name:
                used_of[one].add(name)
    ordered = sorted(used_of)
    return Slice(
        tuple(Sliced(steps[number].first, tuple(sorted(used_of[number]))) for number in ordered),
        frozenset(free),
    )


def _includes(step: _Step, lines: Collection[int]) -> bool:
    return any(step.first <= line <= step.last for line in lines)


def result_lines(scope: Scope) -> list[int]:
    """The lines of a function that give something back."""
    giving = (ast.Return, ast.Yield, ast.YieldFrom)
    return sorted({node.lineno for node in _own_nodes(scope) if isinstance(node, giving)})


def innermost_scope(module: ast.Module, line: int) -> Scope:
    """The function around a line, the module where there is none."""
    found: Scope = module
    for node in ast.walk(module):
        # Outer ones come first.
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _holds(node, line):
            found = node
    return found


def _holds(node: ast.FunctionDef | ast.AsyncFunctionDef, line: int) -> bool:
    return node.lineno <= line <= (node.end_lineno or node.lineno)


def _definitions(steps: Sequence[_Step], at: int, name: str) -> Iterator[int]:
    """The steps whose value of a name may be the one that step `at` uses."""
    step = steps[at]
    for number in range(at - 1, -1, -1):
        other = steps[number]
        if _gives(other.defines, name):
            yield number
            if {name, name.partition(".")[0]} & other.kills and step.block[: len(other.block)] == other.block:
                break
    # What a loop's body does further down has been done before it comes round.
    for number in range(at, len(steps)) if step.loops else ():
        if _gives(steps[number].defines, name) and step.loops[0] in (*steps[number].loops, number):
            yield number


def _gives(defined: frozenset[str], name: str) -> bool:
    """Whether giving values to these names may give one to `name`: `a` to `a.b`, and `a.b` to `a`."""
    return bool({name, name.partition(".")[0]} & defined) or any(
        one.startswith(f"{name}.") for one in defined
    )


def _steps(scope: Scope) -> Iterator[_Step]:
    counter = 0

    def visit(
        body: Sequence[ast.stmt], block: tuple[int, ...], around: tuple[int, ...], loops: tuple[int, ...]
    ) -> Iterator[_Step]:
        nonlocal counter
        for node in body:
            number, counter = counter, counter + 1
            inner = [] if isinstance(node, _DEFINITIONS) else list(_blocks(node))
            is_loop = isinstance(node, _LOOPS)
            yield _step(node, inner, block, around, (*loops, number) if is_loop else loops)
            for index, one in enumerate(inner):
                within = (*loops, number) if is_loop else loops
                yield from visit(one, (*block, number, index), (*around, number), within)

    if not isinstance(scope, ast.Module):
        counter = 1
        names = frozenset(argument.arg for argument in ast.walk(scope.args) if isinstance(argument, ast.arg))
        yield _Step(scope.lineno, scope.lineno, names, names, frozenset(), (), (), ())
    yield from visit(scope.body, (), (), ())


def _step(
    node: ast.stmt,
    inner: Sequence[Sequence[ast.stmt]],
    block: tuple[int, ...],
    around: tuple[int, ...],
    loops: tuple[int, ...],
) -> _Step:
    first = node.lineno
    begins = [body[0].lineno for body in inner if body]
    last = max(first, min(begins) - 1) if begins else node.end_lineno or first
    if isinstance(node, _DEFINITIONS):
        last = first
    own = list(_header_nodes(node))
    kills = {name for one in own if (name := _stored(one))}
    weak = {name for one in own if (name := _changed(one))}
    owners = {id(one.value) for one in own if isinstance(one, ast.Attribute)}
    uses = {name for one in own if id(one) not in owners and (name := _loaded(one))}
    if isinstance(node, _DEFINITIONS):
        kills.add(node.name)
    if isinstance(node, ast.Import | ast.ImportFrom):
        kills |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    if isinstance(node, ast.AugAssign):
        uses |= {name for name in (_dotted(node.target),) if name}
    return _Step(
        first,
        last,
        frozenset(kills | weak),
        frozenset(kills) if not isinstance(node, _LOOPS) else frozenset(),
        frozenset(uses),
        block,
        around,
        loops,
    )


def _blocks(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        body = getattr(node, name, None)
        if body:
            yield body
    for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
        yield part.body


def _header_nodes(node: ast.stmt) -> Iterator[ast.AST]:
    """The nodes of a statement without those of the statements in it."""
    waiting: list[ast.AST] = [node]
    while waiting:
        current = waiting.pop()
        yield current
        if isinstance(current, _DEFINITIONS):
            waiting += current.decorator_list
            continue
        waiting += [one for one in ast.iter_child_nodes(current) if not isinstance(one, ast.stmt)]


def _own_nodes(scope: Scope) -> Iterator[ast.AST]:
    """All nodes of a function without those of functions and classes in it."""
    waiting: list[ast.AST] = list(scope.body)
    while waiting:
        current = waiting.pop()
        yield current
        if not isinstance(current, (*_DEFINITIONS, ast.Lambda)):
            waiting += ast.iter_child_nodes(current)


def _dotted(node: ast.AST) -> str:
    """`name` or `name.attribute`, "" for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return ""


def _stored(node: ast.AST) -> str:
    is_stored = isinstance(getattr(node, "ctx", None), ast.Store | ast.Del)
    if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
        return node.name or ""
    return _dotted(node) if is_stored else ""


def _changed(node: ast.AST) -> str:
    """What is changed in place: `a[i] = ...`, `a.b.c = ...`, `a.append(...)`."""
    if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
        return "" if _dotted(node) else _dotted(node.value)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        function = node.value.func
        return _dotted(function.value) if isinstance(function, ast.Attribute) else ""
    return ""


def _loaded(node: ast.AST) -> str:
    """The name that is used; of `a.b` that, and not `a`."""
    return _dotted(node) if isinstance(getattr(node, "ctx", None), ast.Load) else ""
