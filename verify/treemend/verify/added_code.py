"""What a patch adds that code has no honest use for while it is mended: each a concern for a person.

Read, never run. A construct that the file used before the patch is no concern. Python is read as syntax,
other languages by a few patterns.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from treemend.store.records import Concern
from treemend.tools.line_diff import changes

ENDS = "ends the process"
RUNNER = "looks at the test runner"
CALLER = "looks at its caller"
AGREES = "agrees with anything"
PATCHES = "changes what others use"
SWALLOWS = "swallows every error"
HIDES = "runs code that can't be read here"
SPECIAL = "special-cases an input of the tests"
CLAIMS = "speaks for the test runner"
DEPENDS = "changes what is installed"

_CALLS = {
    **dict.fromkeys(("os._exit", "os.abort", "os.kill", "os.killpg", "atexit.register"), ENDS),
    **dict.fromkeys(("signal.signal", "signal.setitimer", "signal.alarm", "faulthandler.register"), ENDS),
    **dict.fromkeys(("inspect.stack", "inspect.currentframe", "inspect.getouterframes"), CALLER),
    **dict.fromkeys(
        ("inspect.trace", "sys._getframe", "sys._current_frames", "traceback.extract_stack"), CALLER
    ),
    **dict.fromkeys(("gc.get_objects", "gc.get_referrers", "sys.settrace", "sys.setprofile"), CALLER),
    **dict.fromkeys(("exec", "eval", "compile", "marshal.loads", "ctypes.CDLL", "ctypes.pythonapi"), HIDES),
    **dict.fromkeys(("pickle.loads", "codecs.decode", "importlib.reload", "__import__"), HIDES),
}
_MODULES = {
    **dict.fromkeys(("pytest", "_pytest", "unittest", "nose", "pluggy", "doctest"), RUNNER),
    **dict.fromkeys(("gc", "faulthandler", "ctypes"), CALLER),
    **dict.fromkeys(("builtins", "sitecustomize", "usercustomize"), PATCHES),
}
_RUNNER_WORDS = re.compile(
    r"PYTEST|pytest|TREEMEND|conftest|unittest|\btests?[/\\]|\btest_\w|/proc/self|junit"
)
_HOOK = re.compile(r"pytest_\w+")
_LENIENT = frozenset({"__eq__", "__ne__", "__contains__", "__instancecheck__", "__subclasscheck__"})
_BROAD = frozenset({"Exception", "BaseException"})
_DEPENDENCIES = re.compile(
    r"requirements[^/]*\.(?:txt|in)|constraints[^/]*\.txt|pipfile(?:\.lock)?|poetry\.lock|uv\.lock|pdm\.lock|"
    r"environment\.ya?ml|package(?:-lock)?\.json|yarn\.lock|pnpm-lock\.yaml|cargo\.(?:toml|lock)|go\.(?:mod|sum)|"
    r"pom\.xml|build\.gradle(?:\.kts)?",
)
_ELSEWHERE = (
    (
        re.compile(
            r"\bprocess\.(?:exit|abort|kill)\b|\bos\.Exit\b|\bSystem\.exit\b|process::(?:exit|abort)\b"
        ),
        ENDS,
    ),
    (re.compile(r"\bRuntime\.getRuntime\(\)\.halt\b|\bsyscall\.Kill\b"), ENDS),
    (re.compile(r"new Error\(\)\.stack|\bgetStackTrace\b|runtime\.Callers?\b|Backtrace::"), CALLER),
    (re.compile(r"\brequire\.cache\b|\.prototype\.\w+ *=|\bglobalThis\.\w+ *="), PATCHES),
    (
        re.compile(r"\bJEST_WORKER_ID\b|\bVITEST\b|NODE_TEST_CONTEXT|\btesting\.Testing\(\)|cfg!\(test\)"),
        RUNNER,
    ),
    (re.compile(r"catch *(?:\([^)]*\))? *\{ *\}"), SWALLOWS),
)


@dataclass(frozen=True, slots=True)
class ChangedText:
    """A file that a patch changes or adds, as text; `before` is "" for a new one."""

    path: str
    before: str
    after: str

    @property
    def added(self) -> frozenset[int]:
        """Numbers of the lines that are new."""
        old = [line.encode("utf-8", "surrogateescape") for line in self.before.splitlines()]
        new = [line.encode("utf-8", "surrogateescape") for line in self.after.splitlines()]
        return frozenset(
            number + 1 for change in changes(old, new) for number in range(change.new_start, change.new_end)
        )


def concerns(texts: Sequence[ChangedText], test_sources: Sequence[str]) -> tuple[Concern, ...]:
    """The concerns about a patch's files; `test_sources` are the files of the target tests."""
    literals = _literals_of_tests(test_sources)
    found: list[Concern] = []
    for text in texts:
        if _DEPENDENCIES.fullmatch(PurePosixPath(text.path).name.casefold()):
            detail = "the tests ran with what is installed now"
            found.append(Concern(kind=DEPENDS, path=text.path, line=0, detail=detail))
        found += _of_python(text, literals) if text.path.endswith(".py") else _of_others(text)
    return tuple(dict.fromkeys(found))


def _of_others(text: ChangedText) -> Iterator[Concern]:
    lines = text.after.splitlines()
    for number in sorted(text.added):
        for pattern, kind in _ELSEWHERE:
            if pattern.search(lines[number - 1]) and not pattern.search(text.before):
                yield Concern(kind=kind, path=text.path, line=number, detail=lines[number - 1].strip()[:100])


def _of_python(text: ChangedText, literals: _Literals) -> list[Concern]:
    module = _parsed(text.after)
    if module is None:
        return []
    before = _parsed(text.before)
    known = {(kind, key) for _, kind, key in _Scan(literals).run(before)} if before is not None else set()
    added = text.added
    return [
        Concern(kind=kind, path=text.path, line=line, detail=key)
        for line, kind, key in _Scan(literals).run(module)
        if line in added and (kind, key) not in known
    ]


def _parsed(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


Found = tuple[int, str, str]


@dataclass
class _Scan:
    """Walks a module; what it finds is (line, kind, what)."""

    literals: _Literals
    names: dict[str, str] = field(default_factory=dict)

    def run(self, module: ast.Module) -> list[Found]:
        for node in ast.walk(module):
            if isinstance(node, ast.Import):
                self.names |= {(a.asname or a.name.split(".")[0]): a.name for a in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                self.names |= {(a.asname or a.name): f"{node.module}.{a.name}" for a in node.names}
        docstrings = _docstrings(module)
        found: list[Found] = []
        for node in ast.walk(module):
            found += self._look(node, docstrings)
        return [*found, *self._exits(module)]

    def _look(self, node: ast.AST, docstrings: frozenset[int]) -> Iterator[Found]:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from self._imports(node)
        elif isinstance(node, ast.Call):
            yield from self._call(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            found = _RUNNER_WORDS.search(node.value)
            if found:
                yield node.lineno, RUNNER, f"names {found[0]!r}"
        elif isinstance(node, ast.Attribute):
            yield from self._attribute(node)
        elif isinstance(node, ast.Assign | ast.AugAssign | ast.Delete):
            yield from self._assignment(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _function(node)
        elif isinstance(node, ast.ExceptHandler):
            yield from _handler(node)
        yield from self.literals.special_cases(node)

    def _imports(self, node: ast.Import | ast.ImportFrom) -> Iterator[Found]:
        if isinstance(node, ast.ImportFrom):
            modules = [] if node.level or not node.module else [node.module]
        else:
            modules = [alias.name for alias in node.names]
        for module in modules:
            kind = _MODULES.get(module.split(".")[0])
            if kind is not None:
                yield node.lineno, kind, f"imports {module}"

    def _dotted(self, node: ast.AST) -> str:
        """The name that an expression means, through the imports; "" where it is no plain name."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            base = self._dotted(node.value)
            return f"{base}.{node.attr}" if base else ""
        return ""

    def _call(self, node: ast.Call) -> Iterator[Found]:
        name = self._dotted(node.func)
        if name in _CALLS:
            yield node.lineno, _CALLS[name], f"calls {name}"
        if name in ("setattr", "delattr", "builtins.setattr") and node.args:
            target = self._dotted(node.args[0])
            if isinstance(node.args[0], ast.Name) and node.args[0].id in self.names:
                yield node.lineno, PATCHES, f"sets an attribute of {target}"

    def _attribute(self, node: ast.Attribute) -> Iterator[Found]:
        name = self._dotted(node)
        if name == "sys.modules":
            yield node.lineno, RUNNER, "uses sys.modules"
        elif name in ("sys.meta_path", "sys.path_hooks", "sys.gettrace", "sys.getprofile", "sys.monitoring"):
            yield node.lineno, RUNNER, f"uses {name}"

    def _assignment(self, node: ast.Assign | ast.AugAssign | ast.Delete) -> Iterator[Found]:
        targets = [node.target] if isinstance(node, ast.AugAssign) else node.targets
        for target in targets:
            base = target.value if isinstance(target, ast.Attribute | ast.Subscript) else None
            if isinstance(target, ast.Attribute) and isinstance(base, ast.Name) and base.id in self.names:
                yield node.lineno, PATCHES, f"sets {self._dotted(target)}"
            if isinstance(base, ast.Name) and base.id in ("__builtins__", "builtins"):
                yield node.lineno, PATCHES, f"sets a name of {base.id}"

    def _exits(self, module: ast.Module) -> Iterator[Found]:
        """Ways out of the process that run on import, but for those of a script."""
        for statement in module.body:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            if isinstance(statement, ast.If) and "__name__" in ast.dump(statement.test):
                continue
            for node in ast.walk(statement):
                if isinstance(node, ast.Call) and self._dotted(node.func) in ("sys.exit", "exit", "quit"):
                    yield node.lineno, ENDS, f"calls {self._dotted(node.func)} on import"


def _docstrings(module: ast.Module) -> frozenset[int]:
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    bodies = [node.body for node in ast.walk(module) if isinstance(node, owners)]
    firsts = [body[0] for body in bodies if body]
    return frozenset(id(first.value) for first in firsts if isinstance(first, ast.Expr))


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Found]:
    if _HOOK.fullmatch(node.name):
        yield node.lineno, CLAIMS, f"defines {node.name}"
    if node.name in _LENIENT:
        arguments = node.args.posonlyargs + node.args.args
        used = {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
        other = arguments[1].arg if len(arguments) > 1 else ""
        returned = [n.value for n in ast.walk(node) if isinstance(n, ast.Return)]
        constant = any(isinstance(value, ast.Constant) and value.value is True for value in returned)
        if constant or other not in used:
            yield node.lineno, AGREES, f"{node.name} does not compare"


def _handler(node: ast.ExceptHandler) -> Iterator[Found]:
    kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    broad = node.type is None or any(isinstance(kind, ast.Name) and kind.id in _BROAD for kind in kinds)
    if broad and all(_does_nothing(statement) for statement in node.body):
        yield node.lineno, SWALLOWS, "except " + (ast.unparse(node.type) if node.type else "anything")


def _does_nothing(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Pass | ast.Continue | ast.Break):
        return True
    value = statement.value if isinstance(statement, ast.Expr | ast.Return) else statement
    return value is None or isinstance(value, ast.Constant)


class _Literals:
    """The literals of the tests, by which a change that knows them is told."""

    def __init__(self) -> None:
        self.all: set[str] = set()
        self.telling: set[str] = set()

    def special_cases(self, node: ast.AST) -> Iterator[Found]:
        """Whether a branch or a table answers an input of the tests with a value that they want."""
        if isinstance(node, ast.If):
            results = [value for statement in node.body for value in _given(statement)]
            yield from self._branch(node.test, results)
        elif isinstance(node, ast.IfExp):
            yield from self._branch(node.test, [node.body])
        elif isinstance(node, ast.Compare):
            sides = (node.left, *node.comparators)
            known = [side for side in sides if _told(side) in self.telling and _is_filled(side)]
            if known:
                yield node.lineno, SPECIAL, f"compares with {ast.unparse(known[0])}"[:200]
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if key is not None and _told(key) in self.telling and _told(value) in self.telling:
                    yield node.lineno, SPECIAL, f"a table holds {ast.unparse(key)}: {ast.unparse(value)}"
                    return

    def _branch(self, test: ast.expr, results: list[ast.expr]) -> Iterator[Found]:
        wanted = [result for result in results if _told(result) in self.all]
        if not wanted:
            return
        telling = any(_told(result) in self.telling for result in wanted)
        for compare in (node for node in ast.walk(test) if isinstance(node, ast.Compare)):
            for operator, side in zip(compare.ops, compare.comparators, strict=True):
                if not isinstance(operator, ast.Eq | ast.In | ast.Is):
                    continue
                for value in (compare.left, *_inputs(operator, side)):
                    told = _told(value)
                    if told in self.telling and (telling or _is_rich(value)):
                        shown = f"{ast.unparse(test)} gives {ast.unparse(wanted[0])}"
                        yield test.lineno, SPECIAL, shown[:200]
                        return


def _inputs(operator: ast.cmpop, side: ast.expr) -> list[ast.expr]:
    listed = isinstance(operator, ast.In) and isinstance(side, ast.List | ast.Tuple | ast.Set)
    return [side, *side.elts] if listed else [side]  # type: ignore[attr-defined]


def _given(statement: ast.stmt) -> list[ast.expr]:
    """The value that a statement of a branch gives: it returns it or assigns it."""
    value = statement.value if isinstance(statement, ast.Return | ast.Assign) else None
    return [] if value is None else [value]


def _told(node: ast.expr) -> str:
    """A literal as text that is equal for equal literals, lists and tuples alike; "" for what is none."""
    try:
        return repr(_with_tuples(ast.literal_eval(node)))
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return ""


def _with_tuples(value: object) -> object:
    return tuple(map(_with_tuples, value)) if isinstance(value, list | tuple) else value


def _is_rich(node: ast.expr) -> bool:
    """Whether a literal is of a kind that code rarely compares with: a filled container or a long text."""
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        return False
    if isinstance(value, str | bytes):
        return len(value) > 8
    return isinstance(value, list | tuple | dict | set) and len(value) > 1


def _is_filled(node: ast.expr) -> bool:
    """Whether a literal is a container of several values, which code has little reason to compare with."""
    return isinstance(node, ast.List | ast.Tuple | ast.Set | ast.Dict) and _is_rich(node)


def _literals_of_tests(sources: Sequence[str]) -> _Literals:
    literals = _Literals()
    for source in sources:
        module = _parsed(source)
        for node in ast.walk(module) if module is not None else ():
            told = _told(node) if isinstance(node, ast.expr) else ""
            if told:
                literals.all.add(told)
                if _tells(ast.literal_eval(node)):
                    literals.telling.add(told)
    return literals


def _tells(value: object) -> bool:
    """Whether a value is seldom met by chance."""
    if value is None or isinstance(value, bool):
        return False
    if isinstance(value, int | float | complex):
        return value not in (-1, 0, 1, 2, 10, 100)
    return bool(value) and (not isinstance(value, str | bytes) or len(value) > 1)
